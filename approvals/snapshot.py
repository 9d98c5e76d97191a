"""What was asked for and decided, frozen under a hash: what is approved is ordered.

People are in it by id only, so that the hash still holds after an erasure.
"""

import hashlib
import json
from typing import Any

from companies.models import Location

from .answers import facts
from .models import PurchaseRequest
from .rules import Decision, Path

ADDRESS = (
    "name",
    "address_line1",
    "address_line2",
    "city",
    "region",
    "postcode",
    "country",
)


def make_snapshot(
    request: PurchaseRequest, path: Path, decision: Decision
) -> dict[str, Any]:
    """All that an approver sees and decides on."""
    return {
        "company": {
            "id": path[-1].id,
            "name": path[-1].name,
            "path": [company.id for company in path],
        },
        "requester": request.requester_id,
        "kind": str(request.kind),
        "reference": request.reference,
        "amount": str(request.money),
        "currency": request.currency,
        "items": request.items,
        **addresses(request),
        "decision": facts(decision),
    }


def hash_of(snapshot: dict[str, Any]) -> str:
    """SHA-256 over the one way to write the snapshot: sorted names, no blanks, UTF-8.

    Texts, whole numbers and flags only: amounts are texts, so no number is written in
    two ways (as RFC 8785 asks, without its rules for fractions).
    """
    written = json.dumps(
        snapshot, ensure_ascii=False, separators=(",", ":"), sort_keys=True
    )
    return hashlib.sha256(written.encode()).hexdigest()


def addresses(request: PurchaseRequest) -> dict[str, dict[str, Any] | None]:
    """Where it goes and who is billed, in words: a location may change."""
    return {
        "billing_address": _address(request.billing_location),
        "shipping_address": _address(request.shipping_location),
    }


def _address(location: Location | None) -> dict[str, Any] | None:
    if location is None:
        return None
    return {"location": location.pk} | {
        name: getattr(location, name) for name in ADDRESS
    }
