"""The picture of a hierarchy: what it is told, and by whom it may be seen."""

from datetime import date, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from companies import chart
from companies.models import Company
from companies.services import move_company
from config.actors import SYSTEM
from tests.approvals.makers import make_limit, person, submit
from tests.clock import date_entries
from tests.factories import make_assignment, make_company, make_link
from tests.staff import staff, superuser

pytestmark = pytest.mark.django_db


def page(company: Company, what: str = "", *args: str) -> str:
    return reverse(f"admin:companies_company_chart{what}", args=[company.pk, *args])


def drawn(client, company: Company, query: str = "") -> dict:
    answer = client.get(page(company, "_companies") + query)
    assert answer.status_code == 200
    return answer.json()


def test_the_whole_hierarchy_is_drawn_each_company_after_its_parent():
    # given
    head = make_company(code="head", name="Head")
    later = make_company(parent=head, code="b", name="beta")
    first = make_company(parent=head, code="a", name="Alpha", status="ON_HOLD")
    low = make_company(parent=first, code="low", name="Low")
    make_company(code="other", name="Other hierarchy")
    # when
    told = drawn(superuser(), low)
    # then
    assert told["companies"] == [
        [head.pk, None, "head", "Head", "ACTIVE", "ACTIVE"],
        [first.pk, head.pk, "a", "Alpha", "ON_HOLD", "ON_HOLD"],
        [low.pk, first.pk, "low", "Low", "ACTIVE", "ON_HOLD"],
        [later.pk, head.pk, "b", "beta", "ACTIVE", "ACTIVE"],
    ]
    assert (told["beside"], told["lines"], told["most"]) == ([], [], None)


def test_of_too_large_a_hierarchy_the_company_with_what_is_below_it_is_drawn(
    monkeypatch,
):
    # given
    monkeypatch.setattr(chart, "MOST", 3)
    monkeypatch.setattr("companies.admin.chart.MOST", 3)
    head = make_company()
    held = make_company(parent=head, status="ON_HOLD")
    one, two = make_company(parent=held), make_company(parent=held)
    make_company(parent=one)
    # when
    told = drawn(superuser(), held)
    # then
    assert {row[0] for row in told["companies"]} == {held.pk, one.pk, two.pk}
    assert {row[5] for row in told["companies"]} == {"ON_HOLD"}
    assert told["most"] == 3


def test_owners_of_other_hierarchies_stand_beside_with_their_links():
    # given
    head = make_company()
    low, sister = make_company(parent=head), make_company(parent=head)
    owner = make_company(code="owner", name="Owner")
    make_link(company=owner, other=low, kind="OWNS", percent="12.50")
    make_link(company=low, other=sister, kind="PARTNER_OF")
    make_link(company=owner, other=make_company(), kind="PARTNER_OF")
    # when
    told = drawn(superuser(), head)
    # then
    assert told["lines"] == [
        [owner.pk, low.pk, "owns", "12.5 %"],
        [low.pk, sister.pk, "is a partner of", ""],
    ]
    assert told["beside"] == [
        [owner.pk, None, "owner", "Owner", "ACTIVE", "ACTIVE"],
    ]


def test_numbers_are_those_of_each_company_itself():
    # given
    head = make_company()
    low = make_company(parent=head)
    yesterday = timezone.localdate() - timedelta(days=1)
    make_assignment(company=low)
    make_assignment(company=low)
    make_assignment(company=head, valid_until=yesterday)
    make_limit(company=head)
    make_limit(company=low, is_active=False)
    submit(low, person(low, "REQUESTER"))
    client = superuser()

    def numbers(slug: str) -> dict:
        return client.get(page(head, "_numbers", slug)).json()["numbers"]

    # then
    assert numbers("people") == {str(low.pk): 3}
    assert numbers("limits") == {str(head.pk): 1}
    assert numbers("open-requests") == {str(low.pk): 1}
    assert client.get(page(head, "_numbers", "secrets")).status_code == 404


def test_the_structure_of_another_day_is_drawn_as_it_was():
    # given
    head, other = make_company(name="Head"), make_company(name="Other")
    low = make_company(parent=head)
    date_entries(date(2026, 1, 10), head, other, low)
    move_company(low, other, actor=SYSTEM)
    date_entries(date(2026, 2, 10), low)
    client = superuser()
    # when
    then, now, before = (
        drawn(client, low, query)["companies"]
        for query in ("?as_of=2026-01-31", "", "?as_of=2026-01-09")
    )
    # then
    assert [row[0] for row in then] == [head.pk, low.pk]
    assert [row[0] for row in now] == [other.pk, low.pk]
    assert before == []


@pytest.mark.parametrize("day", ["", "yesterday", "2999-01-01", "2026-02-30"])
def test_a_day_that_is_none_draws_nothing(day: str):
    # given
    company = make_company()
    # then
    shown = superuser().get(page(company) + f"?as_of={day}")
    told = superuser().get(page(company, "_companies") + f"?as_of={day}")
    assert (shown.status_code, told.status_code) == (200, 404)
    assert b"kz-error" in shown.content


def test_staff_see_what_they_may_see():
    # given
    company = make_company()
    all_pages = [
        page(company),
        page(company, "_companies"),
        page(company, "_numbers", "people"),
        page(company, "_numbers", "open-requests"),
    ]
    none, some = staff(), staff("view_company")
    # then
    assert [none.get(url).status_code for url in all_pages] == [403] * 4
    assert [some.get(url).status_code for url in all_pages] == [200, 200, 403, 403]
    assert b"chart-numbers" not in some.get(page(company)).content
    assert some.get(page(company).replace(str(company.pk), "9")).status_code == 404


def test_a_large_picture_costs_no_more_statements(django_assert_max_num_queries):
    # given
    head = make_company()
    for _number in range(30):
        make_link(company=make_company(), other=make_company(parent=head))
    client = superuser()
    # then
    with django_assert_max_num_queries(15):
        told = drawn(client, head)
    assert (len(told["companies"]), len(told["beside"])) == (31, 30)
