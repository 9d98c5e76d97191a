"""Every list and every form of the console: constant queries, no long select boxes."""

import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission

from approvals.models import (
    ApprovalGroup,
    ApprovalRule,
    LedgerEntry,
    PurchaseLimit,
    PurchaseRequest,
    StandIn,
)
from approvals.rulebook import create_rule
from companies.models import (
    Company,
    CompanyLink,
    Contact,
    ContactAssignment,
    Import,
    ImportMapping,
    Location,
)
from config.actors import SYSTEM
from groups.models import CustomerGroup, GroupMember, GroupPropagation
from integrations.models import ApiClient, Event, WebhookDelivery, WebhookEndpoint
from tests.approvals.makers import make_approval_group, make_limit, person, submit
from tests.factories import (
    make_assignment,
    make_client,
    make_company,
    make_contact,
    make_link,
    make_location,
    make_user,
    numbers,
)
from tests.staff import page_of, staff, superuser

pytestmark = pytest.mark.django_db


def make_custom_group() -> CustomerGroup:
    company = make_company()
    group = CustomerGroup.objects.create(name=f"G {next(numbers)}", company=company)
    contact = make_assignment(company=company).contact
    GroupMember.objects.create(group=group, contact=contact)
    return group


def make_request() -> PurchaseRequest:
    company = make_company()
    person(company, "ADMIN")
    return submit(company, person(company, "REQUESTER"))


def make_purchase_limit() -> PurchaseLimit:
    company = make_company()
    contact = make_assignment(company=company).contact
    return PurchaseLimit.objects.create(
        company=company,
        amount=Decimal(5),
        currency="EUR",
        binds="CONTACT",
        contact=contact,
    )


def make_ledger_entry() -> LedgerEntry:
    company = make_company()
    make_limit(company=company, period="MONTH")
    return submit(company, person(company, "BUYER")).ledger.get()


def make_rule() -> ApprovalRule:
    return create_rule(
        company=make_company(), name="Rule", actor=SYSTEM, steps=[{"role": "ADMIN"}]
    )


def make_stand_in() -> StandIn:
    company = make_company()
    return StandIn.objects.create(
        company=company,
        contact=make_assignment(company=company).contact,
        stand_in=make_assignment(company=company).contact,
        valid_until="2099-12-31",
    )


def make_group_of_approvers() -> ApprovalGroup:
    company = make_company()
    return make_approval_group(company=company, members=[person(company, "ADMIN")])


def make_import() -> Import:
    user, client = make_user(), make_client()
    return Import.objects.create(
        kind="companies", file_name="x.csv", size=9, staff=user, client=client
    )


def make_mapping() -> ImportMapping:
    name = f"mapping {next(numbers)}"
    return ImportMapping.objects.create(kind="companies", name=name)


def make_webhook_endpoint() -> WebhookEndpoint:
    url = "https://hooks.example.com/"
    return WebhookEndpoint.objects.create(client=make_client(), url=url)


def make_webhook_delivery() -> WebhookDelivery:
    company = make_company()
    return WebhookDelivery.objects.create(
        endpoint=make_webhook_endpoint(),
        event=Event.objects.filter(stream=company.pk).first(),
        stream=company.pk,
        position=company.pk,
    )


MAKERS: dict[type, Callable] = {
    Company: make_company,
    Contact: lambda: make_assignment().contact,
    ContactAssignment: make_assignment,
    Location: make_location,
    CompanyLink: make_link,
    Import: make_import,
    ImportMapping: make_mapping,
    CustomerGroup: make_custom_group,
    GroupPropagation: lambda: GroupPropagation.objects.create(company=make_company()),
    PurchaseLimit: make_purchase_limit,
    ApprovalGroup: make_group_of_approvers,
    PurchaseRequest: make_request,
    LedgerEntry: make_ledger_entry,
    ApprovalRule: make_rule,
    StandIn: make_stand_in,
    ApiClient: lambda: make_client(hierarchies=(make_company(),)),
    Event: make_company,
    WebhookEndpoint: make_webhook_endpoint,
    WebhookDelivery: make_webhook_delivery,
    Group: lambda: Group.objects.create(name=f"role {next(numbers)}"),
}
# session, user, second factor, number of rows, rows
LIST_QUERIES = 5
MORE = {ApprovalRule: 1}  # the steps of all rules of the page


@pytest.mark.parametrize("model", MAKERS, ids=lambda model: model.__name__)
def test_a_list_costs_the_same_queries_with_five_and_with_25_rows(
    model, django_assert_num_queries
):
    # given
    client = superuser()
    made = [MAKERS[model]() for _ in range(5)]
    url = page_of(model.objects.first(), "changelist")
    client.get(url)
    queries = LIST_QUERIES + MORE.get(model, 0)

    # then
    with django_assert_num_queries(queries):
        assert client.get(url).status_code == 200
    made += [MAKERS[model]() for _ in range(20)]
    with django_assert_num_queries(queries):
        response = client.get(url)
    assert len(response.context_data["cl"].result_list) >= 25


