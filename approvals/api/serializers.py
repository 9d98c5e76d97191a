"""Reads what the API is sent about purchases, and describes what it shows."""

from rest_framework import serializers

from approvals.models import (
    ApprovalGroup,
    ApprovalStep,
    Decision,
    PurchaseLimit,
    PurchaseRequest,
    RequestHistory,
)
from approvals.rules import Code, Outcome, Role
from companies.models import Company, Contact, Location
from config.api.serializers import (
    CleanModelSerializer,
    MoneyField,
    NumberField,
    StrictSerializer,
    TextField,
    VisibleRelatedField,
)

from .fields import AmountTextField, VisibleContactsField

SERVERS = ["version", "created_at", "updated_at"]
MOST_ITEMS = 1000


class PurchaseLimitSerializer(CleanModelSerializer):
    """How much may be bought. Either `amount` or `unlimited`; no row: look above."""

    amount = AmountTextField(
        required=False, allow_null=True, help_text="0: nothing may be bought."
    )
    currency = TextField(max_length=3, help_text="ISO 4217.")
    roles = serializers.ListField(
        child=serializers.ChoiceField(Role.choices),
        required=False,
        max_length=len(Role),
        help_text="With `binds` ROLES.",
    )
    alert_percents = serializers.ListField(
        child=NumberField(),
        required=False,
        max_length=100,
        help_text="Percent of the amount at which `purchase_limit.alert` is told.",
    )

    class Meta:
        model = PurchaseLimit
        fields = [
            "id",
            "company",
            "name",
            "amount",
            "unlimited",
            "currency",
            "period",
            "time_zone",
            "scope",
            "binds",
            "roles",
            "contact",
            "on_exceed",
            "alert_percents",
            "is_active",
            "note",
            *SERVERS,
        ]
        read_only_fields = ["id", *SERVERS]
        create_only_fields = ["company"]


class ApprovalGroupSerializer(CleanModelSerializer):
    """People who may approve. `members` is the whole list: who is missing leaves."""

    members = VisibleContactsField(required=False, default=())

    class Meta:
        model = ApprovalGroup
        fields = ["id", "company", "code", "name", "members", *SERVERS]
        read_only_fields = ["id", *SERVERS]
        create_only_fields = ["company"]


class PurchaseCheckSerializer(StrictSerializer):
    """Who wants to buy for how much, for which company."""

    company = VisibleRelatedField(queryset=Company.objects.all())
    requester = VisibleRelatedField(queryset=Contact.objects.all())
    money = MoneyField()
    kind = serializers.ChoiceField(
        PurchaseRequest.Kind.choices,
        required=False,
        default=PurchaseRequest.Kind.CART,
        help_text="Rules may count for some kinds only.",
    )


class ItemSerializer(StrictSerializer):
    """A line; `amount` is what is paid for it, in the currency of the purchase."""

    sku = TextField(max_length=64, required=False, default="", allow_blank=True)
    name = TextField(max_length=250)
    quantity = TextField(max_length=20, required=False, default="", allow_blank=True)
    amount = TextField(max_length=20)


class SubmitSerializer(PurchaseCheckSerializer):
    """A purchase to be asked for."""

    kind = serializers.ChoiceField(PurchaseRequest.Kind.choices)
    reference = TextField(max_length=64)
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


class VerdictSerializer(StrictSerializer):
    """Who approves, declines or withdraws, and why."""

    contact = VisibleRelatedField(queryset=Contact.objects.all())
    comment = TextField(max_length=2000, required=False, default="", allow_blank=True)


