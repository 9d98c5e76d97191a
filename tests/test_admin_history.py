"""Whatever staff write in the console lands in the history, under their name."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import Model

from approvals.models import ApprovalGroup, ApprovalRule, PurchaseLimit
from companies.models import Company, CompanyLink, Contact, ContactAssignment, Location
from config.admin import ReadOnlyAdmin
from groups.models import CustomerGroup, GroupPropagation
from integrations.models import ApiClient, StaffChange, WebhookEndpoint
from tests.approvals.makers import (
    StandIn,
    make_approval_group,
    make_limit,
    make_rule,
    make_stand_in,
    person,
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
from tests.groups.makers import make_group
from tests.integrations.webhooks.makers import make_endpoint
from tests.staff import page_of, save, superuser

pytestmark = pytest.mark.django_db


def a_stand_in() -> StandIn:
    company = make_company()
    return make_stand_in(
        company=company,
        contact=person(company, "ADMIN"),
        stand_in=person(company, "BUYER"),
    )


# What there is before, and what somebody types.
CHANGES: dict[type[Model], tuple[Callable[[], Any], dict[str, str]]] = {
    ApiClient: (make_client, {"name": "Other"}),
    ApprovalGroup: (
        lambda: make_approval_group(company=make_company()),
        {"name": "Other"},
    ),
    ApprovalRule: (lambda: make_rule(company=make_company()), {"name": "Other"}),
    Company: (make_company, {"name": "Other"}),
    CompanyLink: (make_link, {"percent": "51"}),
    Contact: (make_contact, {"job_title": "Buyer"}),
    ContactAssignment: (make_assignment, {"role": "BUYER"}),
    CustomerGroup: (make_group, {"name": "Other"}),
    GroupPropagation: (
        lambda: GroupPropagation.objects.create(company=make_company(), mode="UPWARD"),
        {"mode": "DISABLED"},
    ),
    Location: (make_location, {"name": "Other"}),
    PurchaseLimit: (make_limit, {"note": "Other"}),
    StandIn: (a_stand_in, {"valid_until": "2099-01-01"}),
    WebhookEndpoint: (
        lambda: make_endpoint("https://hooks.example.com/"),
        {"description": "Other"},
    ),
}
OF_STAFF = {User, Group}  # have a list of changes of their own


def test_every_page_on_which_staff_write_is_looked_at() -> None:
    written = {
        model
        for model, pages in admin.site._registry.items()
        if not isinstance(pages, ReadOnlyAdmin)
    }

    assert written == CHANGES.keys() | OF_STAFF


@pytest.mark.parametrize("model", CHANGES, ids=lambda model: model.__name__)
def test_what_staff_change_is_in_the_history_under_their_name(model: Any) -> None:
    make, typed = CHANGES[model]
    row = make()
    before = row.history.count()
    client = superuser()

    answer = save(client, page_of(row), **typed)

    assert answer.status_code == 302, answer.context["errors"]
    assert row.history.count() == before + 1
    entry = row.history.latest("history_id")
    assert entry.history_user_id == f"staff:{client.user.pk}"
    ((name, value),) = typed.items()
    assert str(getattr(entry, name)).removesuffix(".00") == value


@pytest.mark.parametrize("model", CHANGES, ids=lambda model: model.__name__)
def test_what_staff_delete_is_in_the_history_under_their_name(model: Any) -> None:
    row = CHANGES[model][0]()
    client = superuser()

    answer = client.post(page_of(row, "delete"), {"post": "yes"})

    if model.objects.filter(pk=row.pk).exists():
        assert answer.status_code in (200, 302, 403)  # refused: nothing to tell
        return
    entry = row.history.model.objects.filter(id=row.pk).latest("history_id")
    assert entry.history_type == "-"
    assert entry.history_user_id == f"staff:{client.user.pk}"


def test_what_staff_change_of_staff_is_told_under_their_name() -> None:
    other = make_user()
    role = Group.objects.create(name="Other role")
    client = superuser()

    save(client, page_of(other), first_name="Other")
    save(client, page_of(role), name="Another role")

    actors = StaffChange.objects.values_list("actor", flat=True)
    assert set(actors) == {f"staff:{client.user.pk}"}
    assert len(actors) == 2
