"""The base of all endpoints at which a shop acts for a person at a company.

Under `as/{contact}/in/{company}/`. What the person may not know does not exist.
"""

from functools import cached_property
from typing import Any

from django.db import models
from django.http import Http404
from rest_framework.request import Request

from companies.acting import Standpoint, standpoint_of
from companies.models import ContactAssignment
from config.actors import Actor
from config.api.rows import Shape
from integrations.api.viewsets import ClientViewSet

from .acting_serializers import ActingContactSerializer

__all__ = ["OWN_CONTACT", "PREFIX", "ActingContactSerializer", "ActingViewSet"]

ID = ClientViewSet.lookup_value_regex
PREFIX = rf"as/(?P<contact>{ID})/in/(?P<company>{ID})"

# As people at the same company see each other.
OWN_CONTACT = Shape(*ActingContactSerializer.Meta.fields)


class ActingViewSet(ClientViewSet):
    """Acts for the person in the path at the company in the path, with their rights.

    404 unless the client sees both and the person has an assignment in force that
    reaches the company: read afresh on every call.
    """

    read_scope = write_scope = "act"
    ids_in_path = ("contact", "company")

    def dispatch(
        self, request: Any, *args: Any, contact: str, company: str, **kwargs: Any
    ) -> Any:
        self.at = int(contact), int(company)
        return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.standpoint is None:
            raise Http404

    @cached_property
    def standpoint(self) -> Standpoint | None:
        return standpoint_of(*self.at, self.client)

    @property
    def actor(self) -> Actor:
        contact = self.standpoint.contact.pk
        return Actor.client(self.request.auth.application_id, contact_id=contact)

    def known_parameters(self) -> set[str]:
        # What an id is expanded to may be of companies of which the person is nobody.
        return super().known_parameters() - {"expand"}

    def seen(self, rows: models.QuerySet) -> models.QuerySet:
        """As far as the client sees it, and the person may know of it."""
        rows = super().seen(rows)
        match rows.model.__name__:
            case "Location":
                return rows.usable_by(self.standpoint.company)
            case "Contact":
                return rows.filter(pk__in=self._colleagues().values("contact"))
            case "ContactAssignment":
                return self._colleagues(rows)
        return rows.none()

    def _colleagues(
        self, rows: models.QuerySet | None = None
    ) -> models.QuerySet[ContactAssignment]:
        """An admin sees the people of the company; others see themselves."""
        rows = ContactAssignment.objects.all() if rows is None else rows
        rows = rows.reaching(self.standpoint.company).order_by()
        if not self.standpoint.is_admin:
            rows = rows.filter(contact=self.standpoint.contact)
        return rows
