"""The search over everything: what one box finds, for whom, at what cost."""

from typing import Any

import pytest
from django.contrib import admin

from approvals import services
from companies.models import Company, Contact
from companies.services import erase_contact
from config.actors import SYSTEM, Actor
from groups.models import CustomerGroup
from tests.approvals.makers import (
    euros,
    make_approval_group,
    make_limit,
    make_rule,
    person,
    submit,
)
from tests.factories import (
    make_assignment,
    make_chain,
    make_client,
    make_company,
    make_contact,
    make_location,
    make_user,
)
from tests.staff import page_of, staff, superuser

pytestmark = pytest.mark.django_db
SEARCH = "/admin/search/"


def found(client: Any, query: str, **asked: str) -> dict[str, list[str]]:
    """The texts of the hits by kind."""
    groups = client.get(SEARCH, {"q": query} | asked).context["groups"]
    return {
        str(group["title"]): [str(hit["text"]) for hit in group["hits"]]
        for group in groups
    }


def buyer_of(company: Company, **fields: Any) -> Contact:
    return person(company, "REQUESTER", contact=make_contact(**fields))


def test_one_box_finds_rows_of_every_kind():
    # given
    company = make_company(name="Nordwind Holding", code="nordwind")
    buyer = buyer_of(company, first_name="Nora", last_name="Nordwind")
    request = submit(company, buyer, reference="nordwind-1")
    make_limit(company=company, amount=100, name="Nordwind a year")
    make_rule(company=company, name="Nordwind large")
    make_approval_group(company=company, name="Nordwind board")
    make_location(company=company, name="Nordwind depot")
    CustomerGroup.objects.create(name="Nordwind friends", price_list="N1")
    make_user(username="nordwind")
    # when
    hits = found(superuser(), "NORDWIND")
    # then
    assert hits["companies"] == ["Nordwind Holding"]
    assert hits["contacts"] == ["Nora Nordwind"]
    assert hits["purchase requests"] == [str(request)]
    assert hits["purchase limits"] == ["Nordwind a year"]
    assert hits["approval rules"] == ["Nordwind large"]
    assert hits["approval groups"] == ["Nordwind board"]
    assert hits["locations"] == ["Nordwind depot"]
    assert hits["customer groups"] == [
        "Nordwind Holding: Admins",
        "Nordwind Holding: Buyers",
        "Nordwind Holding: Requesters",
        "Nordwind Holding: Contacts",
        "Nordwind friends",
    ]
    assert hits["users"] == ["nordwind"]


def test_a_hit_says_what_tells_it_from_its_namesakes():
    # given
    head, middle, deep, below = make_chain(4)
    company = make_company(
        name="Acme", code="acme-de", country="DE", parent=below, status="ON_HOLD"
    )
    contact = make_contact(
        first_name="Ann", last_name="Acme", email="ann@example.com", job_title="CFO"
    )
    make_assignment(contact=contact, company=company)
    request = submit(head, person(head, "REQUESTER"), reference="ACME-9")
    # when
    groups = superuser().get(SEARCH, {"q": "acme"}).context["groups"]
    # then
    first = {str(group["title"]): group["hits"][0] for group in groups}
    shown = first["companies"]
    assert shown["about"] == (
        f"{head.name} › … › {below.name} · acme-de · Germany"  # noqa: RUF001
    )
    assert (shown["state"][0], str(shown["state"][1])) == ("ON_HOLD", "On hold")
    assert shown["url"] == f"/admin/companies/company/{company.pk}/change/"
    assert first["contacts"]["about"] == "ann@example.com · CFO · Acme"
    asked = first["purchase requests"]
    assert asked["about"].startswith(f"{head.name} · {request.requester} · 20")
    assert asked["state"][0] == "PENDING"
    assert {middle.name, deep.name}.isdisjoint(shown["about"].split(" › "))  # noqa: RUF001


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "zz-4711"},
        {"registration_id": "zz-4711"},
        {"name": "ZZ-4711"},
    ],
)
def test_the_row_that_was_meant_comes_first(fields):
    # given
    for number in range(12):
        make_company(name=f"A{number:02}", legal_name="zz-4711 and sons")
    make_company(**{"name": "Zuletzt"} | fields)
    # when
    companies = found(superuser(), "zz-4711", box="1")["companies"]
    # then
    assert len(companies) == 5
    assert companies[0] == fields.get("name", "Zuletzt")
    assert companies[1] == "A00"


def test_requests_are_found_by_their_number_and_their_order_number():
    # given
    company = make_company()
    boss = Actor.staff(make_user(is_superuser=True).pk)
    request = submit(company, person(company, "REQUESTER"), reference="first")
    services.approve_request(request, actor=boss, expected_version=1)
    services.order_request(
        request, number="SO-77-9", money=euros("1"), actor=SYSTEM, expected_version=2
    )
    client = superuser()
    # then
    for query in ("first", "so-77", str(request.pk)):
        shown = found(client, query)["purchase requests"]
        assert shown == [str(request)], query
    assert "purchase requests" not in found(client, "9" * 40)
    listed = client.get("/admin/approvals/purchaserequest/", {"q": "so-77-9"})
    assert listed.context["cl"].result_count == 1


