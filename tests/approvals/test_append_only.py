"""The database itself keeps what was asked for and decided, whoever writes."""

from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from approvals import ledger, services
from approvals.models import Decision, LedgerEntry, PurchaseRequest, RequestHistory
from config.actors import SYSTEM
from tests.approvals.makers import acting, make_limit, make_world, submit
from tests.staff import superuser

pytestmark = pytest.mark.django_db

MOVES = {
    "PENDING": {"APPROVED", "DECLINED", "WITHDRAWN", "EXPIRED"},
    "APPROVED": {"ORDERED", "CANCELLED", "EXPIRED"},
    "DECLINED": set(),
    "WITHDRAWN": set(),
    "EXPIRED": set(),
    "ORDERED": set(),
    "CANCELLED": set(),
}
WAYS = {
    "PENDING": [],
    "APPROVED": ["APPROVED"],
    "DECLINED": ["DECLINED"],
    "WITHDRAWN": ["WITHDRAWN"],
    "EXPIRED": ["EXPIRED"],
    "ORDERED": ["APPROVED", "ORDERED"],
    "CANCELLED": ["APPROVED", "CANCELLED"],
}


def write(sql: str, *values: object) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, values)


def with_order(old: str, new: str) -> dict[str, object]:
    """What an order brings with it, which no other change of the status may."""
    return {"ordered_amount": 1} if old != new == "ORDERED" else {}


def decided() -> PurchaseRequest:
    world = make_world()
    request = submit(world.sub, world.requester, note="Soon, please")
    return services.approve_request(
        request, actor=acting(world.admin), expected_version=1, comment="Fine"
    )


@pytest.mark.parametrize("old", MOVES)
@pytest.mark.parametrize("new", MOVES)
def test_a_status_moves_along_its_ways_only(old: str, new: str) -> None:
    world = make_world()
    request = submit(world.sub, world.requester)
    rows = PurchaseRequest.objects.filter(pk=request.pk)
    for status in WAYS[old]:
        rows.update(status=status, **with_order(request.status, status))

    def move() -> None:
        with transaction.atomic():
            rows.update(status=new, **with_order(old, new))

    if new in MOVES[old] | {old}:
        move()
        assert rows.get().status == new
    else:
        with pytest.raises(DatabaseError):
            move()
        assert rows.get().status == old


@pytest.mark.parametrize(
    "column",
    [
        "amount",
        "company_id",
        "currency",
        "items",
        "kind",
        "reference",
        "requester_id",
        "snapshot",
        "snapshot_hash",
    ],
)
def test_what_was_asked_for_stays(column: str) -> None:
    world = make_world()
    request = submit(world.sub, world.requester)
    other = {
        "amount": 1,
        "company_id": world.head.pk,
        "currency": "USD",
        "items": '[{"name": "x"}]',
        "kind": "ORDER",
        "reference": "another",
        "requester_id": world.admin.pk,
        "snapshot": "{}",
        "snapshot_hash": "0" * 64,
    }[column]

    with pytest.raises(DatabaseError):
        write(
            f"UPDATE approvals_purchaserequest SET {column} = %s WHERE id = %s",
            other,
            request.pk,
        )

    stored = PurchaseRequest.objects.get(pk=request.pk)
    assert stored.snapshot_hash == request.snapshot_hash
    assert stored.snapshot == request.snapshot
    assert (stored.amount, stored.reference) == (request.amount, request.reference)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE approvals_decision SET verdict = 'DECLINE'",
        "UPDATE approvals_decision SET contact_id = NULL",
        "UPDATE approvals_decision SET comment = 'Not fine'",
        "UPDATE approvals_requesthistory SET status = 'DECLINED'",
        "UPDATE approvals_requesthistory SET actor = 'system'",
        "UPDATE approvals_requesthistory SET comment = 'Not fine' WHERE version = 2",
        "UPDATE approvals_approvalstep SET quorum = 9",
        "UPDATE approvals_approvalstep SET roles = '[]'",
        "UPDATE approvals_purchaserequest SET note = 'Never'",
        "DELETE FROM approvals_decision",
        "DELETE FROM approvals_requesthistory",
        "DELETE FROM approvals_approvalstep",
        "DELETE FROM approvals_purchaserequest",
    ],
)
def test_what_was_decided_stays(statement: str) -> None:
    request = decided()

    with pytest.raises(DatabaseError):
        write(statement)

    assert Decision.objects.get().verdict == "APPROVE"
    assert Decision.objects.get().comment == "Fine"
    assert [e.status for e in RequestHistory.objects.all()] == ["PENDING", "APPROVED"]
    assert request.steps.get().quorum == 1
    assert PurchaseRequest.objects.get().note == "Soon, please"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE approvals_decision SET comment = ''",
        "UPDATE approvals_requesthistory SET comment = ''",
        "UPDATE approvals_purchaserequest SET note = ''",
    ],
)
def test_free_text_can_be_emptied_for_an_erasure(statement: str) -> None:
    decided()

    write(statement)

    texts = [
        [d.comment for d in Decision.objects.all()],
        [e.comment for e in RequestHistory.objects.all() if e.version == 2],
        [r.note for r in PurchaseRequest.objects.all()],
    ]
    assert [""] in texts


