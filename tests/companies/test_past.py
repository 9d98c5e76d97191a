"""Companies as they were on a day: in the API and in the console."""

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from companies.models import Company
from companies.past import Past
from companies.services import delete_company, move_company, set_status
from config.actors import SYSTEM
from tests.clock import date_entries
from tests.factories import make_chain, make_client, make_company
from tests.staff import staff

pytestmark = pytest.mark.django_db
URL = "/api/v1/companies/"
PAGE = "/admin/companies/company/structure/"


@pytest.fixture
def moved(db):
    """Head > middle > low in January; in February middle was renamed and moved."""
    head, middle, low = make_chain(3)
    other = make_company(name="Other")
    date_entries(date(2026, 1, 10), head, middle, low, other)
    renamed = Company.objects.get(pk=middle.pk)
    renamed.name = "Renamed"
    renamed.save()
    move_company(renamed, other, actor=SYSTEM)
    set_status(other, "ON_HOLD", actor=SYSTEM, reason="x")
    date_entries(date(2026, 2, 10), middle, other)
    return head, middle, low, other


def node(company, name=None, children=(), descendants=0):
    return {
        "id": company.pk,
        "code": company.code,
        "name": name or company.name,
        "status": "ACTIVE",
        "children_count": len(children),
        "descendants_count": descendants,
        "children": list(children),
        "next": None,
    }


def test_the_tree_is_shown_as_it_was_at_the_end_of_the_day(api, moved):
    # given
    head, middle, low, other = moved
    was = middle.name
    # when
    trees = [
        api.get(f"{URL}{company.pk}/tree/?as_of={day}").json()
        for company, day in (
            (head, "2026-01-10"),
            (head, "2026-02-09"),
            (head, "2026-02-10"),
            (other, "2026-02-09"),
        )
    ]
    # then
    before = node(head, None, [node(middle, was, [node(low)], 1)], 2)
    assert trees == [before, before, node(head), node(other)]
    assert api.get(f"{URL}{other.pk}/tree/").json()["children"][0]["name"] == "Renamed"
    for path in ("tree/", "ancestors/", ""):  # before it was there
        assert api.get(f"{URL}{head.pk}/{path}?as_of=2026-01-09").status_code == 404


def test_a_company_is_shown_as_it_was(api, moved):
    # given
    head, middle, low, _other = moved
    # when
    before, after, today = (
        api.get(f"{URL}{low.pk}/{query}").json()
        for query in ("?as_of=2026-02-09", "?as_of=2026-02-10", "")
    )
    was = api.get(
        f"{URL}{middle.pk}/?as_of=2026-01-31&fields=name,parent,version"
    ).json()
    by_code = api.get(f"{URL}by-code/{middle.code}/?as_of=2026-01-31")
    # then
    assert (before["head"], before["depth"]) == (head.pk, 2)
    assert (before["effective_status"], after["effective_status"]) == (
        "ACTIVE",
        "ON_HOLD",
    )
    assert after == today
    assert was == {"name": middle.name, "parent": head.pk, "version": 1}
    assert by_code.json()["name"] == middle.name
    assert "ETag" not in by_code  # nobody can write on it


def test_ancestors_are_shown_as_they_were(api, moved):
    # given
    head, middle, low, other = moved
    # when
    answers = [
        api.get(f"{URL}{low.pk}/ancestors/?as_of={day}&fields=id,name").json()[
            "results"
        ]
        for day in ("2026-02-09", "2026-02-10")
    ]
    # then
    assert answers == [
        [{"id": head.pk, "name": head.name}, {"id": middle.pk, "name": middle.name}],
        [{"id": other.pk, "name": "Other"}, {"id": middle.pk, "name": "Renamed"}],
    ]


def test_depth_and_the_bottom_say_where_to_go_on(api, moved):
    # given
    head, _middle, low, _other = moved
    # when
    shown = api.get(f"{URL}{head.pk}/tree/?as_of=2026-01-31&depth=1").json()
    further = api.get(shown["children"][0]["next"]).json()
    # then
    assert (shown["descendants_count"], shown["children"][0]["children"]) == (2, [])
    assert further["children"] == [node(low)]


