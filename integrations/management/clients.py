"""What the commands for API clients share."""

from django.core.management.base import CommandError
from django.db.models import Q

from integrations.models import ApiClient


def named_client(name: str) -> ApiClient:
    """The client of this id, or of this name if no other has it; else CommandError."""
    found = list(ApiClient.objects.filter(Q(client_id=name) | Q(name=name))[:2])
    if not found:
        raise CommandError(f"There is no API client {name}.")
    if len(found) > 1:
        raise CommandError(f"Several API clients are called {name}: give its id.")
    return found[0]
