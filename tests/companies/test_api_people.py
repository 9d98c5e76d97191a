"""Contacts, assignments, locations and links over HTTP."""

import pytest

from companies.models import Company, CompanyLink, Contact, ContactAssignment, Location
from tests.factories import (
    make_assignment,
    make_chain,
    make_client,
    make_company,
    make_contact,
    make_link,
    make_location,
)

pytestmark = pytest.mark.django_db


def test_a_contact_is_kept_once(api):
    # given
    created = api.post(
        "/api/v1/contacts/",
        {"email": "Ada@example.com", "first_name": " Ada ", "external_id": "s-1"},
    )
    assert created.status_code == 201
    # when
    twin = api.post("/api/v1/contacts/", {"email": "aDA@EXAMPLE.com"})
    same_id = api.post(
        "/api/v1/contacts/", {"email": "b@example.com", "external_id": "s-1"}
    )
    # then
    assert twin.status_code == same_id.status_code == 400
    assert [twin.json()["errors"][0][key] for key in ("pointer", "code")] == [
        "/email",
        "duplicate_email",
    ]
    assert same_id.json()["errors"][0]["pointer"] == "/external_id"
    assert Contact.objects.values_list("first_name").get() == ("Ada",)


def test_an_email_that_is_taken_is_refused_on_a_change_too(api):
    # given
    make_contact(email="taken@example.com")
    contact = make_contact(email="own@example.com")
    # when
    answer = api.patch(
        f"/api/v1/contacts/{contact.pk}/",
        {"email": "TAKEN@example.com"},
        HTTP_IF_MATCH='"1"',
    )
    # then
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/email"
    contact.refresh_from_db()
    assert contact.email == "own@example.com"


def test_a_contact_is_found_by_words_without_accents(api):
    # given
    found = make_contact(first_name="Zoë", last_name="Müller")
    make_contact(first_name="Zoë", last_name="Meier")
    # when
    answer = api.get("/api/v1/contacts/?q=muller zoe&fields=id")
    # then
    assert answer.json()["results"] == [{"id": found.pk}]


def test_only_a_contact_that_was_never_used_is_deleted(api):
    # given
    unused = make_contact()
    used = make_assignment().contact
    # when
    answers = [
        api.delete(f"/api/v1/contacts/{contact.pk}/", HTTP_IF_MATCH='"1"')
        for contact in (unused, used)
    ]
    # then
    assert [answer.status_code for answer in answers] == [204, 409]
    assert answers[1].json()["code"] == "in_use"
    assert list(Contact.objects.all()) == [used]


def test_an_erased_person_stays_erased(api):
    # given
    contact = make_contact(first_name="Canary")
    url = f"/api/v1/contacts/{contact.pk}/"
    # when
    erased = api.post(f"{url}erase/")
    again = api.post(f"{url}erase/")
    changed = api.patch(url, {"first_name": "Canary"}, HTTP_IF_MATCH='"2"')
    # then
    assert erased.status_code == 200
    assert erased.json()["email"] == f"erased-{contact.pk}@invalid.example"
    assert (again.status_code, again.json()["code"]) == (409, "contact_erased")
    assert changed.status_code == 400
    assert changed.json()["errors"][0]["code"] == "contact_erased"
    assert "Canary" not in str(list(Contact.history.values()))


def test_where_a_person_may_act_and_why(api):
    # given
    head, middle, low = make_chain(3)
    side = make_company(parent=head)
    contact = make_contact()
    wide = make_assignment(
        contact=contact, company=middle, role="REQUESTER", covers_subsidiaries=True
    )
    own = make_assignment(contact=contact, company=low, role="BUYER")
    make_assignment(contact=contact, company=side, valid_until="2020-01-01")
    # when
    found = api.get(f"/api/v1/contacts/{contact.pk}/companies/").json()["results"]
    # then
    told = [
        (r["company"]["id"], r["role"], r["inherited"], r["through"]["id"])
        for r in found
    ]
    assert told == [
        (middle.pk, "REQUESTER", False, wide.pk),
        (low.pk, "BUYER", False, own.pk),
    ]
    ContactAssignment.objects.filter(pk=own.pk).update(role="")
    found = api.get(f"/api/v1/contacts/{contact.pk}/companies/").json()["results"]
    assert (found[1]["role"], found[1]["inherited"]) == ("REQUESTER", True)
    assert found[1]["through"]["company"] == middle.pk


