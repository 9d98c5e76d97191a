"""The table of the general family: which scope each operation needs.

`kind` is the thing that `{id}` names; `status` what the client with that scope gets for
its own; `refs` are ids in the body or the query, each with the kind of thing it names.
"""

from dataclasses import dataclass, field
from typing import Any

READ, WRITE = "companies:read", "companies:write"
MOVE = "companies:move"
PEOPLE, HIRE = "contacts:read", "contacts:write"
PRICES, SET_PRICES = "groups:read", "groups:write"
LIMITS, SET_LIMITS = "limits:read", "limits:write"
ASK, BUY = "purchases:read", "purchases:write"
DECIDE = "approvals:decide"
IMPORT = "imports:write"
EVENTS, HOOKS = "events:read", "webhooks:write"
MONEY = {"amount": "100.00", "currency": "EUR"}
UNTIL = "2099-01-01"


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    scope: str
    status: int = 200
    kind: str = ""
    body: Any = None
    refs: dict[str, str] = field(default_factory=dict)  # /pointer or ?parameter
    also: str = ""  # another scope that will do


def resource(
    path: str,
    kind: str,
    read: str,
    write: str,
    *,
    new: dict[str, Any],
    whole: dict[str, Any],
    part: dict[str, Any],
    refs: dict[str, str],
    without: str = "",
    delete: int = 204,
    filters: dict[str, str] | None = None,
    deleted: str = "",
) -> list[Operation]:
    """List, create, read, replace, change, delete."""
    one = f"{path}{{id}}/"
    found = [
        Operation("get", path, read, refs=filters or {}),
        Operation("post", path, write, 201, body=new, refs=refs),
        Operation("get", one, read, kind=kind),
        Operation("put", one, write, kind=kind, body=whole),
        Operation("patch", one, write, kind=kind, body=part),
        Operation("delete", one, write, delete, kind=deleted or kind),
    ]
    return [one for one in found if one.method not in without.split()]


def company(path: str, scope: str, method: str = "get", **fields: Any) -> Operation:
    fields = {"kind": "sub"} | fields
    return Operation(method, f"companies/{{id}}/{path}/", scope, **fields)


def request(action: str, scope: str, status: int = 200, **fields: Any) -> Operation:
    path = f"purchase-requests/{{id}}/{action}/"
    return Operation("post", path, scope, status, kind="request", **fields)


def hook(action: str, status: int = 200, body: Any = None) -> Operation:
    path = f"webhook-endpoints/{{id}}/{action}/"
    return Operation("post", path, HOOKS, status, kind="endpoint", body=body or {})


