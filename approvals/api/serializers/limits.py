"""How much may be bought, and the groups of people who may approve."""

from rest_framework import serializers

from approvals.api.fields import AmountTextField, VisibleContactsField
from approvals.models import ApprovalGroup, PurchaseLimit
from approvals.rules import Role
from config.api.serializers import CleanModelSerializer, NumberField, TextField

SERVERS = ["version", "created_at", "updated_at"]


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


class ApprovalGroupSerializer(CleanModelSerializer):
    """People who may approve. `members` is the whole list: who is missing leaves."""

    members = VisibleContactsField(required=False, default=())

    class Meta:
        model = ApprovalGroup
        fields = ["id", "company", "code", "name", "members", *SERVERS]
        read_only_fields = ["id", *SERVERS]
        create_only_fields = ["company"]
