"""Endpoints of contacts and their assignments to companies."""

from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from companies import services
from companies.api.filters import AssignmentFilterSet, ContactFilterSet
from companies.api.serializers import (
    AssignmentSerializer,
    ContactSerializer,
    ReachSerializer,
)
from companies.api.shapes import ASSIGNMENT, CONTACT, REACH
from companies.models import Company, Contact, ContactAssignment
from config.api.etags import MAY_MATCH
from config.api.pagination import KeysetPagination
from config.api.serializers import EmptySerializer
from integrations.api.viewsets import (
    ClientViewSet,
    CreateMixin,
    DestroyMixin,
    ListMixin,
    RetrieveMixin,
    UpdateMixin,
)


class ContactViewSet(
    ListMixin, RetrieveMixin, CreateMixin, UpdateMixin, DestroyMixin, ClientViewSet
):
    """People at business customers. One who was ever assigned is not deleted."""

    queryset = Contact.objects.all()
    shape = CONTACT
    serializer_class = ContactSerializer
    filterset_class = ContactFilterSet
    read_scope = "contacts:read"
    write_scope = "contacts:write"
    ordering_fields = {
        "last_name": "last_name",
        "first_name": "first_name",
        "email": "email_key",
        "created_at": "created_at",
        "updated_at": "updated_at",
    }

    confirm_on = ("update", "partial_update")

    def perform_update(self, serializer: Any) -> Contact:
        contact = serializer.instance.pk
        with services.watching_rights(contact=contact, confirm=self.confirmed):
            return super().perform_update(serializer)

    def perform_create(self, serializer: Any) -> Contact:
        # Until the person is assigned somewhere, only who registered them sees them.
        return serializer.save(actor=self.actor, registered_by=self.client)

    @extend_schema(
        summary="Where a person may act",
        description="The companies in which the person has a role today, by an own "
        "assignment or by one above that covers subsidiaries.",
        responses=ReachSerializer(many=True),
        filters=False,
    )
    @action(detail=True, parameters=KeysetPagination.parameters)
    def companies(self, request: Request, pk: str) -> Response:
        self.check_visible()
        assignments = ContactAssignment.objects.visible_to(self.client)
        mine = assignments.in_force().filter(contact=pk)
        rows = Company.objects.visible_to(self.client).reached_by(mine)
        return self.page(rows, REACH, allowed={"name": "name", "code": "code"})

    @extend_schema(
        summary="Erase a person",
        description="Replaces the person's data by a pseudonym, in the history too; "
        "for good. The person stays assigned, inactive.",
        request=None,
        responses=ContactSerializer,
        parameters=[MAY_MATCH],
    )
    @action(detail=True, methods=["post"])
    def erase(self, request: Request, pk: str) -> Response:
        contact = self.get_object()
        self.read_action(EmptySerializer)
        with transaction.atomic():
            services.erase_contact(
                contact, actor=self.actor, expected_version=self.version_if_given
            )
            return self.answer(contact.pk)


class AssignmentViewSet(
    ListMixin, RetrieveMixin, CreateMixin, UpdateMixin, DestroyMixin, ClientViewSet
):
    """Who works where, as what, from when until when."""

    queryset = ContactAssignment.objects.all()
    shape = ASSIGNMENT
    serializer_class = AssignmentSerializer
    filterset_class = AssignmentFilterSet
    read_scope = "contacts:read"
    write_scope = "contacts:write"
    ordering_fields = {"created_at": "created_at", "updated_at": "updated_at"}
    confirm_on = ("update", "partial_update", "destroy")

    def perform_update(self, serializer: Any) -> ContactAssignment:
        contact = serializer.instance.contact_id
        with services.watching_rights(contact=contact, confirm=self.confirmed):
            return super().perform_update(serializer)

    def perform_destroy(self, instance: ContactAssignment) -> None:
        contact = instance.contact_id
        with services.watching_rights(contact=contact, confirm=self.confirmed):
            super().perform_destroy(instance)
