"""Frozen decisions beside what was reserved: read in portions, each revision once."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import batched
from typing import Any, NamedTuple

from approvals.models import LedgerEntry, PurchaseRequest, RequestHistory

from .queries import PORTION

type Fault = tuple[str, str]  # kind, sentence


class Reservation(NamedTuple):
    """What a revision of a request reserved on a limit."""

    limit: int
    amount: Decimal
    remaining: Decimal | None


def wrong_decisions() -> Iterator[Fault]:
    """Requests whose frozen decisions do not allow what was reserved, or promise more.

    Each revision is read: the current one, and those that changes have replaced.
    """
    requests = PurchaseRequest.objects.order_by("pk").values_list("pk", "snapshot")
    for portion in batched(requests.iterator(PORTION), PORTION, strict=False):
        pks = [pk for pk, _snapshot in portion]
        frozen: dict[int, list[Any]] = defaultdict(list)
        changes = RequestHistory.objects.filter(request__in=pks, change="CHANGED")
        for pk, replaced in changes.order_by("version").values_list(
            "request_id", "replaced"
        ):
            frozen[pk].append(replaced)
        for pk, snapshot in portion:
            frozen[pk].append(snapshot)
        reserved = _reservations(pks)
        for pk, snapshots in sorted(frozen.items()):
            yield from _wrong_revisions(pk, snapshots, reserved)


def _wrong_revisions(
    request: int,
    snapshots: Sequence[Any],
    reserved: Mapping[tuple[int, int], list[Reservation]],
) -> Iterator[Fault]:
    before: tuple[Decimal, list[Reservation]] = (Decimal(0), [])
    for revision, snapshot in enumerate(snapshots, 1):
        told = f"Request {request}, revision {revision}"
        now = reserved[request, revision]
        try:
            yield from _wrong_decision(told, snapshot, now, *before)
            before = (Decimal(snapshot["amount"]), now)
        except (KeyError, TypeError, InvalidOperation):
            yield "unreadable", f"{told} has no frozen decision."


def _reservations(
    requests: Sequence[int],
) -> Mapping[tuple[int, int], list[Reservation]]:
    found: dict[tuple[int, int], list[Reservation]] = defaultdict(list)
    entries = LedgerEntry.objects.filter(request__in=requests, kind="RESERVE")
    for pk, revision, limit, amount, cap, *taken in entries.order_by("id").values_list(
        "request_id",
        "revision",
        "limit_id",
        "amount",
        "cap",
        "reserved_before",
        "used_before",
    ):
        # Not by the database: SQLite would count in binary fractions.
        remaining = None if cap is None else cap - sum(taken)
        found[pk, revision].append(Reservation(limit, amount, remaining))
    return found


def _wrong_decision(
    told: str,
    snapshot: Mapping[str, Any],
    reserved: Sequence[Reservation],
    amount_before: Decimal,
    reserved_before: Sequence[Reservation],
) -> Iterator[Fault]:
    amount, decision = Decimal(snapshot["amount"]), snapshot["decision"]
    counting = [
        limit
        for limit in decision["considered"]["limits"]
        if limit["applies"] and limit["currency"] == snapshot["currency"]
    ]
    for limit in counting:
        blocks = limit["on_exceed"] == "BLOCK" and not limit["unlimited"]
        if blocks and amount > Decimal(limit["remaining"]):
            sentence = f"{told} passed limit {limit['id']}, which blocks."
            yield "passed_block", sentence
    # Less of the same stays on the limits that it was held on.
    held = {one.limit for one in reserved}
    kept = amount <= amount_before and held == {one.limit for one in reserved_before}
    if kept:
        return
    named = {reason["limit"]["id"] for reason in decision["reasons"] if reason["limit"]}
    for one in reserved:
        passes = one.remaining is not None and one.amount > one.remaining
        if passes and one.limit not in named:
            sentence = f"{told} passes limit {one.limit} without a word."
            yield "unwarned", sentence
    wanted = {limit["id"] for limit in counting if limit["period"] != "PURCHASE"}
    for limit in sorted(wanted - held):
        sentence = f"{told} was not reserved on limit {limit}, which counts it."
        yield "not_reserved", sentence
