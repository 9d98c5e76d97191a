import json
from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from companies.errors import LastAdmin
from companies.models import (
    Company,
    CompanyLink,
    Contact,
    ContactAssignment,
    Location,
)
from companies.models.company import make_code
from config.actors import SYSTEM, Actor
from config.errors import StaleVersion
from tests.factories import (
    make_assignment,
    make_chain,
    make_company,
    make_contact,
    make_link,
    make_location,
)

pytestmark = pytest.mark.django_db

LEI = "529900T8BM49AURSDO55"
TODAY = date(2026, 6, 15)
DAY = timedelta(days=1)


def refused(make, **fields):
    """The database refuses the row; nothing of it stays."""
    model = {make_company: Company, make_contact: Contact, make_location: Location}
    before = {each: each.objects.count() for each in model.values()}
    with pytest.raises(IntegrityError), transaction.atomic():
        make(**fields)
    assert {each: each.objects.count() for each in model.values()} == before


def codes(error: ValidationError) -> dict[str, list[str]]:
    return {
        name: [each.code for each in errors]
        for name, errors in error.error_dict.items()
    }


def problems(row) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as refusal:
        row.full_clean()
    return codes(refusal.value)


# Companies


def test_a_code_is_unique_in_whatever_case():
    make_company(code="Acme-1")

    refused(make_company, code="aCME-1")
    assert problems(Company(name="Other", code="ACME-1")) == {
        "__all__": ["duplicate_code"]
    }


def test_a_company_is_found_by_its_code_in_whatever_case():
    company = make_company(code="Acme-1")
    make_company(code="Acme-10")

    assert Company.objects.with_code("ACME-1").get() == company


def test_a_code_is_made_from_the_name():
    first = Company.objects.create(name="Ärzte & Söhne GmbH")
    second = Company.objects.create(name="Arzte Sohne GmbH")

    assert first.code == "arzte-sohne-gmbh"
    assert second.code == "arzte-sohne-gmbh-2"
    assert make_code("***") == "company"


def test_a_made_code_is_the_first_that_is_free(monkeypatch):
    monkeypatch.setattr("companies.models.company.MOST_CODES", 3)
    made = [Company.objects.create(name="Acme") for _ in range(16)]

    assert made[-1].code == "acme-16"
    made[12].delete()
    assert Company.objects.create(name="ACME").code == "acme-13"
    assert Company.objects.create(name="Acme 1").code == "acme-1"


@pytest.mark.parametrize("code", ["a b", "a/b", "ä", "x" * 65, "a\n", "a%2Fb"])
def test_a_code_has_plain_characters_only(code):
    assert "code" in problems(Company(name="Acme", code=code))


def test_a_lei_is_unique_and_no_lei_is_not():
    make_company(lei="")
    make_company(lei="")
    make_company(lei=LEI)

    refused(make_company, lei=LEI)
    assert problems(Company(name="Other", code="other", lei=LEI)) == {
        "__all__": ["duplicate_lei"]
    }


def test_identifiers_are_normalised_and_checked():
    company = Company(name="Acme", code="acme", lei=LEI.lower())
    company.full_clean()

    assert company.lei == LEI
    assert list(problems(Company(name="B", code="b", lei=LEI[:-1] + "6"))) == ["lei"]


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ([1], "not_an_object"),
        ("text", "not_an_object"),
        ({"a": "x" * 16_384}, "too_large"),
        ({"a": "ä" * 8_192}, "too_large"),
        ({"a": ["\0"]}, "unstorable_text"),
        ({"a\0": 1}, "unstorable_text"),
        ({"a": "\ud800"}, "unstorable_text"),
        ({"a": float("nan")}, "nan"),
    ],
)
def test_attributes_are_a_small_json_object(attributes, code):
    company = Company(name="Acme", code="acme", attributes=attributes)

    assert problems(company) == {"attributes": [code]}