def test_the_list_of_staff_costs_the_same_queries(django_assert_num_queries):
    # given
    client = superuser()
    client.get("/admin/auth/user/")
    for _ in range(25):
        make_user()

    # then: one more for the roles to filter by
    with django_assert_num_queries(LIST_QUERIES + 1):
        assert client.get("/admin/auth/user/").status_code == 200


@pytest.mark.parametrize("model", MAKERS, ids=lambda model: model.__name__)
def test_a_list_can_be_searched_and_opened(model):
    # given
    client = superuser()
    MAKERS[model]()
    made = model.objects.first()

    # when
    listed = page_of(made, "changelist")
    answers = [client.get(f"{listed}?q=zzz%20%27%25"), client.get(page_of(made))]

    # then
    assert [answer.status_code for answer in answers] == [200, 200]
    assert list(answers[0].context_data["cl"].result_list) == []


@pytest.mark.parametrize("page", ["changelist", "add", "change"])
@pytest.mark.parametrize("model", MAKERS, ids=lambda model: model.__name__)
def test_no_page_carries_a_select_box_of_all_companies_or_people(model, page):
    # given
    client = superuser()
    MAKERS[model]()
    for number in range(8):
        contact = make_contact(last_name=f"Listed{number}")
        make_company(name=f"Listed{number}")
        make_assignment(contact=contact, company=make_company())

    # when
    response = client.get(page_of(model.objects.first(), page))

    # then
    boxes = re.findall(r"<select.*?</select>", response.content.decode(), re.DOTALL)
    for box in boxes:
        assert "Listed" not in box
        assert box.count("<option") <= 300


def test_every_page_of_ours_is_tested_here():
    # given
    apps = {"companies", "groups", "approvals", "integrations"}

    # when
    registered = {m for m in admin.site._registry if m._meta.app_label in apps}

    # then
    assert registered == {m for m in MAKERS if m._meta.app_label in apps}


@pytest.mark.parametrize("model", MAKERS, ids=lambda model: model.__name__)
def test_every_list_has_a_search_and_filters(model):
    page = admin.site._registry[model]

    assert page.search_fields
    # Groups of rights are few, and have but a name.
    assert page.list_filter or model is Group


@pytest.mark.parametrize("model", MAKERS, ids=lambda model: model.__name__)
def test_no_list_deletes_many_rows_at_once(model):
    # given
    client = superuser()
    MAKERS[model]()
    rows, url = model.objects.all(), page_of(model.objects.first(), "changelist")
    before = rows.count()

    # when
    shown = client.get(url).content.decode()
    values = {"action": "delete_selected", "post": "yes", "select_across": "0"}
    client.post(url, values | {"_selected_action": [row.pk for row in rows]})

    # then
    assert "delete_selected" not in shown
    assert rows.count() == before


@pytest.mark.parametrize("model", MAKERS, ids=lambda model: model.__name__)
def test_who_may_only_look_sees_no_button_that_changes_something(model):
    # given
    views = Permission.objects.filter(codename__startswith="view_")
    client = staff(*views.values_list("codename", flat=True))
    MAKERS[model]()
    row = model.objects.first()

    # when
    listed = client.get(page_of(row, "changelist"))
    shown = client.get(page_of(row))

    # then
    assert (listed.status_code, shown.status_code) == (200, 200)
    texts = listed.content.decode(), shown.content.decode()
    for text in texts:
        assert '/add/"' not in text
        assert '/delete/"' not in text
        assert 'name="_save' not in text
        assert "kz-button" not in text
    refused = [
        client.post(page_of(row), {"_save": "Save"}),
        client.get(page_of(row, "add")),
        client.post(page_of(row, "delete"), {"post": "yes"}),
    ]
    assert {answer.status_code for answer in refused} == {403}


def test_nobody_has_a_page_to_edit_history_decisions_events_or_tokens():
    # given
    client = superuser()
    event = make_company() and Event.objects.first()
    request = make_request()

    # then
    labels = {model._meta.label for model in admin.site._registry}
    assert not {label for label in labels if "Historical" in label}
    assert not labels & {"approvals.Decision", "approvals.RequestHistory"}
    assert not {label for label in labels if label.startswith("oauth2_provider.")}
    for row in (event, request):
        assert client.post(page_of(row), {"_save": "1"}).status_code == 403
        assert client.post(page_of(row, "delete"), {"post": "yes"}).status_code == 403
        assert client.get(page_of(row, "add")).status_code == 403


@pytest.mark.parametrize("model", MAKERS, ids=lambda model: model.__name__)
def test_staff_without_rights_see_no_page(model):
    # given
    MAKERS[model]()
    row = model.objects.first()

    # when
    client = staff()

    # then
    pages = ("changelist", "change", "add", "delete")
    codes = {client.get(page_of(row, page)).status_code for page in pages}
    assert codes == {403}
