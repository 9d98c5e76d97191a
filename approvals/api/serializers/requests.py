"""Reads what is to be bought and decided, and describes requests."""

from rest_framework import serializers

from approvals.api.fields import NearMomentField
from approvals.models import ApprovalStep, Decision, PurchaseRequest, RequestHistory
from approvals.rules import Role
from companies.models import Company, Contact, Location
from config.api.serializers import (
    MoneyField,
    StrictSerializer,
    TextField,
    VisibleRelatedField,
)

from .decisions import PurchaseDecisionSerializer
from .limits import SERVERS

MOST_ITEMS = 1000


class ActingCheckSerializer(StrictSerializer):
    """A purchase to be asked about, by the person for whom a shop acts."""

    money = MoneyField()
    kind = serializers.ChoiceField(
        PurchaseRequest.Kind.choices,
        required=False,
        default=PurchaseRequest.Kind.CART,
        help_text="Rules may count for some kinds only.",
    )
    at = NearMomentField(
        required=False,
        help_text="What the answer would be then, as far as is known now; within ten "
        "years from now.",
    )


class WhoSerializer(StrictSerializer):
    """Who wants to buy, for which company."""

    company = VisibleRelatedField(queryset=Company.objects.all())
    requester = VisibleRelatedField(queryset=Contact.objects.all())


class PurchaseCheckSerializer(ActingCheckSerializer, WhoSerializer):
    """A purchase to be asked about."""


class ItemSerializer(StrictSerializer):
    """A line; `amount` is what is paid for it, in the currency of the purchase."""

    sku = TextField(max_length=64, required=False, default="", allow_blank=True)
    name = TextField(max_length=250)
    quantity = TextField(max_length=20, required=False, default="", allow_blank=True)
    amount = TextField(max_length=20)


class ContentSerializer(StrictSerializer):
    """What is bought, beside its price."""

    items = ItemSerializer(
        many=True,
        required=False,
        max_length=MOST_ITEMS,
        help_text="Lines that add up to the amount.",
    )
    billing_location = VisibleRelatedField(
        queryset=Location.objects.all(), required=False, allow_null=True
    )
    shipping_location = VisibleRelatedField(
        queryset=Location.objects.all(), required=False, allow_null=True
    )
    note = TextField(max_length=2000, required=False, allow_blank=True)


class ActingSubmitSerializer(ContentSerializer):
    """A purchase to be asked for, by the person for whom a shop acts."""

    money = MoneyField()
    kind = serializers.ChoiceField(PurchaseRequest.Kind.choices)
    reference = TextField(max_length=64)


class SubmitSerializer(ActingSubmitSerializer, WhoSerializer):
    """A purchase to be asked for."""


class CommentSerializer(StrictSerializer):
    """Why it is done."""

    comment = TextField(max_length=2000, required=False, default="", allow_blank=True)


class VerdictSerializer(CommentSerializer):
    """Who approves, declines or withdraws, and why."""

    contact = VisibleRelatedField(queryset=Contact.objects.all())


class ActingChangeSerializer(ContentSerializer, CommentSerializer):
    """All that is asked for from now on: what is left out is asked for no more."""

    money = MoneyField()


class ChangeSerializer(ActingChangeSerializer, VerdictSerializer):
    """All that the person asks for from now on."""


class OrderSerializer(CommentSerializer):
    """The order in the shop; without `money` all that was approved was ordered."""

    number = TextField(max_length=64)
    money = MoneyField(required=False)


class RefundSerializer(CommentSerializer):
    """What is given back, of what was ordered."""

    money = MoneyField()


class StepSerializer(serializers.ModelSerializer):
    agreed = serializers.IntegerField(help_text="How many have agreed.")
    approval_groups = serializers.ListField(child=serializers.IntegerField())
    roles = serializers.ListField(child=serializers.ChoiceField(Role.choices))

    class Meta:
        model = ApprovalStep
        fields = [
            "round",
            "position",
            "quorum",
            "agreed",
            "approval_groups",
            "roles",
            "company",
        ]


class GivenDecisionSerializer(serializers.ModelSerializer):
    step = serializers.IntegerField(help_text="The position of the step.")
    through = serializers.CharField()
    on_behalf_of = serializers.IntegerField(
        allow_null=True, help_text="For whom they stood in."
    )

    class Meta:
        model = Decision
        fields = [
            "id",
            "round",
            "step",
            "verdict",
            "contact",
            "on_behalf_of",
            "staff",
            "through",
            "request_version",
            "comment",
            "decided_at",
        ]


class RequestHistorySerializer(serializers.ModelSerializer):
    request_id = serializers.CharField(help_text="Of the call that made the change.")
    amount = serializers.CharField(
        allow_null=True, help_text="Asked for, ordered or refunded by the change."
    )

    class Meta:
        model = RequestHistory
        fields = [
            "change",
            "status",
            "version",
            "actor",
            "on_behalf_of",
            "amount",
            "comment",
            "at",
            "request_id",
        ]


class BriefRequestSerializer(serializers.ModelSerializer):
    """A purchase request as lists show it."""

    money = MoneyField()
    ordered = MoneyField(allow_null=True)
    refunded = MoneyField()

    class Meta:
        model = PurchaseRequest
        fields = [
            "id",
            "company",
            "requester",
            "kind",
            "reference",
            "money",
            "status",
            "billing_location",
            "shipping_location",
            "note",
            "revision",
            "round",
            "order_number",
            "ordered",
            "refunded",
            "expires_at",
            "submitted_at",
            "decided_at",
            "escalated_at",
            "taken_over_at",
            *SERVERS,
        ]


class PurchaseRequestSerializer(BriefRequestSerializer):
    """A purchase request with the decision of its submit, steps and history."""

    items = ItemSerializer(many=True)
    decision = PurchaseDecisionSerializer()
    steps = StepSerializer(many=True)
    decisions = GivenDecisionSerializer(many=True)
    history = RequestHistorySerializer(many=True)

    class Meta:
        model = PurchaseRequest
        fields = [
            *BriefRequestSerializer.Meta.fields,
            "items",
            "snapshot_hash",
            "decision",
            "steps",
            "decisions",
            "history",
        ]


class InboxSerializer(serializers.Serializer):
    """What waits for a person."""

    results = BriefRequestSerializer(many=True)
    next = serializers.URLField(allow_null=True)
