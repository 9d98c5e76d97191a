"""Money of limits: held, used, given back exactly once, to where it came from."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from approvals import ledger, services
from approvals.ledger_check import find_ledger_faults
from approvals.models import LedgerEntry, LimitCounter, PurchaseLimit, PurchaseRequest
from approvals.situation import limits_of
from companies.models import ContactAssignment
from companies.services import move_company
from config.actors import SYSTEM, Actor
from config.errors import DomainError
from config.money import Money
from integrations.models import Event
from tests.approvals.makers import (
    World,
    acting,
    counted,
    entries,
    euros,
    make_limit,
    make_world,
    person,
    submit,
)
from tests.factories import make_company

pytestmark = pytest.mark.django_db

JULY, AUGUST = "2024-07-01", "2024-08-01"


@pytest.fixture
def it_is(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def set_clock(text: str) -> None:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
        monkeypatch.setattr(timezone, "now", lambda: moment)

    set_clock("2024-07-10T12:00")
    return set_clock


def monthly(world: World, amount: str = "1000", **fields: Any) -> PurchaseLimit:
    if not fields.get("unlimited"):
        fields["amount"] = amount
    return make_limit(**{"company": world.head, "period": "MONTH"} | fields)


def order(request: PurchaseRequest, amount: str) -> PurchaseRequest:
    return services.order_request(
        request,
        number="PO-1",
        money=euros(amount),
        actor=SYSTEM,
        expected_version=request.version,
    )


def refund(request: PurchaseRequest, amount: str) -> PurchaseRequest:
    return services.refund_request(
        request,
        money=euros(amount),
        actor=SYSTEM,
        expected_version=request.version,
    )


def outcome(world: World, amount: str, who: Any = None, **fields: Any) -> str:
    return services.check_purchase(
        company=fields.pop("company", world.sub),
        requester=who or world.buyer,
        money=fields.pop("money", None) or euros(amount),
        **fields,
    ).outcome


# Hold, use, give back


def test_a_submit_holds_the_amount_on_every_limit_concerned(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    year = monthly(world, "5000", period="YEAR", on_exceed="BLOCK")
    month = monthly(world)
    week = monthly(world, "900", company=world.sub, period="WEEK", scope="COMPANY")
    each = monthly(world, "800", period="PURCHASE")
    submit(world.sub, world.buyer, "30.00")

    request = submit(world.sub, world.requester, "100.00")

    assert counted(year) == [("2024-01-01", "130.00", "0.00")]
    assert counted(month) == [(JULY, "130.00", "0.00")]
    assert counted(week) == [("2024-07-08", "130.00", "0.00")]
    assert counted(each) == []
    found = LedgerEntry.objects.filter(request=request)
    assert [entry.limit for entry in found] == [year, month, week]
    first = found[0]
    assert (first.kind, first.amount, first.currency) == ("RESERVE", 100, "EUR")
    assert (first.reserved_before, first.used_before) == (30, 0)
    assert (first.cap, first.on_exceed) == (5000, "BLOCK")
    assert (first.company, first.revision) == (world.sub, 1)
    assert first.actor == f"client:1/contact:{world.requester.pk}"
    assert first.at == request.submitted_at


def ended_by(request: PurchaseRequest, world: World) -> dict[str, Callable[[], Any]]:
    version = {"expected_version": request.version}
    return {
        "decline": lambda: services.decline_request(
            request, actor=acting(world.admin), **version
        ),
        "withdraw": lambda: services.withdraw_request(
            request, actor=acting(request.requester_id), **version
        ),
        "cancel": lambda: services.cancel_request(request, actor=SYSTEM, **version),
        "order": lambda: services.order_request(
            request, number="1", actor=SYSTEM, **version
        ),
        "expire": lambda: _expire(request),
    }


def _expire(request: PurchaseRequest) -> None:
    PurchaseRequest.objects.filter(pk=request.pk).update(expires_at=timezone.now())
    services.expire_request(request, actor=SYSTEM)


@pytest.mark.parametrize(
    ("status", "ending", "left"),
    [
        ("PENDING", "decline", ("0.00", "0.00")),
        ("PENDING", "withdraw", ("0.00", "0.00")),
        ("PENDING", "expire", ("0.00", "0.00")),
        ("APPROVED", "cancel", ("0.00", "0.00")),
        ("APPROVED", "expire", ("0.00", "0.00")),
        ("APPROVED", "order", ("0.00", "100.00")),
    ],
)
def test_whatever_ends_a_request_ends_its_reservation_exactly_once(
    it_is: Callable[[str], None], status: str, ending: str, left: tuple[str, str]
) -> None:
    world = make_world()
    limits = [monthly(world), monthly(world, period="YEAR", on_exceed="WARN")]
    request = submit(world.sub, world.requester, "100.00")
    if status == "APPROVED":
        request = services.approve_request(
            request, actor=acting(world.admin), expected_version=1
        )
    for limit in limits:
        assert [held[1:] for held in counted(limit)] == [("100.00", "0.00")]

    ended_by(request, world)[ending]()

    ended = PurchaseRequest.objects.get(pk=request.pk)
    assert ended.status not in ("PENDING", "APPROVED")
    assert ledger.held(ended) == []
    kind = "CONFIRM" if ending == "order" else "RELEASE"
    for again in [None, *ended_by(ended, world).values()]:
        if again is not None:
            with suppress(DomainError):
                again()
        for limit in limits:
            assert [held[1:] for held in counted(limit)] == [left]
            assert entries(limit) == [("RESERVE", "100.00"), (kind, "100.00")]


def test_what_is_not_ordered_is_given_back(it_is: Callable[[str], None]) -> None:
    world = make_world()
    limit = monthly(world)

    order(submit(world.sub, world.buyer, "100.00"), "60.01")

    assert counted(limit) == [(JULY, "0.00", "60.01")]
    assert entries(limit) == [
        ("RESERVE", "100.00"),
        ("CONFIRM", "60.01"),
        ("RELEASE", "39.99"),
    ]
    last = limit.ledger.last()
    assert (last.reserved_before, last.used_before) == (
        Decimal("39.99"),
        Decimal("60.01"),
    )


def test_refunds_in_parts_give_back_what_was_used(it_is: Callable[[str], None]) -> None:
    world = make_world()
    limit = monthly(world, "100")
    request = order(submit(world.sub, world.buyer, "100.00"), "100.00")
    assert outcome(world, "0.01") == "APPROVAL_REQUIRED"

    request = refund(request, "30.00")
    request = refund(request, "69.99")
    with pytest.raises(DomainError):
        refund(request, "0.02")
    request = refund(request, "0.01")

    assert counted(limit) == [(JULY, "0.00", "0.00")]
    assert [amount for kind, amount in entries(limit) if kind == "REFUND"] == [
        "30.00",
        "69.99",
        "0.01",
    ]
    assert outcome(world, "100.00") == "ALLOWED"


def test_money_goes_back_to_the_period_it_was_taken_from(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    limit = monthly(world)
    bought = submit(world.sub, world.buyer, "100.00")
    given_up = submit(world.sub, world.buyer, "50.00")

    it_is("2024-08-02T12:00")
    bought = order(bought, "80.00")
    submit(world.sub, world.buyer, "7.00")
    services.cancel_request(given_up, actor=SYSTEM, expected_version=1)
    assert counted(limit) == [(JULY, "0.00", "80.00"), (AUGUST, "7.00", "0.00")]

    it_is("2025-01-01T00:00")
    refund(bought, "80.00")
    assert counted(limit) == [(JULY, "0.00", "0.00"), (AUGUST, "7.00", "0.00")]


def test_a_new_period_begins_with_nothing_used_where_the_limit_is(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    limit = monthly(world, "100", time_zone="Europe/Berlin", on_exceed="BLOCK")
    it_is("2024-07-31T21:59:59")
    submit(world.sub, world.buyer, "100.00")
    assert outcome(world, "0.01") == "BLOCKED"

    it_is("2024-07-31T22:00:00")
    submit(world.sub, world.buyer, "100.00")

    assert counted(limit) == [(JULY, "100.00", "0.00"), (AUGUST, "100.00", "0.00")]


def test_ending_takes_few_queries_however_many_limits(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    queries = []
    for periods in (["MONTH"], ["DAY", "WEEK", "QUARTER", "YEAR"]):
        for period in periods:
            monthly(world, period=period)
        request = submit(world.sub, world.buyer, "1.00")
        with CaptureQueriesContext(connection) as captured:
            ledger.release(request, actor=SYSTEM)
        queries.append(len([q for q in captured if "SAVEPOINT" not in q["sql"]]))

    assert queries == [5, 5]


# Whom and what a limit counts


def test_a_limit_counts_only_the_people_it_binds(it_is: Callable[[str], None]) -> None:
    world = make_world()
    every = monthly(world)
    buyers = monthly(world, binds="ROLES", roles=["BUYER"])
    admins = monthly(world, binds="ROLES", roles=["ADMIN"])
    one = monthly(world, binds="CONTACT", contact=world.requester)

    submit(world.sub, world.buyer, "1.00")
    submit(world.sub, world.requester, "10.00")
    submit(world.sub, world.admin, "100.00")

    sums = [counted(limit)[0][1] for limit in (every, buyers, admins, one)]
    assert sums == ["11.00", "1.00", "100.00", "10.00"]


def test_a_limit_of_the_company_counts_not_what_is_below(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    sister = make_company(parent=world.head)
    own = monthly(world, scope="COMPANY")
    whole = monthly(world, scope="HIERARCHY")
    of_sub = monthly(world, company=world.sub)

    submit(world.head, person(world.head, "BUYER"), "1.00")
    submit(world.sub, world.buyer, "10.00")
    submit(sister, person(sister, "BUYER"), "100.00")

    sums = [counted(limit)[0][1] for limit in (own, whole, of_sub)]
    assert sums == ["1.00", "111.00", "10.00"]


def test_each_currency_is_counted_alone(it_is: Callable[[str], None]) -> None:
    world = make_world()
    in_euros, in_yen = monthly(world, "100"), monthly(world, "1000", currency="JPY")

    submit(world.sub, world.buyer, "100.00")
    submit(world.sub, world.buyer, money=Money(Decimal(999), "JPY"))
    in_dollars = submit(world.sub, world.buyer, money=Money(Decimal(1), "USD"))

    assert counted(in_euros) == [(JULY, "100.00", "0.00")]
    assert counted(in_yen) == [(JULY, "999", "0")]
    assert in_dollars.status == "PENDING"
    assert ledger.held(in_dollars) == []


@pytest.mark.parametrize(
    ("on_exceed", "answer", "status"),
    [
        ("APPROVE", "APPROVAL_REQUIRED", "PENDING"),
        ("WARN", "ALLOWED", "APPROVED"),
        ("BLOCK", "BLOCKED", None),
    ],
)
def test_a_limit_that_is_used_up_asks_warns_or_blocks(
    it_is: Callable[[str], None], on_exceed: str, answer: str, status: str | None
) -> None:
    world = make_world()
    limit = monthly(world, "100", on_exceed=on_exceed)
    submit(world.sub, world.buyer, "60.00")

    assert outcome(world, "40.00") == "ALLOWED"
    assert outcome(world, "40.01") == answer
    if status:
        over = submit(world.sub, world.buyer, "40.01")
        assert over.status == status
        assert counted(limit) == [(JULY, "100.01", "0.00")]
        decision = over.snapshot["decision"]
        (shown,) = decision["considered"]["limits"]
        assert (shown["remaining"], shown["bites"]) == ("40.00", True)
        assert outcome(world, "0.01") == answer
    else:
        answered, stored = services.submit_request(
            company=world.sub,
            requester=world.buyer,
            kind="CART",
            reference="X",
            money=euros("40.01"),
            actor=SYSTEM,
        )
        assert (answered.outcome, stored) == ("BLOCKED", None)
        assert counted(limit) == [(JULY, "60.00", "0.00")]


def test_nothing_may_be_bought_under_a_limit_of_0(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    limit = monthly(world, "0")

    request = submit(world.sub, world.buyer, "0.01")

    assert request.status == "PENDING"
    assert counted(limit) == [(JULY, "0.01", "0.00")]


def test_an_unlimited_limit_counts_and_does_not_limit(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    limit = monthly(world, unlimited=True, alert_percents=[50])

    submit(world.sub, world.buyer, "999999.00")

    assert counted(limit) == [(JULY, "999999.00", "0.00")]
    assert limit.ledger.get().cap is None
    assert not Event.objects.filter(type="purchase_limit.alert").exists()


def test_the_tightest_limit_on_the_path_bites_first(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    of_head = monthly(world, "100")
    wide = monthly(world, "90", company=world.sub)
    own = monthly(world, "300", company=world.sub, scope="COMPANY")
    submit(world.head, person(world.head, "BUYER"), "95.00")

    decision = services.check_purchase(
        company=world.sub, requester=world.buyer, money=euros("91.00")
    )

    bitten = [reason.limit.id for reason in decision.reasons]
    assert bitten == [of_head.pk, wide.pk]
    assert own.pk not in bitten
    assert [reason.limit.remaining for reason in decision.reasons] == [5, 90]


def test_sums_are_exact_to_the_last_cent() -> None:
    world = make_world()
    limit = monthly(world, "0.30", on_exceed="BLOCK")
    most = monthly(world, "9999999999999.99", currency="USD")

    for amount in ("0.10", "0.20"):  # 0.1 + 0.2 > 0.3 in binary floating point
        submit(world.sub, world.buyer, amount)
    for amount in ("9999999999999.98", "0.01"):
        submit(world.sub, world.buyer, money=Money(Decimal(amount), "USD"))

    assert [held[1:] for held in counted(limit)] == [("0.30", "0.00")]
    assert [held[1:] for held in counted(most)] == [("9999999999999.99", "0.00")]
    with pytest.raises(ValidationError) as refused:
        submit(world.sub, world.buyer, money=Money(Decimal("0.01"), "USD"))
    (error,) = refused.value.error_dict["money"]
    assert error.code == "too_many_digits"
    assert list(find_ledger_faults()) == []


@pytest.mark.parametrize("fields", [{"unlimited": True}, {"on_exceed": "WARN"}])
@pytest.mark.parametrize(
    ("currency", "most", "unit"),
    [("EUR", "9999999999999.99", "0.01"), ("JPY", "99999999999999", "1")],
)
def test_no_sum_grows_beyond_what_can_be_counted_exactly(
    fields: dict, currency: str, most: str, unit: str
) -> None:
    world = make_world()
    limit = monthly(world, currency=currency, **fields)
    submit(world.sub, world.buyer, money=Money(Decimal(unit), currency))
    rest = Decimal(most) - Decimal(unit)

    with pytest.raises(ValidationError):
        submit(world.sub, world.buyer, money=Money(rest + Decimal(unit), currency))

    submit(world.sub, world.buyer, money=Money(rest, currency))
    assert counted(limit)[0][1] == most


# Limits that change


def test_a_change_of_a_limit_cancels_nothing_and_counts_from_the_next_on(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    limit = monthly(world, "100")
    request = submit(world.sub, world.buyer, "80.00")

    limit.amount = Decimal(50)
    limit.save()
    (state,) = limits_of(world.sub.pk)
    assert (request.status, state.remaining) == ("APPROVED", -30)
    assert outcome(world, "0.01") == "APPROVAL_REQUIRED"

    limit.amount = Decimal(200)
    limit.save()
    assert outcome(world, "120.00") == "ALLOWED"

    limit.amount, limit.unlimited = None, True
    limit.save()
    assert outcome(world, "1000.00") == "ALLOWED"
    submit(world.sub, world.buyer, "20.00")
    assert counted(limit) == [(JULY, "100.00", "0.00")]


def test_a_limit_of_another_period_counts_anew_and_gives_back_to_the_old(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    limit = monthly(world, "100")
    request = submit(world.sub, world.buyer, "80.00")

    limit.period = "YEAR"
    limit.save()
    submit(world.sub, world.buyer, "100.00")
    order(request, "70.00")

    assert counted(limit) == [
        ("2024-01-01", "100.00", "0.00"),
        (JULY, "0.00", "70.00"),
    ]
    limit.period = "MONTH"
    limit.save()
    assert outcome(world, "30.01") == "APPROVAL_REQUIRED"
    assert outcome(world, "30.00") == "ALLOWED"


def test_periods_that_begin_on_the_same_day_are_counted_apart(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    limit = monthly(world, "100")
    submit(world.sub, world.buyer, "80.00")

    limit.period = "QUARTER"  # which begins with July, too
    limit.save()

    assert outcome(world, "100.00") == "ALLOWED"
    assert outcome(world, "100.01") == "APPROVAL_REQUIRED"


def test_an_inactive_limit_counts_nothing_and_takes_back_what_it_held(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    limit = monthly(world, "100")
    request = submit(world.sub, world.buyer, "80.00")

    limit.is_active = False
    limit.save()
    submit(world.sub, world.buyer, "500.00")
    order(request, "50.00")

    assert counted(limit) == [(JULY, "0.00", "50.00")]
    limit.is_active = True
    limit.save()
    assert outcome(world, "50.01") == "APPROVAL_REQUIRED"


def test_a_limit_keeps_its_currency() -> None:
    limit = make_limit(period="MONTH")
    limit.currency = "USD"

    with pytest.raises(ValidationError) as refused:
        limit.full_clean()

    assert refused.value.error_dict["currency"][0].code == "read_only"


def test_the_ledger_stays_where_it_was_when_the_company_moves(
    it_is: Callable[[str], None],
) -> None:
    world, other = make_world(), make_company()
    before, after = monthly(world), monthly(world, company=other)
    ordered, cancelled, refunded = (
        submit(world.sub, world.buyer, amount) for amount in ("1.00", "2.00", "4.00")
    )
    refunded = order(refunded, "4.00")

    move_company(world.sub, other, actor=SYSTEM)
    submit(world.sub, world.buyer, "8.00")
    order(ordered, "1.00")
    services.cancel_request(cancelled, actor=SYSTEM, expected_version=1)
    refund(refunded, "3.00")

    assert counted(before) == [(JULY, "0.00", "2.00")]
    assert counted(after) == [(JULY, "8.00", "0.00")]
    assert {entry.company for entry in before.ledger.all()} == {world.sub}


# Requests that change


def change(request: PurchaseRequest, amount: str) -> Any:
    return services.change_request(
        request,
        money=euros(amount),
        actor=acting(request.requester_id),
        expected_version=request.version,
    )


def test_less_of_the_same_holds_less_in_the_same_period(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    limit = monthly(world, "100")
    request = submit(world.sub, world.requester, "90.00")

    it_is("2024-08-02T12:00")
    _answer, changed = change(request, "60.00")

    assert counted(limit) == [(JULY, "60.00", "0.00")]
    assert entries(limit) == [
        ("RESERVE", "90.00"),
        ("RELEASE", "90.00"),
        ("RESERVE", "60.00"),
    ]
    assert [entry.revision for entry in limit.ledger.all()] == [1, 1, 2]
    services.withdraw_request(
        changed, actor=acting(world.requester), expected_version=2
    )
    assert counted(limit) == [(JULY, "0.00", "0.00")]


def test_more_is_checked_as_if_nothing_were_held_and_held_in_the_new_period(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    limit = monthly(world, "100", on_exceed="BLOCK")
    request = submit(world.sub, world.requester, "60.00")
    _answer, request = change(request, "100.00")
    assert counted(limit) == [(JULY, "100.00", "0.00")]
    (shown,) = request.snapshot["decision"]["considered"]["limits"]
    assert (shown["reserved"], shown["remaining"]) == ("0.00", "100.00")

    answer, changed = change(request, "100.01")
    assert (answer.outcome, changed) == ("BLOCKED", None)
    assert counted(limit) == [(JULY, "100.00", "0.00")]
    assert len(entries(limit)) == 3

    it_is("2024-08-02T12:00")
    request.items = [{"name": "Lamp", "amount": "100.00"}]
    services.change_request(
        request,
        money=euros("100"),
        items=request.items,
        actor=acting(world.requester),
        expected_version=2,
    )
    assert counted(limit) == [(JULY, "0.00", "0.00"), (AUGUST, "100.00", "0.00")]


def test_a_change_is_held_on_the_limits_there_are_now(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    old = monthly(world, "1000")
    request = submit(world.sub, world.requester, "60.00")
    old.is_active = False
    old.save()
    new = monthly(world, "1000", period="DAY")

    change(request, "70.00")

    assert counted(old) == [(JULY, "0.00", "0.00")]
    assert counted(new) == [("2024-07-10", "70.00", "0.00")]


# Alerts


def alerts() -> list[tuple[int, int]]:
    found = Event.objects.filter(type="purchase_limit.alert").order_by("id")
    return list(found.values_list("stream", "subject_id"))


def test_an_alert_is_told_once_for_each_threshold_and_period(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    limit = monthly(world, "100", alert_percents=[50, 90])
    told = [(world.head.pk, limit.pk)]

    submit(world.sub, world.buyer, "49.99")
    assert alerts() == []
    half = submit(world.sub, world.buyer, "0.01")
    assert alerts() == told
    submit(world.sub, world.buyer, "1.00")
    services.cancel_request(half, actor=SYSTEM, expected_version=1)
    submit(world.sub, world.buyer, "1.00")
    assert alerts() == told
    submit(world.sub, world.requester, "40.00")
    assert alerts() == told * 2
    submit(world.sub, world.buyer, "20.00")
    assert alerts() == told * 2

    it_is("2024-08-01T00:00")
    submit(world.sub, world.buyer, "95.00")  # both at once: one alert
    assert alerts() == told * 3


def test_of_another_amount_an_alert_is_told_again(it_is: Callable[[str], None]) -> None:
    world = make_world()
    limit = monthly(world, "100", alert_percents=[50])
    submit(world.sub, world.buyer, "60.00")
    assert len(alerts()) == 1

    limit.name = "Small things"
    limit.save()
    submit(world.sub, world.buyer, "10.00")
    assert len(alerts()) == 1

    limit.amount = Decimal(1000)
    limit.save()
    submit(world.sub, world.buyer, "429.99")
    assert len(alerts()) == 1
    submit(world.sub, world.buyer, "0.01")
    assert len(alerts()) == 2


def test_alerts_go_to_the_companies_of_their_limits_the_request_to_its_own(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    of_sub = monthly(world, "10", company=world.sub, alert_percents=[100])
    of_head = monthly(world, "10", alert_percents=[100])

    submit(world.sub, world.buyer, "10.00")

    found = Event.objects.order_by("id").values_list("stream", "type", "subject_id")
    *_, first, second, third = found
    assert [first, second] == [
        (world.head.pk, "purchase_limit.alert", of_head.pk),
        (world.sub.pk, "purchase_limit.alert", of_sub.pk),
    ]
    assert third[:2] == (world.sub.pk, "purchase_request.approved")


# Corrections


def correct(limit: PurchaseLimit, text: str = "1", **fields: Any) -> LedgerEntry:
    return ledger.correct(
        limit,
        **{
            "day": date(2024, 7, 20),
            "amount": Decimal(text),
            "actor": Actor.staff(7),
            "reason": "Bought by telephone",
        }
        | fields,
    )


def test_a_correction_adds_to_what_is_used_or_takes_from_it(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    limit = monthly(world, "100", alert_percents=[80])

    entry = correct(limit, "80.00")

    assert counted(limit) == [(JULY, "0.00", "80.00")]
    assert (entry.kind, entry.request, entry.company) == ("CORRECT", None, world.head)
    assert (entry.actor, entry.reason) == ("staff:7", "Bought by telephone")
    assert outcome(world, "20.01") == "APPROVAL_REQUIRED"
    events = Event.objects.order_by("-id").values_list("type", flat=True)[:2]
    assert list(events) == ["purchase_limit.alert", "purchase_limit.corrected"]

    correct(limit, "-30.00")
    correct(limit, "5.00", day=date(2024, 8, 31))
    assert counted(limit) == [(JULY, "0.00", "50.00"), (AUGUST, "0.00", "5.00")]
    assert len(alerts()) == 1


@pytest.mark.parametrize(
    ("fields", "place", "code"),
    [
        ({"amount": Decimal(0)}, "amount", "zero"),
        ({"amount": Decimal("0.001")}, "amount", "too_many_decimals"),
        ({"amount": Decimal("-0.01")}, "amount", "below_zero"),
        ({"amount": Decimal(10**15)}, "amount", "too_many_digits"),
        ({"amount": Decimal(1234567890123456)}, "amount", "too_many_digits"),
        ({"reason": " \n"}, "reason", "blank"),
        ({"reason": "x" * 501}, "reason", "max_length"),
    ],
)
def test_a_wrong_correction_is_refused_at_its_field(
    it_is: Callable[[str], None], fields: dict[str, Any], place: str, code: str
) -> None:
    limit = monthly(make_world())
    events = Event.objects.count()

    with pytest.raises(ValidationError) as refused:
        correct(limit, **fields)

    (error,) = refused.value.error_dict[place]
    assert error.code == code
    assert not LimitCounter.objects.exists()
    assert not LedgerEntry.objects.exists()
    assert Event.objects.count() == events


def test_a_limit_of_each_purchase_has_nothing_to_correct() -> None:
    with pytest.raises(ValidationError) as refused:
        correct(make_limit())

    assert refused.value.error_dict["limit"][0].code == "counts_nothing"


def test_a_correction_is_of_the_limit_as_it_is_now(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    stale = monthly(world)
    limit = PurchaseLimit.objects.get(pk=stale.pk)
    limit.period = "YEAR"
    limit.save()

    correct(stale, "1.00")

    assert counted(limit) == [("2024-01-01", "0.00", "1.00")]


def test_a_refund_gives_not_back_what_a_correction_has_taken_already(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    limit, other = monthly(world), monthly(world, period="YEAR")
    request = order(submit(world.sub, world.buyer, "100.00"), "100.00")
    correct(limit, "-80.00")

    request = refund(request, "50.00")
    assert counted(limit) == [(JULY, "0.00", "0.00")]
    request = refund(request, "50.00")

    assert counted(limit) == [(JULY, "0.00", "0.00")]
    assert entries(limit)[-2:] == [("CORRECT", "-80.00"), ("REFUND", "20.00")]
    assert counted(other) == [("2024-01-01", "0.00", "0.00")]
    assert request.refunded_amount == 100


# Who may not


def test_counters_are_locked_in_a_transaction_only(
    transactional_db: None, it_is: Callable[[str], None]
) -> None:
    world = make_world()
    monthly(world)
    request = submit(world.sub, world.buyer, "1.00")

    for work in (
        lambda: ledger.release(request, actor=SYSTEM),
        lambda: ledger.confirm(request, Decimal(1), actor=SYSTEM),
    ):
        with pytest.raises(RuntimeError):
            work()

    assert LedgerEntry.objects.count() == 1


def test_the_role_in_which_somebody_buys_says_which_limits_count(
    it_is: Callable[[str], None],
) -> None:
    world = make_world()
    limit = monthly(world, "100", on_exceed="BLOCK")
    request = submit(world.sub, world.buyer, "80.00")
    ContactAssignment.objects.filter(contact=world.buyer).update(role="ADMIN")

    submit(world.sub, world.buyer, "500.00")
    order(request, "80.00")

    assert counted(limit) == [(JULY, "0.00", "80.00")]