REASON = {"reason": "x"}
OPERATIONS = [
    *resource(
        "companies/",
        "sub",
        READ,
        WRITE,
        new={"name": "x", "parent": "<head>"},
        whole={"name": "x"},
        part={"name": "x"},
        refs={"/parent": "head"},
        filters={
            "?parent": "head",
            "?head": "head",
            "?under": "sub",
            "?above": "leaf",
        },
        delete=409,
    ),
    Operation("get", "companies/by-code/<code>/", READ),
    Operation("put", "companies/by-code/<code>/", WRITE, body={"name": "x"}),
    Operation("get", "companies/duplicates/", READ, refs={"?company": "sub"}),
    # What its records may name: tests/companies/test_api_bulk.py
    Operation("post", "companies/bulk/", WRITE, body={"companies": []}),
    company("activate", WRITE, "post", body=REASON),
    company("hold", WRITE, "post", body=REASON),
    company("close", WRITE, "post", body=REASON, kind="leaf"),
    company("ancestors", READ),
    company("children", READ),
    company("descendants", READ),
    company("tree", READ),
    company("history", READ),
    company("locations", READ),
    company("quality", READ),
    company("people", PEOPLE),
    company("limits", LIMITS),
    company("group-propagation", PRICES),
    company(
        "group-propagation", SET_PRICES, "put", kind="head", body={"mode": "DISABLED"}
    ),
    company(
        "move",
        MOVE,
        "post",
        kind="leaf",
        body={"parent": "<head>"},
        refs={"/parent": "head"},
    ),
    company(
        "move/preview",
        MOVE,
        "post",
        kind="leaf",
        body={"parent": "<head>"},
        refs={"/parent": "head"},
    ),
    company(
        "merge",
        MOVE,
        "post",
        kind="leaf",
        body={"into": "<sister>"},
        refs={"/into": "head"},
    ),
    company(
        "merge/preview",
        MOVE,
        "post",
        kind="leaf",
        body={"into": "<sister>"},
        refs={"/into": "head"},
    ),
    company("unmerge", MOVE, "post", status=409, body={}),
    company("status/preview", WRITE, "post", body={"status": "ON_HOLD"}),
    *resource(
        "company-links/",
        "link",
        READ,
        WRITE,
        new={"company": "<sub>", "other": "<head>", "kind": "OWNS"},
        whole={"kind": "OWNS"},
        part={"kind": "BILLS_TO"},
        refs={"/company": "sub", "/other": "head"},
        filters={"?company": "head", "?other": "leaf", "?of": "leaf"},
    ),
    *resource(
        "locations/",
        "location",
        READ,
        WRITE,
        new={"company": "<sub>"},
        whole={},
        part={"name": "x"},
        refs={"/company": "sub"},
        filters={"?company": "sub"},
    ),
    *resource(
        "contacts/",
        "contact",
        PEOPLE,
        HIRE,
        new={"email": "new@example.com"},
        whole={"email": "new@example.com"},
        part={"last_name": "x"},
        refs={},
        filters={"?company": "sub"},
        delete=409,
    ),
    Operation("get", "contacts/{id}/companies/", PEOPLE, kind="contact"),
    Operation("post", "contacts/{id}/erase/", HIRE, kind="contact", body={}),
    *resource(
        "contact-assignments/",
        "assignment",
        PEOPLE,
        HIRE,
        new={"contact": "<contact>", "company": "<leaf>"},
        whole={"role": "BUYER"},
        part={"role": "ADMIN"},
        refs={"/contact": "contact", "/company": "sub"},
        filters={"?contact": "contact", "?company": "sub"},
    ),
    *resource(
        "customer-groups/",
        "group",
        PRICES,
        SET_PRICES,
        new={"name": "x", "company": "<sub>"},
        whole={"name": "x"},
        part={"name": "x"},
        refs={"/company": "sub"},
        filters={"?company": "sub", "?contact": "contact"},
    ),
    Operation("get", "customer-groups/{id}/members/", PRICES, kind="group"),
    Operation(
        "post",
        "customer-groups/{id}/members/",
        SET_PRICES,
        201,
        kind="group",
        body={"contact": "<admin>"},
        refs={"/contact": "contact"},
    ),
    Operation(
        "delete",
        "customer-groups/{id}/members/<contact>/",
        SET_PRICES,
        204,
        kind="group",
    ),
    Operation(
        "get",
        "pricing-context/?contact=<contact>&company=<sub>",
        PRICES,
        refs={"?contact": "contact", "?company": "sub"},
    ),
    *resource(
        "purchase-limits/",
        "limit",
        LIMITS,
        SET_LIMITS,
        new={
            "company": "<sub>",
            "amount": "1.00",
            "currency": "EUR",
            "scope": "COMPANY",
        },
        whole={"company": "<sub>", "amount": "1.00", "currency": "EUR"},
        part={"name": "x"},
        refs={"/company": "sub", "/contact": "contact"},
        filters={"?company": "sub", "?under": "sub", "?contact": "contact"},
    ),
    *resource(
        "approval-groups/",
        "approvers",
        LIMITS,
        SET_LIMITS,
        new={"company": "<sub>", "name": "x"},
        whole={"name": "x"},
        part={"name": "x"},
        refs={"/company": "sub", "/members": "[contact]"},
        filters={"?company": "sub", "?under": "sub", "?member": "contact"},
    ),
    *resource(
        "approval-rules/",
        "rule",
        LIMITS,
        SET_LIMITS,
        new={"company": "<sub>", "name": "x", "steps": [{"role": "ADMIN"}]},
        whole={"name": "x", "steps": [{"role": "ADMIN"}]},
        part={"name": "x"},
        refs={"/company": "sub"},
        filters={"?company": "sub", "?under": "sub", "?approval_group": "approvers"},
    ),
    *resource(
        "stand-ins/",
        "stand_in",
        LIMITS,
        SET_LIMITS,
        new={
            "company": "<sub>",
            "contact": "<contact>",
            "stand_in": "<admin>",
            "valid_until": UNTIL,
        },
        whole={},
        part={"valid_until": UNTIL},
        refs={"/company": "sub", "/contact": "contact", "/stand_in": "admin"},
        filters={
            "?company": "sub",
            "?under": "sub",
            "?contact": "contact",
            "?stand_in": "admin",
        },
        without="put",
    ),
    Operation(
        "get",
        "purchase-requests/",
        ASK,
        refs={"?company": "sub", "?under": "sub", "?requester": "contact"},
    ),
    Operation(
        "post",
        "purchase-requests/",
        BUY,
        201,
        body={
            "company": "<sub>",
            "requester": "<contact>",
            "kind": "CART",
            "reference": "x",
            "money": MONEY,
        },
        refs={
            "/company": "sub",
            "/requester": "contact",
            "/billing_location": "location",
            "/shipping_location": "location",
        },
    ),
    Operation(
        "post",
        "purchase-requests/check/",
        ASK,
        body={"company": "<sub>", "requester": "<contact>", "money": MONEY},
        refs={"/company": "sub", "/requester": "contact"},
        also=BUY,
    ),
    Operation("get", "purchase-requests/{id}/", ASK, kind="request"),
    Operation("get", "purchase-requests/{id}/approvers/", ASK, kind="request"),
    request(
        "approve", DECIDE, body={"contact": "<admin>"}, refs={"/contact": "contact"}
    ),
    request(
        "decline", DECIDE, body={"contact": "<admin>"}, refs={"/contact": "contact"}
    ),
    request(
        "withdraw", BUY, body={"contact": "<requester>"}, refs={"/contact": "contact"}
    ),
    request(
        "change",
        BUY,
        body={"contact": "<requester>", "money": MONEY},
        refs={"/contact": "contact", "/billing_location": "location"},
    ),
    request("order", BUY, 409, body={"number": "1"}),
    request("cancel", BUY, 409, body={}),
    request("refund", BUY, 409, body={"money": MONEY}),
    Operation("get", "imports/", IMPORT),
    Operation("post", "imports/", IMPORT, 400, body={}),
    Operation("get", "imports/{id}/", IMPORT, kind="import"),
    Operation("get", "imports/{id}/records/", IMPORT, kind="import"),
    Operation("post", "imports/{id}/plan/", IMPORT, 409, kind="import", body={}),
    Operation("post", "imports/{id}/apply/", IMPORT, 409, kind="import", body={}),
    Operation("post", "imports/{id}/cancel/", IMPORT, kind="import", body={}),
    # `?company=` may name a deleted one: what is not seen has no events, for all alike.
    Operation("get", "events/", EVENTS),
    *resource(
        "webhook-endpoints/",
        "endpoint",
        HOOKS,
        HOOKS,
        new={"url": "https://shop.example/new"},
        whole={"url": "https://shop.example/new"},
        part={"url": "https://shop.example/new"},
        refs={"/hierarchies": "[head]"},
    ),
    hook("test"),
    hook("pause"),
    hook("resume"),
    hook("rotate-secret"),
    hook("replay", 409, {"first": 1, "last": 1}),
    Operation("get", "webhook-deliveries/", HOOKS, refs={"?endpoint": "endpoint"}),
    Operation("get", "webhook-deliveries/{id}/", HOOKS, kind="delivery"),
    Operation(
        "post",
        "webhook-deliveries/{id}/replay/",
        HOOKS,
        409,
        kind="delivery",
        body={},
    ),
]