def test_attributes_of_16_kb_are_kept():
    attributes = {"a": "\\u0000" * 5}  # a backslash and letters: no NUL
    attributes["b"] = "x" * (16_384 - len(json.dumps(attributes)) - len(', "b": ""'))
    company = make_company(attributes=attributes)
    company.full_clean()

    assert Company.objects.get().attributes == attributes


def test_the_effective_status_is_the_worst_on_the_path():
    head, middle, low = make_chain(3)
    for company, status in ((middle, "DRAFT"), (head, "ON_HOLD")):
        company.status = status
        company.save()

    rows = Company.objects.with_effective_status().order_by("level")
    assert [row.effective_status for row in rows] == ["ON_HOLD"] * 3
    head.status = "ACTIVE"
    head.save()
    assert [row.effective_status for row in rows.all()] == ["ACTIVE", "DRAFT", "DRAFT"]
    assert list(Company.objects.effectively("DRAFT")) == [middle, low]
    assert list(Company.objects.effectively("ACTIVE")) == [head]
    assert list(Company.objects.effectively("ON_HOLD")) == []


def test_a_search_finds_parts_of_words_without_accents():
    company = make_company(name="Ärztehaus Zürich", tax_id="DE136695976")
    make_company(name="Other")

    for query in ("arzte ZUR", "136695976", "Ärztehaus"):
        assert list(Company.objects.matching(query)) == [company]
    company.name = "Renamed"
    company.save(update_fields=["name"])
    assert not Company.objects.matching("Ärztehaus").exists()


@pytest.mark.parametrize(
    "word", ["100%", "o'neill", r"a\b", "_x", "%s", "%(a)s", '"', "?"]
)
def test_a_search_takes_every_character_as_it_is(word):
    company = make_company(name=f"Say {word} here")
    make_company(name="Say 100 onei;ll a/b yx s a(s here")

    assert list(Company.objects.matching(f"say {word}")) == [company]
    assert Company.objects.matching(word).count() == 1
    assert not Company.objects.matching(f"{word}{word}").exists()


# Versions and history


def test_each_change_grows_the_version_by_one():
    company, parent = make_company(), make_company()
    seen = [company.version]
    for change in (
        lambda: company.save(),
        lambda: company.save(update_fields=["name"]),
        lambda: company.move(parent),
    ):
        change()
        seen.append(company.version)

    assert seen == [1, 2, 3, 4]
    assert Company.objects.get(pk=company.pk).version == 4
    assert company.history.count() == 4


@pytest.mark.parametrize(
    "make", [make_company, make_contact, make_location, make_assignment, make_link]
)
def test_of_two_who_read_the_same_version_one_saves(make):
    row = make()
    twin = type(row).objects.get(pk=row.pk)
    row.save()

    with pytest.raises(StaleVersion) as refusal:
        twin.save()

    assert refusal.value.details == {"version": 2}
    assert twin.version == 1
    assert type(row).objects.get(pk=row.pk).version == 2
    assert row.history.count() == 2


def test_the_history_says_who_and_why():
    company = make_company()
    company.name = "Renamed"
    company.by(Actor.staff(7), "a request").save()
    company.by(Actor.client(3, contact_id=9)).save()

    last, second, first = company.history.all()
    assert (first.history_user_id, first.history_change_reason) == (str(SYSTEM), "")
    assert second.history_user_id == "staff:7"
    assert second.history_change_reason == "a request"
    assert second.name == "Renamed"
    assert last.history_user_id == "client:3/contact:9"


def test_a_move_is_in_the_history_with_both_parents():
    head, middle = make_chain(2)
    other = make_company()

    middle.move(other)

    assert list(middle.history.values_list("parent", flat=True)) == [other.pk, head.pk]


