"""Lists of companies and people: filters, orders, cursors, and what they cost."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from rest_framework.test import APIClient

from companies.models import Company
from tests.factories import (
    make_assignment,
    make_client,
    make_company,
    make_contact,
    make_link,
    make_location,
    make_token,
)

pytestmark = pytest.mark.django_db


def ids(api, query):
    answer = api.get(f"/api/v1/companies/?fields=id&{query}")
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


@pytest.fixture
def world(db):
    """A hierarchy of three, of which the middle is on hold, and another company."""
    head = make_company(code="Head", name="Ärzte Holding", country="DE")
    middle = make_company(
        code="mid", name="Middle", parent=head, status="ON_HOLD", country="AT"
    )
    low = make_company(
        code="low",
        name="Low",
        parent=middle,
        country="DE",
        registration_id="HRB 9",
        tax_id="DE136695976",
        lei="529900T8BM49AURSDO55",
    )
    other = make_company(code="other", name="Other", legal_name="Zoë & Co KG")
    return {"head": head, "middle": middle, "low": low, "other": other}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("code=HEAD", "head"),
        ("code=hea", ""),
        ("status=ON_HOLD", "middle"),
        ("effective_status=ON_HOLD", "middle low"),
        ("effective_status=ACTIVE", "head other"),
        ("effective_status=CLOSED", ""),
        ("country=DE", "head low"),
        ("parent={head}", "middle"),
        ("head={head}", "head middle low"),
        ("head={middle}", ""),
        ("type=COMPANY", "head other"),
        ("type=SUBSIDIARY", "middle low"),
        ("registration_id=HRB 9", "low"),
        ("tax_id=de 136.695.976", "low"),
        ("lei=5299-00t8bm49aursdo55", "low"),
        ("under={middle}", "middle low"),
        ("above={middle}", "head middle"),
        ("level_max=0", "head other"),
        ("under={head}&level_max=1", "head middle"),
        ("q=arzte", "head"),
        ("q=ZOE co", "other"),
        ("q=529900t8", "low"),
        ("q=hrb 9", "low"),
        ("q=nothing", ""),
        ("country=DE&type=SUBSIDIARY", "low"),
    ],
)
def test_companies_are_found_by(api, world, query, expected):
    # given
    asked = query.format(**{name: company.pk for name, company in world.items()})
    # when
    found = ids(api, asked)
    # then
    assert found == [world[name].pk for name in expected.split()]


def test_companies_are_found_by_the_time_of_their_last_change(api, world):
    # given
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    Company.objects.update(updated_at=moment)
    Company.objects.filter(code="low").update(
        updated_at=moment + timedelta(microseconds=1)
    )
    # then
    assert ids(api, "updated_after=2026-01-01T00:00:00Z") == [world["low"].pk]


@pytest.mark.parametrize("name", ["id", "name", "code", "created_at", "updated_at"])
def test_each_order_goes_forwards_and_backwards(api, name):
    # given
    for number in (3, 1, 2, 1):
        make_company(name=f"N{number}")
    # when
    upwards = ids(api, f"ordering={name}")
    downwards = ids(api, f"ordering=-{name}")
    # then
    column = name if name != "id" else "pk"
    assert upwards == list(
        Company.objects.order_by(column, "pk").values_list("pk", flat=True)
    )
    assert downwards == upwards[::-1]


class Cursors(TestCase):
    @given(
        names=st.lists(st.sampled_from("aäbBcC-"), min_size=0, max_size=9),
        keys=st.lists(
            st.tuples(
                st.sampled_from(["", "-"]),
                st.sampled_from(["name", "code", "created_at", "updated_at", "id"]),
            ),
            min_size=1,
            max_size=3,
            unique_by=lambda key: key[1],
        ),
        size=st.integers(1, 4),
    )
    @settings(
        max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    def test_cursors_visit_each_company_once_in_both_directions(
        self, names, keys, size
    ):
        # given
        for name in names:
            make_company(name=name)
        client = make_client(scopes="companies:read", sees_all=True)
        api = APIClient()
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(client)}")
        ordering = ",".join(sign + name for sign, name in keys)
        query = f"/api/v1/companies/?fields=id&ordering={ordering}"
        whole = [row["id"] for row in api.get(query).json()["results"]]
        # when
        pages, url, last = [], f"{query}&page_size={size}", None
        while url:
            last = url
            body = api.get(url).json()
            pages.append([row["id"] for row in body["results"]])
            url = body["next"]
        back, url = [], last
        while url:
            body = api.get(url).json()
            back.append([row["id"] for row in body["results"]])
            url = body["previous"]
        # then
        assert sorted(whole) == sorted(Company.objects.values_list("pk", flat=True))
        assert [pk for page in pages for pk in page] == whole
        assert [pk for page in back[::-1] for pk in page] == whole


def test_a_count_is_given_when_asked_for(api, world):
    assert api.get("/api/v1/companies/?count=true&page_size=1").json()["count"] == 4
    assert "count" not in api.get("/api/v1/companies/").json()


def grow(number):
    """One more of everything, around one company and one person."""
    if not Company.objects.exists():
        make_company(code="centre", registration_id="HRB 1", country="DE")
        make_contact(email="centre@example.com")
    centre = Company.objects.get(code="centre")
    for _ in range(number):
        sub = make_company(parent=centre)
        make_company(registration_id="HRB 1", country="DE")
        make_location(company=centre)
        make_link(company=centre, other=sub)
        make_assignment(company=centre, covers_subsidiaries=True)
        centre.refresh_from_db()
        centre.website = f"https://example.com/{Company.objects.count()}"
        centre.save()
    return centre


# What one page costs in SQL statements: token, (sight,) rows, and what hangs on them.
LISTS = {
    "companies/?page_size=200": 2,
    "companies/?page_size=200&count=true": 3,
    "companies/?page_size=200&q=company": 2,
    "companies/?page_size=200&expand=parent,head": 4,
    "companies/?page_size=200&under={centre}": 3,
    "companies/{centre}/": 2,
    "companies/{centre}/ancestors/": 3,
    "companies/{centre}/children/": 3,
    "companies/{centre}/descendants/": 3,
    "companies/{centre}/tree/": 3,
    "companies/{centre}/quality/": 3,
    "companies/?page_size=200&quality=any": 2,
    "companies/{centre}/locations/": 3,
    "companies/{centre}/people/": 3,
    "companies/{centre}/history/": 4,
    "companies/duplicates/?company={centre}": 9,
    "companies/duplicates/": 9,
    "locations/?expand=company": 3,
    "contacts/": 2,
    "contacts/{contact}/companies/": 4,
    "contact-assignments/?expand=contact,company": 4,
    "company-links/?expand=company,other": 4,
}


@pytest.mark.parametrize("path", LISTS)
def test_a_list_costs_the_same_whatever_its_length(api, path):
    # given
    centre = grow(5)
    contact = make_contact()
    make_assignment(contact=contact, company=centre, covers_subsidiaries=True)
    url = "/api/v1/" + path.format(centre=centre.pk, contact=contact.pk)

    def cost():
        with CaptureQueriesContext(connection) as queries:
            answer = api.get(url)
        assert answer.status_code == 200, answer.content
        return len(queries)

    # when
    few = cost()
    grow(20)
    many = cost()
    # then
    assert (few, many) == (LISTS[path], LISTS[path])
