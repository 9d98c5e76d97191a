"""The page of a company: what it shows, what it changes, what it refuses."""

import pytest

from companies.models import Company, ContactAssignment, Location
from config.actors import Actor
from integrations.models import Event
from tests.factories import (
    make_assignment,
    make_chain,
    make_company,
    make_contact,
    make_link,
    make_location,
)
from tests.staff import act, fields_of, page_of, said, save, staff, superuser

pytestmark = pytest.mark.django_db

ADD = "/admin/companies/company/add/"


def text_of(response) -> str:
    return response.content.decode()


def test_a_new_company_is_created_with_its_groups_and_its_maker():
    # given
    client = superuser()

    # when
    response = save(client, ADD, name="Acme GmbH", country="DE")

    # then
    company = Company.objects.get()
    assert response.status_code == 302
    assert (company.name, company.code, company.country) == (
        "Acme GmbH",
        "acme-gmbh",
        "DE",
    )
    assert company.customer_groups.count() == 4
    assert company.history.get().history_user_id == f"staff:{client.user.pk}"


def test_the_add_button_of_a_company_makes_a_subsidiary():
    # given
    head = make_company()
    client = superuser()

    # when
    save(client, f"{ADD}?parent={head.pk}", name="Below")

    # then
    assert Company.objects.get(name="Below").parent == head


def test_a_company_below_a_closed_one_is_refused_with_the_code_of_the_api():
    # given
    head = make_company(status="CLOSED")

    # when
    response = save(superuser(), f"{ADD}?parent={head.pk}", name="Below")

    # then
    assert response.status_code == 200
    assert "(parent_closed)" in text_of(response)
    assert 'value="Below"' in text_of(response)  # what was typed is not lost
    assert Company.objects.count() == 1


def test_a_wrong_identifier_is_shown_at_its_field():
    # given
    company = make_company(name="Before")

    # when
    response = save(superuser(), page_of(company), name="After", lei="X" * 20)

    # then
    form = response.context_data["adminform"].form
    assert list(form.errors) == ["lei"]
    assert Company.objects.get().name == "Before"


def test_a_change_names_its_maker_in_the_history():
    # given
    company = make_company(name="Before")
    client = superuser()

    # when
    save(client, page_of(company), name="After")

    # then
    entry = company.history.first()
    assert (entry.name, entry.history_user_id) == ("After", f"staff:{client.user.pk}")
    page = text_of(client.get(page_of(company)))
    assert (
        '<del>Before</del> <span aria-hidden="true">→</span> <ins>After</ins>'
        in page.replace("\n", "")
    )


def test_saving_without_a_change_writes_nothing():
    # given
    company = make_company()
    make_location(company=company)
    make_assignment(company=company)
    events = Event.objects.count()

    # when
    response = save(superuser(), page_of(company))

    # then
    assert response.status_code == 302
    assert Company.objects.get().version == 1
    assert Event.objects.count() == events


def test_a_stale_page_overwrites_nothing():
    # given
    company = make_company(name="Before")
    client = superuser()
    opened = fields_of(client.get(page_of(company)))
    company.name = "By somebody else"
    company.save()

    # when
    response = client.post(page_of(company), opened | {"name": "Mine", "_save": "1"})

    # then
    assert response.status_code == 200
    assert "(stale_version)" in text_of(response)
    assert Company.objects.get().name == "By somebody else"


def test_a_stale_row_of_a_page_overwrites_nothing():
    # given
    location = make_location(name="Before")
    client = superuser()
    url = page_of(location.company)
    opened = fields_of(client.get(url))
    location.name = "By somebody else"
    location.save()

    # when
    response = client.post(url, opened | {"locations-0-name": "Mine", "_save": "1"})

    # then
    assert "(stale_version)" in text_of(response)
    assert Location.objects.get().name == "By somebody else"


def test_a_page_without_its_version_is_refused():
    # given
    company = make_company(name="Before")
    client = superuser()
    opened = fields_of(client.get(page_of(company)))
    del opened["seen_version"]

    # when
    response = client.post(page_of(company), opened | {"name": "Mine", "_save": "1"})

    # then
    assert response.status_code == 200
    assert Company.objects.get().name == "Before"


def test_parent_code_and_status_cannot_be_changed_on_the_form():
    # given
    company, other = make_company(code="mine"), make_company()

    # when
    save(
        superuser(),
        page_of(company),
        parent=other.pk,
        code="other",
        status="CLOSED",
        name="New",
    )

    # then
    company.refresh_from_db()
    assert (company.name, company.code) == ("New", "mine")
    assert (company.parent, company.status) == (None, "ACTIVE")


