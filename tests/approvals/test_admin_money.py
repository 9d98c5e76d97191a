"""Staff pages of limits per period, the ledger, and what becomes of a request."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from approvals import services
from approvals.models import LedgerEntry, LimitCounter, PurchaseLimit, PurchaseRequest
from tests.approvals.makers import (
    acting,
    make_limit,
    make_world,
    submit,
)
from tests.staff import act, said, staff, superuser

pytestmark = pytest.mark.django_db

MAY_BUY = "/admin/approvals/purchaserequest/may-they-buy/"


@pytest.fixture
def boss() -> Client:
    """Staff who may do everything."""
    return superuser()


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_the_limits_of_a_company_are_meters(
    boss: Client, django_assert_max_num_queries: Any
) -> None:
    world = make_world()
    make_limit(company=world.head, amount="1000", period="YEAR", name="Budget")
    make_limit(company=world.sub, amount="300", period="PURCHASE")
    submit(world.sub, world.buyer, "250")

    with django_assert_max_num_queries(60):
        page = text_of(boss.get(f"/admin/companies/company/{world.sub.pk}/change/"))

    assert "0.00 EUR used, 250.00 EUR reserved, 750.00 EUR left" in page
    assert 'width="25"' in page
    assert "Acme SE" in page


def test_a_limit_per_period_is_made_with_its_alerts(boss: Client) -> None:
    world = make_world()
    fields = {
        "company": world.head.pk,
        "amount": "1000",
        "currency": "EUR",
        "period": "MONTH",
        "time_zone": "Europe/Berlin",
        "scope": "HIERARCHY",
        "on_exceed": "BLOCK",
        "binds": "ALL",
        "alert_percents": "95, 80",
        "is_active": "on",
    }

    answer = boss.post("/admin/approvals/purchaselimit/add/", fields)

    assert answer.status_code == 302, text_of(answer)
    limit = PurchaseLimit.objects.get()
    assert (limit.period, limit.time_zone, limit.alert_percents) == (
        "MONTH",
        "Europe/Berlin",
        [80, 95],
    )


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("alert_percents", "80, x", "whole percents"),
        ("alert_percents", "101", "whole percents"),
        ("time_zone", "Mars/Phobos", "Not a time zone"),
    ],
)
def test_a_wrong_limit_is_refused_at_the_field(
    boss: Client, field: str, value: str, code: str
) -> None:
    world = make_world()
    fields = {
        "company": world.head.pk,
        "amount": "1000",
        "currency": "EUR",
        "period": "MONTH",
        "scope": "HIERARCHY",
        "on_exceed": "BLOCK",
        "binds": "ALL",
        "is_active": "on",
        field: value,
    }

    answer = boss.post("/admin/approvals/purchaselimit/add/", fields)

    assert code in text_of(answer)
    assert not PurchaseLimit.objects.exists()


def test_staff_correct_what_is_used_with_a_reason(boss: Client) -> None:
    limit = make_limit(amount="1000", period="MONTH")
    today = timezone.localdate()

    done = act(
        boss,
        limit,
        "correct",
        seen_version=1,
        day=today.isoformat(),
        amount="12.50",
        reason="Bought by phone",
    )

    assert said(done) == ["The correction is in the ledger."]
    entry = LedgerEntry.objects.get()
    assert (entry.kind, entry.amount, entry.reason) == (
        "CORRECT",
        Decimal("12.5"),
        "Bought by phone",
    )
    counter = LimitCounter.objects.get()
    assert (counter.used, counter.period_start) == (
        Decimal("12.5"),
        date(today.year, today.month, 1),
    )
    page = text_of(boss.get(f"/admin/approvals/ledgerentry/{entry.pk}/change/"))
    assert "Bought by phone" in page
    assert 'name="_save"' not in page


def test_nobody_without_the_right_corrects() -> None:
    client = staff("view_purchaselimit", "change_purchaselimit")
    limit = make_limit(amount="1000", period="MONTH")

    page = client.get(f"/admin/approvals/purchaselimit/{limit.pk}/change/")
    act(
        client,
        limit,
        "correct",
        seen_version=1,
        day="2026-01-01",
        amount="1",
        reason="x",
    )

    assert "Correct what is used" not in text_of(page)
    assert not LedgerEntry.objects.exists()


def ordered(amount: str = "100.00") -> PurchaseRequest:
    world = make_world()
    make_limit(company=world.head, amount="1000", period="MONTH")
    request = submit(world.sub, world.buyer, amount)
    return services.order_request(
        request, number="4711", actor=acting(world.buyer), expected_version=1
    )


def test_staff_note_an_order_of_less_than_approved(boss: Client) -> None:
    world = make_world()
    make_limit(company=world.head, amount="1000", period="MONTH")
    request = submit(world.sub, world.buyer, "100")

    act(boss, request, "order", seen_version=1, number="4711", amount="80", comment="")

    request.refresh_from_db()
    assert (request.status, request.order_number, request.ordered_amount) == (
        "ORDERED",
        "4711",
        Decimal(80),
    )
    counter = LimitCounter.objects.get()
    assert (counter.reserved, counter.used) == (0, 80)
    page = text_of(boss.get(f"/admin/approvals/purchaserequest/{request.pk}/change/"))
    assert "80.00 EUR" in page
    assert "Refund" in page


def test_staff_refund_at_most_what_was_ordered(boss: Client) -> None:
    request = ordered()

    act(boss, request, "refund", seen_version=2, amount="60", comment="broken")
    refused = act(boss, request, "refund", seen_version=3, amount="60", comment="")

    assert "more_than_ordered" in said(refused)[-1]
    request.refresh_from_db()
    assert (request.refunded_amount, request.version) == (60, 3)
    assert LimitCounter.objects.get().used == 40


def test_staff_cancel_an_approved_request(boss: Client) -> None:
    world = make_world()
    request = submit(world.sub, world.buyer)

    act(boss, request, "cancel", seen_version=1, comment="out of stock")

    request.refresh_from_db()
    assert request.status == "CANCELLED"


def test_may_they_buy_says_what_the_shop_would_be_told(
    boss: Client, django_assert_max_num_queries: Any
) -> None:
    world = make_world()
    make_limit(company=world.head, amount="50", period="MONTH")
    question = {
        "company": world.sub.pk,
        "requester": world.buyer.pk,
        "amount": "100.00",
        "currency": "EUR",
        "kind": "CART",
    }

    with django_assert_max_num_queries(25):
        page = text_of(boss.get(MAY_BUY, question))

    assert "Needs approval" in page
    assert "limit_exceeded" in page
    assert world.admin.name in page
    assert not PurchaseRequest.objects.exists()


def test_a_decision_shows_each_limit_in_words_and_as_a_meter(boss: Client) -> None:
    # given a limit that has room for it, and one that has not
    world = make_world()
    make_limit(company=world.head, amount="1000", period="YEAR", name="Budget")
    make_limit(company=world.sub, amount="80")
    submit(world.sub, world.buyer, "40")

    # when
    request = submit(world.sub, world.buyer, "250")
    address = f"/admin/approvals/purchaserequest/{request.pk}/change/"
    page = text_of(boss.get(address))

    # then as it was when it was submitted: 40 of 1,000 held, 250 wanted
    assert "1,000.00 EUR</span><br>Year" in page
    assert "0.00 EUR + 40.00 EUR + 250.00 EUR" in page
    assert '<rect class="kz-meter-wanted" x="4" y="0" width="25"' in page
    assert "960.00 EUR" in page
    # and nothing that is not in the reader's words
    assert "80.00 EUR</span><br>Each purchase" in page
    assert 'kz-meter-too-much" x="0" y="0" width="100"' in page
    assert "Exceeded: needs approval." in page
    assert "The person buys as Buyer of Acme Deutschland, by assignment" in page
    assert "PURCHASE" not in page


@pytest.mark.parametrize("amount", ["1e3", "-5", "0.001", "x", "1.000,00"])
def test_may_they_buy_refuses_a_wrong_amount_at_the_field(
    boss: Client, amount: str
) -> None:
    world = make_world()
    question = {
        "company": world.sub.pk,
        "requester": world.buyer.pk,
        "amount": amount,
        "currency": "EUR",
        "kind": "CART",
    }

    page = text_of(boss.get(MAY_BUY, question))

    assert "kz-error" in page
    assert "Needs approval" not in page


def test_may_they_buy_is_for_who_may_see_requests() -> None:
    assert staff("view_company").get(MAY_BUY).status_code == 403
