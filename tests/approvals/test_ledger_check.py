"""`check_ledger` names each damage, and nothing where there is none."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from approvals import ledger, services
from approvals.ledger_check import find_ledger_faults, rebuild_counters
from approvals.models import LedgerEntry, LimitCounter, PurchaseRequest
from companies.services import move_company
from config.actors import SYSTEM
from config.money import Money
from tests.approvals.makers import (
    acting,
    euros,
    make_limit,
    make_world,
    submit,
)
from tests.factories import make_company
from tests.guards import delete, guards_off, update

pytestmark = pytest.mark.django_db

ENTRY, COUNTER = "approvals_ledgerentry", "approvals_limitcounter"
REQUEST, HISTORY = "approvals_purchaserequest", "approvals_requesthistory"
LIMIT = "approvals_purchaselimit"


def sound() -> SimpleNamespace:
    """Every kind of movement, on limits of every kind, after every kind of change."""
    world = make_world()
    version = {"actor": SYSTEM}
    month = make_limit(company=world.head, period="MONTH", amount="1000")
    year = make_limit(
        company=world.head, period="YEAR", amount="5000", on_exceed="BLOCK"
    )
    day = make_limit(company=world.sub, period="DAY", amount="300", on_exceed="WARN")
    each = make_limit(company=world.head, amount="2000", on_exceed="BLOCK")
    yen = make_limit(company=world.sub, period="WEEK", unlimited=True, currency="JPY")

    def approved(request: PurchaseRequest) -> PurchaseRequest:
        who = acting(world.admin)
        return services.approve_request(
            request, actor=who, expected_version=request.version
        )

    def changed(request: PurchaseRequest, amount: str) -> PurchaseRequest:
        _answer, found = services.change_request(
            request,
            money=euros(amount),
            actor=acting(request.requester_id),
            expected_version=request.version,
        )
        return found

    def ordered(request: PurchaseRequest, amount: str) -> PurchaseRequest:
        return services.order_request(
            request,
            number="1",
            money=euros(amount),
            expected_version=request.version,
            **version,
        )

    found = SimpleNamespace(
        world=world, month=month, year=year, day=day, each=each, yen=yen
    )
    found.ordered = ordered(submit(world.sub, world.buyer, "100.00"), "80.00")
    found.ordered = services.refund_request(
        found.ordered, money=euros("30.00"), expected_version=2, **version
    )
    found.over = submit(world.sub, world.buyer, "1200.00")
    found.bought = ordered(
        approved(submit(world.sub, world.requester, "50.50")), "50.50"
    )
    found.declined = services.decline_request(
        submit(world.sub, world.requester, "20.00"),
        actor=acting(world.admin),
        expected_version=1,
    )
    found.less = changed(submit(world.sub, world.requester, "90.00"), "60.00")
    found.more = changed(submit(world.sub, world.requester, "90.00"), "110.00")
    found.warned = submit(world.sub, world.requester, "400.00")
    found.in_yen = submit(world.sub, world.buyer, money=Money(Decimal(50), "JPY"))
    correction = {"day": timezone.localdate(), "actor": SYSTEM, "reason": "By phone"}
    ledger.correct(month, amount=Decimal("77.70"), **correction)
    ledger.correct(month, amount=Decimal("-7.70"), **correction)
    day.amount = Decimal(10)  # less than what is held
    day.save()
    found.later = changed(changed(submit(world.sub, world.requester), "40.00"), "39.00")
    move_company(world.sub, make_company(), actor=SYSTEM)
    found.moved = submit(world.sub, world.buyer, "5.00")
    return found


def entry_of(request: PurchaseRequest, limit: Any, kind: str = "RESERVE") -> int:
    entries = LedgerEntry.objects.filter(request=request, limit=limit, kind=kind)
    return entries.order_by("id").values_list("pk", flat=True).last()


def copy(pk: int, **columns: Any) -> None:
    """Another ledger entry like that one, but for these columns."""
    entry = LedgerEntry.objects.get(pk=pk)
    entry.pk = None
    for name, value in columns.items():
        setattr(entry, name, value)
    entry.save(force_insert=True)


def rewrite(request: PurchaseRequest, change: Callable[[dict], Any]) -> None:
    snapshot = PurchaseRequest.objects.get(pk=request.pk).snapshot
    change(snapshot)
    update(REQUEST, request.pk, snapshot=json.dumps(snapshot))


def limit_in(snapshot: dict, limit: Any) -> dict:
    limits = snapshot["decision"]["considered"]["limits"]
    (found,) = [one for one in limits if one["id"] == limit.pk]
    return found


def history_of(request: PurchaseRequest, change: str) -> int:
    return request.history.get(change=change).pk


def counter_of(limit: Any) -> int:
    return LimitCounter.objects.get(limit=limit).pk


# kind: two ways or more to damage what is sound
DAMAGES: dict[str, list[Callable[[SimpleNamespace], Any]]] = {
    "counter": [
        lambda w: update(COUNTER, counter_of(w.month), used=1),
        lambda w: update(COUNTER, counter_of(w.year), reserved=Decimal("0.01")),
        lambda w: delete(COUNTER, counter_of(w.yen)),
        lambda w: LimitCounter.objects.create(
            limit=w.month, period="MONTH", period_start="2020-01-01", used=1
        ),
        lambda w: delete(ENTRY, LedgerEntry.objects.filter(kind="CORRECT").last().pk),
    ],
    "chain": [
        lambda w: update(ENTRY, entry_of(w.over, w.month), reserved_before=1),
        lambda w: update(ENTRY, entry_of(w.over, w.year), used_before=0),
        lambda w: delete(ENTRY, entry_of(w.declined, w.month)),
        lambda w: update(ENTRY, entry_of(w.ordered, w.day), reserved_before=1),
    ],
    "below_zero": [
        lambda w: copy(
            entry_of(w.bought, w.month, "CONFIRM"), amount=Decimal(9000), revision=7
        ),
        lambda w: copy(
            LedgerEntry.objects.filter(kind="CORRECT").last().pk, amount=Decimal(-9000)
        ),
    ],
    "overspend": [
        lambda w: update(ENTRY, entry_of(w.over, w.month), on_exceed="BLOCK"),
        lambda w: update(ENTRY, entry_of(w.over, w.year), cap=Decimal("1249.99")),
        lambda w: copy(
            entry_of(w.less, w.year), revision=3, cap=60, amount=Decimal("60.01")
        ),
    ],
    "unapproved": [
        lambda w: update(HISTORY, history_of(w.over, "SUBMITTED"), status="APPROVED"),
        lambda w: update(ENTRY, entry_of(w.ordered, w.month), cap=Decimal("99.99")),
        lambda w: delete(HISTORY, history_of(w.over, "SUBMITTED")),
        lambda w: (
            update(ENTRY, entry_of(w.bought, w.month), cap=1),
            delete(HISTORY, history_of(w.bought, "APPROVED")),
        ),
    ],
    "other_amount": [
        lambda w: update(ENTRY, entry_of(w.over, w.month), amount=1),
        lambda w: update(HISTORY, history_of(w.more, "CHANGED"), amount=1),
        lambda w: update(ENTRY, entry_of(w.over, w.month), revision=9),
    ],
    "never_reserved": [
        lambda w: delete(ENTRY, entry_of(w.declined, w.year)),
        lambda w: copy(entry_of(w.declined, w.month, "RELEASE"), request=w.moved),
        lambda w: copy(entry_of(w.ordered, w.month, "REFUND"), revision=3),
    ],
    "ended_wrongly": [
        lambda w: copy(entry_of(w.declined, w.month, "RELEASE")),
        lambda w: copy(entry_of(w.bought, w.day, "CONFIRM")),
        lambda w: copy(entry_of(w.over, w.month)),
        lambda w: update(ENTRY, entry_of(w.ordered, w.month, "RELEASE"), amount=19),
        lambda w: delete(ENTRY, entry_of(w.ordered, w.year, "RELEASE")),
    ],
    "ended_elsewhere": [
        lambda w: update(
            ENTRY, entry_of(w.declined, w.month, "RELEASE"), period_start="2020-01-01"
        ),
        lambda w: update(ENTRY, entry_of(w.bought, w.day, "CONFIRM"), period="WEEK"),
    ],
    "still_held": [
        lambda w: update(REQUEST, w.over.pk, status="WITHDRAWN"),
        lambda w: update(REQUEST, w.warned.pk, status="EXPIRED"),
        lambda w: delete(ENTRY, entry_of(w.more, w.month, "RELEASE")),
        lambda w: delete(ENTRY, entry_of(w.declined, w.day, "RELEASE")),
    ],
    "not_held": [
        lambda w: update(REQUEST, w.declined.pk, status="PENDING"),
        lambda w: update(REQUEST, w.bought.pk, status="APPROVED"),
        lambda w: copy(entry_of(w.over, w.month), kind="RELEASE"),
    ],
    "other_order": [
        lambda w: update(REQUEST, w.ordered.pk, ordered_amount=81),
        lambda w: update(
            ENTRY, entry_of(w.bought, w.month, "CONFIRM"), amount=Decimal("50.49")
        ),
        lambda w: update(ENTRY, entry_of(w.bought, w.month, "CONFIRM"), kind="RELEASE"),
        lambda w: update(
            ENTRY, entry_of(w.declined, w.month, "RELEASE"), kind="CONFIRM"
        ),
    ],
    "other_refund": [
        lambda w: update(REQUEST, w.bought.pk, refunded_amount=1),
        lambda w: copy(entry_of(w.ordered, w.year, "REFUND")),
        lambda w: delete(ENTRY, entry_of(w.ordered, w.day, "REFUND")),
        lambda w: update(
            ENTRY, entry_of(w.ordered, w.month, "REFUND"), amount=Decimal("80.01")
        ),
    ],
    "amounts": [
        lambda w: update(REQUEST, w.ordered.pk, ordered_amount=101),
        lambda w: update(REQUEST, w.ordered.pk, refunded_amount=81),
        lambda w: update(REQUEST, w.over.pk, amount=0),
        lambda w: update(REQUEST, w.over.pk, ordered_amount=1),
        lambda w: update(REQUEST, w.bought.pk, ordered_amount=None),
        lambda w: update(ENTRY, entry_of(w.over, w.month), amount=-1),
        lambda w: update(ENTRY, entry_of(w.over, w.month), request_id=None),
        lambda w: copy(entry_of(w.ordered, w.month, "REFUND"), amount=Decimal(0)),
    ],
    "of_another": [
        lambda w: update(ENTRY, entry_of(w.over, w.month), currency="USD"),
        lambda w: update(ENTRY, entry_of(w.over, w.month), company_id=w.world.head.pk),
        lambda w: update(LIMIT, w.year.pk, currency="USD"),
        lambda w: update(REQUEST, w.over.pk, currency="USD"),
    ],
    "form": [
        lambda w: update(LIMIT, w.month.pk, amount=Decimal("1000.001")),
        lambda w: update(
            ENTRY, entry_of(w.in_yen, w.yen), reserved_before=Decimal("0.5")
        ),
        lambda w: update(ENTRY, entry_of(w.over, w.month), cap=Decimal("0.0001")),
        lambda w: update(COUNTER, counter_of(w.yen), used=Decimal("0.1")),
        lambda w: update(REQUEST, w.over.pk, amount=Decimal("1200.001")),
        lambda w: update(
            HISTORY, history_of(w.over, "SUBMITTED"), amount=Decimal("0.001")
        ),
        lambda w: update(REQUEST, w.over.pk, currency="XXX"),
        lambda w: update(LIMIT, w.day.pk, amount=Decimal(10**13)),
    ],
    "period": [
        lambda w: update(COUNTER, counter_of(w.year), period_start="2020-01-02"),
        lambda w: update(COUNTER, counter_of(w.month), period="PURCHASE"),
        lambda w: LimitCounter.objects.create(
            limit=w.yen, period="WEEK", period_start="2024-07-02"
        ),
    ],
    "passed_block": [
        lambda w: rewrite(
            w.over, lambda s: limit_in(s, w.each).update(remaining="1199.99")
        ),
        lambda w: rewrite(w.over, lambda s: limit_in(s, w.year).update(remaining="1")),
        lambda w: rewrite(
            w.over, lambda s: limit_in(s, w.month).update(on_exceed="BLOCK")
        ),
        lambda w: rewrite(w.more, lambda s: s.update(amount="2000.01")),
    ],
    "unwarned": [
        lambda w: rewrite(w.warned, lambda s: s["decision"].update(reasons=[])),
        lambda w: rewrite(w.over, lambda s: s["decision"].update(reasons=[])),
    ],
    "not_reserved": [
        lambda w: delete(ENTRY, entry_of(w.over, w.month)),
        lambda w: rewrite(
            w.over, lambda s: limit_in(s, w.each).update(period="QUARTER")
        ),
        lambda w: [
            delete(ENTRY, pk) for pk in w.warned.ledger.values_list("pk", flat=True)
        ],
    ],
    "unreadable": [
        lambda w: rewrite(w.over, lambda s: s.pop("decision")),
        lambda w: rewrite(w.over, lambda s: s.update(amount="many")),
        lambda w: update(HISTORY, history_of(w.more, "CHANGED"), replaced="null"),
    ],
}
DAMAGED = [
    (kind, number) for kind, ways in DAMAGES.items() for number in range(len(ways))
]


def test_a_sound_ledger_has_no_faults() -> None:
    found = sound()

    assert list(find_ledger_faults()) == []
    kinds = set(LedgerEntry.objects.values_list("kind", flat=True))
    assert kinds == set(LedgerEntry.Kind)
    passed = [r["code"] for r in found.warned.snapshot["decision"]["reasons"]]
    assert "limit_warning" in passed


def test_a_refund_after_a_correction_is_sound() -> None:
    world = make_world()
    limit = make_limit(company=world.head, period="MONTH")
    request = submit(world.sub, world.buyer)
    services.order_request(request, number="1", actor=SYSTEM, expected_version=1)
    ledger.correct(
        limit,
        day=timezone.localdate(),
        amount=Decimal(-80),
        actor=SYSTEM,
        reason="Twice",
    )

    services.refund_request(
        request, money=euros("100"), actor=SYSTEM, expected_version=2
    )

    assert list(find_ledger_faults()) == []


def test_each_damage_is_named() -> None:
    found = sound()
    missed = []
    with guards_off():
        for kind, number in DAMAGED:
            with transaction.atomic():
                DAMAGES[kind][number](found)
                kinds = {fault.kind for fault in find_ledger_faults()}
                transaction.set_rollback(True)
            if kind not in kinds:
                missed.append((kind, number, kinds))

    assert missed == []
    assert list(find_ledger_faults()) == []
    assert min(len(ways) for ways in DAMAGES.values()) >= 2


def run(*args: str) -> str:
    out = StringIO()
    call_command("check_ledger", *args, stdout=out)
    return out.getvalue()


def test_the_command_says_that_all_is_well() -> None:
    sound()

    count = LedgerEntry.objects.count()
    assert run() == f"{count} ledger entries, 0 faults.\n"
    assert run("--json") == ""


def test_the_command_has_a_line_for_each_fault_and_fails() -> None:
    found = sound()
    out = StringIO()
    with guards_off():
        update(COUNTER, counter_of(found.yen), reserved=51)
        update(ENTRY, entry_of(found.over, found.year), cap=Decimal("1249.99"))

        with pytest.raises(CommandError) as failed:
            call_command("check_ledger", stdout=out)
        with pytest.raises(CommandError):
            run("--json")

    limit, entry = found.year.pk, entry_of(found.over, found.year)
    monday = timezone.localdate() - timedelta(days=timezone.localdate().weekday())
    first, second, third = out.getvalue().splitlines()
    assert first == (
        f"counter: The counter of limit {found.yen.pk}, WEEK from {monday} has "
        "reserved 51 and used 0; the ledger says 50 and 0."
    )
    assert second == (
        f"overspend: Entry {entry} reserves 1200 where limit {limit} blocks more than "
        "1199.99."
    )
    assert third == (
        f"unwarned: Request {found.over.pk}, revision 1 passes limit {limit} without a "
        "word."
    )
    assert str(failed.value).endswith("ledger entries, 3 faults.")


def test_fix_rebuilds_counters_and_leaves_the_ledger_alone() -> None:
    found = sound()
    entries = list(LedgerEntry.objects.order_by("pk").values())
    counters = LimitCounter.objects.order_by("limit_id", "period")
    before = list(counters.values("limit_id", "period", "reserved", "used"))
    LimitCounter.objects.filter(limit=found.month).update(reserved=0, used=3)
    LimitCounter.objects.filter(limit=found.yen).delete()

    told = run("--fix")

    assert told == f"{len(entries)} ledger entries, 0 faults, 2 counters rebuilt.\n"
    assert list(LedgerEntry.objects.order_by("pk").values()) == entries
    assert list(counters.values("limit_id", "period", "reserved", "used")) == before
    assert rebuild_counters() == 0


def test_fix_cannot_mend_a_ledger_that_takes_more_than_there_is() -> None:
    limit = make_limit(period="MONTH")
    LedgerEntry.objects.create(
        limit=limit,
        period="MONTH",
        period_start=date(2024, 7, 1),
        kind="CORRECT",
        company=limit.company,
        amount=-5,
        currency="EUR",
        reserved_before=0,
        used_before=0,
        on_exceed="APPROVE",
        actor="system",
        reason="By hand",
        at=timezone.now(),
    )

    with pytest.raises(CommandError) as failed:
        run("--fix")

    assert str(failed.value) == "1 ledger entries, 2 faults, 0 counters rebuilt."
