"""Reads what the API is sent about customer groups, and describes what it shows."""

from rest_framework import serializers

from companies.models import Contact
from config.api.serializers import (
    CleanModelSerializer,
    StrictSerializer,
    VisibleRelatedField,
)
from groups.errors import AutomaticGroup
from groups.models import CustomerGroup, Kind, Mode
from groups.rules import Way

SERVERS = ["version", "created_at", "updated_at"]


class CustomerGroupSerializer(CleanModelSerializer):
    """A customer group. Of an automatic one only `price_list` is written."""

    class Meta:
        model = CustomerGroup
        fields = ["id", "company", "kind", "name", "code", "price_list", *SERVERS]
        read_only_fields = ["id", "kind", *SERVERS]
        create_only_fields = ["company"]
        extra_kwargs = {"name": {"required": True, "allow_blank": False}}


class AutomaticGroupSerializer(CustomerGroupSerializer):
    """Takes the other fields back as they are; refuses, as a rule, to change them."""

    class Meta(CustomerGroupSerializer.Meta):
        read_only_fields = [
            name for name in CustomerGroupSerializer.Meta.fields if name != "price_list"
        ]
        extra_kwargs: dict[str, dict[str, bool]] = {}

    def _refuse(self, names: list[str], code: str) -> None:
        if names and code == "read_only":
            raise AutomaticGroup(group=self.instance.pk, fields=names)
        super()._refuse(names, code)


class MemberSerializer(serializers.Serializer):
    """Who is in a group, and why."""

    contact = serializers.IntegerField()
    why = serializers.ChoiceField(["assignment", "by_hand"])
    assignment = serializers.IntegerField(
        allow_null=True, help_text="Which one; null if added by hand."
    )
    in_force = serializers.BooleanField(
        help_text="Counts today. False: added by hand, but deactivated, or not "
        "assigned in the hierarchy today."
    )


class NewMemberSerializer(StrictSerializer):
    contact = VisibleRelatedField(queryset=Contact.objects.all())


class GroupPropagationSerializer(StrictSerializer):
    """In which direction membership of automatic groups counts in a hierarchy."""

    company = serializers.IntegerField(read_only=True, help_text="The head company.")
    mode = serializers.ChoiceField(
        Mode.choices,
        help_text="UPWARD: who is in a subsidiary's group counts in the same group of "
        "all companies above; DOWNWARD: of all below; DISABLED: neither.",
    )
    version = serializers.IntegerField(
        read_only=True, help_text="0: nobody has chosen yet."
    )


class PricingReasonSerializer(serializers.Serializer):
    code = serializers.ChoiceField(["contact_not_active", "not_assigned"])
    message = serializers.CharField()


class WhySerializer(serializers.Serializer):
    """How the person comes to be in the group; of several ways the shortest."""

    code = serializers.ChoiceField(list(map(str, Way)))
    company = serializers.IntegerField(
        allow_null=True, help_text="To which the person is assigned."
    )
    assignment = serializers.IntegerField(allow_null=True)
    message = serializers.CharField()


class CountingGroupSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    company = serializers.IntegerField(allow_null=True)
    kind = serializers.ChoiceField(Kind.choices)
    name = serializers.CharField()
    code = serializers.CharField()
    price_list = serializers.CharField()
    why = WhySerializer()


class PriceListSerializer(serializers.Serializer):
    code = serializers.CharField()
    group = serializers.IntegerField(help_text="The first group that gives it.")


class PricingContextSerializer(serializers.Serializer):
    """Groups and price lists for one person who buys for one company, in order."""

    contact = serializers.IntegerField()
    company = serializers.IntegerField()
    propagation = serializers.ChoiceField(Mode.choices)
    reason = PricingReasonSerializer(
        allow_null=True, help_text="Why there are no groups; null if there are."
    )
    groups = CountingGroupSerializer(many=True)
    price_lists = PriceListSerializer(many=True)