def test_nobody_sees_in_the_past_what_is_out_of_sight_today(call_as, moved):
    # given
    head, middle, low, other = moved
    http = call_as(make_client(hierarchies=(other,), scopes="companies:read"))
    # when
    ancestors = http.get(f"{URL}{low.pk}/ancestors/?as_of=2026-01-31").json()
    foreign = http.get(f"{URL}{head.pk}/tree/?as_of=2026-01-31")
    # and a client of where it was before
    before = call_as(make_client(hierarchies=(head,), scopes="companies:read"))
    tree = before.get(f"{URL}{head.pk}/tree/?as_of=2026-01-31").json()
    # then
    assert [row["id"] for row in ancestors["results"]] == [middle.pk]
    assert foreign.status_code == 404
    assert tree == node(head)


def test_a_company_that_was_deleted_since_is_in_the_structure_of_before(api):
    # given
    head, unused = make_chain(2)
    date_entries(date(2026, 1, 10), head, unused)
    delete_company(unused, actor=SYSTEM)
    # when
    before = api.get(f"{URL}{head.pk}/tree/?as_of=2026-01-10").json()
    today = api.get(f"{URL}{head.pk}/tree/?as_of={timezone.localdate()}").json()
    # then
    assert [child["id"] for child in before["children"]] == [unused.pk]
    assert today["children"] == []


@pytest.mark.parametrize("path", ["", "tree/", "ancestors/"])
@pytest.mark.parametrize(
    "query",
    [
        "as_of=",
        "as_of=yesterday",
        "as_of=2026-02-30",
        "as_of=20260131",
        "as_of=2026-01-31T00:00Z",
        "as_of=1899-12-31",
        "as_of=0001-01-01",
        "as_of=2999-01-01",
        "as_of=%D9%A2026-01-01",
    ],
)
def test_a_day_that_cannot_be_is_refused(api, path, query):
    company = make_company()

    answer = api.get(f"{URL}{company.pk}/{path}?{query}")

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == "as_of"


def test_what_makes_no_sense_on_another_day_is_refused(api):
    company = make_company()

    for query in (
        "?expand=parent",
        "ancestors/?page_size=5",
        "ancestors/?ordering=name",
    ):
        sign = "&" if "?" in query else "?"
        answer = api.get(f"{URL}{company.pk}/{query}{sign}as_of=2026-01-01")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (
            400,
            "invalid",
        )


def test_the_past_costs_the_same_whatever_the_size_and_depth(api):
    # given
    top, *_below = make_chain(2)
    day = timezone.localdate()

    def cost(*paths: str) -> list[int]:
        costs = []
        for path in paths:
            with CaptureQueriesContext(connection) as queries:
                assert api.get(f"{URL}{path}as_of={day}").status_code == 200
            costs.append(len(queries))
        return costs

    few = cost(f"{top.pk}/?", f"{top.pk}/tree/?")
    # when
    low = top
    for _ in range(8):
        low = make_company(parent=low)
        make_company(parent=low)
    # then
    assert few == cost(f"{low.pk}/?", f"{top.pk}/tree/?") == [4, 3]


def test_the_past_of_today_is_the_tree_of_today():
    # given
    top, middle, low = make_chain(3)
    move_company(low, None, actor=SYSTEM)
    move_company(top, low, actor=SYSTEM)
    # when
    tree = Past(timezone.localdate()).tree(low.pk)
    # then
    assert [one.id for one in tree.children] == [top.pk]
    assert [one.id for one in tree.children[0].children] == [middle.pk]
    assert tree.descendants == 2


def test_the_console_shows_the_structure_of_a_day(moved):
    # given
    head, middle, low, _other = moved
    client = staff("view_company")
    # when
    heads = client.get(f"{PAGE}?as_of=2026-01-31").content.decode()
    tree = client.get(f"{PAGE}?as_of=2026-01-31&company={middle.pk}").content.decode()
    none = client.get(f"{PAGE}?as_of=2025-01-31&company={middle.pk}").content.decode()
    wrong = client.get(f"{PAGE}?as_of=2999-01-31").content.decode()
    listed = client.get("/admin/companies/company/").content.decode()
    # then
    assert f">{head.name}</a>" in heads
    assert f">{middle.name}</a>" not in heads
    assert f">{head.name}</a>" in tree  # the path
    assert f">{middle.name}</a>" in tree
    assert f">{low.name}</a>" in tree
    assert "was not there yet" in none
    assert "not in the future" in wrong
    assert 'name="as_of"' in listed
    assert client.get(f"{PAGE}?company=999999&as_of=2026-01-01").status_code == 404
    assert staff("view_contact").get(PAGE).status_code == 403