def test_all_leads_to_the_list_with_as_many_rows(monkeypatch):
    # given
    for number in range(13):
        make_company(name=f"Nordwind & Söhne {number}")
    client = superuser()
    # when
    (group,) = client.get(SEARCH, {"q": "söhne &"}).context["groups"][:1]
    # then
    assert (len(group["hits"]), group["number"], group["is_more"]) == (10, 13, False)
    assert client.get(group["all"]).context["cl"].result_count == 13
    # when more are there than are counted
    monkeypatch.setattr("config.admin.search.COUNTED", 12)
    page = client.get(SEARCH, {"q": "söhne &"})
    # then
    assert "more than 12" in page.content.decode()


def test_few_hits_need_no_way_to_all_of_them():
    # given
    make_company(name="Nordwind")
    # when
    groups = superuser().get(SEARCH, {"q": "nordwind"}).context["groups"]
    # then
    assert groups[0]["all"] == ""


def test_staff_find_what_they_may_see():
    # given
    company = make_company(name="Nordwind")
    buyer_of(company, first_name="Nora", last_name="Nordwind")
    # then
    assert list(found(staff("view_contact"), "nordwind")) == ["contacts"]
    assert found(staff(), "nordwind") == {}
    person_only = staff("view_contact").get(SEARCH, {"q": "nordwind"})
    (group,) = person_only.context["groups"]
    assert "Nordwind" not in group["hits"][0]["about"]  # no right to see assignments


def test_rows_that_a_page_does_not_show_are_not_found(monkeypatch):
    """What restricts a list restricts the box: hits, numbers, paths, companies."""
    # given
    hidden = make_company(name="Nordwind Hidden")
    shown = make_company(name="Nordwind Shown", parent=hidden)
    companies = admin.site.get_model_admin(Company)
    whole = type(companies).get_queryset
    monkeypatch.setattr(
        type(companies),
        "get_queryset",
        lambda pages, request: whole(pages, request).exclude(pk=hidden.pk),
    )
    # when
    (group,) = superuser().get(SEARCH, {"q": "nordwind"}).context["groups"][:1]
    # then
    assert [hit["text"] for hit in group["hits"]] == [shown]
    assert group["hits"][0]["about"] == shown.code
    assert group["number"] == 1


def test_an_erased_person_is_not_found_any_more():
    # given
    contact = make_contact(first_name="Petra", last_name="Pfeiffer")
    client = superuser()
    assert found(client, "pfeiffer") == {"contacts": ["Petra Pfeiffer"]}
    # when
    erase_contact(contact, actor=SYSTEM, expected_version=contact.version)
    # then
    assert found(client, "pfeiffer") == {}


@pytest.mark.parametrize("query", ["", " ", "\0", "%", "_", "ﬀ" * 300, "'\"<b>"])
def test_odd_queries_are_answered(query):
    # given
    make_company(name="Nordwind")
    # when
    response = superuser().get(SEARCH, {"q": query})
    # then
    assert response.status_code == 200
    assert response.context["groups"] == []


def test_names_are_never_markup():
    # given
    make_company(name="<b>Nordwind</b>", code="nordwind")
    # when
    for asked in ({}, {"box": "1"}):
        page = superuser().get(SEARCH, {"q": "<b>nordwind"} | asked).content.decode()
        # then
        assert "&lt;b&gt;Nordwind&lt;/b&gt;" in page
        assert "<b>" not in page


def test_a_price_list_finds_the_groups_that_carry_it():
    # given
    company = make_company()
    buyers = company.customer_groups.get(kind="BUYERS")
    buyers.price_list = "GOLD-7"
    buyers.save()
    # then
    hits = found(superuser(), "gold-7")
    assert hits == {"customer groups": [str(buyers)]}


def test_pages_are_found_by_their_names():
    assert found(superuser(), "they buy") == {"Pages": ["May they buy?"]}
    assert found(staff("view_company"), "they buy") == {}


def test_the_box_is_on_every_page_and_keeps_nothing():
    client = staff("view_company")
    company = make_company()
    for page in ("/admin/", page_of(company), page_of(company, "changelist")):
        assert client.get(page).content.decode().count('role="combobox"') == 1, page
    page = client.get(SEARCH, {"q": "nordwind"})
    assert page.content.decode().count('id="kz-search"') == 1
    assert "no-store" in page.headers["Cache-Control"]
    assert "/login/" in type(client)().get(SEARCH).headers["Location"]


def test_of_what_is_not_found_nobody_asks_more(django_assert_num_queries):
    client = superuser()
    make_company(name="Nordwind")
    client.get(SEARCH, {"q": "zzz"})
    # session, user, second factor, and once each of the eleven kinds of rows
    with django_assert_num_queries(3 + 11):
        assert found(client, "zzz") == {}


def test_a_search_costs_the_same_however_much_is_found(django_assert_max_num_queries):
    # given
    client = superuser()

    def fill(times: int) -> None:
        for _number in range(times):
            company = make_company(name="Nordwind", parent=make_company())
            buyer = buyer_of(company, last_name="Nordwind")
            submit(company, buyer, reference=f"nordwind-{buyer.pk}")
            make_limit(company=company, amount=1000, name="Nordwind")
            make_rule(company=company, name="Nordwind")
            make_approval_group(company=company, name="Nordwind")
            make_location(company=company, name="Nordwind")
            make_client(hierarchies=())

    fill(6)
    with django_assert_max_num_queries(45) as few:
        client.get(SEARCH, {"q": "nordwind", "box": "1"})
    # when
    fill(12)
    # then
    with django_assert_max_num_queries(len(few)):
        client.get(SEARCH, {"q": "nordwind", "box": "1"})
    assert Contact.objects.count() == 18
