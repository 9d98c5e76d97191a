"""Endpoints at which a shop acts for a person: what they buy, and what they decide."""

from functools import cached_property
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q
from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
)
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.utils.urls import replace_query_param

from approvals import inbox, services, stand_ins
from approvals.answers import effective
from approvals.api.filters import OwnRequestFilterSet
from approvals.api.serializers import (
    ActingChangeSerializer,
    ActingCheckSerializer,
    ActingStandInSerializer,
    ActingSubmitSerializer,
    BlockedSerializer,
    CommentSerializer,
    InboxSerializer,
    MeSerializer,
    OrderSerializer,
    PurchaseDecisionSerializer,
    PurchaseRequestSerializer,
    StandInSerializer,
)
from approvals.api.shapes import BRIEF_REQUEST, STAND_IN
from approvals.errors import NotRequester
from approvals.models import Decision, PurchaseRequest, StandIn
from approvals.rules import Role
from approvals.situation import limits_of
from companies.acting import NeedsRole, Standpoint
from companies.api.acting import OWN_CONTACT, ActingViewSet
from companies.models import Company, Contact, ContactAssignment
from config.api.etags import IF_MATCH
from groups.pricing import answer as pricing_answer
from groups.pricing import pricing_context
from integrations.api.rates import count_submit
from integrations.api.viewsets import CreateMixin, DestroyMixin, ListMixin

from .views.requests import PurchaseRequestViewSet


class ActingMeViewSet(ActingViewSet):
    """Who the person is here: role, rights, limits, price lists."""

    queryset = Contact.objects.all()
    serializer_class = MeSerializer
    pagination_class = None
    http_method_names = ["get", "head"]

    def known_parameters(self) -> set[str]:
        return set()

    @extend_schema(
        operation_id="as_in_me_retrieve",
        summary="What the person is and may do here",
        description="`limits`: those that bind the person, with what is left of them. "
        "`may`: what could be called for them; each purchase is checked all the same.",
        responses=forced_singular_serializer(MeSerializer),
        filters=False,
    )
    def list(self, request: Request) -> Response:
        mine = self.standpoint
        companies = Company.objects.with_effective_status().filter(pk=mine.company)
        company = companies.get()
        prices = pricing_context(mine.contact, company, client=self.client)
        people = Contact.objects.filter(pk=mine.contact.pk).order_by()
        (contact,) = OWN_CONTACT.rows(people, self.client)
        return Response(
            {
                "contact": contact,
                "company": {
                    "id": company.pk,
                    "code": company.code,
                    "name": company.name,
                    "currency": company.currency,
                    "effective_status": company.effective_status,
                },
                "role": mine.role,
                "assignments": [_assignment(one) for one in mine.assignments],
                "may": _rights(mine),
                "limits": [
                    effective(limit)
                    for limit in limits_of(mine.company)
                    if mine.role and limit.binds_person(mine.contact.pk, mine.role)
                ],
                "price_lists": pricing_answer(prices)["price_lists"],
            }
        )


def _assignment(assignment: ContactAssignment) -> dict[str, Any]:
    return {
        "id": assignment.pk,
        "company": assignment.company_id,
        "type": assignment.type,
        "role": assignment.role,
        "covers_subsidiaries": assignment.covers_subsidiaries,
        "valid_from": assignment.valid_from,
        "valid_until": assignment.valid_until,
    }


def _rights(mine: Standpoint) -> list[str]:
    """What could be called; whether to decide on a request depends on the request."""
    rights = ["check"]
    if mine.role:
        rights.append("submit")
    if inbox.is_approver(mine):
        rights.append("name_stand_in")
    if mine.is_admin:
        rights += ["manage_people", "manage_locations", "see_all_requests"]
    return rights


