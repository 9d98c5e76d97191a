"""What API clients are called where they did something."""

from django.http import HttpRequest
from django.utils.translation import gettext as _

from config.admin import name_actors
from integrations.models import ApiClient


def client_names(request: HttpRequest, pks: set[int]) -> dict[int, str]:
    clients = ApiClient.objects.in_bulk(pks)
    return {
        pk: _("client %(name)s") % {"name": client.name}
        for pk, client in clients.items()
    }


name_actors("client", client_names)
