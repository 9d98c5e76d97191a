"""What the page of a company says at a glance, who approves there, who is invited."""

from typing import Any

import pytest
from django.contrib import admin

from approvals import services
from approvals.models import PurchaseRequest
from companies.models import Company, Contact, ContactAssignment
from config.actors import SYSTEM
from groups.models import GroupPropagation
from tests.approvals.makers import (
    acting,
    euros,
    make_approval_group,
    make_limit,
    make_rule,
    make_stand_in,
    person,
    submit,
)
from tests.factories import (
    make_assignment,
    make_company,
    make_contact,
    make_location,
)
from tests.staff import act, page_of, said, staff, superuser

pytestmark = pytest.mark.django_db


def panel(client: Any, company: Company, slug: str) -> dict[str, Any]:
    tabs = client.get(page_of(company)).context["inline_admin_formsets"]
    (found,) = [tab.content for tab in tabs if tab.formset.prefix == slug]
    return found


def facts(client: Any, company: Company) -> dict[str, Any]:
    shown = client.get(page_of(company)).context["facts"]
    return {str(fact["label"]): fact["value"] for fact in shown}


def test_the_top_says_the_most_at_a_glance_and_leads_to_the_tabs():
    # given
    head = make_company()
    company = make_company(parent=head)
    make_company(parent=company)
    make_company(parent=make_company(parent=company))
    primary = make_contact(first_name="Paula", last_name="Prime")
    make_assignment(company=company, contact=primary, type="PRIMARY")
    make_assignment(company=head, role="ADMIN", covers_subsidiaries=True)
    make_assignment(company=head, role="ADMIN")
    make_assignment(company=company, valid_until="2020-01-01")
    make_location(company=company)
    make_location(company=head, is_shared=True)
    make_limit(company=company)
    make_limit(company=head, scope="HIERARCHY")
    make_limit(company=head, scope="COMPANY", period="DAY")
    buyer = person(company, "REQUESTER")
    submit(company, buyer)
    over = submit(company, buyer)
    services.withdraw_request(over, actor=acting(buyer), expected_version=1)
    client = superuser()
    # then
    assert facts(client, company) == {
        "primary contact": "Paula Prime",
        "people who may act here": 3,
        "locations": 2,
        "direct subsidiaries": 2,
        "limits that bind it": 2,
        "open request": 1,
    }
    page = client.get(page_of(company))
    tabs = {tab.formset.prefix for tab in page.context["inline_admin_formsets"]}
    assert {fact["tab"] for fact in page.context["facts"]} <= tabs


def test_staff_see_facts_that_they_may_see():
    # given
    company = make_company()
    # then
    assert facts(staff("view_company"), company) == {"direct subsidiaries": 0}
    assert list(facts(staff("view_company", "view_purchaserequest"), company)) == [
        "direct subsidiaries",
        "open requests",
    ]


def test_rows_that_a_page_does_not_show_are_not_counted(monkeypatch):
    # given
    company = make_company()
    submit(company, person(company, "REQUESTER"))
    pages = type(admin.site.get_model_admin(PurchaseRequest))
    monkeypatch.setattr(
        pages, "get_queryset", lambda pages, request: PurchaseRequest.objects.none()
    )
    client = superuser()
    # then
    assert facts(client, company)["open requests"] == 0
    assert panel(client, company, "requests")["open"] == []
    assert list(panel(client, company, "requests")["past"]) == []


def test_the_approvals_tab_says_who_approves_and_why():
    # given
    head = make_company(name="Head")
    company = make_company(parent=head)
    beside = make_company(parent=head)
    boss = person(company, "ADMIN", contact=make_contact(last_name="Boss"))
    deputy = person(company, "BUYER")
    far = make_approval_group(company=head, name="Group board")
    near = make_approval_group(company=company, name="Board", members=[boss])
    make_approval_group(company=beside, name="Others")
    make_rule(company=head, name="Large", covers_subsidiaries=True)
    make_rule(company=head, name="Head only")
    make_stand_in(company=company, contact=boss, stand_in=deputy)
    client = superuser()
    # when
    shown = panel(client, company, "approvals")
    # then
    assert shown["groups"] == [(near, True), (far, False)]
    sentence = (
        "In Head and everything below, every purchase of any amount needs one admin of "
        "the company that buys."
    )
    assert [(one["rule"].name, one["sentence"]) for one in shown["rules"]] == [
        ("Large", sentence)
    ]
    assert [one.stand_in for one in shown["stand_ins"]] == [deputy]
    page = client.get(page_of(company)).content.decode()
    assert f"approvalrule/add/?company={company.pk}" in page
    assert "Contact Boss" in page
    only_groups = panel(
        staff("view_company", "view_approvalgroup"), company, "approvals"
    )
    assert (only_groups["rules"], only_groups["stand_ins"]) == ([], [])


