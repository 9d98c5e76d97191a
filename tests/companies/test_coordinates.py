"""Where locations are: coordinates in every way of writing, and their map."""

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from companies.admin.place_map import draw, map_of
from companies.models import Location
from tests.factories import make_company, make_location
from tests.imports import load, plan_of
from tests.staff import superuser

pytestmark = pytest.mark.django_db

BERLIN, MUNICH = ("52.520008", "13.404954"), ("48.137154", "11.576124")


def at(latitude: str, longitude: str, **fields: Any) -> Location:
    return make_location(
        latitude=Decimal(latitude), longitude=Decimal(longitude), **fields
    )


def on_map(*places: tuple[float, float]) -> Any:
    return draw([Location(latitude=one, longitude=other) for one, other in places])


WRONG = [
    ("90.000001", "0"),
    ("-90.5", "0"),
    ("0", "180.1"),
    ("0", "-181"),
    ("52.5", None),
    (None, "13.4"),
]


@pytest.mark.parametrize(("latitude", "longitude"), WRONG)
def test_half_of_them_or_beyond_the_earth_is_no_place(latitude, longitude):
    place = make_location()
    place.latitude = latitude and Decimal(latitude)
    place.longitude = longitude and Decimal(longitude)

    with pytest.raises(ValidationError) as refused:
        place.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        place.save()

    (error,) = refused.value.error_dict["__all__"]
    assert error.code == "coordinates"


@pytest.mark.parametrize("longitude", ["-180", "180", "0"])
def test_the_edges_of_the_earth_are_places(longitude):
    at("-90", longitude).full_clean()
    at("90", longitude).full_clean()


def test_the_api_takes_and_gives_them_as_strings(api):
    company = make_company()
    address = {"latitude": "52.520008", "longitude": "-0.5"}
    body = {"company": company.pk, "address": address}

    answer = api.post("/api/v1/locations/", body)

    assert answer.status_code == 201
    found = answer.json()["address"]
    assert (found["latitude"], found["longitude"]) == ("52.520008", "-0.500000")
    assert Location.objects.get().latitude == Decimal("52.520008")


@pytest.mark.parametrize(
    ("address", "pointer", "code"),
    [
        ({"latitude": 52.5, "longitude": "13"}, "/address/latitude", "invalid"),
        ({"latitude": "1e1", "longitude": "1"}, "/address/latitude", "invalid"),
        ({"latitude": "1", "longitude": "1,5"}, "/address/longitude", "invalid"),
        ({"latitude": "NaN", "longitude": "1"}, "/address/latitude", "invalid"),
        ({"latitude": "1.1234567", "longitude": "1"}, "/address/latitude", "invalid"),
        ({"latitude": "91", "longitude": "1"}, None, "coordinates"),
        ({"latitude": "1"}, None, "coordinates"),
    ],
)
def test_the_api_refuses_what_is_no_place(api, address, pointer, code):
    body = {"company": make_company().pk, "address": address}

    answer = api.post("/api/v1/locations/", body)

    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["code"] == code
    assert pointer is None or error["pointer"] == pointer
    assert not Location.objects.exists()


def test_a_file_brings_them_along(tmp_path):
    make_company(code="acme")
    path = tmp_path / "locations.csv"
    path.write_text(
        "company_code,code,latitude,longitude\n"
        "acme,one,52.520008,13.404954\n"
        "acme,two,,\n"
    )

    load(path, kind="locations")

    found = Location.objects.order_by("code").values_list("code", "latitude")
    assert list(found) == [("one", Decimal("52.520008")), ("two", None)]
    assert plan_of(path, kind="locations").totals["unchanged"] == 2


@pytest.mark.parametrize(
    ("latitude", "longitude", "code", "column"),
    [
        ("52.5", "", "coordinates", None),
        ("91", "13", "coordinates", None),
        ("north", "13", "invalid", "latitude"),
        ("52,5", "13", "invalid", "latitude"),
        ("1", "0.1234567", "max_decimal_places", "longitude"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path, latitude, longitude, code, column):
    make_company(code="acme")
    path = tmp_path / "locations.csv"
    path.write_text(
        f'company_code,code,latitude,longitude\nacme,one,"{latitude}",{longitude}\n'
    )

    plan = plan_of(path, kind="locations")

    (problem,) = plan.outcomes[0].problems
    assert (problem.code, problem.column) == (code, column)


def test_the_history_has_them():
    place = at(*BERLIN)
    place.latitude = Decimal("52.6")
    place.save()

    found = place.history.values_list("latitude", flat=True).order_by("history_id")
    assert list(found) == [Decimal("52.520008"), Decimal("52.6")]


def test_the_page_of_a_company_draws_its_places_and_those_it_may_use():
    head = make_company()
    company = make_company(parent=head)
    own = at(*BERLIN, company=company, name="<b>Plant</b>")
    shared = at(*MUNICH, company=head, name="Depot", is_shared=True)
    at("0", "0", company=head, name="Not shared")
    make_location(company=company, name="Nowhere")

    page = superuser().get(f"/admin/companies/company/{company.pk}/change/")

    text = page.content.decode()
    marks = page.context["place_map"].marks
    assert {mark.place for mark in marks} == {own, shared}
    assert text.count("<circle") == 2
    assert f'/admin/companies/location/{shared.pk}/change/" aria-label="Depot"' in text
    assert "<b>Plant</b>" not in text


def test_without_coordinates_there_is_no_map():
    place = make_location()

    page = superuser().get(f"/admin/companies/company/{place.company_id}/change/")

    assert map_of(place.company) is None
    assert "kz-map" not in page.content.decode()


def test_a_map_shows_all_its_places_and_more_around_them():
    found = on_map((52.5, 13.4), (48.1, 11.6), (40.7, -74.0))

    right, bottom = found.left + found.width, found.top + found.height
    for mark in found.marks:
        assert found.left < mark.x < right
        assert found.top < mark.y < bottom
    north, _middle, south = [mark.y for mark in found.marks]
    assert north < south  # north is up


def test_one_place_has_its_country_around_it():
    found = on_map((52.5, 13.4))

    assert found.width == pytest.approx(400)
    assert found.left + found.width / 2 == pytest.approx(found.marks[0].x)
    assert found.squeeze == pytest.approx(0.609, abs=0.001)


def test_a_map_goes_over_180_degrees_where_that_is_less():
    found = on_map((-36.8, 174.8), (-13.8, -171.8), (-18.1, 178.4))

    assert found.width < 700  # and not around the earth
    auckland, samoa, fiji = [mark.x for mark in found.marks]
    assert auckland < fiji < samoa


def test_the_whole_earth_is_the_most():
    found = on_map((89, 0), (-89, 90), (0, 180), (0, -90))

    assert found.width <= 3600
    assert found.height <= 1450
    assert found.top >= -850


def test_the_map_asks_once(django_assert_num_queries):
    company = make_company()
    for number in range(3):
        at("1", str(number), company=company)

    with django_assert_num_queries(1):
        assert len(map_of(company).marks) == 3
