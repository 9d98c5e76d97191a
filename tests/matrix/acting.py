"""The table of the acting family: what each person gets, by what their place is.

CN person without role, RQ requester, BY buyer, AD admin, AP a stand-in who may decide,
AU admin of the company above who covers subsidiaries. The request is RQ's and pending.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.matrix.general import MONEY, UNTIL

INSIDE = ("CN", "RQ", "BY", "AD", "AP", "AU")


@dataclass(frozen=True)
class Deed:
    method: str
    path: str
    statuses: tuple[int, ...]  # of CN, RQ, BY, AD, AP, AU
    kind: str = ""
    body: Any = None
    refs: dict[str, str] = field(default_factory=dict)
    who_names: str = "AD"  # whose statuses say that the body is looked at


def everybody(status: int) -> tuple[int, ...]:
    return (status,) * len(INSIDE)


def admins(status: int, others: int = 403) -> tuple[int, ...]:
    return (others, others, others, status, others, status)


# of a thing that only RQ, those who decide, and admins see
def on_request(own: int, others: int) -> tuple[int, ...]:
    return (404, own, others, others, others, others)


REQUEST = "purchase-requests/{id}/"
PERSON = "people/{id}/"
CART = {"kind": "CART", "reference": "x", "money": MONEY}
DEEDS = [
    Deed("get", "me/", everybody(200)),
    Deed("get", "pricing-context/", everybody(200)),
    Deed("get", "inbox/", everybody(200)),
    Deed("get", "people/", everybody(200)),
    Deed("post", "people/", admins(201), body={"email": "new@example.com"}),
    Deed("get", PERSON, (404, 200, 404, 200, 404, 200), kind="requester"),
    Deed(
        "patch",
        PERSON,
        (404, 200, 404, 200, 404, 200),
        kind="requester",
        body={"last_name": "x"},
    ),
    Deed(
        "get",
        f"{PERSON}assignment/",
        (404, 200, 404, 200, 404, 200),
        kind="requester",
    ),
    Deed(
        "patch",
        f"{PERSON}assignment/",
        (404, 403, 404, 200, 404, 200),
        kind="requester",
        body={"role": "BUYER"},
    ),
    Deed(
        "delete",
        f"{PERSON}assignment/",
        (404, 403, 404, 204, 404, 204),
        kind="requester",
    ),
    Deed("get", "locations/", everybody(200)),
    Deed("post", "locations/", admins(201), body={"type": "STORE"}),
    Deed("get", "locations/{id}/", everybody(200), kind="location"),
    Deed("put", "locations/{id}/", admins(200), kind="location", body={}),
    Deed("patch", "locations/{id}/", admins(200), kind="location", body={"name": "x"}),
    Deed("delete", "locations/{id}/", admins(204), kind="location"),
    Deed("get", "stand-ins/", everybody(200)),
    Deed(
        "post",
        "stand-ins/",
        (403, 403, 201, 201, 201, 201),
        body={"stand_in": "<sister_contact>", "valid_until": UNTIL},
        refs={"/stand_in": "contact"},
    ),
    Deed(
        "delete",
        "stand-ins/{id}/",
        (404, 404, 204, 404, 404, 404),
        kind="own_stand_in",
    ),
    Deed("get", "purchase-requests/", everybody(200)),
    Deed(
        "post",
        "purchase-requests/",
        (200, 201, 201, 201, 200, 201),
        body=CART,
        refs={"/billing_location": "location", "/shipping_location": "location"},
    ),
    Deed("post", "purchase-requests/check/", everybody(200), body={"money": MONEY}),
    Deed("get", REQUEST, on_request(200, 200), kind="request"),
    Deed("get", f"{REQUEST}approvers/", on_request(200, 200), kind="request"),
    Deed("post", f"{REQUEST}approve/", on_request(403, 200), kind="request", body={}),
    Deed("post", f"{REQUEST}decline/", on_request(403, 200), kind="request", body={}),
    Deed("post", f"{REQUEST}withdraw/", on_request(200, 403), kind="request", body={}),
    Deed(
        "post",
        f"{REQUEST}change/",
        on_request(200, 403),
        kind="request",
        body={"money": MONEY},
        refs={"/billing_location": "location"},
        who_names="RQ",
    ),
    Deed(
        "post",
        f"{REQUEST}order/",
        on_request(409, 403),
        kind="request",
        body={"number": "1"},
    ),
    Deed("post", f"{REQUEST}cancel/", on_request(409, 403), kind="request", body={}),
]
