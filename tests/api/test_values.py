"""Dates, identifiers and addresses (B5, B11, B12)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from companies.models import Company
from tests.api.asking import GOOD, LEI, OTHER_LEI
from tests.approvals.makers import person, submit
from tests.factories import make_location

pytestmark = pytest.mark.django_db

# Dates

NO_DATES = [
    "0000-01-01",
    "12026-01-01",
    "2027-02-29",
    "2026-13-01",
    "2026-1-1",
    "20260101",
    "01.02.2026",
    "2026-06-30T23:59:60Z",
    "2026-06-30T00:00:00+14:00",
    "\u0662\u0660\u0662\u0666-01-01",
    "yesterday",
    "",
    1_767_225_600,
    0,
    True,
    ["2026-01-01"],
]


@pytest.mark.parametrize("value", NO_DATES, ids=repr)
@pytest.mark.parametrize(
    ("resource", "place"),
    [
        ("companies", lambda date: {"legal_info": {"registered_on": date}}),
        ("contact-assignments", lambda date: {"valid_from": date}),
        ("company-links", lambda date: {"valid_until": date}),
    ],
    ids=["companies", "contact-assignments", "company-links"],
)
def test_what_is_no_date_is_refused(world, resource, place, value):
    body = GOOD[resource] | place(value)
    world.refuses(400, "invalid", "POST", f"{resource}/", body)


@pytest.mark.parametrize("date", ["0001-01-01", "2028-02-29", "9999-12-31"])
def test_every_date_of_the_calendar_is_kept(world, date):
    found = world.accepts(
        "POST", "companies/", {"name": "Old", "legal_info": {"registered_on": date}}
    )
    assert found["legal_info"]["registered_on"] == date


@pytest.mark.parametrize(
    ("days_from", "days_until", "in_force"),
    [
        (-1, None, True),
        (None, 0, True),  # the last day counts
        (0, 0, True),
        (1, None, False),
        (None, -1, False),
    ],
)
def test_assignments_may_begin_and_end_on_any_day(
    world, days_from, days_until, in_force
):
    # given
    today = timezone.localdate()
    dates = {
        name: (today + timedelta(days)).isoformat()
        for name, days in (("valid_from", days_from), ("valid_until", days_until))
        if days is not None
    }
    # when
    body = GOOD["contact-assignments"] | dates
    found = world.accepts("POST", "contact-assignments/", body)
    # then
    people = world.http.get(f"/api/v1/companies/{world.ids['sub']}/people/").json()
    shown = {row["assignment"]: row["in_force"] for row in people["results"]}
    assert shown[found["id"]] is in_force


def test_assignments_may_end_in_9999_and_not_before_they_begin(world):
    body = GOOD["contact-assignments"] | {"valid_until": "9999-12-31"}
    found = world.accepts("POST", "contact-assignments/", body)
    path = f"contact-assignments/{found['id']}/"
    world.refuses(
        400,
        "dates_not_in_order",
        "PATCH",
        path,
        {"valid_from": "9999-12-31", "valid_until": "9999-12-30"},
        If_Match='"1"',
    )


MOMENTS = [
    ("2026-01-01T00:00:00Z", 200),
    ("2026-01-01T01:00:00%2B01:00", 200),
    ("2026-03-29T02:30:00%2B01:00", 200),  # an hour that Berlin skips
    ("2026-10-25T02:30:00%2B02:00", 200),  # and one that it has twice
    ("0000-01-01T00:00:00Z", 400),
    ("0001-01-01T00:00:00%2B14:00", 400),
    ("9999-12-31T23:00:00-14:00", 400),
    ("12026-01-01T00:00:00Z", 400),
    ("2026-06-30T23:59:60Z", 400),
    ("2027-02-29T00:00:00Z", 400),
    ("2026-01-01T00:00:00", 400),
    ("2026-01-01T00:00:00 01:00", 400),  # "+" that was not escaped
    ("1767225600", 400),
    ("2026-01-01", 400),
    ("now", 400),
]


@pytest.mark.parametrize(("moment", "status"), MOMENTS)
def test_moments_have_a_zone(world, moment, status):
    for resource in ("companies", "contacts", "contact-assignments", "locations"):
        query = f"{resource}/?updated_after={moment}"
        if status == 400:
            world.refuses(400, "invalid", "GET", query)
        else:
            assert world.ask("GET", query).json()["results"]


# Identifiers

DE, AT = "DE136695976", "ATU10223006"
NO_IDENTIFIERS = [
    ({"lei": LEI[:-1] + "6"}, "lei_checksum"),
    ({"lei": OTHER_LEI[:19]}, "lei_length"),
    ({"lei": "\u0665" * 20}, "lei_characters"),
    ({"lei": LEI}, "duplicate_lei"),
    ({"lei": LEI.lower()}, "duplicate_lei"),
    ({"lei": "x" * 5_000}, "max_length"),
    ({"lei": 5}, "invalid"),
    ({"country": "DE", "tax_id": "DE136695977"}, "tax_id_checksum"),
    ({"country": "DE", "tax_id": "13669597"}, "tax_id_length"),
    ({"tax_id": "136695976"}, "tax_id_needs_country"),
    ({"country": "DE", "tax_id": "\u0661" * 9}, None),
    ({"tax_id": "x" * 5_000}, "max_length"),
    ({"duns": "12345678A"}, "duns"),
    ({"duns": "12345678"}, "duns"),
    ({"duns": "\u0661" * 9}, "duns"),
    ({"duns": "x" * 5_000}, "max_length"),
    ({"registration_id": "x" * 65}, "max_length"),
    ({"registration_id": "HRB\0"}, None),
    ({"country": "UK"}, "invalid_choice"),
]


@pytest.mark.parametrize(("legal_info", "code"), NO_IDENTIFIERS, ids=repr)
def test_wrong_identifiers_are_refused(world, legal_info, code):
    body = {"name": "New", "legal_info": legal_info}
    world.refuses(400, code, "POST", "companies/", body)


@pytest.mark.parametrize(
    ("legal_info", "field", "kept"),
    [
        ({"lei": OTHER_LEI.lower()}, "lei", OTHER_LEI),
        ({"lei": f" {OTHER_LEI[:4]} {OTHER_LEI[4:]} "}, "lei", OTHER_LEI),
        ({"country": "DE", "tax_id": "de 136.695-976"}, "tax_id", DE),
        ({"country": "DE", "tax_id": "136695976"}, "tax_id", DE),
        ({"country": "DE", "tax_id": AT}, "tax_id", AT),  # registered abroad
        ({"tax_id": DE}, "tax_id", DE),
        (
            {"country": "DE", "tax_id": "\uff24\uff25\uff11\uff13\uff16\uff16\uff19"
             "\uff15\uff19\uff17\uff16"},
            "tax_id",
            DE,
        ),
        ({"duns": "15-048-3782"}, "duns", "150483782"),
        ({"registration_id": "  HRB   1234 "}, "registration_id", "HRB 1234"),
    ],
)  # fmt: skip
def test_identifiers_are_brought_into_one_form(world, legal_info, field, kept):
    body = {"name": "New", "legal_info": legal_info}
    found = world.accepts("POST", "companies/", body)
    assert found["legal_info"][field] == kept


def test_the_same_registration_id_in_a_country_is_shown_and_not_refused(world):
    # given
    same = {"registration_id": "HRB 1", "country": "DE"}
    first, second = (
        world.accepts("POST", "companies/", {"name": "Twin", "legal_info": same})
        for _ in range(2)
    )
    # when
    url = f"/api/v1/companies/duplicates/?company={first['id']}"
    results = world.http.get(url).json()["results"]
    # then
    assert [row["company"]["id"] for row in results] == [second["id"]]


# Locations

NO_LOCATIONS = [
    ({"address": {"country": "UK"}}, "invalid_choice"),
    ({"address": {"country": "ZZ"}}, "invalid_choice"),
    ({"address": {"country": "de"}}, "invalid_choice"),
    ({"address": {"country": "DEU"}}, "max_length"),
    ({"address": {"country": 49}}, "invalid"),
    ({"address": {"line1": "x" * 5_000}}, "max_length"),
    ({"address": {"city": "x" * 101}}, "max_length"),
    ({"address": {"postcode": "x" * 33}}, "max_length"),
    ({"address": {"postcode": 12345}}, "invalid"),
    ({"address": None}, "null"),
    ({"address": "Main street"}, "invalid"),
    ({"type": "MOON"}, "invalid_choice"),
    ({"type": None}, "null"),
    ({"company": None}, "null"),
    ({"company": 10**6}, "does_not_exist"),
    ({"code": "TAKEN"}, "duplicate_code"),
    ({"is_shared": "yes"}, "invalid"),
    ({"is_default_billing": True}, "default_not_usable"),
    ({"is_default_shipping": True, "is_billing": True}, "default_not_usable"),
    (
        {"is_default_billing": True, "is_billing": True, "is_active": False},
        "default_not_usable",
    ),
]


@pytest.mark.parametrize(("change", "code"), NO_LOCATIONS, ids=repr)
def test_wrong_locations_are_refused(world, change, code):
    body = GOOD["locations"] | change
    world.refuses(400, code, "POST", "locations/", body)


@pytest.mark.parametrize(
    "address",
    [
        {},
        {"country": "DE", "postcode": "SW1A 1AA"},  # nobody knows all postcodes
        {"line1": "🏭 <b>Gate 5</b>", "country": "DE"},
        {"city": "São Paulo", "region": "BR-SP"},
    ],
)
def test_addresses_are_as_people_write_them(world, address):
    body = GOOD["locations"] | {"address": address}
    found = world.accepts("POST", "locations/", body)
    assert address.items() <= found["address"].items()


def test_of_two_defaults_the_second_takes_the_mark(world):
    # given
    usable = {"is_billing": True, "is_default_billing": True}
    body = GOOD["locations"] | usable
    first = world.accepts("POST", "locations/", body)
    # when
    second = world.accepts("POST", "locations/", body)
    # then
    found = world.http.get("/api/v1/locations/?is_billing=true").json()["results"]
    defaults = [row["id"] for row in found if row["is_default_billing"]]
    assert defaults == [second["id"]]
    # an inactive one is no default, and a default can be deleted
    path = f"locations/{second['id']}/"
    inactive = {"is_active": False}
    world.refuses(400, "default_not_usable", "PATCH", path, inactive, If_Match='"1"')
    world.accepts("DELETE", path, If_Match='"1"')
    world.accepts("DELETE", f"locations/{first['id']}/", If_Match='"2"')


def test_a_location_of_a_request_stays(world):
    # given
    sub = Company.objects.get(pk=world.ids["sub"])
    place = make_location(company=sub, is_shipping=True)
    submit(sub, person(sub, "BUYER"), shipping_location=place)
    # then
    path = f"locations/{place.pk}/"
    world.refuses(409, "in_use", "DELETE", path, If_Match='"1"')
    world.accepts("PATCH", path, {"is_active": False}, If_Match='"1"')
