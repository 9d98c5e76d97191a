"""Contacts and what they are in companies (B10)."""

import pytest

from companies.models import ContactAssignment
from tests.api.asking import GOOD
from tests.factories import make_assignment

pytestmark = pytest.mark.django_db

LOCAL_64 = "a" * 64
LONGEST = f"aa@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.example"  # 254

NO_CONTACTS = [
    ({"email": ""}, "blank"),
    ({"email": None}, "null"),
    ({"email": 5}, "invalid"),
    ({"email": "nobody"}, "invalid"),
    ({"email": "a@b@example.com"}, "invalid"),
    ({"email": "@example.com"}, "invalid"),
    ({"email": "a@"}, "invalid"),
    ({"email": "a@example.com."}, "invalid"),
    ({"email": "a@-example.com"}, "invalid"),
    ({"email": "a b@example.com"}, "invalid"),
    ({"email": "a@exam ple.com"}, "invalid"),
    ({"email": f"a{LOCAL_64}@example.com"}, "invalid"),
    ({"email": "a" + LONGEST}, None),
    ({"email": "a@example.com\r\nBcc: b@example.com"}, "invalid"),
    ({"email": "Anna <a@example.com>"}, "invalid"),
    ({"email": "taken@example.com"}, "duplicate_email"),
    ({"email": "TAKEN@EXAMPLE.COM"}, "duplicate_email"),
    ({"email": "ta\u212aen@example.com"}, "duplicate_email"),  # Kelvin sign
    ({"email": "x" * 5_000 + "@example.com"}, None),
    ({"external_id": "taken"}, "duplicate_external_id"),
    ({"external_id": "x" * 65}, "max_length"),
    ({"first_name": "x" * 101}, "max_length"),
    ({"first_name": None}, "null"),
    ({"phone": "+"}, "phone"),
    ({"phone": "1" * 16}, "phone"),
    ({"phone": "letters"}, "phone"),
    ({"phone": "+49 30 123 ext"}, "phone"),
    ({"phone": "x" * 41}, "max_length"),
    ({"phone": 4930}, "invalid"),
    ({"language": "german"}, "language"),
    ({"language": "de_DE"}, "language"),
    ({"is_active": "true"}, "invalid"),
    ({"is_active": None}, "null"),
    ({"erased_at": "2026-01-01T00:00:00Z"}, "read_only"),
]


@pytest.mark.parametrize(("change", "code"), NO_CONTACTS, ids=range(len(NO_CONTACTS)))
def test_wrong_contacts_are_refused(world, change, code):
    world.refuses(400, code, "POST", "contacts/", GOOD["contacts"] | change)


@pytest.mark.parametrize(
    "email",
    [
        f"{LOCAL_64}@example.com",
        "taken+tag@example.com",
        "t\u0131ken@example.com",  # a dotless i is another letter
        "=cmd@example.com",
        "o'neil@example.com",
        "anna@m\u00fcller.example",
        LONGEST,
    ],
)
def test_an_email_is_found_in_any_case_and_once(world, email):
    # when
    found = world.accepts("POST", "contacts/", {"email": email})
    # then
    assert found["email"] == email
    query = {"email": email.upper() if email.isascii() else email}
    results = world.http.get("/api/v1/contacts/", query).json()["results"]
    assert [row["id"] for row in results] == [found["id"]]
    world.refuses(400, "duplicate_email", "POST", "contacts/", {"email": email})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna@m\u00fcller.example", "ANNA@xn--mller-kva.example"),
        ("anna@xn--mller-kva.example", "anna@mu\u0308ller.example"),
        ("anna@\u0431\u0443\u0445.example", "anna@xn--90a0bg.example"),
    ],
)
def test_a_domain_and_its_punycode_are_one(world, one, other):
    # given
    found = world.accepts("POST", "contacts/", {"email": one})
    # then
    world.refuses(400, "duplicate_email", "POST", "contacts/", {"email": other})
    results = world.http.get("/api/v1/contacts/", {"email": other}).json()["results"]
    assert [row["id"] for row in results] == [found["id"]]


@pytest.mark.parametrize("phone", ["", "112", "+1 (555) 010-0000 x12", "1" * 15])
def test_phones_are_as_people_write_them(world, phone):
    body = GOOD["contacts"] | {"phone": phone}
    assert world.accepts("POST", "contacts/", body)["phone"] == phone


