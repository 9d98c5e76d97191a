"""What must hold of money and of requests (rules M1 to M6, A1 to A9).

Money is proved by `check_ledger`; decisions from what was frozen and written down, as
people and rules may have changed since.
"""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from django.db.models import Count, F, Q, QuerySet

from approvals.ledger_check import find_ledger_faults
from approvals.models import (
    ApprovalPolicy,
    ApprovalStep,
    Decision,
    PurchaseRequest,
    RequestHistory,
    StandIn,
)
from approvals.snapshot import hash_of
from config.integrity import Broken, proves

PORTION = 1_000
Status = PurchaseRequest.Status

CHECKS_OF_FAULTS = {  # what `find_ledger_faults()` tells, by kind
    "counter": "money.counters",
    "chain": "money.counters",
    "below_zero": "money.counters",
    "period": "money.counters",
    "overspend": "money.overspend",
    "unapproved": "money.overspend",
    "passed_block": "money.overspend",
    "unwarned": "money.overspend",
    "other_amount": "money.reservations",
    "never_reserved": "money.reservations",
    "ended_wrongly": "money.reservations",
    "ended_elsewhere": "money.reservations",
    "still_held": "money.reservations",
    "not_held": "money.reservations",
    "not_reserved": "money.reservations",
    "other_order": "money.amounts",
    "other_refund": "money.amounts",
    "amounts": "money.amounts",
    "of_another": "money.amounts",
    "form": "money.form",
    "unreadable": "money.overspend",  # nothing says that it was allowed
}
# From where to where a request may go; None: before it was submitted.
NEXT = {
    None: {Status.PENDING, Status.APPROVED},
    Status.PENDING: {
        Status.PENDING,
        Status.APPROVED,
        Status.DECLINED,
        Status.WITHDRAWN,
        Status.EXPIRED,
    },
    Status.APPROVED: {Status.ORDERED, Status.CANCELLED, Status.EXPIRED},
    Status.ORDERED: {Status.ORDERED},  # refunded
}
AGREED = (Status.APPROVED, Status.ORDERED, Status.CANCELLED)


@proves(
    {
        "money.form": "faults",
        "money.counters": "faults",
        "money.overspend": "faults",
        "money.reservations": "faults",
        "money.amounts": "faults",
    }
)
def money() -> Iterator[Broken]:
    for fault in find_ledger_faults():
        yield CHECKS_OF_FAULTS[fault.kind], fault.sentence


@proves({"approvals.status": "requests"})
def statuses() -> Iterator[Broken]:
    """The history, read from its beginning, allows and gives the status."""
    kept = dict(PurchaseRequest.objects.order_by().values_list("pk", "status"))
    rows = RequestHistory.objects.order_by("request_id", "version")
    changes = rows.values_list("request_id", "status").iterator(PORTION)
    for pk, entries in groupby(changes, key=itemgetter(0)):
        status, is_allowed = None, True
        for _pk, after in entries:
            is_allowed &= after in NEXT.get(status, ())
            status = after
        if kept.pop(pk, None) != status or not is_allowed:
            yield "approvals.status", pk
    yield from (("approvals.status", pk) for pk in kept)  # without any history


@proves({"approvals.self": "decisions"})
def own() -> Iterator[Broken]:
    """Nobody decided on what they asked for, unless staff once allowed it there."""
    allowed = ApprovalPolicy.history.filter(allow_self_approval=True)
    mine = Q(contact=F("request__requester")) | Q(right_of=F("request__requester"))
    decisions = Decision.objects.filter(mine).exclude(
        request__company__in=allowed.values("company_id")
    )
    yield from _each("approvals.self", decisions)


@proves({"approvals.eligible": "decisions"})
def eligibility() -> Iterator[Broken]:
    """Each decision says through what, and is of the step of its own request."""
    strange = ~Q(step__request=F("request")) | ~Q(step__round=F("round"))
    decisions = Decision.objects.order_by("pk")
    yield from _each("approvals.eligible", decisions.filter(strange))
    said = decisions.exclude(strange).values_list("pk", "through")
    for pk, through in said.iterator(PORTION):
        if not through:
            yield "approvals.eligible", pk


@proves({"approvals.snapshot": "requests"})
def snapshots() -> Iterator[Broken]:
    """What was frozen is what the hash was made of."""
    rows = PurchaseRequest.objects.order_by("pk")
    frozen = rows.values_list("pk", "snapshot", "snapshot_hash")
    for pk, snapshot, kept in frozen.iterator(PORTION):
        if hash_of(snapshot) != kept:
            yield "approvals.snapshot", pk


@proves({"approvals.steps": "requests"})
def steps() -> Iterator[Broken]:
    """As many agreed in each step as it needs, one step after the other."""
    rows = ApprovalStep.objects.with_agreed().filter(round=F("request__round"))
    found = rows.order_by("request_id", "position").values_list(
        "request_id",
        "request__status",
        "request__snapshot__decision__steps",  # none: a change made it need nobody
        "quorum",
        "agreed",
    )
    for pk, group in groupby(found.iterator(PORTION), key=itemgetter(0)):
        entries = list(group)
        _pk, status, planned, _quorum, _agreed = entries[0]
        lacking = [quorum - agreed for *_rest, quorum, agreed in entries]
        first = next((n for n, left in enumerate(lacking) if left > 0), len(lacking))
        too_early = any(agreed for *_rest, agreed in entries[first + 1 :])
        unfinished = status in AGREED and planned and first < len(lacking)
        if too_early or unfinished or min(lacking) < 0:
            yield "approvals.steps", pk
    declined = Count("decisions", filter=Q(decisions__verdict="DECLINE"))
    counted = PurchaseRequest.objects.annotate(declined=declined)
    wrong = Q(declined__gt=1) | (Q(declined=1) & ~Q(status=Status.DECLINED))
    yield from _each("approvals.steps", counted.filter(wrong))


@proves({"approvals.stuck": "requests"})
def stuck() -> Iterator[Broken]:
    """What waits has a step on which somebody can decide: at the end, staff."""
    steps = ApprovalStep.objects.open().filter(round=F("request__round"))
    waiting = PurchaseRequest.objects.filter(status=Status.PENDING)
    yield from _each(
        "approvals.stuck", waiting.exclude(pk__in=steps.values("request_id"))
    )


@proves({"approvals.stand_ins": "stand-ins"})
def stand_ins() -> Iterator[Broken]:
    """Somebody else, and for a time that has an end after its beginning."""
    wrong = Q(stand_in=F("contact")) | Q(valid_until__lt=F("valid_from"))
    yield from _each("approvals.stand_ins", StandIn.objects.filter(wrong))


def _each(check: str, rows: QuerySet) -> Iterator[Broken]:
    keys = rows.order_by("pk").values_list("pk", flat=True)
    return ((check, pk) for pk in keys.iterator(PORTION))
