"""Endpoints at which a shop acts for a person at a company: people and locations."""

from typing import Any

from django.db import models
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from companies import acting
from companies.api.acting import OWN_CONTACT, ActingContactSerializer, ActingViewSet
from companies.api.acting_serializers import (
    ActingAssignmentSerializer,
    ActingLocationSerializer,
    InvitationSerializer,
)
from companies.api.serializers import PersonSerializer
from companies.api.shapes import ASSIGNMENT, LOCATION, PERSON
from companies.models import Contact, ContactAssignment, Location
from config.api.etags import IF_MATCH, etag
from integrations.api.viewsets import (
    CreateMixin,
    DestroyMixin,
    ListMixin,
    RetrieveMixin,
    UpdateMixin,
)


class ActingPeopleViewSet(ActingViewSet):
    """People of the company. Admins see all and change them; others see themselves."""

    queryset = Contact.objects.all()
    shape = OWN_CONTACT
    serializer_class = ActingContactSerializer
    http_method_names = ["get", "post", "patch", "delete", "head"]
    confirm_on = ("change_assignment", "end_assignment")

    @extend_schema(
        summary="People of the company",
        description="For an admin: who is assigned to it, and to a company above that "
        "covers subsidiaries. For others: themselves.",
        responses=PersonSerializer(many=True),
        filters=False,
    )
    def list(self, request: Request) -> Response:
        return self.page(self._assignments(), PERSON, allowed={})

    @extend_schema(
        summary="Invite a person",
        description="By e-mail, with a role. Somebody who is known elsewhere keeps the "
        "data they have: the answer is the same. Admins only, and no wider reach than "
        "their own (403 `beyond_reach`).",
        request=InvitationSerializer,
        responses={201: PersonSerializer},
    )
    def create(self, request: Request) -> Response:
        self.standpoint.need_admin()
        serializer = InvitationSerializer(
            data=request.data, context=self.get_serializer_context()
        )
        serializer.is_valid(raise_exception=True)
        with serializer.placing_errors():
            invited = acting.invite(
                self.standpoint, actor=self.actor, **serializer.validated_data
            )
        (person,) = PERSON.rows(self._assignments().filter(pk=invited.pk), self.client)
        return Response(person, 201)

    @extend_schema(summary="A person of the company")
    def retrieve(self, request: Request, pk: str) -> Any:
        return Response(self.read(pk, self.plan(self.shape, also=self._version)))

    @extend_schema(
        summary="Change names, phone, job title, language",
        description="One's own; an admin also those of people who work nowhere else "
        "than within their reach (403 `managed_by_seller`).",
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        person = self.get_object()
        self.check_version(person)
        serializer = self.read_input(person, partial=True)
        with serializer.placing_errors():
            acting.edit_person(
                self.standpoint,
                person,
                actor=self.actor,
                expected_version=self.expected_version,
                **serializer.validated_data,
            )
        return self.answer(person.pk)

    @extend_schema(
        operation_id="as_in_people_assignment_retrieve",
        summary="The assignment of a person",
        responses=ActingAssignmentSerializer,
    )
    @action(detail=True, url_path="assignment")
    def assignment(self, request: Request, pk: str) -> Response:
        return self._show(self._assignment())

    @extend_schema(
        operation_id="as_in_people_assignment_partial_update",
        summary="Change role, type, reach or dates",
        description="Admins only; never their own (403 `own_role`), no wider reach "
        "than theirs, and 409 `last_admin` for the last one.",
        request=ActingAssignmentSerializer,
        responses=ActingAssignmentSerializer,
        parameters=[IF_MATCH],
    )
    @assignment.mapping.patch
    def change_assignment(self, request: Request, pk: str) -> Response:
        assignment = self._assignment()
        self.standpoint.need_admin()
        self.check_version(assignment)
        serializer = ActingAssignmentSerializer(
            assignment,
            data=request.data,
            partial=True,
            context=super().get_serializer_context()
            | {"current": lambda: self._shown(assignment)},
        )
        serializer.is_valid(raise_exception=True)
        with serializer.placing_errors():
            changed = acting.change_assignment(
                self.standpoint,
                assignment,
                actor=self.actor,
                expected_version=self.expected_version,
                confirm=self.confirmed,
                **serializer.validated_data,
            )
        return self._show(changed)

    @extend_schema(
        operation_id="as_in_people_assignment_destroy",
        summary="End the assignment of a person",
        description="The person works at this company no more; as for changes.",
        responses={204: OpenApiResponse(description="They work here no more.")},
        parameters=[IF_MATCH],
    )
    @assignment.mapping.delete
    def end_assignment(self, request: Request, pk: str) -> Response:
        assignment = self._assignment()
        self.standpoint.need_admin()
        self.check_version(assignment)
        acting.end_assignment(
            self.standpoint,
            assignment,
            actor=self.actor,
            expected_version=self.expected_version,
            confirm=self.confirmed,
        )
        return Response(status=204)

    def _assignments(self) -> models.QuerySet[ContactAssignment]:
        above = ~Q(company=self.standpoint.company)
        inherited = ExpressionWrapper(above, output_field=BooleanField())
        return self.seen(ContactAssignment.objects.annotate(inherited=inherited))

    def _assignment(self) -> ContactAssignment:
        """The one at the company itself, else one that reaches down to it."""
        rows = self._assignments().filter(contact=self.kwargs["pk"])
        found = rows.order_by("inherited", "pk").first()
        if found is None:
            raise Http404
        return found

    def _show(self, assignment: ContactAssignment) -> Response:
        self.headers["ETag"] = etag(assignment.version)
        return Response(self._shown(assignment))

    def _shown(self, assignment: ContactAssignment) -> dict[str, Any]:
        rows = ContactAssignment.objects.filter(pk=assignment.pk).order_by()
        (shown,) = ASSIGNMENT.rows(rows, self.client)
        return shown


class ActingLocationViewSet(
    ListMixin, RetrieveMixin, CreateMixin, UpdateMixin, DestroyMixin, ActingViewSet
):
    """Locations that the company may use; admins change its own."""

    queryset = Location.objects.all()
    shape = LOCATION
    serializer_class = ActingLocationSerializer
    ordering_fields = {"name": "name", "city": "city"}

    @extend_schema(summary="Locations of the company, and those shared from above")
    def list(self, request: Request) -> Response:
        return super().list(request)

    def create(self, request: Request) -> Response:
        self.standpoint.need_admin()
        return super().create(request)

    def perform_create(self, serializer: serializers.BaseSerializer) -> Location:
        return serializer.save(actor=self.actor, company_id=self.standpoint.company)

    def get_object(self) -> Location:
        """To be changed: by an admin of its own company."""
        found = super().get_object()
        self.standpoint.need_admin()
        if found.company_id != self.standpoint.company:
            raise acting.SharedFromAbove(company=found.company_id)
        return found