class EffectiveLimitSerializer(serializers.Serializer):
    """A limit under which the company's purchases fall, and where it comes from.

    Used and reserved are those of the current period, from its first to its last day in
    the limit's time zone; a limit of each purchase has none.
    """

    id = serializers.IntegerField()
    name = serializers.CharField()
    company = serializers.IntegerField()
    company_name = serializers.CharField()
    scope = serializers.ChoiceField(PurchaseLimit.Scope.choices)
    period = serializers.ChoiceField(PurchaseLimit.Period.choices)
    period_start = serializers.DateField(allow_null=True)
    period_end = serializers.DateField(allow_null=True, help_text="The last day.")
    amount = serializers.CharField(allow_null=True)
    unlimited = serializers.BooleanField()
    used = serializers.CharField()
    reserved = serializers.CharField()
    remaining = serializers.CharField(
        allow_null=True, help_text="Negative where approvals have passed the limit."
    )
    currency = serializers.CharField()
    on_exceed = serializers.ChoiceField(PurchaseLimit.OnExceed.choices)
    binds = serializers.ChoiceField(PurchaseLimit.Binds.choices)
    roles = serializers.ListField(child=serializers.ChoiceField(Role.choices))
    contact = serializers.IntegerField(allow_null=True)


class EffectiveLimitsSerializer(serializers.Serializer):
    """All of them: a path has few."""

    results = EffectiveLimitSerializer(many=True)


class ConsideredLimitSerializer(EffectiveLimitSerializer):
    """A limit as it was when the question was asked."""

    applies = serializers.BooleanField(help_text="Binds the person who buys.")
    bites = serializers.BooleanField(help_text="The purchase would exceed it.")


class ConsideredRuleSerializer(serializers.Serializer):
    """A rule that reaches the company, as it was when the question was asked."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    company = serializers.IntegerField()
    company_name = serializers.CharField()
    amount_from = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    roles = serializers.ListField(child=serializers.ChoiceField(Role.choices))
    kinds = serializers.ListField(
        child=serializers.ChoiceField(PurchaseRequest.Kind.choices)
    )
    matched = serializers.BooleanField()
    unmet = serializers.ChoiceField(
        ["currency", "amount", "role", "kind"],
        allow_null=True,
        help_text="The first condition that the purchase does not meet.",
    )


class DecisionReasonSerializer(serializers.Serializer):
    code = serializers.ChoiceField(list(map(str, Code)))
    message = serializers.CharField()
    limit = ConsideredLimitSerializer(allow_null=True)
    rule = ConsideredRuleSerializer(allow_null=True)


class HeldRoleSerializer(serializers.Serializer):
    role = serializers.CharField()
    company = serializers.IntegerField()
    through = serializers.CharField()


class ConsideredSerializer(serializers.Serializer):
    limits = ConsideredLimitSerializer(many=True)
    rules = ConsideredRuleSerializer(many=True)
    role = HeldRoleSerializer(allow_null=True)


class ApproverSerializer(serializers.Serializer):
    contact = serializers.IntegerField()
    name = serializers.CharField()
    through = serializers.CharField()
    on_behalf_of = serializers.IntegerField(
        allow_null=True, help_text="For whom they stand in."
    )


class PlannedStepSerializer(serializers.Serializer):
    """A step with the people who could decide; `staff`: the seller's staff, too."""

    position = serializers.IntegerField()
    quorum = serializers.IntegerField()
    company = serializers.IntegerField()
    approval_groups = serializers.ListField(child=serializers.IntegerField())
    roles = serializers.ListField(child=serializers.ChoiceField(Role.choices))
    rules = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="Rules that ask for it; none: a role or a limit does.",
    )
    staff = serializers.BooleanField()
    approvers = ApproverSerializer(many=True)


class PurchaseDecisionSerializer(serializers.Serializer):
    """The answer to "may I buy this?", with all that was considered."""

    outcome = serializers.ChoiceField(list(map(str, Outcome)))
    reasons = DecisionReasonSerializer(many=True)
    considered = ConsideredSerializer()
    steps = PlannedStepSerializer(many=True)


class BlockedSerializer(serializers.Serializer):
    """The answer to a submit that is blocked: nothing was stored."""

    decision = PurchaseDecisionSerializer()


class ApproversSerializer(serializers.Serializer):
    """Who can decide now. `step` is null if nothing is open."""

    step = PlannedStepSerializer(allow_null=True)


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
