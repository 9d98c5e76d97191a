"""What is missing or doubtful: each rule, and the list, the filter and the numbers."""

from datetime import timedelta

import pytest
from django.utils import timezone

from companies.models import Company
from companies.quality import (
    ANY,
    FINDINGS,
    NONE,
    findings_of,
    having,
    quality_of,
    review,
    share,
)
from companies.tree.load import load_companies
from config.actors import SYSTEM
from tests.approvals.makers import make_approval_group, make_limit
from tests.factories import (
    make_assignment,
    make_client,
    make_company,
    make_contact,
    make_location,
)
from tests.staff import page_of, staff, superuser

pytestmark = pytest.mark.django_db
ADDRESS = {"address_line1": "Main Road 1", "city": "Bonn", "country": "DE"}
YESTERDAY = timezone.localdate() - timedelta(days=1)


def make_complete(**fields) -> Company:
    company = make_company(
        **{"legal_name": "Acme GmbH", "country": "DE", "duns": "150483782"} | fields
    )
    make_assignment(company=company, role="ADMIN", type="PRIMARY")
    make_location(company=company, **ADDRESS)
    return company


def found_in(company: Company) -> list[str]:
    ((_company, findings),) = findings_of(Company.objects.filter(pk=company.pk))
    return [one.code for one in findings]


def test_a_complete_company_has_no_finding():
    assert found_in(make_complete()) == []


CHANGES = {
    "no_primary_contact": lambda c: c.assignments.update(type="CONTACT"),
    "no_admin": lambda c: c.assignments.update(role="BUYER"),
    "no_legal_name": lambda c: Company.objects.filter(pk=c.pk).update(legal_name=""),
    "no_country": lambda c: Company.objects.filter(pk=c.pk).update(country=""),
    "no_identifier": lambda c: Company.objects.filter(pk=c.pk).update(duns=""),
    "no_address": lambda c: c.locations.update(is_active=False),
    "incomplete_address": lambda c: c.locations.update(city=""),
    "shared_number": lambda c: [
        Company.objects.filter(pk=pk).update(tax_id="DE136695976")
        for pk in (c.pk, make_company().pk)
    ],
    "limit_without_approver": lambda c: [
        make_limit(company=c),
        c.assignments.update(role="BUYER"),
    ],
}


def test_every_finding_is_tested_here():
    assert FINDINGS.keys() == CHANGES.keys()


@pytest.mark.parametrize("code", CHANGES)
def test_each_rule_finds_what_is_missing(code):
    # given
    company, other = make_complete(), make_complete(duns="804735132")
    # when
    CHANGES[code](company)
    # then
    expected = {"limit_without_approver": ["no_admin", code]}.get(code, [code])
    assert found_in(company) == expected
    assert found_in(other) == []
    listed = having(Company.objects.filter(pk__in=[company.pk, other.pk]), code)
    assert list(listed) == [company]


@pytest.mark.parametrize("change", [{"valid_until": YESTERDAY}, {"contact": None}])
def test_only_people_of_today_count(change):
    # given
    company = make_complete()
    if "contact" in change:
        change = {"contact": make_contact(is_active=False)}
    # when
    company.assignments.update(**change)
    # then
    assert found_in(company) == ["no_primary_contact", "no_admin"]


def test_what_reaches_down_counts_below():
    # given
    head = make_complete()
    low = make_company(parent=head, legal_name="Low", country="DE", duns="804735132")
    make_assignment(company=low, type="PRIMARY")
    make_limit(company=low)
    assert found_in(low) == ["no_admin", "no_address"]
    # when
    head.assignments.update(covers_subsidiaries=True)
    head.locations.update(is_shared=True)
    # then
    assert found_in(low) == []


def test_a_member_of_an_approval_group_above_can_approve():
    # given
    head = make_company()
    low = make_company(parent=head)
    make_limit(company=low)
    assert "limit_without_approver" in found_in(low)
    # when
    make_approval_group(company=head, members=[make_assignment(company=head).contact])
    # then
    assert "limit_without_approver" not in found_in(low)


def test_a_limit_that_blocks_or_is_inactive_needs_no_approver():
    # given
    company, other = make_company(), make_company()
    # when
    make_limit(company=company, on_exceed="BLOCK")
    make_limit(company=other, is_active=False)
    # then
    assert "limit_without_approver" not in [*found_in(company), *found_in(other)]


def test_closed_companies_are_left_out():
    # given
    head = make_complete()
    make_company(parent=head, status="CLOSED")
    # when
    quality = quality_of(Company.objects.under(head))
    # then
    assert (quality.companies, quality.complete, quality.percent) == (1, 1, 100)
    assert list(having(Company.objects.all(), ANY)) == []