def test_a_location_and_a_person_are_added_on_the_page():
    # given
    company, contact = make_company(), make_contact()
    client = superuser()

    # when
    response = save(
        client,
        page_of(company),
        **{
            "locations-TOTAL_FORMS": 1,
            "locations-0-name": "Depot",
            "locations-0-type": "WAREHOUSE",
            "locations-0-country": "NL",
            "locations-0-is_active": "on",
            "assignments-TOTAL_FORMS": 1,
            "assignments-0-contact": contact.pk,
            "assignments-0-type": "CONTACT",
            "assignments-0-role": "BUYER",
        },
    )

    # then
    assert response.status_code == 302
    location, assignment = Location.objects.get(), ContactAssignment.objects.get()
    assert (location.name, location.country) == ("Depot", "NL")
    assert (assignment.contact, assignment.role) == (contact, "BUYER")
    for row in (location, assignment):
        assert row.history.get().history_user_id == f"staff:{client.user.pk}"


def test_the_last_admin_cannot_be_taken_away():
    # given
    company = make_company()
    admin = make_assignment(company=company, role="ADMIN")
    make_assignment(company=company, role="BUYER")
    client = superuser()

    # when
    response = save(client, page_of(company), **{"assignments-0-role": "BUYER"})

    # then
    assert response.status_code == 200
    assert "(last_admin)" in text_of(response)
    admin.refresh_from_db()
    assert admin.role == "ADMIN"


def test_the_contact_of_an_assignment_stays():
    # given
    assignment, other = make_assignment(), make_contact()
    client = superuser()

    # when
    save(
        client,
        page_of(assignment.company),
        **{"assignments-0-contact": other.pk, "assignments-0-role": "BUYER"},
    )

    # then
    before = assignment.contact
    assignment.refresh_from_db()
    assert (assignment.contact, assignment.role) == (before, "BUYER")


def test_the_page_shows_what_comes_from_above_and_from_others():
    # given
    head, sub = make_chain(2)
    Company.objects.get(pk=head.pk)
    boss = make_contact(first_name="Berta", last_name="Boss")
    clerk = make_contact(first_name="Carl", last_name="Clerk")
    make_assignment(contact=boss, company=head, role="ADMIN", covers_subsidiaries=True)
    make_assignment(contact=clerk, company=head, role="ADMIN")
    make_location(company=head, name="Shared hall", is_shared=True)
    make_location(company=head, name="Private hall")
    make_link(company=make_company(name="Investor"), other=sub)

    # when
    page = text_of(superuser().get(page_of(sub)))

    # then
    assert "Berta Boss" in page
    assert "Carl Clerk" not in page
    assert "Shared hall" in page
    assert "Private hall" not in page
    assert "Investor" in page


def test_the_top_of_the_page_says_where_it_stands_and_why():
    # given
    head = make_company(name="Head", status="ON_HOLD")
    middle = make_company(name="Middle", parent=head)
    leaf = make_company(name="Leaf", parent=middle)

    # when
    response = superuser().get(page_of(leaf))

    # then
    assert [company.pk for company in response.context_data["way"]] == [
        head.pk,
        middle.pk,
        leaf.pk,
    ]
    assert "because Head is: On hold" in text_of(response)


def test_possible_duplicates_are_shown():
    # given
    company = make_company(registration_id="HRB 1", country="DE")
    make_company(name="The same", registration_id="HRB 1", country="DE")

    # when
    page = text_of(superuser().get(page_of(company)))

    # then
    assert "Possible duplicates" in page
    assert "The same" in page


def test_move_shows_a_preview_before_it_moves():
    # given
    old, new = make_company(name="Old"), make_company(name="New")
    company = make_company(name="Mover", parent=old)
    client = superuser()
    answer = {"seen_version": 1, "parent": new.pk, "reason": "Sold", "confirm": ""}

    # when
    asked = act(client, company, "move")
    previewed = act(client, company, "move", **answer)
    company.refresh_from_db()
    still_there = company.parent
    act(client, company, "move", **answer | {"confirm": new.pk})

    # then
    assert "What would change" not in text_of(asked)
    assert "Mover and all below it come under New." in text_of(previewed)
    assert still_there == old
    company.refresh_from_db()
    assert company.parent == new
    entry = company.history.first()
    assert entry.history_user_id == f"staff:{client.user.pk}"
    assert entry.history_change_reason == "Sold"


def test_placing_a_company_in_a_large_hierarchy_warns(settings):
    # given
    settings.COMPANY_LARGE_HIERARCHY = 3
    _head, sub = make_chain(2)
    company = make_company(name="Mover")
    client = superuser()
    # when
    answer = {"seen_version": 1, "parent": sub.pk, "confirm": sub.pk}
    act(client, company, "move", seen_version=1, parent="", confirm="top")
    moved = act(client, company, "move", **answer)
    back = act(client, company, "move", seen_version=2, parent="", confirm="top")
    # then
    warning = "The hierarchy of Mover is large. It has 3 companies or more"
    for response in (moved, back):  # all that was said so far
        assert sum(warning in text for text in said(response)) == 1


