"""Fields of the API that only limits, groups and requests have."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from companies.models import Contact
from config.api.filters import MomentFormField
from config.money import AMOUNT

TEN_YEARS = timedelta(days=3653)


@extend_schema_field(OpenApiTypes.DATETIME)
class NearMomentField(serializers.Field):
    """A moment in ISO 8601 with its zone, at most ten years from now."""

    default_error_messages = {
        "invalid": "A moment in ISO 8601 with its zone: 2026-11-24T10:00:00Z.",
        "min_value": "More than ten years ago.",
        "max_value": "More than ten years from now.",
    }

    def to_internal_value(self, data: Any) -> datetime:
        try:
            moment = MomentFormField().clean(data if isinstance(data, str) else None)
        except ValidationError:
            self.fail("invalid")
        now = timezone.now()
        if moment < now - TEN_YEARS:
            self.fail("min_value")
        if moment > now + TEN_YEARS:
            self.fail("max_value")
        return moment


@extend_schema_field({"type": "string", "example": "1250.00"})
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
