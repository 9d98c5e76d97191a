"""Endpoints of purchase requests: asked about, submitted, decided, ordered."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from drf_spectacular.utils import (
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
)
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from approvals import services
from approvals.answers import answer, step_in_words
from approvals.api.filters import PurchaseRequestFilterSet
from approvals.api.serializers import (
    ApproversSerializer,
    BlockedSerializer,
    BriefRequestSerializer,
    ChangeSerializer,
    CommentSerializer,
    OrderSerializer,
    PurchaseCheckSerializer,
    PurchaseDecisionSerializer,
    PurchaseRequestSerializer,
    RefundSerializer,
    SubmitSerializer,
    VerdictSerializer,
)
from approvals.api.shapes import BRIEF_REQUEST, PURCHASE_REQUEST
from approvals.models import PurchaseRequest
from approvals.rules import Decision, Purchase
from config.actors import Actor
from config.api.etags import IF_MATCH
from config.api.rows import Shape
from config.db import as_a_whole
from config.money import Money
from integrations.api.rates import count_submit
from integrations.api.viewsets import ClientViewSet, ListMixin, RetrieveMixin


class PurchaseRequestViewSet(ListMixin, RetrieveMixin, ClientViewSet):
    """Requests are never edited or deleted; they move by the actions below."""

    queryset = PurchaseRequest.objects.order_by()
    filterset_class = PurchaseRequestFilterSet
    read_scope = "purchases:read"
    write_scope = "purchases:write"
    key_required_for = ("create", "change", "approve", "decline")
    without_effect = ("check",)
    for_readers = ("check",)
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
        if self.action in self.for_readers and self.write_scope not in scopes:
            self.write_scope = self.read_scope
        super().check_permissions(request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.action == "create" and request._request.body:  # kept: it is read twice
            person = request.data.get("requester")
            if isinstance(person, int) and 0 < person < 2**63:
                count_submit(self.client, person)

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
        return self.submit(self.read_action(SubmitSerializer))

    def submit(self, values: dict[str, Any]) -> Response:
        person = self._as(values["requester"].pk)
        with as_a_whole():
            decision, stored = services.submit_request(actor=person, **values)
            if stored is not None:
                return self.answer(stored.pk, 201)
        return _blocked(decision, values["money"], values["kind"])

    @extend_schema(
        summary="May this person buy this?",
        description='No side effects. "No" is an answer, not an error: always 200.',
        request=PurchaseCheckSerializer,
        responses=PurchaseDecisionSerializer,
    )
    @action(detail=False, methods=["post"])
    def check(self, request: Request) -> Response:
        return self.ask(self.read_action(PurchaseCheckSerializer))

    def ask(self, values: dict[str, Any]) -> Response:
        decision = services.check_purchase(**values)
        return Response(_answer(decision, values["money"], values["kind"]))

    @extend_schema(
        summary="Approve, for a contact",
        request=VerdictSerializer,
        responses=PurchaseRequestSerializer,
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"], write_scope="approvals:decide")
    def approve(self, request: Request, pk: str) -> Response:
        return self._move(services.approve_request, VerdictSerializer)

    @extend_schema(
        summary="Decline, for a contact",
        request=VerdictSerializer,
        responses=PurchaseRequestSerializer,
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"], write_scope="approvals:decide")
    def decline(self, request: Request, pk: str) -> Response:
        return self._move(services.decline_request, VerdictSerializer)

    @extend_schema(
        summary="Withdraw, for the contact who asked",
        request=VerdictSerializer,
        responses=PurchaseRequestSerializer,
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        return self._move(services.withdraw_request, VerdictSerializer)

    @extend_schema(
        summary="Change what is asked for, for the contact who asked",
        description="Replaces amount, items, addresses and note of a pending request, "
        "and checks anew. Less of the same keeps the approvals; anything else starts "
        "them anew. 200: the request, or only a `decision` if the purchase would be "
        "blocked; then nothing was changed.",
        request=ChangeSerializer,
        responses=PolymorphicProxySerializer(
            component_name="ChangedOrBlocked",
            serializers=[PurchaseRequestSerializer, BlockedSerializer],
            resource_type_field_name=None,
        ),
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"])
    def change(self, request: Request, pk: str) -> Response:
        return self._change(ChangeSerializer)

    def _change(self, serializer_class: type[BaseSerializer]) -> Response:
        purchase, version = self.get_object(), self.expected_version
        values = self.read_action(serializer_class)
        contact = values.pop("contact", None)
        person = self._as(contact.pk) if contact else self.actor
        with transaction.atomic():
            decision, changed = services.change_request(
                purchase, actor=person, expected_version=version, **values
            )
            if changed is not None:
                return self.answer(changed.pk)
        return _blocked(decision, values["money"], purchase.kind)

    @extend_schema(
        summary="Note that it was ordered",
        description="Under the number of the order; at most what was approved.",
        request=OrderSerializer,
        responses=PurchaseRequestSerializer,
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"])
    def order(self, request: Request, pk: str) -> Response:
        return self._move(services.order_request, OrderSerializer)

    @extend_schema(
        summary="Give up what was approved",
        request=CommentSerializer,
        responses=PurchaseRequestSerializer,
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        return self._move(services.cancel_request, CommentSerializer)

    @extend_schema(
        summary="Note that money of an order was given back",
        description="In one part or several; at most what was ordered.",
        request=RefundSerializer,
        responses=PurchaseRequestSerializer,
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"])
    def refund(self, request: Request, pk: str) -> Response:
        return self._move(services.refund_request, RefundSerializer)

    @extend_schema(
        summary="Who can decide now, and why",
        responses=ApproversSerializer,
        filters=False,
    )
    @action(detail=True)
    def approvers(self, request: Request, pk: str) -> Response:
        step = services.approvers_of(self.get_object())
        return Response({"step": step and step_in_words(step)})

    def _move(
        self,
        service: Callable[..., PurchaseRequest],
        serializer_class: type[BaseSerializer],
    ) -> Response:
        """Let the service act on the version in If-Match, with what was sent.

        For the contact in the body, if it names one; else for the client itself.
        """
        purchase, version = self.get_object(), self.expected_version
        values = self.read_action(serializer_class)
        contact = values.pop("contact", None)
        actor = self._as(contact.pk) if contact else self.actor
        with transaction.atomic():
            service(purchase, actor=actor, expected_version=version, **values)
            return self.answer(purchase.pk)

    def _as(self, contact: int) -> Actor:
        return Actor.client(self.actor.client_id, contact_id=contact)


def _blocked(decision: Decision, money: Money, kind: str) -> Response:
    return Response({"decision": _answer(decision, money, kind)})


def _answer(decision: Decision, money: Money, kind: str) -> dict[str, Any]:
    purchase = Purchase(amount=money.amount, currency=money.currency, kind=kind)
    return answer(decision, purchase)