def test_a_review_counts_and_lists_what_is_counted_and_listed(
    django_assert_num_queries,
):
    # given
    head = make_complete()
    bare = [make_company(parent=head, legal_name=name) for name in ("", "B", "C")]
    make_company(parent=head, status="CLOSED")
    rows = Company.objects.under(head).head_first()
    # when
    with django_assert_num_queries(2):
        quality, lacking = review(rows, most=2)
    # then
    assert quality == quality_of(rows)
    assert (quality.companies, quality.complete) == (4, 1)
    assert lacking == findings_of(having(rows, ANY))[:2]
    assert [company for company, _findings in lacking] == bare[:2]
    assert review(rows.none(), most=2) == (quality_of(rows.none()), [])


@pytest.mark.parametrize(
    ("part", "whole", "percent"),
    [(0, 0, 100), (0, 5, 0), (5, 5, 100), (1, 1000, 1), (999, 1000, 99), (2, 3, 67)],
)
def test_a_share_is_all_or_nothing_only_if_it_is(part, whole, percent):
    assert share(part, whole) == percent


def test_the_api_counts_lists_and_filters(api, django_assert_num_queries):
    # given
    head = make_complete()
    bare = make_company(parent=head, legal_name="Bare")
    make_company()  # of another hierarchy
    # when
    with django_assert_num_queries(3):
        body = api.get(f"/api/v1/companies/{head.pk}/quality/").json()
    # then
    counts = {one.pop("code"): one for one in body.pop("findings")}
    assert body == {"companies": 2, "complete": 1, "percent": 50, "own": []}
    assert counts.keys() == FINDINGS.keys()
    assert counts["no_admin"] == {"label": "No admin", "companies": 1, "percent": 50}
    assert counts["no_legal_name"]["companies"] == 0
    own = api.get(f"/api/v1/companies/{bare.pk}/quality/").json()["own"]
    assert own[0] == "no_primary_contact"
    for wanted, expected in (("no_admin", bare), (ANY, bare), (NONE, head)):
        url = f"/api/v1/companies/?under={head.pk}&quality={wanted}"
        rows = api.get(url).json()["results"]
        assert [row["id"] for row in rows] == [expected.pk]
    assert api.get("/api/v1/companies/?quality=x").status_code == 400


def test_the_answer_does_not_grow_with_the_hierarchy(api, django_assert_num_queries):
    """All are counted; which ones they are is a list of its own, a page at a time."""
    # given
    head = make_company()
    bodies, count = [], 0
    for number in (2, 300):
        children = [
            Company(code=f"{number}-{n}", name="Low", parent_id=head.pk)
            for n in range(number)
        ]
        load_companies(children, actor=SYSTEM)
        count += number
        # when
        with django_assert_num_queries(3):
            body = api.get(f"/api/v1/companies/{head.pk}/quality/").json()
        # then
        assert (body["companies"], body["complete"]) == (count + 1, 0)
        found = {one["code"]: one["companies"] for one in body["findings"]}
        assert found["no_admin"] == count + 1
        bodies.append(body)
    assert [len(body["findings"]) for body in bodies] == [len(FINDINGS)] * 2
    assert bodies[0].keys() == bodies[1].keys()
    url = f"/api/v1/companies/?under={head.pk}&quality=no_admin&page_size=200"
    page = api.get(url).json()
    assert (len(page["results"]), page["next"] is None) == (200, False)


def test_a_client_asks_for_companies_in_its_sight_only(call_as):
    # given
    head = make_company()
    low, foreign = make_company(parent=head), make_company()
    http = call_as(make_client(hierarchies=(low,), scopes="companies:read"))
    # when
    answers = [
        http.get(f"/api/v1/companies/{company.pk}/quality/")
        for company in (low, head, foreign)
    ]
    # then
    assert [answer.status_code for answer in answers] == [200, 404, 404]
    assert answers[0].json()["companies"] == 1


def test_the_console_has_a_filter_and_a_tab():
    # given
    head = make_complete(name="Head")
    bare = make_company(parent=head, name="Bare")
    client = superuser()
    # when
    listed = client.get("/admin/companies/company/?quality=no_admin").content.decode()
    wrong = client.get("/admin/companies/company/?quality=wrong")
    shown = staff("view_company").get(page_of(head)).content.decode()
    # then
    assert page_of(bare) in listed
    assert ">Head<" not in listed.replace('kz-step">Head<', "")
    assert wrong.status_code in (200, 302)
    assert "50 % complete: in 1 of 2 companies" in shown
    assert "No admin" in shown