class ActingRequestViewSet(ActingViewSet, PurchaseRequestViewSet):
    """The person's requests here, and those on which they may decide.

    An admin sees all of the company. Who decided on one sees it afterwards, too.
    """

    queryset = PurchaseRequest.objects.order_by()
    filterset_class = OwnRequestFilterSet
    read_scope = write_scope = ActingViewSet.read_scope

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.action == "create":
            count_submit(self.client, self.standpoint.contact.pk)

    def check_permissions(self, request: Request) -> None:
        super(PurchaseRequestViewSet, self).check_permissions(request)  # `act` is all

    def seen(self, rows: models.QuerySet) -> models.QuerySet:
        if rows.model is not PurchaseRequest:
            return super().seen(rows)
        mine = self.standpoint
        decided = Decision.objects.filter(request=OuterRef("pk"), contact=mine.contact)
        hierarchy = Company.objects.in_hierarchy_of(mine.company).order_by()
        theirs = Q(requester=mine.contact) | Q(pk=self._decidable)
        here = Q(company=mine.company)
        if not mine.is_admin:
            here &= theirs
        return rows.visible_to(self.client).filter(
            here
            | Q(pk=self._decidable)
            | Q(Exists(decided), company__in=hierarchy.values("pk"))
        )

    @cached_property
    def _decidable(self) -> int | None:
        """The request in the path, if the person may decide on it now."""
        if "pk" not in self.kwargs:
            return None
        hierarchy = Company.objects.in_hierarchy_of(self.standpoint.company).order_by()
        rows = PurchaseRequest.objects.visible_to(self.client).pending()
        found = rows.filter(pk=self.kwargs["pk"], company__in=hierarchy).first()
        if found is None or not inbox.may_decide(self.standpoint.contact, found):
            return None
        return found.pk

    @extend_schema(
        summary="Submit a purchase, for the person at the company",
        description="As `POST purchase-requests/`.",
        request=ActingSubmitSerializer,
        responses={
            201: PurchaseRequestSerializer,
            200: OpenApiResponse(BlockedSerializer, "The purchase is blocked."),
        },
    )
    def create(self, request: Request) -> Response:
        return self.submit(self.read_action(ActingSubmitSerializer) | self._wish())

    @extend_schema(
        summary="May the person buy this?",
        request=ActingCheckSerializer,
        responses=PurchaseDecisionSerializer,
    )
    @action(detail=False, methods=["post"])
    def check(self, request: Request) -> Response:
        return self.ask(self.read_action(ActingCheckSerializer) | self._wish())

    def _wish(self) -> dict[str, Any]:
        mine = self.standpoint
        return {"company": mine.company, "requester": mine.contact}

    @extend_schema(
        summary="Approve",
        request=CommentSerializer,
        responses=PurchaseRequestSerializer,
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        return self._move(services.approve_request, CommentSerializer)

    @extend_schema(
        summary="Decline",
        request=CommentSerializer,
        responses=PurchaseRequestSerializer,
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"])
    def decline(self, request: Request, pk: str) -> Response:
        return self._move(services.decline_request, CommentSerializer)

    @extend_schema(
        summary="Withdraw one's own request",
        request=CommentSerializer,
        responses=PurchaseRequestSerializer,
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        return self._move(services.withdraw_request, CommentSerializer)

    @extend_schema(
        summary="Change one's own pending request",
        description="As `purchase-requests/{id}/change/`.",
        request=ActingChangeSerializer,
        responses=PolymorphicProxySerializer(
            component_name="ChangedOrBlocked",
            serializers=[PurchaseRequestSerializer, BlockedSerializer],
            resource_type_field_name=None,
        ),
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"])
    def change(self, request: Request, pk: str) -> Response:
        return self._change(ActingChangeSerializer)

    @extend_schema(
        summary="Note that one's own request was ordered",
        request=OrderSerializer,
        responses=PurchaseRequestSerializer,
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"])
    def order(self, request: Request, pk: str) -> Response:
        self._own()
        return self._move(services.order_request, OrderSerializer)

    @extend_schema(
        summary="Give up what was approved of one's own",
        request=CommentSerializer,
        responses=PurchaseRequestSerializer,
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        self._own()
        return self._move(services.cancel_request, CommentSerializer)

    refund = None  # money is given back by the seller's systems

    def _own(self) -> None:
        """Raise unless the request is the person's own."""
        request = self.get_object()
        if request.requester_id != self.standpoint.contact.pk:
            raise NotRequester(request=request.pk)


class ActingInboxViewSet(ActingViewSet):
    """What waits for the person, in the whole hierarchy."""

    queryset = PurchaseRequest.objects.order_by()
    serializer_class = InboxSerializer
    pagination_class = None
    http_method_names = ["get", "head"]

    def known_parameters(self) -> set[str]:
        return {"after", "page_size"}

    @extend_schema(
        operation_id="as_in_inbox_retrieve",
        summary="Requests on which the person could decide now",
        description="The oldest first. `next` can be there with few or no results: "
        "then only others' requests have been looked at so far.",
        responses=forced_singular_serializer(InboxSerializer),
        parameters=[
            OpenApiParameter("after", OpenApiTypes.INT),
            OpenApiParameter("page_size", OpenApiTypes.INT),
        ],
        filters=False,
    )
    def list(self, request: Request) -> Response:
        mine = self.standpoint
        found, rest = inbox.waiting_for(
            mine.contact,
            mine.company,
            after=self.number("after", 0, most=10**18),
            most=self.number("page_size", 50, least=1, most=200),
        )
        rows = PurchaseRequest.objects.visible_to(self.client).filter(pk__in=found)
        url = request.build_absolute_uri()
        return Response(
            {
                "results": BRIEF_REQUEST.rows(rows.order_by("pk"), self.client),
                "next": None
                if rest is None
                else replace_query_param(url, "after", rest),
            }
        )


class ActingStandInViewSet(ListMixin, CreateMixin, DestroyMixin, ActingViewSet):
    """Who decides for the person here, and everywhere below."""

    http_method_names = ["get", "post", "delete", "head"]
    queryset = StandIn.objects.all()
    shape = STAND_IN
    serializer_class = ActingStandInSerializer

    def seen(self, rows: models.QuerySet) -> models.QuerySet:
        if rows.model is StandIn:
            return rows.visible_to(self.client).filter(
                contact=self.standpoint.contact, company=self.standpoint.company
            )
        if rows.model is Contact:  # whom one can name: anybody in the hierarchy
            hierarchy = Company.objects.in_hierarchy_of(self.standpoint.company)
            assigned = ContactAssignment.objects.filter(
                company__in=hierarchy.order_by()
            ).order_by()
            return rows.visible_to(self.client).filter(
                pk__in=assigned.values("contact")
            )
        return super().seen(rows)

    @extend_schema(summary="Name a stand-in", responses={201: StandInSerializer})
    def create(self, request: Request) -> Response:
        if not inbox.is_approver(self.standpoint):
            raise NeedsRole(role=str(Role.BUYER))
        return super().create(request)

    def perform_create(self, serializer: BaseSerializer) -> StandIn:
        mine = self.standpoint
        return stand_ins.name_stand_in(
            actor=self.actor,
            company=Company.objects.get(pk=mine.company),
            contact=mine.contact,
            **serializer.validated_data,
        )

    def perform_destroy(self, instance: StandIn) -> None:
        stand_ins.end_stand_in(
            instance, actor=self.actor, expected_version=self.expected_version
        )
