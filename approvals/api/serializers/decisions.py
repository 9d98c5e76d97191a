"""Describes what is answered to "may I buy this?", and who could approve."""

from rest_framework import serializers

from approvals.models import PurchaseRequest
from approvals.rules import Code, Outcome, Role

from .limits import EffectiveLimitSerializer


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