# Links


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"kind": "BILLS_TO", "percent": 10}, "percent"),
        ({"kind": "OWNS", "percent": 0}, "percent"),
        ({"kind": "OWNS", "percent": "100.01"}, "percent"),
        ({"valid_from": TODAY, "valid_until": TODAY - DAY}, "dates_not_in_order"),
    ],
)
def test_a_link_that_cannot_be_is_refused(fields, code):
    first, second = make_company(), make_company()
    fields = {"kind": "OWNS"} | fields

    link = CompanyLink(company=first, other=second, **fields)
    assert problems(link) == {"__all__": [code]}
    with pytest.raises(IntegrityError), transaction.atomic():
        link.save()
    assert CompanyLink.objects.count() == 0


def test_a_company_is_not_linked_to_itself_nor_twice():
    link = make_link()

    with pytest.raises(IntegrityError), transaction.atomic():
        make_link(company=link.company, other=link.company)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_link(company=link.company, other=link.other)
    assert problems(CompanyLink(company=link.company, other=link.company, kind="OWNS"))[
        "other"
    ] == ["own_link"]
    assert CompanyLink.objects.get() == link
    make_link(company=link.other, other=link.company)
    assert CompanyLink.objects.of(link.company).count() == 2


# Locations


def test_a_new_default_takes_the_mark_from_the_old():
    company = make_company()
    usable = {"company": company, "is_billing": True, "is_shipping": True}
    old = make_location(is_default_billing=True, is_default_shipping=True, **usable)
    other = make_location(is_default_billing=True, is_billing=True)

    new = make_location(is_default_billing=True, **usable)

    old.refresh_from_db()
    assert (old.is_default_billing, old.is_default_shipping) == (False, True)
    assert old.version == 2
    assert Location.objects.filter(is_default_billing=True).count() == 2
    assert {other, new} == set(Location.objects.filter(is_default_billing=True))


@pytest.mark.parametrize("mark", ["billing", "shipping"])
def test_the_database_keeps_one_default(mark):
    company = make_company()
    usable = {"company": company, f"is_{mark}": True}
    make_location(**usable, **{f"is_default_{mark}": True})
    second = make_location(**usable)

    with pytest.raises(IntegrityError), transaction.atomic():
        Location.objects.filter(pk=second.pk).update(**{f"is_default_{mark}": True})


@pytest.mark.parametrize(
    "fields",
    [
        {"is_default_billing": True},
        {"is_default_shipping": True},
        {"is_default_billing": True, "is_billing": True, "is_active": False},
        {"is_default_shipping": True, "is_billing": True},
    ],
)
def test_a_default_is_active_and_of_its_kind(fields):
    refused(make_location, company=make_company(), **fields)


def test_a_location_code_is_unique_in_its_company():
    location = make_location(code="HQ")

    refused(make_location, company=location.company, code="hq")
    assert make_location(code="hq").company != location.company


def test_a_location_stays_with_its_company():
    location = make_location()
    location.company = make_company()

    assert problems(location) == {"company": ["read_only"]}


def test_locations_of_companies_above_are_used_if_shared():
    head, middle, low = make_chain(3)
    own = make_location(company=middle)
    shared = make_location(company=head, is_shared=True)
    make_location(company=head)
    make_location(company=low, is_shared=True)

    assert set(Location.objects.usable_by(middle)) == {own, shared}


# Contacts and assignments


def test_an_email_is_unique_in_whatever_case_and_letters():
    make_contact(email="Jörg@Example.com")

    refused(make_contact, email="JÖRG@example.COM")
    assert Contact.objects.with_email(" jörg@EXAMPLE.com").count() == 1


def test_an_external_id_is_unique_and_none_is_not():
    make_contact()
    make_contact(external_id="17")

    refused(make_contact, external_id="17")


def test_a_contact_is_assigned_once_to_a_company():
    assignment = make_assignment()

    with pytest.raises(IntegrityError), transaction.atomic():
        make_assignment(contact=assignment.contact, company=assignment.company)

    assert ContactAssignment.objects.get() == assignment


