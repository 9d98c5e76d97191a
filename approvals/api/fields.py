"""Fields of the API that only limits, groups and requests have."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from companies.models import Contact
from config.money import AMOUNT


@extend_schema_field({"type": ["string", "null"], "example": "1250.00"})
class AmountTextField(serializers.Field):
    """An amount as a string; its currency is a field beside it."""

    default_error_messages = {
        "invalid": "Give the amount as a string.",
        "invalid_amount": "Not an amount: digits, and a point before the decimals.",
    }

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str):
            self.fail("invalid")
        if not AMOUNT.fullmatch(data):
            self.fail("invalid_amount")
        return Decimal(data)


@extend_schema_field({"type": "array", "items": {"type": "integer"}})
class VisibleContactsField(serializers.Field):
    """Ids of people whom the client sees: all others "do not exist"."""

    default_error_messages = {
        "not_a_list": "Give a list of ids.",
        "does_not_exist": "There is no such object.",
    }

    def to_internal_value(self, data: Any) -> Sequence[int]:
        numbers = isinstance(data, list) and all(
            isinstance(pk, int) and not isinstance(pk, bool) for pk in data
        )
        if not numbers:
            self.fail("not_a_list")
        possible = [pk for pk in data if 0 < pk < 2**63]
        client = self.context["request"].auth.application
        seen = set(
            Contact.objects.visible_to(client)
            .filter(pk__in=possible)
            .values_list("pk", flat=True)
        )
        if set(data) - seen:
            code = "does_not_exist"
            error = serializers.ErrorDetail(self.error_messages[code], code)
            raise serializers.ValidationError(
                {str(n): [error] for n, pk in enumerate(data) if pk not in seen}
            )
        return data