def test_a_request_starts_pending_or_approved() -> None:
    world = make_world()
    request = submit(world.sub, world.requester)
    copy = PurchaseRequest.objects.get(pk=request.pk)
    copy.pk, copy.reference, copy.status = None, "other", "ORDERED"

    with pytest.raises(DatabaseError), transaction.atomic():
        copy.save(force_insert=True)

    assert PurchaseRequest.objects.count() == 1


def booked() -> LedgerEntry:
    """A reservation, and a correction beside it."""
    world = make_world()
    limit = make_limit(company=world.head, period="MONTH")
    submit(world.sub, world.buyer)
    ledger.correct(
        limit,
        day=timezone.localdate(),
        amount=Decimal(5),
        actor=SYSTEM,
        reason="By phone",
    )
    return limit.ledger.first()


@pytest.mark.parametrize(
    "change",
    [
        "limit_id = limit_id + 1",
        "period = 'YEAR'",
        "period_start = '2020-01-01'",
        "kind = 'RELEASE'",
        "request_id = NULL",
        "revision = 2",
        "company_id = company_id + 1",
        "amount = amount + 1",
        "currency = 'USD'",
        "reserved_before = reserved_before + 1",
        "used_before = used_before + 1",
        "cap = NULL",
        "on_exceed = 'WARN'",
        "actor = ''",
        "reason = ''",
        "call_id = 'x'",
        "at = '2020-01-01 00:00:00+00:00'",
    ],
)
def test_no_column_of_the_ledger_changes(change: str) -> None:
    booked()
    before = list(LedgerEntry.objects.values())

    # The correction: it has a reason, which a reservation has not.
    where = f"kind = '{kind_of(change)}'"
    with pytest.raises(DatabaseError):
        write(f"UPDATE approvals_ledgerentry SET {change} WHERE {where}")

    assert list(LedgerEntry.objects.values()) == before


def kind_of(change: str) -> str:
    return "CORRECT" if change.startswith("reason") else "RESERVE"


def test_the_ledger_is_kept_whoever_deletes() -> None:
    entry = booked()

    with pytest.raises(DatabaseError):
        write("DELETE FROM approvals_ledgerentry")
    with pytest.raises(DatabaseError), transaction.atomic():
        entry.delete()
    with pytest.raises(DatabaseError), transaction.atomic():
        LedgerEntry.objects.all().delete()
    entry.amount = Decimal(1)
    with pytest.raises(DatabaseError), transaction.atomic():
        entry.save()

    assert LedgerEntry.objects.count() == 2


def test_a_superuser_reads_the_ledger_and_cannot_edit_it() -> None:
    entry = booked()
    pages = superuser()
    path = "/admin/approvals/ledgerentry/"

    assert pages.get(path).status_code == 200
    assert pages.get(f"{path}{entry.pk}/change/").status_code == 200
    for refused in (f"{path}add/", f"{path}{entry.pk}/delete/"):
        assert pages.get(refused).status_code == 403
        assert pages.post(refused, {"post": "yes"}).status_code == 403
    assert pages.post(f"{path}{entry.pk}/change/", {"amount": 1}).status_code == 403

    entry.refresh_from_db()
    assert entry.amount == 100


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "RESERVE"},  # a second one of the same revision
        {"kind": "RELEASE", "amount": 0},
        {"kind": "RELEASE", "amount": -100},
        {"kind": "RELEASE", "request": None},
        {"kind": "CONFIRM", "revision": None},
        {"kind": "CORRECT", "request": None},  # without a reason
        {"kind": "CORRECT", "request": None, "reason": "x", "amount": 0},
        {"kind": "CORRECT", "reason": "of a request"},
    ],
)
def test_the_database_takes_no_entry_that_makes_no_sense(fields: dict) -> None:
    entry = booked()
    entry.pk = None
    for name, value in fields.items():
        setattr(entry, name, value)

    with pytest.raises(IntegrityError), transaction.atomic():
        entry.save(force_insert=True)

    assert LedgerEntry.objects.count() == 2


@pytest.mark.parametrize("change", ["reserved = -1", "used = -0.01"])
def test_no_counter_is_below_zero(change: str) -> None:
    booked()

    with pytest.raises(IntegrityError):
        write(f"UPDATE approvals_limitcounter SET {change}")