def test_a_new_primary_contact_takes_the_mark_from_the_old():
    old = make_assignment(type="PRIMARY")
    elsewhere = make_assignment(type="PRIMARY")

    new = make_assignment(company=old.company, type="PRIMARY")

    old.refresh_from_db()
    assert (old.type, old.version, old.history.count()) == ("CONTACT", 2, 2)
    assert set(ContactAssignment.objects.filter(type="PRIMARY")) == {elsewhere, new}


def test_the_database_keeps_one_primary_contact():
    old = make_assignment(type="PRIMARY")
    other = make_assignment(company=old.company)

    with pytest.raises(IntegrityError), transaction.atomic():
        ContactAssignment.objects.filter(pk=other.pk).update(type="PRIMARY")


def test_the_last_day_is_not_before_the_first():
    make_assignment(valid_from=TODAY, valid_until=TODAY)

    with pytest.raises(IntegrityError), transaction.atomic():
        make_assignment(valid_from=TODAY, valid_until=TODAY - DAY)


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "counts"),
    [
        (None, None, True),
        (TODAY, TODAY, True),
        (TODAY + DAY, None, False),
        (None, TODAY - DAY, False),
        (TODAY - DAY, TODAY + DAY, True),
    ],
)
def test_an_assignment_counts_from_its_first_to_its_last_day(
    valid_from, valid_until, counts
):
    make_assignment(valid_from=valid_from, valid_until=valid_until)

    assert ContactAssignment.objects.in_force(TODAY).exists() is counts


def test_rights_flow_down_only_and_only_if_they_cover_subsidiaries():
    head, middle, low = make_chain(3)
    covering = make_assignment(company=middle, covers_subsidiaries=True)
    plain = make_assignment(company=middle)

    rows = ContactAssignment.objects
    assert list(rows.counting_in(head)) == []
    assert set(rows.counting_in(middle)) == {covering, plain}
    assert list(rows.counting_in(low)) == [covering]


def leave(assignment):
    assignment.delete()


def lose_the_role(assignment):
    assignment.role = "BUYER"
    assignment.save()


def end_yesterday(assignment):
    assignment.valid_until = timezone.localdate() - DAY
    assignment.save()


def be_deactivated(assignment):
    contact = assignment.contact
    contact.is_active = False
    contact.save()


WAYS_TO_GO = [leave, lose_the_role, end_yesterday, be_deactivated]


@pytest.mark.parametrize("go", WAYS_TO_GO)
def test_the_last_admin_does_not_go_while_others_are_there(go):
    admin = make_assignment(role="ADMIN")
    make_assignment(company=admin.company, role="BUYER")
    pk = admin.pk

    with pytest.raises(LastAdmin), transaction.atomic():
        go(admin)

    stored = ContactAssignment.objects.get(pk=pk)
    assert (stored.role, stored.valid_until, stored.version) == ("ADMIN", None, 1)
    assert stored.contact.is_active


@pytest.mark.parametrize("go", WAYS_TO_GO)
@pytest.mark.parametrize("other", ["another admin", "an admin above", "nobody else"])
def test_an_admin_goes_if_another_stays_or_nobody_is_left(go, other):
    head, company = make_chain(2)
    admin = make_assignment(company=company, role="ADMIN")
    if other == "another admin":
        make_assignment(company=company, role="ADMIN")
    if other == "an admin above":
        make_assignment(company=head, role="ADMIN", covers_subsidiaries=True)
        make_assignment(company=company)
    if other == "nobody else" and go is lose_the_role:
        pytest.skip("stays, without being an admin")

    go(admin)

    admins = ContactAssignment.objects.counting_in(company).filter(role="ADMIN")
    assert admin not in admins


def test_an_admin_above_who_does_not_cover_subsidiaries_is_none_here():
    head, company = make_chain(2)
    make_assignment(company=head, role="ADMIN")
    admin = make_assignment(company=company, role="ADMIN")
    make_assignment(company=company)

    with pytest.raises(LastAdmin), transaction.atomic():
        admin.delete()
