"""The roles of staff: shipped once, on any database; what a seller changes stays."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.test.utils import CaptureQueriesContext

from approvals.demo import story
from tests.staff import ROLES, in_role, ship_roles

pytestmark = pytest.mark.django_db


def rights_of(name: str) -> set[str]:
    rights = Permission.objects.filter(group__name=name).select_related("content_type")
    return {f"{one.content_type.app_label}.{one.codename}" for one in rights}


def all_rights() -> dict[str, set[str]]:
    return {name: rights_of(name) for name in ROLES.ROLES}


def historical_apps() -> Any:
    """The models as the migration sees them: nothing of ours is imported there."""
    loader = MigrationLoader(connection)
    return loader.project_state(("approvals", "0004_staff_roles")).apps


def test_each_role_has_its_rights_and_no_others():
    # when
    ship_roles()

    # then
    assert all_rights() == {name: set(rights) for name, rights in ROLES.ROLES.items()}


def test_each_role_can_do_what_the_one_before_can():
    viewer, manager, controller, administrator = map(set, ROLES.ROLES.values())

    assert viewer < manager < controller < administrator


def test_who_views_changes_nothing():
    assert {right.partition(".")[2][:5] for right in ROLES.VIEWER} == {"view_"}


def test_nobody_gets_a_right_over_ledger_decisions_history_or_events():
    kept = ("ledgerentry", "decision", "requesthistory", "event", "historical")
    for rights in ROLES.ROLES.values():
        for right in rights:
            verb, _underscore, model = right.partition(".")[2].partition("_")
            assert verb == "view" or not model.startswith(kept), right


def test_they_are_made_where_no_permission_is_there_yet():
    # given
    Group.objects.all().delete()
    Permission.objects.all().delete()

    # when
    ROLES.ship_roles(historical_apps(), SimpleNamespace(connection=connection))

    # then
    assert all_rights() == {name: set(rights) for name, rights in ROLES.ROLES.items()}


def test_what_a_seller_has_changed_stays():
    # given
    ship_roles()
    viewer = Group.objects.get(name="Viewer")
    viewer.permissions.set(Permission.objects.filter(codename="view_company"))
    Group.objects.get(name="Administrator").delete()
    Group.objects.create(name="Administrator")

    # when
    ship_roles()

    # then
    assert rights_of("Viewer") == {"companies.view_company"}
    assert rights_of("Administrator") == set()


def test_shipping_them_again_writes_nothing():
    # given
    ship_roles()

    # when
    with CaptureQueriesContext(connection) as done:
        ship_roles()

    # then
    written = [q["sql"] for q in done if q["sql"].startswith(("INSERT", "UPDATE"))]
    assert written == []


def test_the_demo_has_one_of_each_role():
    # when
    ship_roles()
    story.let_in()

    # then
    found = Group.objects.filter(user__is_staff=True, user__is_superuser=False)
    assert set(found.values_list("name", "user__username")) == {
        (role, name) for name, role in story.COLLEAGUES.items()
    }
    assert set(story.COLLEAGUES.values()) == set(ROLES.ROLES)


@pytest.mark.parametrize(
    ("role", "clients", "limits", "company"),
    [
        ("Viewer", 403, 403, 403),
        ("Key account manager", 403, 403, 200),
        ("Credit controller", 403, 200, 200),
        ("Administrator", 200, 200, 200),
    ],
)
def test_what_each_may_add(role, clients, limits, company):
    browser = in_role(role)

    def status(model: str) -> int:
        return browser.get(f"/admin/{model}/add/").status_code

    assert status("integrations/apiclient") == clients
    assert status("approvals/purchaselimit") == limits
    assert status("companies/company") == company
