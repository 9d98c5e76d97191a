"""Two at once at the same money: no limit is passed, nothing is given back twice.

Each with a control that shows what happens without the guard; `check_ledger` agrees.
"""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from approvals import ledger, services
from approvals.errors import Overtaken, RequestNotApproved
from approvals.ledger_check import find_ledger_faults
from approvals.models import LedgerEntry, PurchaseLimit, PurchaseRequest
from approvals.services import asking
from config.actors import SYSTEM
from config.errors import DomainError, StaleVersion
from tests.approvals.makers import (
    World,
    acting,
    counted,
    euros,
    make_limit,
    make_world,
    person,
    submit,
)
from tests.approvals.meeting import Meeting
from tests.factories import make_company, numbers
from tests.races import run_at_once

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 20
FROZEN, ENDED = "services.asking.make_snapshot", "services.ending.set_status"


@pytest.fixture(autouse=True)
def _ledger_proves(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each race, but not after the controls, which break it."""
    yield
    if "control" not in request.node.name:
        assert list(find_ledger_faults()) == []


@pytest.fixture
def no_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read, then write without looking again."""
    before, after = ledger.RESERVE.split("WHERE ROUND")
    returning = after[after.index("RETURNING") :]
    monkeypatch.setattr(ledger, "RESERVE", before + returning)


def trying(
    world: World, amount: str, who: Any = None, **fields: Any
) -> PurchaseRequest | str:
    """The request, or how the purchase was refused."""
    answer, request = services.submit_request(
        **{
            "company": world.sub,
            "requester": who or world.buyer,
            "money": euros(amount),
            "kind": "CART",
            "reference": f"cart-{next(numbers)}",
            "actor": SYSTEM,
        }
        | fields
    )
    return request or str(answer.outcome)


def two_buyers(world: World) -> list[Callable[[], Any]]:
    """60 and 50 euros, by two people: one person buys one thing after the other."""
    other = person(world.sub, "BUYER")
    return [lambda: trying(world, "60.00"), lambda: trying(world, "50.00", other)]


def held_on(limit: PurchaseLimit) -> str:
    ((_start, reserved, _used),) = counted(limit)
    return reserved


# The last euro


def test_16_buyers_get_as_much_as_the_limit_has_and_no_cent_more() -> None:
    world = make_world()
    buyers = [person(world.sub, "BUYER") for _ in range(16)]
    for _ in range(ROUNDS):
        limit = make_limit(
            company=world.head, period="MONTH", amount="100", on_exceed="BLOCK"
        )

        def buy(number: int) -> list[Any]:
            return [trying(world, "31.25", buyers[number]) for _ in range(2)]

        found = [one for results in run_at_once(buy, threads=16) for one in results]

        bought = [one for one in found if isinstance(one, PurchaseRequest)]
        assert len(bought) == 3
        assert found.count("BLOCKED") == 29
        assert held_on(limit) == "93.75"
        limit.is_active = False
        limit.save()


def test_one_of_two_subsidiaries_gets_the_last_euro() -> None:
    world = make_world()
    sister = make_company(parent=world.head)
    places = [(world.sub, world.buyer), (sister, person(sister, "BUYER"))]
    for _ in range(ROUNDS):
        limit = make_limit(
            company=world.head, period="YEAR", amount="1", on_exceed="BLOCK"
        )

        def buy(number: int) -> Any:
            company, buyer = places[number]
            return trying(world, "1.00", buyer, company=company)

        results = run_at_once(buy, threads=2)

        assert results.count("BLOCKED") == 1
        assert held_on(limit) == "1.00"
        limit.is_active = False
        limit.save()


def test_who_is_overtaken_is_asked_anew(meet: Callable[..., Meeting]) -> None:
    world = make_world()
    limit = make_limit(company=world.head, period="MONTH", amount="100")
    submit(world.sub, world.buyer, "1.00")

    meeting = meet(*two_buyers(world), before=FROZEN)

    # SQLite lets one write at a time: there the first one is first.
    waits = connection.vendor == "sqlite"
    assert meeting.second_waited == waits
    first, second = (meeting.results[name].status for name in ("first", "second"))
    expected = ("APPROVED", "PENDING") if waits else ("PENDING", "APPROVED")
    assert (first, second) == expected
    assert held_on(limit) == "111.00"


@pytest.mark.postgresql
def test_control_without_the_condition_both_get_it(
    meet: Callable[..., Meeting], no_ceiling: None
) -> None:
    world = make_world()
    limit = make_limit(
        company=world.head, period="MONTH", amount="100", on_exceed="BLOCK"
    )
    submit(world.sub, world.buyer, "1.00")

    meet(*two_buyers(world), before=FROZEN)

    assert held_on(limit) == "111.00"
    assert {fault.kind for fault in find_ledger_faults()} == {"overspend", "unwarned"}


def test_who_is_overtaken_for_ever_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    make_limit(company=world.head, period="MONTH", amount="100")
    monkeypatch.setattr(ledger, "_add", lambda *args: {})

    with pytest.raises(Overtaken):
        trying(world, "1.00")

    assert not PurchaseRequest.objects.exists()


# The order of limits


def three_leaves() -> tuple[list[Any], list[PurchaseLimit]]:
    world = make_world()
    limits = [
        make_limit(company=world.head, period=period, amount="1000000")
        for period in ("YEAR", "MONTH", "DAY")
    ]
    leaves = [make_company(parent=world.head) for _ in range(3)]
    buying = [(leaf, person(leaf, "BUYER")) for leaf in leaves]
    for leaf, buyer in buying:
        submit(leaf, buyer, "1.00")
    return buying, limits


def buy_everywhere(buying: list[Any], times: int) -> list[Any]:
    def buy(number: int) -> list[Any]:
        company, buyer = buying[number % 3]
        results = []
        for _ in range(times):
            try:
                request = submit(company, buyer, "1.00")
                services.cancel_request(request, actor=SYSTEM, expected_version=1)
            except DatabaseError as error:
                results.append(error)
        return results

    return [one for results in run_at_once(buy, threads=6) for one in results]


@pytest.mark.usefixtures("no_repetition")
def test_three_limits_from_different_leaves_never_deadlock() -> None:
    buying, limits = three_leaves()

    assert buy_everywhere(buying, ROUNDS) == []

    assert [held_on(limit) for limit in limits] == ["3.00"] * 3


@pytest.mark.postgresql
@pytest.mark.usefixtures("no_repetition")
def test_control_without_an_order_of_limits_somebody_gets_a_deadlock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    buying, _limits = three_leaves()
    concerned, turns = ledger.concerned, iter(range(10**6))

    def in_any_order(*args: Any) -> list[Any]:
        return concerned(*args)[:: -1 if next(turns) % 2 else 1]

    monkeypatch.setattr(ledger, "concerned", in_any_order)

    for _ in range(ROUNDS):
        if errors := buy_everywhere(buying, 5):
            break

    assert "deadlock detected" in "".join(map(str, errors))


def reactivated() -> tuple[World, PurchaseRequest]:
    """A request on the second of two limits; the first counts again since."""
    world = make_world()
    first, _second = (
        make_limit(company=world.head, period=period, amount="1000")
        for period in ("MONTH", "YEAR")
    )
    submit(world.sub, world.buyer, "1.00")
    first.is_active = False
    first.save()
    request = submit(world.sub, world.requester, "10.00")
    first.is_active = True
    first.save()
    return world, request


def asking_for_more(request: PurchaseRequest) -> Callable[[], Any]:
    return lambda: services.change_request(
        request,
        money=euros("20.00"),
        actor=acting(request.requester_id),
        expected_version=1,
    )


@pytest.mark.usefixtures("no_repetition")
def test_a_change_takes_all_its_counters_at_once(meet: Callable[..., Meeting]) -> None:
    world, request = reactivated()

    meeting = meet(
        asking_for_more(request), lambda: trying(world, "5.00"), before="ledger.reserve"
    )

    assert meeting.second_waited
    assert meeting.results["second"].status == "APPROVED"
    _answer, changed = meeting.results["first"]
    assert (changed.amount, changed.revision) == (20, 2)


@pytest.mark.postgresql
@pytest.mark.usefixtures("no_repetition")
def test_control_counters_taken_one_after_the_other_deadlock(
    meet: Callable[..., Meeting], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, request = reactivated()
    lock = ledger._lock
    monkeypatch.setattr(
        ledger, "_lock", lambda keys: lock(k for k in [*keys] if len({*keys}) == 1)
    )

    meeting = meet(
        asking_for_more(request), lambda: trying(world, "5.00"), before="ledger.reserve"
    )

    failed = [r for r in meeting.results.values() if isinstance(r, DatabaseError)]
    assert "deadlock detected" in str(failed[0])


# Limits and periods that change


def lowering(limit: PurchaseLimit, amount: int) -> Callable[[], Any]:
    def lower() -> None:
        stored = PurchaseLimit.objects.get(pk=limit.pk)
        stored.amount = Decimal(amount)
        stored.save()

    return lower


def test_a_limit_is_not_lowered_during_a_submit(meet: Callable[..., Meeting]) -> None:
    world = make_world()
    limit = make_limit(
        company=world.head, period="MONTH", amount="100", on_exceed="BLOCK"
    )

    meeting = meet(lambda: trying(world, "60.00"), lowering(limit, 50), before=FROZEN)

    assert meeting.second_waited
    assert meeting.results["first"].status == "APPROVED"
    assert limit.ledger.get().cap == 100
    assert trying(world, "0.01") == "BLOCKED"


@pytest.mark.postgresql
def test_control_without_hierarchy_lock_the_old_limit_is_used_after_it_was_lowered(
    meet: Callable[..., Meeting], no_hierarchy_lock: None
) -> None:
    world = make_world()
    limit = make_limit(
        company=world.head, period="MONTH", amount="100", on_exceed="BLOCK"
    )

    meeting = meet(lambda: trying(world, "60.00"), lowering(limit, 50), before=FROZEN)

    assert not meeting.second_waited
    assert meeting.results["first"].status == "APPROVED"
    changed_at = limit.history.latest().history_date
    assert limit.ledger.get().at > changed_at


def test_submits_beside_changes_of_a_limit_keep_to_one_of_them() -> None:
    world = make_world()
    limit = make_limit(
        company=world.head, period="MONTH", amount="20", on_exceed="BLOCK"
    )

    def work(number: int) -> list[Any]:
        if number == 0:
            for amount in [30, 20, 40, 10, 50] * 2:
                lowering(limit, amount)()
            return []
        return [trying(world, "1.00") for _ in range(ROUNDS)]

    _changes, *results = run_at_once(work, threads=4)

    bought = [r for found in results for r in found if r != "BLOCKED"]
    assert held_on(limit) == f"{len(bought)}.00"
    for entry in limit.ledger.all():
        assert entry.reserved_before + entry.amount <= entry.cap


class Clock:
    """Stands still until it is moved on, for all threads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        self.moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
        monkeypatch.setattr(timezone, "now", lambda: self.moment)


@pytest.fixture
def midnight(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The month ends after the decision, before anything is reserved."""
    clock = Clock(monkeypatch, "2024-07-31T23:59:59")
    freeze = asking.make_snapshot

    def later(*args: Any) -> Any:
        clock.moment += timedelta(seconds=2)
        return freeze(*args)

    monkeypatch.setattr(asking, "make_snapshot", later)
    return clock


def test_a_purchase_counts_in_the_period_it_was_decided_in(midnight: Clock) -> None:
    world = make_world()
    limit = make_limit(company=world.head, period="MONTH", amount="100")

    request = submit(world.sub, world.buyer, "60.00")

    assert request.submitted_at.date().isoformat() == "2024-07-31"
    assert timezone.now().month == 8
    assert counted(limit) == [("2024-07-01", "60.00", "0.00")]
    (shown,) = request.snapshot["decision"]["considered"]["limits"]
    assert shown["period_start"] == "2024-07-01"
    services.cancel_request(request, actor=SYSTEM, expected_version=1)
    assert counted(limit) == [("2024-07-01", "0.00", "0.00")]


def test_control_a_period_read_twice_is_not_the_one_that_was_decided(
    midnight: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    limit = make_limit(company=world.head, period="MONTH", amount="100")
    reserve = ledger.reserve

    def read_again(request: Any, limits: Any, **kwargs: Any) -> Any:
        again = asking.read_situation(asking.read_path(world.sub.pk), world.buyer)
        purchase = asking._purchase(request)
        return reserve(request, asking.decide(purchase, again).limits, **kwargs)

    monkeypatch.setattr(ledger, "reserve", read_again)

    request = submit(world.sub, world.buyer, "60.00")

    (shown,) = request.snapshot["decision"]["considered"]["limits"]
    assert shown["period_start"] == "2024-07-01"
    assert counted(limit) == [("2024-08-01", "60.00", "0.00")]


def test_submits_around_midnight_count_once_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = make_world()
    limit = make_limit(company=world.head, period="DAY", amount="5", on_exceed="BLOCK")
    clock = Clock(monkeypatch, "2024-07-31T23:59:59")
    start = threading.Event()

    def work(number: int) -> list[Any]:
        if number == 0:
            start.wait(20)
            clock.moment += timedelta(seconds=2)
            return []
        results = []
        for _ in range(4):
            results.append(trying(world, "1.00"))
            start.set()
        return results

    _clock, *results = run_at_once(work, threads=5)

    bought = [r for found in results for r in found if r != "BLOCKED"]
    held = [Decimal(reserved) for _day, reserved, _used in counted(limit)]
    assert sum(held) == len(bought)
    assert max(held) <= 5


# One end of a reservation


def approved() -> tuple[PurchaseLimit, PurchaseRequest]:
    world = make_world()
    limit = make_limit(company=world.head, period="MONTH", amount="1000")
    return limit, submit(world.sub, world.buyer, "100.00")


def ordering(request: PurchaseRequest, amount: str = "100.00") -> Callable[[], Any]:
    return lambda: services.order_request(
        request,
        number="PO-1",
        money=euros(amount),
        actor=SYSTEM,
        expected_version=1,
    )


def cancelling(request: PurchaseRequest) -> Callable[[], Any]:
    return lambda: services.cancel_request(request, actor=SYSTEM, expected_version=1)


def expiring(request: PurchaseRequest) -> Callable[[], Any]:
    PurchaseRequest.objects.filter(pk=request.pk).update(expires_at=timezone.now())
    return lambda: services.expire_request(request, actor=SYSTEM)


RIVALS = {
    "cancel": cancelling,
    "order": lambda request: ordering(request, "40.00"),
    "expiry": expiring,
}


@pytest.mark.parametrize("rival", RIVALS)
def test_of_an_order_and_its_rival_one_wins(
    meet: Callable[..., Meeting], rival: str
) -> None:
    limit, request = approved()

    meeting = meet(ordering(request, "70.00"), RIVALS[rival](request), before=ENDED)

    # What is locked is not expired: passed over on PostgreSQL.
    passed_over = rival == "expiry" and connection.vendor == "postgresql"
    assert meeting.second_waited != passed_over
    assert meeting.results["first"].status == "ORDERED"
    second = meeting.results["second"]
    assert second is False or isinstance(second, RequestNotApproved)
    assert [held[1:] for held in counted(limit)] == [("0.00", "70.00")]
    kinds = list(LedgerEntry.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["RESERVE", "CONFIRM", "RELEASE"]


@pytest.mark.postgresql
@pytest.mark.parametrize("rival", RIVALS)
def test_control_without_row_lock_the_rival_overtakes_the_order(
    meet: Callable[..., Meeting], no_row_locks: None, rival: str
) -> None:
    _limit, request = approved()

    # Before the first one's counters are locked: else they would hold up the second.
    meeting = meet(
        ordering(request, "70.00"), RIVALS[rival](request), before="ledger.confirm"
    )

    assert not meeting.second_waited
    assert isinstance(meeting.results["first"], DomainError | DatabaseError)
    assert PurchaseRequest.objects.get().version == 2


@pytest.mark.postgresql
def test_control_without_condition_only_the_database_keeps_it_from_ending_twice(
    meet: Callable[..., Meeting], no_row_locks: None, no_condition: None
) -> None:
    _limit, request = approved()

    meeting = meet(ordering(request), cancelling(request), before="ledger.confirm")

    assert not meeting.second_waited
    assert isinstance(meeting.results["first"], DatabaseError)


@pytest.mark.parametrize("rival", RIVALS)
def test_of_many_ends_at_once_one_counts(rival: str) -> None:
    world = make_world()
    limit = make_limit(company=world.head, period="MONTH", amount="100000")
    used = Decimal(0)
    for _ in range(ROUNDS):
        request = submit(world.sub, world.buyer, "100.00")
        ends = [ordering(request), RIVALS[rival](request), cancelling(request)]

        def end(number: int, ends: list[Any] = ends) -> Any:
            try:
                return ends[number]()
            except (RequestNotApproved, StaleVersion):
                return None

        results = run_at_once(end, threads=3)

        request.refresh_from_db()
        assert len([r for r in results if r]) == 1
        assert request.version == 2
        used += request.ordered_amount or 0
        assert [Decimal(x) for x in counted(limit)[0][1:]] == [0, used]


# Refunds


def refunding(request: PurchaseRequest, amount: str) -> Callable[[], Any]:
    """Refund on the newest version, as people do who read again after a 412."""

    def refund() -> Any:
        while True:
            version = PurchaseRequest.objects.get(pk=request.pk).version
            try:
                return services.refund_request(
                    request,
                    money=euros(amount),
                    actor=SYSTEM,
                    expected_version=version,
                )
            except StaleVersion:
                continue
            except DomainError as error:
                return error.code

    return refund


def test_refunds_at_once_give_back_no_more_than_was_ordered() -> None:
    world = make_world()
    limit = make_limit(company=world.head, period="MONTH", amount="100000")
    for _ in range(ROUNDS):
        request = ordering(submit(world.sub, world.buyer, "100.00"))()

        results = run_at_once(
            lambda n, request=request: refunding(request, "40.00")(), threads=3
        )

        assert results.count("more_than_ordered") == 1
        request.refresh_from_db()
        assert request.refunded_amount == 80
    assert counted(limit)[0][1:] == ("0.00", f"{20 * ROUNDS}.00")


@pytest.mark.postgresql
def test_control_without_row_lock_and_condition_more_is_refunded_than_was_ordered(
    meet: Callable[..., Meeting], no_row_locks: None, no_condition: None
) -> None:
    _limit, request = approved()
    # What else is used in the period is at stake.
    ordering(submit(request.company, request.requester, "500.00"), "500.00")()
    request = ordering(request)()

    meeting = meet(
        refunding(request, "70.00"), refunding(request, "60.00"), before="ledger.refund"
    )

    # The number of the version in the history is all that is left: without it,
    # 130 would be given back of 100.
    assert not meeting.second_waited
    assert isinstance(meeting.results["first"], DatabaseError)
