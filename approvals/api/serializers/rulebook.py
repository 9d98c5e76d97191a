"""When approval is needed, and who decides for whom."""

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework import serializers

from approvals.api.fields import AmountTextField
from approvals.models import (
    ApprovalGroup,
    ApprovalRule,
    ApprovalRuleStep,
    PurchaseRequest,
    StandIn,
)
from approvals.rulebook import MOST_STEPS
from approvals.rules import Role
from config.api.serializers import (
    CleanModelSerializer,
    NumberField,
    StrictSerializer,
    TextField,
    VisibleRelatedField,
)

from .limits import SERVERS

Kind = PurchaseRequest.Kind


class RuleStepSerializer(StrictSerializer):
    """An approval group or a role, and how many of them have to agree."""

    approval_group = VisibleRelatedField(
        queryset=ApprovalGroup.objects.all(),
        required=False,
        allow_null=True,
        help_text="Of the rule's company or of one above it.",
    )
    role = serializers.ChoiceField(
        ApprovalRuleStep.ByRole.choices,
        required=False,
        allow_blank=True,
        help_text="This role or a stronger one in the company that buys.",
    )
    quorum = NumberField(required=False, default=1)


class ApprovalRuleSerializer(CleanModelSerializer):
    """Conditions, all of which have to be met, and steps in their order.

    `steps` is the whole list: who is missing is not asked any more.
    """

    amount_from = AmountTextField(
        required=False, allow_null=True, help_text="Of this amount or more."
    )
    currency = TextField(
        max_length=3, required=False, allow_blank=True, help_text="ISO 4217."
    )
    roles = serializers.ListField(
        child=serializers.ChoiceField(Role.choices),
        required=False,
        max_length=len(Role),
        help_text="Of who buys. Empty: of any, admins too.",
    )
    kinds = serializers.ListField(
        child=serializers.ChoiceField(Kind.choices),
        required=False,
        max_length=len(Kind),
        help_text="Empty: of any kind.",
    )
    steps = RuleStepSerializer(many=True, max_length=MOST_STEPS)

    class Meta:
        model = ApprovalRule
        fields = [
            "id",
            "company",
            "name",
            "covers_subsidiaries",
            "amount_from",
            "currency",
            "roles",
            "kinds",
            "steps",
            "is_active",
            *SERVERS,
        ]
        read_only_fields = ["id", *SERVERS]
        create_only_fields = ["company"]

    def _by_field(self, error: ValidationError) -> dict[str, Any]:
        """What is wrong with a step is named by its place in the list."""
        found: dict[str, Any] = super()._by_field(error)
        refused = error.error_dict.get("steps", ())
        places = [(one.params or {}).get("step") for one in refused]
        if places and None not in places:
            details = found["steps"]
            found["steps"] = {
                place: [detail] for place, detail in zip(places, details, strict=True)
            }
        return found


class StandInSerializer(CleanModelSerializer):
    """Who decides for a person, from the first day to the last, up to an amount."""

    amount = AmountTextField(
        required=False, allow_null=True, help_text="null: of any amount."
    )
    currency = TextField(
        max_length=3, required=False, allow_blank=True, help_text="With an amount."
    )

    class Meta:
        model = StandIn
        fields = [
            "id",
            "company",
            "contact",
            "stand_in",
            "valid_from",
            "valid_until",
            "amount",
            "currency",
            *SERVERS,
        ]
        read_only_fields = ["id", *SERVERS]
        create_only_fields = ["company", "contact", "stand_in"]


class ActingStandInSerializer(StandInSerializer):
    """Who decides for the person for whom a shop acts."""

    class Meta(StandInSerializer.Meta):
        read_only_fields = ["id", "company", "contact", *SERVERS]
        create_only_fields = ["stand_in"]
