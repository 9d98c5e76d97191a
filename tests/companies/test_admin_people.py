import pytest

from companies.models import Contact, ContactAssignment, Location
from tests.factories import (
    make_assignment,
    make_company,
    make_contact,
    make_link,
    make_location,
)
from tests.staff import act, fields_of, page_of, said, save, staff, superuser

pytestmark = pytest.mark.django_db


def autocomplete(client, model: str, field: str, term: str) -> list[str]:
    url = "/admin/autocomplete/"
    query = {"app_label": "companies", "model_name": model, "field_name": field}
    results = client.get(url, query | {"term": term}).json()["results"]
    return [result["text"] for result in results]


def test_a_person_is_added_by_staff():
    # given
    client = superuser()

    # when
    save(client, "/admin/companies/contact/add/", email="a@b.example", is_active="on")

    # then
    contact = Contact.objects.get()
    assert contact.history.get().history_user_id == f"staff:{client.user.pk}"


def test_an_email_that_is_taken_is_refused_without_regard_to_case():
    # given
    make_contact(email="anna@b.example")

    # when
    url = "/admin/companies/contact/add/"
    response = save(superuser(), url, email="ANNA@b.example")

    # then
    assert response.status_code == 200
    assert "There is already a contact of this e-mail." in response.content.decode()
    assert Contact.objects.count() == 1


def test_a_person_is_found_by_parts_of_name_and_email():
    # given
    make_contact(first_name="Ärzte", last_name="Müller", email="x@clinic.example")
    make_contact(first_name="Other")

    # when
    client = superuser()
    found = [
        list(client.get(f"/admin/companies/contact/?q={q}").context_data["cl"].queryset)
        for q in ("arzte mull", "clinic", "nobody")
    ]

    # then
    assert [len(rows) for rows in found] == [1, 1, 0]


def test_the_last_admin_is_not_deactivated_by_mistake():
    # given
    company = make_company()
    admin = make_assignment(company=company, role="ADMIN").contact
    make_assignment(company=company)
    client = superuser()

    # when
    url = page_of(admin)
    values = fields_of(client.get(url))
    del values["is_active"]
    response = client.post(url, values | {"_save": "1"})

    # then
    assert "(last_admin)" in response.content.decode()
    admin.refresh_from_db()
    assert admin.is_active


def test_an_erased_person_leaves_no_name_and_stays_so():
    # given
    contact = make_contact(first_name="Anna", last_name="Secret")
    client = superuser()

    # when
    asked = act(client, contact, "erase")
    act(client, contact, "erase", seen_version=1)

    # then
    assert "Nobody can bring them back" in asked.content.decode()
    contact.refresh_from_db()
    assert contact.erased_at is not None
    assert "Secret" not in client.get(page_of(contact)).content.decode()
    response = client.post(page_of(contact), {"first_name": "Back", "_save": "1"})
    assert response.status_code == 403


def test_erasing_a_stale_page_is_refused():
    # given
    contact = make_contact()

    # when
    response = act(superuser(), contact, "erase", seen_version=9)

    # then
    assert "(stale_version)" in said(response)[0]
    contact.refresh_from_db()
    assert contact.erased_at is None


def test_who_edits_people_may_not_erase_them():
    # given
    contact = make_contact()
    client = staff("view_contact", "change_contact")

    # when
    act(client, contact, "erase", seen_version=1)

    # then
    contact.refresh_from_db()
    assert contact.erased_at is None
    assert client.post(page_of(contact, "delete"), {"post": "yes"}).status_code == 403


def test_namesakes_are_told_apart_when_one_is_chosen():
    # given
    make_company(name="Twin", code="twin-1")
    make_company(name="Twin", code="twin-2")
    make_contact(first_name="Anna", last_name="A", email="anna@a.example")

    # when
    client = superuser()

    # then
    assert autocomplete(client, "company", "parent", "twin") == [
        "Twin · twin-1",
        "Twin · twin-2",
    ]
    field = ("contactassignment", "contact")
    assert autocomplete(client, *field, "anna") == ["Anna A · anna@a.example"]


def test_an_assignment_keeps_its_person_and_company():
    # given
    assignment = make_assignment()
    other = make_company()

    # when
    save(superuser(), page_of(assignment), company=other.pk, role="BUYER")

    # then
    stored = ContactAssignment.objects.get()
    assert (stored.company_id, stored.role) == (assignment.company_id, "BUYER")


def test_deleting_the_last_admin_is_refused():
    # given
    company = make_company()
    admin = make_assignment(company=company, role="ADMIN")
    make_assignment(company=company)

    # when
    response = superuser().post(page_of(admin, "delete"), {"post": "yes"})

    # then
    assert "(last_admin)" in said(response)[0]
    assert ContactAssignment.objects.count() == 2


def test_a_default_that_cannot_be_used_is_refused():
    # given
    location = make_location()

    # when
    response = save(superuser(), page_of(location), is_default_billing="on")

    # then
    assert response.status_code == 200
    assert "must be an active billing address" in response.content.decode()
    assert not Location.objects.get().is_default_billing


def test_a_link_is_deleted_with_an_entry_in_its_history():
    # given
    link = make_link()
    client = superuser()

    # when
    client.post(page_of(link, "delete"), {"post": "yes"})

    # then
    entry = type(link).history.first()
    assert (entry.history_type, entry.history_user_id) == (
        "-",
        f"staff:{client.user.pk}",
    )


def test_a_code_that_another_location_has_is_refused_in_the_words_of_the_model():
    # given
    first = make_location(code="one")
    second = make_location(code="two", company=first.company)
    client = superuser()

    # when
    on_its_page = save(client, page_of(second), code="ONE")
    on_the_company = save(client, page_of(first.company), **{"locations-1-code": "ONE"})

    # then
    for response in (on_its_page, on_the_company):
        assert response.status_code == 200
        text = response.content.decode()
        assert "The company already has a location of this code." in text
    second.refresh_from_db()
    assert second.code == "two"
