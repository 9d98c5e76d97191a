"""The first page of the console: what needs somebody today, what happened lately."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from approvals import services
from approvals.models import LimitCounter, PurchaseRequest
from approvals.weeks import last_weeks
from companies.services import set_status
from config.actors import SYSTEM, Actor
from tests.approvals.makers import (
    euros,
    make_approval_group,
    make_limit,
    person,
    submit,
)
from tests.clock import Clock
from tests.factories import make_company, make_contact, make_user
from tests.staff import logged_in, staff, superuser

pytestmark = pytest.mark.django_db
HOME = "/admin/"


def tasks(client) -> dict[str, tuple[int, str]]:
    shown = client.get(HOME).context["tasks"]
    return {str(task["label"]): (task["number"], task["url"]) for task in shown}


def busy_day() -> None:
    """Something for each task."""
    alone = make_company(name="Alone Ltd", country="GB", registration_id="1234567")
    make_company(name="Alone Ltd.", country="GB", registration_id="1234567")
    make_company(status="ON_HOLD")
    buyer = person(alone, "REQUESTER")
    submit(alone, buyer, reference="for staff")
    request = submit(alone, buyer, reference="ends")
    soon = timezone.now() + timedelta(days=1)
    PurchaseRequest.objects.filter(pk=request.pk).update(expires_at=soon)
    limit = make_limit(company=alone, amount=100, period="MONTH", alert_percents=[80])
    today = timezone.localdate()
    LimitCounter.objects.create(
        limit=limit, period="MONTH", period_start=today.replace(day=1), alerted=80
    )
    LimitCounter.objects.create(
        limit=limit, period="MONTH", period_start=today.replace(year=2020, day=1)
    )


def test_each_number_is_that_of_the_list_that_it_leads_to():
    # given
    busy_day()
    client = superuser()
    # when
    found = tasks(client)
    # then
    counted = {label: number for label, (number, _url) in found.items()}
    assert counted == {
        "Requests that only staff can decide": 2,
        "Requests that end within three days": 1,
        "Limits that passed an alert": 1,
        "Companies on hold": 1,
        "Likely duplicates, on their first page": 1,
        "Webhook deliveries that fail": 0,
        "Webhook endpoints that are paused": 0,
    }
    for number, url in found.values():
        context = client.get(url).context
        rows = context["cl"].result_count if "cl" in context else len(context["pairs"])
        assert rows == number, url


def test_an_alert_of_another_period_is_no_task():
    # given
    limit = make_limit(company=make_company(), amount=100, period="DAY")
    now = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)
    LimitCounter.objects.create(
        limit=limit, period="DAY", period_start=now.date(), alerted=80
    )
    rows = type(limit).objects
    # then
    assert rows.alerted(now).count() == 1
    assert rows.alerted(now + timedelta(hours=2)).count() == 0
    rows.update(time_zone="Europe/Berlin")
    assert rows.alerted(now).count() == 0
    assert rows.alerted(now - timedelta(hours=1)).count() == 1
    rows.update(is_active=False)
    assert rows.alerted(now - timedelta(hours=1)).count() == 0


def test_staff_see_tasks_and_changes_of_what_they_may_see():
    # given
    busy_day()
    # then
    assert list(tasks(staff("view_company"))) == [
        "Companies on hold",
        "Likely duplicates, on their first page",
    ]
    page = staff("view_contact").get(HOME)
    assert page.context["tasks"] == []
    assert page.context["home_panels"] == []
    assert {str(one["what"]) for one in page.context["recent_changes"]} == {"contact"}
    assert b"Your account has no rights yet" in staff().get(HOME).content


def test_the_newest_changes_are_shown_with_who_and_why():
    # given
    user = make_user(username="clara", is_superuser=True)
    company = make_company(name="Held Ltd")
    make_contact()
    set_status(company, "ON_HOLD", actor=Actor.staff(user.pk), reason="unpaid")
    # when
    change = logged_in(user).get(HOME).context["recent_changes"][0]
    # then
    assert change["name"] == company
    assert change["actor"] == f"staff:{user.pk} (clara)"
    assert (str(change["kind"]), change["reason"]) == ("changed", "unpaid")
    assert change["url"] == f"/admin/companies/company/{company.pk}/change/"


def order(request: PurchaseRequest, boss: Actor) -> None:
    services.approve_request(request, actor=boss, expected_version=1)
    services.order_request(
        request,
        number="1",
        money=euros("100.50"),
        actor=SYSTEM,
        expected_version=2,
    )


def refund(request: PurchaseRequest) -> None:
    services.refund_request(request, money=euros("1"), actor=SYSTEM, expected_version=3)


def test_weeks_are_counted_where_the_installation_is():
    # given
    company = make_company()
    buyer = person(company, "REQUESTER")
    boss = Actor.staff(make_user(is_superuser=True).pk)
    clock = Clock(datetime(2026, 11, 25, 12, tzinfo=UTC))
    for number, days in enumerate((0, 1, 2, 4, 79, 80)):
        at = Clock(clock.now - timedelta(days=days))
        with at.stopped():
            request = submit(company, buyer, "200.00", reference=str(number))
            if days in (1, 2):
                order(request, boss)
            if days == 2:
                refund(request)
    # when
    with clock.stopped():
        weeks = last_weeks(PurchaseRequest.objects.all())
    # then
    assert (weeks[0].monday.isoformat(), weeks[-1].monday.isoformat()) == (
        "2026-09-07",
        "2026-11-23",
    )
    assert [week.requests for week in weeks] == [1, *[0] * 9, 1, 3]
    assert round(weeks[-1].ordered["EUR"], 2) == Decimal("200.00")


def test_the_page_costs_the_same_whatever_there_is(django_assert_max_num_queries):
    # given
    busy_day()
    client = superuser()
    with django_assert_max_num_queries(70) as few:
        client.get(HOME)
    # when
    for _number in range(20):
        make_limit(company=make_company(status="ON_HOLD"), amount=1)
    # then
    with django_assert_max_num_queries(len(few)):
        client.get(HOME)


def test_the_page_costs_the_same_with_many_companies_to_look_at(
    django_assert_max_num_queries,
):
    # given
    client = superuser()

    def grow(times: int) -> None:
        for number in range(times):
            company = make_company(country="GB", registration_id=f"1234{number}")
            make_company(country="GB", registration_id=f"1234{number}")
            for role in ("ADMIN", ""):
                make_approval_group(company=company, members=[person(company, role)])
            submit(company, person(company, "REQUESTER"))

    grow(2)
    client.get(HOME)
    with django_assert_max_num_queries(55) as few:
        client.get(HOME)
    # when
    grow(6)
    # then
    with django_assert_max_num_queries(len(few)):
        client.get(HOME)
