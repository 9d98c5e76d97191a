"""Pages of a list, through HTTP."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import signing
from pytest_django.asserts import assertNumQueries
from rest_framework.test import APIClient

from companies.models import Location
from config.api.pagination import KeysetPagination
from config.api.rows import Shape
from tests.factories import make_client, make_company, make_location

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integrations.places")]
URL = "/api/v1/places/"


def pages(api: APIClient, url: str, link: str = "next") -> list[list[int]]:
    found = []
    while url:
        page = api.get(url).json()
        found.append([row["id"] for row in page["results"]])
        url = page[link]
        assert len(found) < 50
    return found


def make_places() -> list[Location]:
    company = make_company()
    return [
        make_location(company=company, name=name, city=city)
        for name, city in [("b", "x"), ("a", "y"), ("b", "y"), ("a", "x"), ("b", "x")]
    ]


@pytest.mark.parametrize(
    ("ordering", "order"),
    [
        ("id", [1, 2, 3, 4, 5]),
        ("-id", [5, 4, 3, 2, 1]),
        ("name", [2, 4, 1, 3, 5]),
        ("-name", [5, 3, 1, 4, 2]),
        ("name,-id", [4, 2, 5, 3, 1]),
        ("name,-city", [2, 4, 3, 5, 1]),
        ("-name,city", [1, 5, 3, 4, 2]),
        ("city,name,id", [4, 1, 5, 2, 3]),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 6])
def test_pages_are_the_list_in_pieces(
    api: APIClient, ordering: str, order: list[int], size: int
):
    # given
    first = make_places()[0].pk
    expected = [first + number - 1 for number in order]

    # when
    forward = pages(api, f"{URL}?ordering={ordering}&page_size={size}")

    # then
    assert [pk for page in forward for pk in page] == expected
    assert all(len(page) == size for page in forward[:-1])


def test_previous_pages_lead_back(api: APIClient):
    # given
    make_places()
    url = f"{URL}?ordering=-name,city&page_size=2"
    forward = pages(api, url)
    second = api.get(api.get(url).json()["next"]).json()
    last = api.get(second["next"]).json()

    # when
    back = api.get(last["previous"]).json()
    start = api.get(back["previous"]).json()

    # then
    assert last["next"] is None
    assert [row["id"] for row in back["results"]] == forward[1]
    assert [row["id"] for row in start["results"]] == forward[0]
    assert start["previous"] is None
    assert [row["id"] for row in api.get(start["next"]).json()["results"]] == forward[1]


def test_rows_that_come_and_go_do_not_shift_pages(api: APIClient):
    # given
    places = make_places()
    page = api.get(f"{URL}?page_size=2").json()

    # when
    places[0].delete()
    make_location(company=places[0].company)

    # then
    found = [row["id"] for row in api.get(page["next"]).json()["results"]]
    assert found == [places[2].pk, places[3].pk]


def test_an_empty_page_leads_back_to_the_last_row(api: APIClient):
    # given
    places = make_places()
    page = api.get(f"{URL}?page_size=4").json()
    places[4].delete()

    # when
    empty = api.get(page["next"]).json()

    # then
    assert (empty["results"], empty["next"]) == ([], None)
    found = [row["id"] for row in api.get(empty["previous"]).json()["results"]]
    assert found == [place.pk for place in places[:4]]


def test_null_is_the_greatest_value_on_both_databases(rf):
    # given
    company = make_company()
    for name, day in [("b", "2002-02-02"), ("none", None), ("a", "2001-01-01")] * 2:
        make_company(name=name, parent=company, registered_on=day)
    rows = type(company).objects.filter(parent=company)
    shape = Shape("name", "id")

    def walk(ordering: str) -> list[str]:
        found, url = [], f"/?ordering={ordering}&page_size=1"
        while url:
            request = rf.get(url)
            request.query_params, request.auth = request.GET, None
            keys = KeysetPagination().keys(rows.model, ordering, ["id"], ALLOWED)
            plan = shape.plan(also=tuple(key.column for key in keys))
            page = KeysetPagination().page(
                plan.select(rows), request, plan, allowed=ALLOWED
            )
            found += [row["name"] for row in page["results"]]
            url = page["next"]
        return found

    # then
    assert walk("registered_on") == ["a", "a", "b", "b", "none", "none"]
    assert walk("-registered_on") == ["none", "none", "b", "b", "a", "a"]


ALLOWED = {"registered_on": "registered_on"}


def test_count_only_if_asked(api: APIClient):
    # given
    make_places()

    # then
    with assertNumQueries(2):
        plain = api.get(f"{URL}?page_size=2").json()
    with assertNumQueries(3):
        counted = api.get(f"{URL}?page_size=2&count=true").json()
    assert "count" not in plain
    assert counted["count"] == 5
    assert list(plain) == ["results", "next", "previous"]


def test_the_default_page_has_50_and_the_largest_200(api: APIClient):
    # given
    company = make_company()
    for _ in range(51):
        make_location(company=company)

    # then
    assert len(api.get(URL).json()["results"]) == 50
    assert len(api.get(f"{URL}?page_size=200").json()["results"]) == 51


@pytest.mark.parametrize(
    ("query", "parameter", "code"),
    [
        ("page_size=0", "page_size", "page_size"),
        ("page_size=-1", "page_size", "page_size"),
        ("page_size=201", "page_size", "page_size"),
        ("page_size=1000000", "page_size", "page_size"),
        ("page_size=abc", "page_size", "page_size"),
        ("page_size=1.0", "page_size", "page_size"),
        ("page_size=%D9%A1", "page_size", "page_size"),
        ("page_size=", "page_size", "page_size"),
        ("page_size=" + "9" * 5000, "page_size", "page_size"),
        ("count=maybe", "count", "invalid"),
        ("count=", "count", "invalid"),
        ("ordering=password", "ordering", "ordering"),
        ("ordering=attributes__a", "ordering", "ordering"),
        ("ordering=name,name", "ordering", "ordering"),
        ("ordering=name,-name", "ordering", "ordering"),
        ("ordering=", "ordering", "ordering"),
        ("ordering=--name", "ordering", "ordering"),
        ("ordering=" + ",".join(["name"] * 50), "ordering", "ordering"),
        ("ordering=name&ordering=id", "ordering", "repeated_parameter"),
        ("cursor=", "cursor", "cursor"),
        ("cursor=abc", "cursor", "cursor"),
        ("cursor=%00", "cursor", "unstorable_text"),
        ("cursor=W10:1:abc", "cursor", "cursor"),
        ("cursor=eyJhIjoxfQ%3D%3D", "cursor", "cursor"),
        ("cursor=%C3%A4", "cursor", "cursor"),
        ("fields=password", "fields", "unknown_field"),
        ("fields=", "fields", "unknown_field"),
        ("expand=parent", "expand", "unknown_field"),
        ("expand=company.parent", "expand", "unknown_field"),
        ("nonsense=1", "nonsense", "unknown_parameter"),
        ("format=json", "format", "unknown_parameter"),
        ("company__name__startswith=a", "company__name__startswith", None),
        ("access_token=token-1", "access_token", "unknown_parameter"),
    ],
)
def test_a_bad_query_is_named(api: APIClient, query: str, parameter: str, code: str):
    # when
    response = api.get(f"{URL}?{query}")

    # then
    assert response.status_code == 400
    assert response.json()["code"] == "invalid"
    (error,) = response.json()["errors"]
    assert error["parameter"] == parameter
    assert error["code"] == (code or "unknown_parameter")


def cursor_of(api: APIClient, url: str) -> str:
    (cursor,) = parse_qs(urlsplit(api.get(url).json()["next"]).query)["cursor"]
    return cursor


def refused(response) -> bool:
    codes = [error["code"] for error in response.json().get("errors", [])]
    return response.status_code == 400 and codes == ["cursor"]


def test_a_cursor_is_of_one_list_filter_order_and_client(
    api: APIClient, call_as, settings
):
    # given
    make_places()
    cursor = cursor_of(api, f"{URL}?page_size=2")
    other = call_as(make_client(scopes="companies:read", sees_all=True))

    # then
    assert api.get(f"{URL}?cursor={cursor}&page_size=3").status_code == 200
    assert refused(api.get(f"{URL}?cursor={cursor}&city=x"))
    assert refused(api.get(f"{URL}?cursor={cursor}&ordering=-id"))
    assert refused(other.get(f"{URL}?cursor={cursor}"))
    assert refused(api.get(f"{URL}?cursor={cursor[:-1]}"))
    unbound = signing.dumps([False, False, [1]], salt="config.api.pagination")
    assert refused(api.get(f"{URL}?cursor={unbound}"))
    settings.SECRET_KEY = "another"
    assert refused(api.get(f"{URL}?cursor={cursor}"))
