"""The page of a person: where they may act, what they may approve, what waits."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.utils import timezone

from approvals import services
from companies.models import Company, Contact
from companies.services import erase_contact
from config.actors import SYSTEM
from tests.approvals.makers import (
    acting,
    make_approval_group,
    make_stand_in,
    person,
    submit,
)
from tests.factories import make_assignment, make_chain, make_company, make_contact
from tests.staff import page_of, staff, superuser

pytestmark = pytest.mark.django_db


def panel(client: Any, contact: Contact, slug: str, query: str = "") -> dict[str, Any]:
    page = client.get(page_of(contact) + query)
    tabs = page.context["inline_admin_formsets"]
    (found,) = [tab.content for tab in tabs if tab.formset.prefix == slug]
    return found


def facts(client: Any, contact: Contact) -> dict[str, Any]:
    shown = client.get(page_of(contact)).context["facts"]
    return {str(fact["label"]): fact["value"] for fact in shown}


def test_the_page_says_for_which_companies_somebody_may_act_and_why():
    # given
    head, middle, below = make_chain(3)
    middle.status = "ON_HOLD"
    middle.save()
    other, past = make_company(), make_company()
    contact = make_contact()
    covers = {"role": "BUYER", "covers_subsidiaries": True}
    make_assignment(contact=contact, company=head, **covers)
    make_assignment(contact=contact, company=below, role="ADMIN")
    make_assignment(contact=contact, company=other)
    make_assignment(contact=contact, company=past, valid_until="2020-01-01")
    # when
    shown = panel(superuser(), contact, "reach")["companies"]
    # then
    found = {
        company: (str(company.role_text), company.giver, str(company.effective.label))
        for company in shown
    }
    assert found == {
        head: ("Buyer", head, "Active"),
        middle: ("Buyer", head, "On hold"),
        below: ("Admin", below, "On hold"),
        other: ("", other, "Active"),
    }
    assert [above.name for above in shown[2].path] == [head.name, middle.name]
    page = superuser().get(page_of(contact)).content.decode()
    assert f"assigned to {head.name}, which covers subsidiaries" in page
    assert facts(superuser(), contact)["companies to act for"] == 4


def test_a_long_reach_comes_page_by_page(monkeypatch):
    # given
    monkeypatch.setattr("companies.admin.standing.AT_ONCE", 2)
    head = make_company(name="A")
    for name in "BCDE":
        make_company(name=name, parent=head)
    contact = person(head, "BUYER", covers_subsidiaries=True)
    client = superuser()
    # when
    pages = [
        panel(client, contact, "reach", f"?reach={number}")["companies"]
        for number in (1, 2, 3)
    ]
    # then
    assert ["".join(one.name for one in page) for page in pages] == ["AB", "CD", "E"]


def test_the_page_says_what_somebody_may_approve_and_who_stands_in():
    # given
    company = make_company()
    boss, deputy, chief = (person(company, "ADMIN") for _number in range(3))
    board = make_approval_group(company=company, members=[boss])
    today = timezone.localdate()
    soon = {
        "valid_from": today + timedelta(days=5),
        "valid_until": today + timedelta(days=9),
    }
    now = make_stand_in(company=company, contact=boss, stand_in=deputy)
    later = make_stand_in(company=company, contact=chief, stand_in=boss, **soon)
    past = make_stand_in(company=company, contact=chief, stand_in=boss)
    type(past).objects.filter(pk=past.pk).update(
        valid_from=today - timedelta(days=9), valid_until=today - timedelta(days=1)
    )
    # when
    shown = panel(superuser(), boss, "approvals")
    # then
    assert list(shown["groups"]) == [board]
    assert [(one.role, one.company) for one in shown["roles"]] == [("ADMIN", company)]
    assert shown["for_them"] == [now]
    assert shown["for_others"] == [later]


def test_the_page_says_what_is_open_and_what_waits_for_a_decision():
    # given
    company, other = make_company(), make_company()
    boss = person(company, "ADMIN", contact=make_contact(last_name="Boss"))
    make_assignment(contact=boss, company=other, role="ADMIN")
    buyer = person(company, "REQUESTER")
    mine = submit(company, buyer)
    over = submit(company, buyer)
    services.withdraw_request(over, actor=acting(buyer), expected_version=1)
    elsewhere = submit(other, person(other, "REQUESTER"))
    strange = make_company()
    submit(strange, person(strange, "REQUESTER"))
    client = superuser()
    # then
    assert panel(client, buyer, "requests")["open"] == [(mine, "Contact Boss")]
    assert list(panel(client, buyer, "requests")["waiting"]) == []
    assert list(panel(client, boss, "requests")["waiting"]) == [mine, elsewhere]
    assert panel(client, boss, "requests")["open"] == []
    assert facts(client, buyer)["open request of theirs"] == 1
    every = panel(client, buyer, "requests")["all"]
    listed = client.get(f"{every}?requester__id__exact={buyer.pk}")
    assert listed.context["cl"].result_count == 2


def test_a_stand_in_sees_what_waits_for_whom_they_stand_in():
    # given
    company = make_company()
    boss, deputy = person(company, "ADMIN"), person(company)
    request = submit(company, person(company, "REQUESTER"))
    assert list(panel(superuser(), deputy, "requests")["waiting"]) == []
    # when
    make_stand_in(company=company, contact=boss, stand_in=deputy)
    # then
    assert list(panel(superuser(), deputy, "requests")["waiting"]) == [request]


def test_staff_see_what_they_may_see():
    # given
    company = make_company()
    boss = person(company, "ADMIN")
    make_approval_group(company=company, members=[boss])
    client = staff("view_contact")
    # when
    page = client.get(page_of(boss))
    # then
    slugs = {tab.formset.prefix for tab in page.context["inline_admin_formsets"]}
    assert {"reach", "requests"} & slugs == set()
    shown = panel(client, boss, "approvals")
    assert (shown["roles"], shown["groups"], shown["for_them"]) == ([], [], [])
    assert page.context["facts"] == []


def test_companies_that_a_page_does_not_show_are_not_named(monkeypatch):
    # given
    shown, hidden = make_company(), make_company(name="Secret")
    contact = person(shown, "BUYER")
    make_assignment(contact=contact, company=hidden, role="BUYER")
    pages = type(admin.site.get_model_admin(Company))
    whole = pages.get_queryset
    monkeypatch.setattr(
        pages,
        "get_queryset",
        lambda pages, request: whole(pages, request).exclude(pk=hidden.pk),
    )
    # then
    assert panel(superuser(), contact, "reach")["companies"] == [shown]
    assert facts(superuser(), contact)["company to act for"] == 1


def test_the_page_of_an_erased_person_says_so():
    # given
    company = make_company()
    person(company, "ADMIN")
    contact = person(company, "ADMIN", contact=make_contact(last_name="Pfeiffer"))
    make_approval_group(company=company, members=[contact])
    client = superuser()
    assert "erase" in str(client.get(page_of(contact)).context["offered_actions"])
    # when
    erase_contact(contact, actor=SYSTEM, expected_version=contact.version)
    # then
    page = client.get(page_of(contact))
    assert "The personal data were erased on" in page.content.decode()
    assert "Pfeiffer" not in page.content.decode()
    assert panel(client, contact, "reach")["companies"] == []
    assert page.context["facts"][0]["value"] == 0


def test_the_page_costs_the_same_with_much_to_do(django_assert_max_num_queries):
    # given
    head = make_company()
    boss = person(head, "ADMIN", covers_subsidiaries=True)
    other = person(head, "ADMIN")
    client = superuser()

    def grow(times: int) -> None:
        for _number in range(times):
            make_company(parent=head)
            make_approval_group(company=head, members=[boss])
            make_stand_in(company=head, contact=boss, stand_in=person(head))
            make_stand_in(company=head, contact=other, stand_in=boss)
            submit(head, person(head, "REQUESTER"))

    grow(2)
    with django_assert_max_num_queries(36) as few:
        client.get(page_of(boss))
    # when
    grow(6)
    # then
    with django_assert_max_num_queries(len(few)):
        client.get(page_of(boss))
