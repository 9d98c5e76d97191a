"""Files in the shape of Emporix' API, and what is stored of them."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from approvals.emporix import Report, import_emporix
from approvals.models import ApprovalGroup, PurchaseLimit
from companies.imports import Caller, Progress
from companies.models import Company, Contact, ContactAssignment, Location
from groups.models import CustomerGroup, GroupMember
from integrations.models import Event

DATA = Path(__file__).parents[2] / "data" / "emporix"
FILES = sorted(DATA.glob("*.json"))
MODELS = (
    Company,
    Location,
    Contact,
    ContactAssignment,
    PurchaseLimit,
    CustomerGroup,
    GroupMember,
    ApprovalGroup,
    Event,
)


def load(*paths: Path, **options: Any) -> Report:
    caller = Caller(**options.pop("caller", {}))
    return import_emporix(paths or FILES, caller, Progress(), **options)


def write(path: Path, **lists: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps(lists))
    return path


def stored() -> Counter[str]:
    """How many there are of everything: a refusal changes none of it."""
    return Counter({model.__name__: model.objects.count() for model in MODELS})


def entity(key: str = "le-a", /, **fields: Any) -> dict[str, Any]:
    return {"id": key, "name": f"Invented {key}", "type": "COMPANY", **fields}


def below(key: str, parent: str, /, **fields: Any) -> dict[str, Any]:
    return entity(key, **{"type": "SUBSIDIARY", "parentId": parent} | fields)


def assignment(
    name: str = "ca-1", entity: str = "le-a", customer: str = "cu-1", **fields: Any
) -> dict[str, Any]:
    person = {"id": customer, "email": f"{customer}@invented.example"}
    return {
        "id": name,
        "legalEntity": {"id": entity},
        "customer": person,
        "type": "CONTACT",
        **fields,
    }
