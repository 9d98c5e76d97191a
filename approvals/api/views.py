"""Endpoints of limits, approval groups and purchase requests."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from approvals import membership, services
from approvals.answers import answer, effective, step_in_words
from approvals.models import ApprovalGroup, PurchaseLimit, PurchaseRequest
from approvals.rules import Purchase
from approvals.situation import limits_of
from companies.models import Company
from config.actors import Actor
from config.api.rows import Shape
from integrations.api.viewsets import (
    ClientViewSet,
    CreateMixin,
    DestroyMixin,
    ListMixin,
    RetrieveMixin,
    UpdateMixin,
)

from .filters import (
    ApprovalGroupFilterSet,
    PurchaseLimitFilterSet,
    PurchaseRequestFilterSet,
)
from .serializers import (
    ApprovalGroupSerializer,
    ApproversSerializer,
    BlockedSerializer,
    BriefRequestSerializer,
    EffectiveLimitsSerializer,
    PurchaseCheckSerializer,
    PurchaseDecisionSerializer,
    PurchaseLimitSerializer,
    PurchaseRequestSerializer,
    SubmitSerializer,
    VerdictSerializer,
)
from .shapes import (
    APPROVAL_GROUP,
    BRIEF_REQUEST,
    PURCHASE_LIMIT,
    PURCHASE_REQUEST,
)

IF_MATCH = OpenApiParameter(
    "If-Match",
    location=OpenApiParameter.HEADER,
    required=True,
    description="The ETag that was read; 412 if it is out of date.",
)


class PurchaseLimitViewSet(
    ListMixin, RetrieveMixin, CreateMixin, UpdateMixin, DestroyMixin, ClientViewSet
):
    """How much may be bought, per purchase or period."""

    queryset = PurchaseLimit.objects.all()
    shape = PURCHASE_LIMIT
    serializer_class = PurchaseLimitSerializer
    filterset_class = PurchaseLimitFilterSet
    read_scope = "limits:read"
    write_scope = "limits:write"
    ordering_fields = {"created_at": "created_at", "updated_at": "updated_at"}

    def perform_destroy(self, instance: PurchaseLimit) -> None:
        instance.by(self.actor).delete()


class EffectiveLimitViewSet(ClientViewSet):
    """The limits of a company, wherever they come from."""

    queryset = Company.objects.order_by()
    read_scope = "limits:read"

    @extend_schema(
        operation_id="companies_limits_list",
        summary="Effective limits of a company",
        description="Its own, and those of companies above that reach down: from the "
        "head company down, each with the company it comes from, and what is used and "
        "reserved of it in the current period.",
        responses=EffectiveLimitsSerializer,
        filters=False,
    )
    @action(detail=True)
    def limits(self, request: Request, pk: str) -> Response:
        self.check_visible()
        return Response({"results": [effective(one) for one in limits_of(int(pk))]})


class ApprovalGroupViewSet(
    ListMixin, RetrieveMixin, CreateMixin, UpdateMixin, DestroyMixin, ClientViewSet
):
    """Contacts who may approve purchases."""

    queryset = ApprovalGroup.objects.all()
    shape = APPROVAL_GROUP
    serializer_class = ApprovalGroupSerializer
    filterset_class = ApprovalGroupFilterSet
    read_scope = "limits:read"
    write_scope = "limits:write"
    confirm_on = ("update", "partial_update", "destroy")
    ordering_fields = {
        "name": "name",
        "created_at": "created_at",
        "updated_at": "updated_at",
    }

    def perform_create(self, serializer: BaseSerializer) -> ApprovalGroup:
        return membership.create_approval_group(
            actor=self.actor, **serializer.validated_data
        )

    def perform_update(self, serializer: BaseSerializer) -> ApprovalGroup:
        return membership.update_approval_group(
            serializer.instance,
            actor=self.actor,
            expected_version=self.expected_version,
            confirm=self.confirmed,
            **serializer.validated_data,
        )

    def perform_destroy(self, instance: ApprovalGroup) -> None:
        membership.delete_approval_group(
            instance,
            actor=self.actor,
            expected_version=self.expected_version,
            confirm=self.confirmed,
        )


class PurchaseRequestViewSet(ListMixin, RetrieveMixin, ClientViewSet):
    """Requests are never edited or deleted; they move by the actions below."""

    queryset = PurchaseRequest.objects.order_by()
    filterset_class = PurchaseRequestFilterSet
    read_scope = "purchases:read"
    write_scope = "purchases:write"
    default_ordering = ("-id",)
    ordering_fields = {"created_at": "created_at", "updated_at": "updated_at"}

    @property
    def shape(self) -> Shape:
        return BRIEF_REQUEST if self.action == "list" else PURCHASE_REQUEST

    def get_serializer_class(self) -> type[BaseSerializer]:
        if self.action == "list":
            return BriefRequestSerializer
        return PurchaseRequestSerializer

    def check_permissions(self, request: Request) -> None:
        # A check changes nothing: the scope to read is enough, and the one to submit.
        scopes = request.auth.scope.split() if request.auth else ()
        if self.action == "check" and "purchases:write" not in scopes:
            self.write_scope = self.read_scope
        super().check_permissions(request)

    @extend_schema(
        summary="Submit a purchase",
        description="Checks again and stores the request. 201: the request, with the "
        "decision; one that needs nobody is approved at once. 200: the purchase is "
        "blocked, the decision says why, nothing was stored.",
        request=SubmitSerializer,
        responses={
            201: PurchaseRequestSerializer,
            200: OpenApiResponse(BlockedSerializer, "The purchase is blocked."),
        },
    )
    def create(self, request: Request) -> Response:
        values = self.read_action(SubmitSerializer)
        person = self._as(values["requester"].pk)
        with transaction.atomic():
            decision, stored = services.submit_request(actor=person, **values)
            if stored is not None:
                return self.answer(stored.pk, 201)
        purchase = _purchase(values)
        return Response({"decision": answer(decision, purchase)})

    @extend_schema(
        summary="May this person buy this?",
        description='No side effects. "No" is an answer, not an error: always 200.',
        request=PurchaseCheckSerializer,
        responses=PurchaseDecisionSerializer,
    )
    @action(detail=False, methods=["post"])
    def check(self, request: Request) -> Response:
        values = self.read_action(PurchaseCheckSerializer)
        decision = services.check_purchase(**values)
        return Response(answer(decision, _purchase(values)))

    @extend_schema(
        summary="Approve, for a contact",
        request=VerdictSerializer,
        responses=PurchaseRequestSerializer,
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"], write_scope="approvals:decide")
    def approve(self, request: Request, pk: str) -> Response:
        return self._move(services.approve_request)

    @extend_schema(
        summary="Decline, for a contact",
        request=VerdictSerializer,
        responses=PurchaseRequestSerializer,
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"], write_scope="approvals:decide")
    def decline(self, request: Request, pk: str) -> Response:
        return self._move(services.decline_request)

    @extend_schema(
        summary="Withdraw, for the contact who asked",
        request=VerdictSerializer,
        responses=PurchaseRequestSerializer,
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        return self._move(services.withdraw_request)

    @extend_schema(
        summary="Who can decide now, and why",
        responses=ApproversSerializer,
        filters=False,
    )
    @action(detail=True)
    def approvers(self, request: Request, pk: str) -> Response:
        step = services.approvers_of(self.get_object())
        return Response({"step": step and step_in_words(step)})

    def _move(self, service: Callable[..., PurchaseRequest]) -> Response:
        """Let the contact in the body decide, on the version in If-Match."""
        purchase, version = self.get_object(), self.expected_version
        values = self.read_action(VerdictSerializer)
        with transaction.atomic():
            service(
                purchase,
                actor=self._as(values["contact"].pk),
                expected_version=version,
                comment=values["comment"],
            )
            return self.answer(purchase.pk)

    def _as(self, contact: int) -> Actor:
        return Actor.client(self.actor.client_id, contact_id=contact)


def _purchase(values: dict[str, Any]) -> Purchase:
    money = values["money"]
    return Purchase(amount=money.amount, currency=money.currency, kind=values["kind"])
