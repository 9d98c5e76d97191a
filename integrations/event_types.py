"""The catalogue of events: every type that is ever told, what it means, its form.

Integrators choose from it, so a type is never renamed. A test compares it with what the
code of all apps tells; the OpenAPI document is made of it.
"""

from typing import Any


def _recorded(noun: str, words: str) -> dict[str, str]:
    """What is told of rows that are created, updated and deleted."""
    return {
        f"{noun}.created": f"{words} was created.",
        f"{noun}.updated": f"{words} was changed.",
        f"{noun}.deleted": f"{words} was deleted.",
    }


EVENT_TYPES: dict[str, str] = {
    **_recorded("company", "A company"),
    "company.moved": "A company got another parent, with everything below it.",
    **_recorded("company_link", "A link between two companies"),
    **_recorded("company_merge", "A merge of two companies"),
    **_recorded("location", "A location"),
    **_recorded("contact", "A contact"),
    **_recorded("contact_assignment", "The assignment of a contact to a company"),
    **_recorded("customer_group", "A customer group"),
    "customer_group.member_added": "A contact came into a customer group.",
    "customer_group.member_removed": "A contact left a customer group.",
    **_recorded("group_propagation", "How far prices of a hierarchy reach"),
    **_recorded("approval_group", "An approval group"),
    **_recorded("approval_policy", "The approval policy of a company"),
    **_recorded("approval_rule", "An approval rule"),
    **_recorded("stand_in", "A stand-in"),
    **_recorded("purchase_limit", "A purchase limit"),
    "purchase_limit.corrected": "What is used of a purchase limit was corrected.",
    "purchase_limit.alert": "A purchase passed an alert threshold of a limit.",
    "purchase_request.submitted": "A purchase request waits for approval.",
    "purchase_request.changed": "The requester changed a pending purchase request.",
    "purchase_request.agreed": "Somebody agreed to a purchase; others have to, too.",
    "purchase_request.approved": "A purchase request was approved.",
    "purchase_request.declined": "A purchase request was declined.",
    "purchase_request.withdrawn": "The requester took a purchase request back.",
    "purchase_request.escalated": "The next company above may decide, too.",
    "purchase_request.taken": "The seller's staff may decide, too.",
    "purchase_request.expired": "Nobody decided or ordered in time.",
    "purchase_request.ordered": "An approved purchase was ordered.",
    "purchase_request.cancelled": "An approved purchase was cancelled.",
    "purchase_request.refunded": "An order was refunded, in part or in full.",
}

TYPE_CHOICES = sorted(EVENT_TYPES.items())

# Of `GET events/`: ids, type, numbers and time, and nothing that names a person.
EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["position", "company", "number", "type", "subject", "occurred_at"],
    "additionalProperties": False,
    "properties": {
        "position": {
            "type": "integer",
            "description": "Grows with each event; read on with `?after=` the last.",
        },
        "company": {
            "type": ["integer", "null"],
            "description": "Whose change it is; null: of no company.",
        },
        "number": {
            "type": "integer",
            "description": "1, 2, 3 … without a gap for each company.",
        },
        "type": {"type": "string", "enum": sorted(EVENT_TYPES)},
        "subject": {
            "type": "integer",
            "description": "The id of what was changed: of the thing before the dot.",
        },
        "occurred_at": {"type": "string", "format": "date-time"},
    },
}


def message_schema(event_type: str) -> dict[str, Any]:
    """The body of a webhook of the type, in the form of Standard Webhooks 1.0."""
    properties = EVENT_SCHEMA["properties"]
    data = {name: properties[name] for name in ("position", "company", "number")}
    data["subject"] = properties["subject"]
    return {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"type": "string", "const": event_type},
            "timestamp": {
                "type": "string",
                "format": "date-time",
                "description": "When it happened.",
            },
            "data": {
                "type": "object",
                "required": list(data),
                "properties": data,
            },
        },
    }