def test_a_changed_answer_is_previewed_again():
    # given
    previewed, other = make_company(), make_company(name="Other")
    company = make_company()
    answer = {"seen_version": 1, "parent": other.pk, "confirm": previewed.pk}

    # when
    response = act(superuser(), company, "move", **answer)

    # then
    assert "come under Other" in text_of(response)
    company.refresh_from_db()
    assert company.parent is None


@pytest.mark.parametrize(
    ("version", "code"), [(1, "would_close_cycle"), (7, "stale_version")]
)
def test_a_move_is_refused_with_the_code_of_the_api(version, code):
    # given
    head, sub = make_chain(2)
    answer = {"seen_version": version, "parent": sub.pk, "confirm": sub.pk}

    # when
    response = act(superuser(), head, "move", **answer)

    # then
    assert f"({code})" in said(response)[0]
    head.refresh_from_db()
    assert head.parent is None


@pytest.mark.parametrize(
    ("action", "status"),
    [("hold", "ON_HOLD"), ("close", "CLOSED"), ("activate", "ACTIVE")],
)
def test_the_status_changes_with_a_reason(action, status):
    # given
    company = make_company(status="DRAFT")
    client = superuser()

    # when
    without = act(client, company, action, seen_version=1, reason=" ")
    act(client, company, action, seen_version=1, reason="Bankrupt")

    # then
    assert "This field is required" in text_of(without)
    company.refresh_from_db()
    assert company.status == status
    assert company.history.first().history_change_reason == "Bankrupt"


def test_the_page_offers_only_what_makes_sense():
    # given
    closed = make_company(status="CLOSED")

    # when
    offered = superuser().get(page_of(closed)).context_data["offered_actions"]

    # then
    assert [action["name"] for action in offered] == ["move", "activate", "merge"]


@pytest.mark.parametrize("action", ["move", "activate", "hold", "close"])
def test_moves_and_status_need_their_own_right(action):
    # given
    company = make_company(status="DRAFT")
    client = staff("view_company", "change_company")
    answer = {"seen_version": 1, "reason": "x", "parent": "", "confirm": "top"}

    # when
    act(client, company, action, **answer)

    # then
    company.refresh_from_db()
    assert (company.status, company.version) == ("DRAFT", 1)


def test_an_unused_company_is_deleted():
    # given
    company = make_location().company

    # when
    response = superuser().post(page_of(company, "delete"), {"post": "yes"})

    # then
    assert response.status_code == 302
    assert not Company.objects.exists()


def test_a_used_company_is_not_deleted():
    # given
    head, _sub = make_chain(2)
    client = superuser()

    # when
    response = client.post(page_of(head, "delete"), {"post": "yes"})

    # then
    assert "(in_use)" in said(response)[0]
    assert response.url == page_of(head)
    assert Company.objects.count() == 2


def test_seeing_alone_changes_nothing():
    # given
    company = make_company(name="Before")
    client = staff("view_company")
    values = {"name": "After", "seen_version": 1, "_save": "1"}

    # when
    opened = client.get(page_of(company))
    saved = client.post(page_of(company), values)

    # then
    assert opened.status_code == 200
    assert saved.status_code == 403
    assert Company.objects.get().name == "Before"


def test_the_page_costs_the_same_queries_with_many_of_everything(
    django_assert_num_queries,
):
    # given
    head = make_company()
    company = make_company(parent=head)
    client = superuser()

    def grow(times: int) -> None:
        for _ in range(times):
            make_company(parent=company)
            make_assignment(company=company, role="ADMIN")
            make_assignment(company=head, role="ADMIN", covers_subsidiaries=True)
            make_location(company=company)
            make_location(company=head, is_shared=True)
            make_link(company=company)
            make_link(other=company)
            stored = Company.objects.get(pk=company.pk)
            stored.name += "x"
            stored.by(Actor.staff(client.user.pk)).save()

    grow(3)
    client.get(page_of(company))

    # then
    with django_assert_num_queries(QUERIES):
        client.get(page_of(company))
    grow(15)
    with django_assert_num_queries(QUERIES):
        client.get(page_of(company))


QUERIES = 57


def test_a_deleted_parent_in_the_history_is_named_by_its_number():
    # given
    old = make_company()
    company = make_company(parent=old)
    company.move(None)
    number = old.pk
    old.delete()

    # when
    page = text_of(superuser().get(page_of(company)))

    # then
    assert f"no. {number}" in page
