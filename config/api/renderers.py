"""One fast JSON encoder for every answer."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.functional import Promise
from rest_framework.renderers import BaseRenderer

from config.money import Money


def plain_value(value: Any) -> Any:
    """What JSON lacks: UTC times with Z, ISO dates, decimals and money as strings."""
    match value:
        case datetime():
            if value.tzinfo is not UTC:
                value = value.astimezone(UTC)
            return value.isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Money():
            return {"amount": str(value), "currency": value.currency}
        case Decimal() | UUID() | Promise():
            return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON.")


encode_json = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain_value
).encode


class RowRenderer(BaseRenderer):
    """Writes plain rows. UTF-8 is the only encoding of JSON (RFC 8259)."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: dict[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else encode_json(data).encode()