NO_ASSIGNMENTS = [
    ({"contact": "<contact>", "company": "<head>"}, "already_assigned"),
    ({"contact": "<erased>"}, "contact_erased"),
    ({"contact": 10**6}, "does_not_exist"),
    ({"contact": "<head-code>"}, "incorrect_type"),
    ({"contact": None}, "null"),
    ({"company": 2**63}, "does_not_exist"),
    ({"role": "BOSS"}, "invalid_choice"),
    ({"role": "admin"}, "invalid_choice"),
    ({"role": None}, "null"),
    ({"type": "SECONDARY"}, "invalid_choice"),
    ({"covers_subsidiaries": 1}, "invalid"),
    (
        {"valid_from": "2026-02-01", "valid_until": "2026-01-31"},
        "dates_not_in_order",
    ),
]


@pytest.mark.parametrize(("change", "code"), NO_ASSIGNMENTS, ids=repr)
def test_wrong_assignments_are_refused(world, change, code):
    body = GOOD["contact-assignments"] | change
    world.refuses(400, code, "POST", "contact-assignments/", body)


def test_of_two_primary_contacts_the_second_takes_the_mark(world):
    # given
    first = world.accepts(
        "POST",
        "contact-assignments/",
        GOOD["contact-assignments"] | {"type": "PRIMARY"},
    )
    # when
    second = world.accepts(
        "POST",
        "contact-assignments/",
        {"contact": "<contact>", "company": "<sub>", "type": "PRIMARY"},
    )
    # then
    query = f"company={world.ids['sub']}&type=PRIMARY"
    found = world.http.get(f"/api/v1/contact-assignments/?{query}").json()["results"]
    assert [row["id"] for row in found] == [second["id"]]
    old = world.http.get(f"/api/v1/contact-assignments/{first['id']}/").json()
    assert (old["type"], old["version"]) == ("CONTACT", 2)


def test_the_last_admin_stays_whatever_is_asked(world):
    # given
    admin = make_assignment(company_id=world.ids["sub"], role="ADMIN")
    make_assignment(company_id=world.ids["sub"])
    path = f"contact-assignments/{admin.pk}/"
    # then
    for call in (
        ("PATCH", path, {"role": "BUYER"}),
        ("PATCH", path, {"role": ""}),
        ("PATCH", path, {"valid_until": "2026-01-01"}),
        ("PATCH", path, {"valid_from": "9999-01-01"}),
        ("DELETE", path),
        ("PATCH", f"contacts/{admin.contact_id}/", {"is_active": False}),
    ):
        world.refuses(409, "last_admin", *call, If_Match='"1"')


def test_a_deactivated_person_can_come_back(world):
    path = "contacts/<free>/"
    world.accepts("PATCH", path, {"is_active": False}, If_Match='"1"')
    found = world.accepts("PATCH", path, {"is_active": True}, If_Match='"2"')
    assert found["is_active"] is True


def test_an_erased_person_is_erased_once_and_stays_so(world):
    path = "contacts/<erased>/"
    world.refuses(409, "contact_erased", "POST", f"{path}erase/", {})
    for change in ({"first_name": "Back"}, {"is_active": True}, {"email": "b@c.de"}):
        world.refuses(400, "contact_erased", "PATCH", path, change, If_Match='"2"')


def test_a_person_who_works_somewhere_is_not_deleted(world):
    world.refuses(409, "in_use", "DELETE", "contacts/<contact>/", If_Match='"1"')
    assert ContactAssignment.objects.filter(contact=world.ids["contact"]).exists()


NO_LINKS = [
    ({"other": "<sub>"}, "own_link"),
    ({"company": "<head>", "other": "<sub>"}, "duplicate_link"),
    ({"other": 10**6}, "does_not_exist"),
    ({"kind": "LOVES"}, "invalid_choice"),
    ({"kind": None}, "null"),
    ({"percent": "0"}, "percent"),
    ({"percent": "100.01"}, "percent"),
    ({"percent": "-1"}, "invalid"),
    ({"percent": "1e1"}, "invalid"),
    ({"percent": "1.005"}, "invalid"),
    ({"percent": "NaN"}, "invalid"),
    ({"percent": 10}, "invalid"),
    ({"percent": "\u0665"}, "invalid"),
    ({"kind": "BILLS_TO", "percent": "10"}, "percent"),
    (
        {"valid_from": "2026-02-01", "valid_until": "2026-01-31"},
        "dates_not_in_order",
    ),
]


@pytest.mark.parametrize(("change", "code"), NO_LINKS, ids=repr)
def test_wrong_links_are_refused(world, change, code):
    body = GOOD["company-links"] | change
    world.refuses(400, code, "POST", "company-links/", body)


@pytest.mark.parametrize("percent", ["0.01", "12.50", "100.00", None])
def test_a_share_is_of_two_decimals(world, percent):
    body = GOOD["company-links"] | {"percent": percent}
    assert world.accepts("POST", "company-links/", body)["percent"] == percent