def test_a_new_primary_contact_takes_the_mark_from_the_old(api):
    # given
    old = make_assignment(type="PRIMARY")
    # when
    answer = api.post(
        "/api/v1/contact-assignments/",
        {"contact": make_contact().pk, "company": old.company_id, "type": "PRIMARY"},
    )
    # then
    assert answer.status_code == 201
    old.refresh_from_db()
    assert old.type == "CONTACT"


def test_the_last_admin_does_not_leave(api):
    # given
    admin = make_assignment(role="ADMIN")
    make_assignment(company=admin.company, role="BUYER")
    url = f"/api/v1/contact-assignments/{admin.pk}/"
    # when
    answers = [
        api.patch(url, {"role": ""}, HTTP_IF_MATCH='"1"'),
        api.delete(url, HTTP_IF_MATCH='"1"'),
        api.patch(
            f"/api/v1/contacts/{admin.contact_id}/",
            {"is_active": False},
            HTTP_IF_MATCH='"1"',
        ),
    ]
    # then
    assert [(a.status_code, a.json()["code"]) for a in answers] == [
        (409, "last_admin")
    ] * 3
    admin.refresh_from_db()
    assert (admin.role, admin.contact.is_active, admin.version) == ("ADMIN", True, 1)


def test_an_assignment_stays_with_its_person_and_company(api):
    # given
    assignment = make_assignment()
    url = f"/api/v1/contact-assignments/{assignment.pk}/"
    # when
    answer = api.patch(url, {"company": make_company().pk}, HTTP_IF_MATCH='"1"')
    # then
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {
            "pointer": "/company",
            "code": "read_only",
            "message": "Read-only; it can be sent back only as it is.",
        }
    ]


def test_a_location_is_written_whole_and_in_parts(api):
    # given
    company = make_company()
    old = make_location(company=company, is_billing=True, is_default_billing=True)
    # when
    created = api.post(
        "/api/v1/locations/",
        {
            "company": company.pk,
            "type": "WAREHOUSE",
            "address": {"line1": "Weg 1", "city": "Köln", "country": "DE"},
            "is_billing": True,
            "is_default_billing": True,
        },
    )
    assert created.status_code == 201, created.content
    url = f"/api/v1/locations/{created.json()['id']}/"
    patched = api.patch(url, {"address": {"city": "Bonn"}}, HTTP_IF_MATCH='"1"')
    # then
    assert patched.json()["address"] == {
        "line1": "Weg 1",
        "line2": "",
        "city": "Bonn",
        "region": "",
        "postcode": "",
        "country": "DE",
        "latitude": None,
        "longitude": None,
    }
    old.refresh_from_db()
    assert old.is_default_billing is False
    assert api.delete(url, HTTP_IF_MATCH='"2"').status_code == 204
    assert list(Location.objects.all()) == [old]


def test_links_beside_the_tree(api):
    # given
    owner, owned = make_company(), make_company()
    # when
    created = api.post(
        "/api/v1/company-links/",
        {"company": owner.pk, "other": owned.pk, "kind": "OWNS", "percent": "25.5"},
    )
    # then
    assert created.status_code == 201, created.content
    assert created.json()["percent"] == "25.50"
    url = f"/api/v1/company-links/{created.json()['id']}/"
    again = api.put(url, created.json(), HTTP_IF_MATCH='"1"')
    assert again.json() == created.json()
    make_link()
    found = api.get(f"/api/v1/company-links/?of={owned.pk}").json()["results"]
    assert found == [created.json()]
    assert api.delete(url, HTTP_IF_MATCH='"1"').status_code == 204
    assert not CompanyLink.objects.filter(company=owner).exists()


def test_whom_a_client_registered_it_sees_until_others_are_responsible(call_as):
    # given
    mine, foreign = make_company(), make_company()
    scopes = "contacts:read contacts:write"
    http = call_as(make_client(scopes=scopes, hierarchies=(mine,)))
    other = call_as(make_client(scopes=scopes, hierarchies=(foreign,)))
    created = http.post("/api/v1/contacts/", {"email": "a@example.com"})
    # when
    assert created.status_code == 201
    url = f"/api/v1/contacts/{created.json()['id']}/"
    # then
    assert http.get(url).status_code == 200
    assert other.get(url).status_code == 404
    make_assignment(
        contact=Contact.objects.get(), company=Company.objects.get(pk=foreign.pk)
    )
    assert http.get(url).status_code == 404
    assert other.get(url).status_code == 200