def test_requests_are_open_or_past_and_say_for_whom_they_wait():
    # given
    company = make_company()
    person(company, "ADMIN", contact=make_contact(last_name="Boss"))
    buyer = person(company, "REQUESTER")
    waiting = submit(company, buyer)
    over = submit(company, buyer)
    services.withdraw_request(over, actor=acting(buyer), expected_version=1)
    alone = make_company()
    stuck = submit(alone, person(alone, "REQUESTER"))
    client = superuser()
    # when
    shown = panel(client, company, "requests")
    # then
    assert shown["open"] == [(waiting, "Contact Boss")]
    assert list(shown["past"]) == [over]
    assert panel(client, alone, "requests")["open"] == [(stuck, "the seller's staff")]
    every = client.get(f"{shown['all']}?company__id__exact={company.pk}")
    assert every.context["cl"].result_count == 2


def test_price_lists_come_from_here_and_from_above():
    # given
    head = make_company()
    company = make_company(parent=head)
    for at, kind, code in ((head, "BUYERS", "HEAD"), (company, "ADMINS", "HERE")):
        group = at.customer_groups.get(kind=kind)
        group.price_list = code
        group.save()
    # when
    shown = panel(superuser(), company, "prices")
    # then
    assert [group.price_list for group in shown["groups"]] == ["HERE", "HEAD"]
    assert "upward" in str(shown["reach"])
    GroupPropagation.objects.create(company=head, mode="DISABLED")
    assert "do not reach" in str(panel(superuser(), company, "prices")["reach"])


INVITED = {
    "seen_version": "1",
    "email": "nora@example.com",
    "first_name": "Nora",
    "last_name": "Nord",
    "type": "CONTACT",
    "role": "BUYER",
}


def test_a_new_person_is_invited():
    # given
    company = make_company()
    client = superuser()
    # when
    response = act(client, company, "invite", **INVITED)
    # then
    assert response.url == page_of(company) + "#assignments"
    assignment = ContactAssignment.objects.get()
    contact = assignment.contact
    assert (contact.name, contact.email) == ("Nora Nord", "nora@example.com")
    assert (assignment.company, assignment.role) == (company, "BUYER")
    for row in (contact, assignment):
        assert row.history.get().history_user_id == f"staff:{client.user.pk}"


def test_who_is_known_keeps_their_data_and_may_become_the_primary_contact():
    # given
    company = make_company()
    make_assignment(company=company, type="PRIMARY")
    make_contact(email="NORA@example.com", first_name="Eleonora", last_name="Nord")
    # when
    act(superuser(), company, "invite", **INVITED | {"type": "PRIMARY", "role": ""})
    # then
    assert Contact.objects.count() == 2
    primary = company.assignments.get(type="PRIMARY")
    assert (primary.contact.first_name, primary.role) == ("Eleonora", "")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"email": "nobody"}, "valid email"),
        ({"email": ""}, "required"),
        ({"type": "KING"}, "not one of the available choices"),
        ({}, "already assigned"),
    ],
)
def test_an_invitation_that_cannot_be_is_refused_at_the_form(changes, code):
    # given
    company = make_company()
    person(company, contact=make_contact(email="nora@example.com"))
    # when
    response = act(superuser(), company, "invite", **INVITED | changes)
    # then
    assert response.status_code == 200
    assert code in response.content.decode()
    assert 'value="Nora"' in response.content.decode()
    assert ContactAssignment.objects.count() == Contact.objects.count() == 1


def test_inviting_needs_the_rights_to_add_both():
    # given
    company = make_company()
    rights = ("view_company", "change_company")
    for more in (("add_contact",), ("add_contactassignment",)):
        client = staff(*rights, *more)
        # when
        act(client, company, "invite", **INVITED)
        # then
        assert Contact.objects.count() == 0
        assert 'value="invite"' not in client.get(page_of(company)).content.decode()
    client = staff(*rights, "add_contact", "add_contactassignment")
    assert said(act(client, company, "invite", **INVITED)) == [
        f"Nora Nord now belongs to {company}."
    ]


def test_the_page_costs_the_same_with_much_to_approve(django_assert_max_num_queries):
    # given
    head = make_company()
    company = make_company(parent=head)
    boss = person(company, "ADMIN")
    client = superuser()

    def grow(times: int) -> None:
        for _number in range(times):
            buyer = person(company, "REQUESTER")
            make_approval_group(company=company, members=[boss, buyer])
            make_rule(company=company, name="Large")
            make_stand_in(company=company, contact=boss, stand_in=buyer)
            submit(company, buyer)
            over = submit(company, buyer, "2.00")
            services.approve_request(over, actor=acting(boss), expected_version=1)
            services.order_request(
                over, number="1", money=euros("1"), actor=SYSTEM, expected_version=2
            )

    grow(2)
    url = f"{page_of(company)}?kind=company"
    with django_assert_max_num_queries(62) as few:
        client.get(url)
    # when
    grow(6)
    # then
    with django_assert_max_num_queries(len(few)):
        client.get(url)


def test_the_row_for_something_new_is_made_once():
    page = superuser().get(page_of(make_company()))
    tabs = page.context["inline_admin_formsets"]
    sets = [tab.formset for tab in tabs if hasattr(tab.formset, "empty_form")]
    assert len(sets) >= 4
    assert all(rows.empty_form is rows.empty_form for rows in sets)


def test_what_is_there_once_is_named_so():
    # given
    company = make_company()
    make_location(company=company)
    # then
    assert facts(superuser(), company)["location"] == 1
