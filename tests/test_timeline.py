"""The history of a company: all that happened to it, by whom, for whom to see."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.utils import timezone

from approvals import membership, rulebook, services
from approvals.ledger import correct
from approvals.models import ApprovalPolicy, PurchaseLimit
from companies.merging import merge_companies, unmerge_company
from companies.models import Company, Contact, ContactAssignment, Location
from companies.services import erase_contact, set_status
from config.actors import SYSTEM, Actor
from groups.models import CustomerGroup, GroupMember, GroupPropagation
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
    make_client,
    make_company,
    make_contact,
    make_link,
    make_location,
    make_user,
)
from tests.staff import page_of, staff, superuser

pytestmark = pytest.mark.django_db


def timeline(client: Any, company: Company, query: str = "") -> dict[str, Any]:
    response = client.get(page_of(company) + query)
    (panel,) = [
        tab.content
        for tab in response.context["inline_admin_formsets"]
        if getattr(tab, "content", None) and "entries" in tab.content
    ]
    return panel


def lines(client: Any, company: Company, query: str = "") -> list[str]:
    """Each entry as "kind: subject verb"."""
    return [
        " ".join(f"{entry['kind']}: {entry['subject']} {entry['verb']}".split())
        for entry in timeline(client, company, query)["entries"]
    ]


def only(entries: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    (found,) = [
        entry
        for entry in entries
        if all(str(entry[name]) == value for name, value in wanted.items())
    ]
    return found


def test_everything_that_happened_is_in_one_list_newest_first():
    # given
    head = make_company(name="Head")
    company = make_company(name="Acme", parent=head)
    other = make_company(name="Other")
    make_location(company=company, name="Depot", city="Bremen")
    boss = person(company, "ADMIN", contact=make_contact(last_name="Boss"))
    asker = person(company, "REQUESTER", contact=make_contact(last_name="Asker"))
    make_link(company=other, other=company, percent=40)
    buyers = company.customer_groups.get(kind="BUYERS")
    buyers.price_list = "GOLD"
    buyers.save()
    friends = CustomerGroup.objects.create(company=company, name="Friends")
    GroupMember.objects.create(group=friends, contact=asker)
    GroupPropagation.objects.create(company=company, mode="DISABLED")
    board = make_approval_group(company=company, name="Board", members=[boss])
    make_rule(company=company, name="Large", steps=[{"approval_group": board}])
    make_limit(company=company, amount=1000, name="A month", period="MONTH")
    make_stand_in(company=company, contact=boss, stand_in=asker)
    ApprovalPolicy.objects.create(company=company, allow_self_approval=True)
    request = submit(company, asker, "12.50", reference="PO-1")
    services.approve_request(
        request, actor=acting(boss), expected_version=1, comment="fine"
    )
    # when
    found = lines(superuser(), company)
    # then
    assert found == [
        "requests: Cart PO-1 Approved",
        "requests: Cart PO-1 Submitted",
        "approval policy: created",
        "stand-ins: Contact Asker for Contact Boss created",
        "limits: A month created",
        "approval rules: step 1 of Large created",
        "approval rules: Large created",
        "approval groups: Contact Boss as a member of Board created",
        "approval groups: Board created",
        "customer groups: reach of prices created",
        "customer groups: Contact Asker as a member of Friends created",
        "customer groups: Friends created",
        "customer groups: Buyers changed",
        "links: Other owns Acme created",
        "people: Contact Asker created",
        "people: Contact Boss created",
        "locations: Depot created",
        "company: Acme created",
    ]
    assert lines(superuser(), other) == [
        "links: Other owns Acme created",
        "company: Other created",
    ]


def test_an_entry_says_who_what_and_why():
    # given
    user = make_user(username="clara", is_superuser=True)
    actor = Actor.staff(user.pk)
    company = make_company(name="Acme", parent=make_company(name="Old Parent"))
    company.move(None)
    set_status(company, "ON_HOLD", actor=actor, reason="unpaid")
    limit = make_limit(company=company, amount=1000, period="MONTH")
    limit.amount = 2500
    limit.by(actor, "a larger project").save()
    correct(
        limit,
        amount=euros("30").amount,
        day=timezone.localdate(),
        actor=actor,
        reason="bought by phone",
    )
    # when
    entries = timeline(superuser(), company)["entries"]
    # then
    held = entries[3]
    assert (held["who"], held["reason"]) == ("clara", "unpaid")
    assert held["changes"] == [
        {"field": "status", "before": "Active", "after": "On hold"}
    ]
    raised = entries[1]
    assert raised["changes"] == [
        {"field": "amount", "before": "1,000.00 EUR", "after": "2,500.00 EUR"}
    ]
    assert raised["reason"] == "a larger project"
    assert raised["url"] == page_of(limit)
    corrected = entries[0]
    assert corrected["changes"] == [
        {"field": "used", "before": "0.00 EUR", "after": "30.00 EUR"}
    ]
    assert corrected["reason"] == "bought by phone"
    moved = entries[4]
    assert moved["changes"] == [
        {"field": "parent company", "before": "Old Parent", "after": "–"}  # noqa: RUF001
    ]
    assert moved["who"] == "system"


def test_people_and_clients_are_named():
    # given
    company = make_company()
    boss = person(company, "ADMIN", contact=make_contact(last_name="Boss"))
    asker = person(company, "REQUESTER")
    shop = make_client()
    request = submit(company, asker, actor=Actor.client(shop.pk, contact_id=asker.pk))
    services.approve_request(
        request,
        actor=Actor.client(shop.pk, contact_id=boss.pk),
        expected_version=1,
        comment="fine",
    )
    company.by(Actor.client(shop.pk)).save()
    # when
    by_client, approved = timeline(superuser(), company)["entries"][:2]
    # then
    assert by_client["who"] == f"client {shop.name}"
    assert approved["who"] == f"Contact Boss, by client {shop.name}"
    assert approved["reason"] == "fine"
    assert approved["state"] == ("APPROVED", "Approved")


def test_merges_and_their_end_are_told_on_both_companies():
    # given
    gone, stays = make_company(name="Acme Ltd"), make_company(name="Acme")
    actor = Actor.staff(make_user(username="clara").pk)
    merge_companies(gone, stays, actor=actor, reason="entered twice")
    unmerge_company(gone, actor=actor, reason="two after all")
    client = superuser()
    # when
    for company in (gone, stays):
        entries = timeline(client, company, "?kind=merges")["entries"]
        # then
        assert [(entry["subject"], entry["verb"]) for entry in entries] == [
            ("Acme Ltd merged into Acme", "taken back"),
            ("Acme Ltd merged into Acme", ""),
        ]
        assert {entry["who"] for entry in entries} == {"clara"}
        assert entries[1]["reason"] == "entered twice"


def test_what_is_gone_stays_in_the_history():
    # given
    company = make_company()
    location = make_location(company=company, name="Depot")
    location.delete()
    boss = person(company, "ADMIN", contact=make_contact(last_name="Boss"))
    board = make_approval_group(company=company, name="Board", members=[boss])
    membership.delete_approval_group(board, actor=SYSTEM, expected_version=1)
    rule = make_rule(company=company, name="Large")
    rulebook.delete_rule(rule, actor=SYSTEM, expected_version=rule.version)
    # when
    entries = timeline(superuser(), company)["entries"]
    # then
    told = [f"{entry['subject']} {entry['verb']}" for entry in entries]
    assert "Depot deleted" in told
    assert f"Contact Boss as a member of no. {board.pk} deleted" in told
    assert f"step 1 of no. {rule.pk} deleted" in told
    assert {entry["url"] for entry in entries if entry["verb"] == "deleted"} == {""}


def test_erased_people_stay_erased():
    # given
    company = make_company()
    person(company, "ADMIN")
    contact = make_contact(first_name="Petra", last_name="Pfeiffer")
    person(company, "ADMIN", contact=contact)
    request = submit(company, person(company, "REQUESTER"))
    services.approve_request(
        request, actor=acting(contact), expected_version=1, comment="Pfeiffer agrees"
    )
    client = superuser()
    assert "Pfeiffer" in client.get(page_of(company)).content.decode()
    # when
    erase_contact(contact, actor=SYSTEM, expected_version=contact.version)
    # then
    page = client.get(page_of(company)).content.decode()
    assert "Pfeiffer" not in page
    assert f"erased-{contact.pk}@invalid.example" in page


def test_pages_lead_to_the_first_entry_and_none_is_twice_or_missing(monkeypatch):
    """Also where many have the same moment, as after an import."""
    # given
    monkeypatch.setattr("config.admin.timeline.ENTRIES", 7)
    company = make_company()
    for number in range(10):
        make_location(company=company, name=f"Place {number}")
        make_assignment(company=company)
    at = timezone.now()
    Location.history.update(history_date=at)
    ContactAssignment.history.update(history_date=at)
    client = superuser()
    whole = []
    # when
    query, pages = "", 0
    while True:
        page = timeline(client, company, query)
        whole += [f"{entry['kind']} {entry['subject']}" for entry in page["entries"]]
        pages += 1
        if not page["older"]:
            break
        query = f"?{page['older']}"
        assert len(page["entries"]) == 7
    # then
    assert pages == 3
    assert len(whole) == len(set(whole)) == 21
    assert page["newest"] is True


def test_one_kind_is_shown_alone_page_by_page(monkeypatch):
    # given
    monkeypatch.setattr("config.admin.timeline.ENTRIES", 2)
    company = make_company()
    for number in range(3):
        make_location(company=company, name=f"Place {number}")
        make_assignment(company=company)
    client = superuser()
    # when
    first = timeline(client, company, "?kind=locations")
    second = timeline(client, company, f"?{first['older']}")
    # then
    subjects = [entry["subject"] for entry in first["entries"] + second["entries"]]
    assert subjects == ["Place 2", "Place 1", "Place 0"]
    assert second["asked"] == "locations"


@pytest.mark.parametrize(
    "query",
    [
        "?kind=nonsense",
        "?after=x",
        "?after=2026-99-99T00:00~1~1",
        "?after=2026-01-01T00:00:00~1~1",
        "?after=9999-12-31T23:59:59%2B00:00~²~1",
        "?after=9999-12-31T23:59:59%2B00:00~1~" + "9" * 40,
    ],
)
def test_odd_questions_get_the_first_page(query):
    # given
    company = make_company(name="Acme")
    # then
    assert lines(superuser(), company, query) == ["company: Acme created"]


def test_staff_see_entries_of_what_they_may_see():
    # given
    company = make_company(name="Acme")
    submit(company, person(company, "REQUESTER"))
    make_limit(company=company)
    # when
    panel = timeline(staff("view_company"), company)
    # then
    assert {str(entry["kind"]) for entry in panel["entries"]} == {"company"}
    assert [kind for kind, *_rest in panel["kinds"]] == ["company", "merges", "policy"]
    limits = timeline(staff("view_company", "view_purchaselimit"), company)
    assert {str(entry["kind"]) for entry in limits["entries"]} == {"company", "limits"}


def test_rows_that_a_page_does_not_show_are_neither_told_nor_named(monkeypatch):
    # given
    company, hidden = make_company(name="Acme"), make_company(name="Secret")
    make_link(company=hidden, other=company)
    companies = type(admin.site.get_model_admin(Company))
    whole = companies.get_queryset
    monkeypatch.setattr(
        companies,
        "get_queryset",
        lambda pages, request: whole(pages, request).exclude(pk=hidden.pk),
    )
    # when
    entries = timeline(superuser(), company)["entries"]
    # then
    link = only(entries, kind="links")
    assert link["subject"] == f"no. {hidden.pk} owns Acme"


def test_names_are_never_markup():
    # given
    company = make_company(name="<b>Acme</b>")
    make_location(company=company, name="<i>Depot</i>")
    # when
    page = superuser().get(page_of(company)).content.decode()
    # then
    assert not re.search(r"<b>Acme|<i>Depot", page)
    assert "&lt;i&gt;Depot" in page


def test_the_timeline_costs_the_same_however_much_has_happened(
    django_assert_max_num_queries,
):
    # given
    company = make_company()
    client = superuser()

    def grow(times: int) -> None:
        for _number in range(times):
            boss = person(company, "ADMIN")
            asker = person(company, "REQUESTER")
            make_location(company=company)
            make_link(company=company)
            group = CustomerGroup.objects.create(company=company, name="Friends")
            GroupMember.objects.create(group=group, contact=boss)
            make_rule(company=company)
            make_approval_group(company=company, members=[boss])
            make_limit(company=company, amount=1000, binds="CONTACT", contact=asker)
            shop = make_client()
            actor = Actor.client(shop.pk, contact_id=asker.pk)
            submit(company, asker, actor=actor)

    grow(2)
    with django_assert_max_num_queries(85) as few:
        client.get(page_of(company))
    # when
    grow(8)
    # then (the oldest kinds of entries are on later pages)
    with django_assert_max_num_queries(len(few)):
        client.get(page_of(company))
    assert Contact.objects.count() == 20
    assert PurchaseLimit.objects.count() == 10
