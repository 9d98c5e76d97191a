"""Contacts with their assignments, and locations, from files."""

from pathlib import Path

import pytest
from django.utils import timezone

from companies.imports import Caller, ImportRefused
from companies.models import Contact, ContactAssignment, Location
from companies.services import erase_contact
from config.actors import SYSTEM
from groups.models import CustomerGroup
from integrations.models import Event
from tests.factories import (
    make_assignment,
    make_client,
    make_company,
    make_contact,
    make_location,
)
from tests.imports import counts, load, plan_of

pytestmark = pytest.mark.django_db

STARTER = Path(__file__).parents[2] / "approvals" / "demo" / "data"
PEOPLE = "email,first_name,last_name,company_code,type,role"


@pytest.fixture
def file(tmp_path: Path):
    def make(*lines: str, name: str = "file.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return make


def stored() -> list[tuple]:
    return [
        *Contact.objects.order_by("pk").values_list("pk", "email", "version"),
        *ContactAssignment.objects.order_by("pk").values_list("pk", "role", "version"),
        *Location.objects.order_by("pk").values_list("pk", "version"),
        *Event.objects.order_by("pk").values_list("pk", "type"),
    ]


def faults_of(path: Path, kind: str, **options) -> list[tuple]:
    """Record, column and code of all that is wrong; nothing may have been stored."""
    before = stored()
    with pytest.raises(ImportRefused) as refusal:
        load(path, kind=kind, **options)
    assert stored() == before
    return [(f.record, f.column, f.code) for f in refusal.value.faults]


# People


def test_people_come_with_their_assignments(file):
    # given
    make_company(code="a")
    make_company(code="b")
    path = file(
        PEOPLE,
        "ann@example.com,Ann,Lee,a,primary,admin",
        "ann@example.com,Ann,Lee,B,,buyer",
        "bob@example.com,Bob,,a,,",
        "eve@example.com,Eve,,,,",
    )
    # when
    plan = load(path, kind="contacts")
    # then
    assert counts(plan) == (4, 0, 0, 0, 0)
    rows = ContactAssignment.objects.order_by("contact__email", "company__code")
    assert list(
        rows.values_list("contact__first_name", "company__code", "type", "role")
    ) == [
        ("Ann", "a", "PRIMARY", "ADMIN"),
        ("Ann", "b", "CONTACT", "BUYER"),
        ("Bob", "a", "CONTACT", ""),
    ]
    assert Contact.objects.matching("eve").count() == 1
    for model, count in ((Contact, 3), (ContactAssignment, 3)):
        assert model.history.filter(history_change_reason="import").count() == count
        noun = "contact" if model is Contact else "contact_assignment"
        assert Event.objects.filter(type=f"{noun}.created").count() == count
    people = Event.objects.filter(stream=0, type="contact.created")
    numbers = list(people.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    admins = CustomerGroup.objects.get(company__code="a", kind="ADMINS")
    assert admins.kind == "ADMINS"
    # when the same once more
    before = stored()
    again = load(path, kind="contacts")
    # then
    assert counts(again) == (0, 0, 0, 4, 0)
    assert stored() == before


def test_people_and_assignments_change_field_by_field(file):
    # given
    company = make_company(code="a")
    ann = make_contact(email="Ann@example.com", first_name="An", external_id="7")
    make_assignment(company=company, contact=ann, role="BUYER")
    old = make_assignment(company=company, type="PRIMARY")
    path = file(
        "external_id,email,first_name,company_code,type,role,valid_until",
        "7,new@example.com,Ann,a,PRIMARY,ADMIN,2030-01-31",
    )
    # when
    plan = plan_of(path, kind="contacts")
    # then
    (outcome,) = plan.outcomes
    assert outcome.action == "update"
    assert {(c.field, c.old, c.new) for c in outcome.changes} == {
        ("email", "Ann@example.com", "new@example.com"),
        ("first_name", "An", "Ann"),
        ("type", "CONTACT", "PRIMARY"),
        ("role", "BUYER", "ADMIN"),
        ("valid_until", "", "2030-01-31"),
    }
    # when
    load(path, kind="contacts", planned=plan.fingerprint())
    # then
    ann.refresh_from_db()
    old.refresh_from_db()
    assert (ann.email, ann.first_name) == ("new@example.com", "Ann")
    assert ann.assignments.get().role == "ADMIN"
    assert old.type == "CONTACT"


def test_bad_people_are_named(file):
    # given
    make_company(code="a")
    make_contact(email="taken@example.com", external_id="9")
    erased = make_contact(email="gone@example.com", external_id="5")
    erase_contact(erased, actor=SYSTEM)
    path = file(
        "email,external_id,first_name,company_code,type,role,valid_from,valid_until",
        "no-address,,A,,,,,",
        ",,B,,,,,",
        ",77,C,,,,,",
        "c@example.com,,C,none,,,,",
        "d@example.com,,D,a,,KING,,",
        "e@example.com,,E,a,,,2030-02-01,2030-01-01",
        "f@example.com,,F,a,PRIMARY,,,",
        "g@example.com,,G,a,PRIMARY,,,",
        "f@example.com,,Other,,,,,",
        "f@example.com,,F,a,BILLING,,,",
        "new@example.com,9,H,,,,,",
        f"erased-{erased.pk}@invalid.example,,I,,,,,",
        "j@example.com,,J,a,,,soon,",
    )
    # then
    assert faults_of(path, "contacts") == [
        (1, "email", "invalid"),
        (2, "email", "required"),
        (3, "email", "required"),
        (4, "company_code", "unknown_company"),
        (5, "role", "invalid_choice"),
        (6, None, "dates_not_in_order"),
        (8, "type", "second_primary"),
        (9, None, "duplicate_person"),
        (10, "company_code", "already_assigned"),
        (12, None, "contact_erased"),
        (13, "valid_from", "invalid"),
    ]


def test_the_last_admin_does_not_leave_by_import(file):
    # given
    company = make_company(code="a")
    admin = make_assignment(company=company, role="ADMIN")
    other = make_assignment(company=company, role="BUYER")
    emails = [row.contact.email for row in (admin, other)]
    head = "email,company_code,role"
    # then
    assert faults_of(file(head, f"{emails[0]},a,BUYER"), "contacts") == [
        (1, None, "last_admin")
    ]
    # when they change places, whatever the order
    load(file(head, f"{emails[0]},a,BUYER", f"{emails[1]},a,ADMIN"), kind="contacts")
    # then
    other.refresh_from_db()
    assert other.role == "ADMIN"


def test_a_client_imports_what_it_sees(file):
    # given
    own, foreign = make_company(code="own"), make_company(code="foreign")
    hidden = make_assignment(company=foreign).contact
    caller = Caller(client=make_client(hierarchies=(own,)), may_move=False)
    head = "email,company_code"
    # then
    bad = file(head, f"{hidden.email},own", "x@example.com,foreign")
    assert faults_of(bad, "contacts", caller=caller) == [
        (1, "email", "duplicate_email"),
        (2, "company_code", "unknown_company"),
    ]
    # when
    load(file(head, "x@example.com,own"), kind="contacts", caller=caller)
    # then
    contact = Contact.objects.get(email="x@example.com")
    assert contact.registered_by == caller.client


# Locations


def test_locations_come_from_their_own_file():
    # given
    companies = STARTER / "starter_companies.csv"
    locations = STARTER / "starter_locations.csv"
    load(companies)
    # when
    result = load(locations, kind="locations")
    # then
    assert result.totals["unchanged"] == 100  # came with the companies
    assert Location.objects.filter(type="HEADQUARTERS").count() == 33
    assert result.totals["created"] == 33
    # when the same once more
    assert not load(locations, kind="locations").changes_anything
    assert not load(companies).changes_anything


def test_locations_have_codes_and_defaults(file):
    # given
    company = make_company(code="a")
    old = make_location(
        company=company, code="old", is_billing=True, is_default_billing=True
    )
    head = "company_code,code,type,city,is_billing,is_default_billing"
    path = file(head, "a,new,office,Berlin,yes,yes", "a,OLD,plant,Bonn,true,false")
    # when
    plan = load(path, kind="locations")
    # then
    assert counts(plan) == (1, 1, 0, 0, 0)
    old.refresh_from_db()
    assert (old.type, old.city, old.is_default_billing) == ("PLANT", "Bonn", False)
    assert company.locations.get(is_default_billing=True).code == "new"


def test_bad_locations_are_named(file):
    # given
    make_company(code="a")
    path = file(
        "company_code,type,city,country,is_default_billing",
        "a,registered,Berlin,DE,",
        "a,registered,Bonn,DE,",
        "a,castle,Bonn,DE,",
        "b,headquarters,Bonn,DE,",
        "a,headquarters,Bonn,Germany,",
        "a,store,Bonn,DE,perhaps",
        "a,plant,Bonn,DE,yes",
    )
    # then
    assert faults_of(path, "locations") == [
        (2, None, "duplicate_location"),
        (3, "type", "invalid_choice"),
        (4, "company_code", "unknown_company"),
        (5, "country", "invalid_choice"),
        (6, "is_default_billing", "invalid"),
        (7, None, "default_not_usable"),
    ]


def test_what_a_person_is_told_counts_from_today(file):
    """Members of automatic groups follow an import like any other change."""
    # given
    company = make_company(code="a")
    day = timezone.localdate().isoformat()
    path = file("email,company_code,role,valid_from", f"a@example.com,a,BUYER,{day}")
    # when
    load(path, kind="contacts")
    # then
    assert ContactAssignment.objects.counting_in(company).get().role == "BUYER"
