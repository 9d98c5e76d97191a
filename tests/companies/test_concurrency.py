"""Races that one of two must lose. Each control takes the guard out and sees it break.

R23 and so on are the races of the reliability rules.
"""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import models
from django.db.models.signals import pre_delete

from companies.models import Company, ContactAssignment
from companies.models.assignment import ContactAssignmentQuerySet
from companies.services import delete_company, move_company, set_status
from companies.tree import guard
from companies.tree.check import find_tree_faults
from config.actors import SYSTEM
from integrations import recording
from tests.factories import make_assignment, make_chain, make_company, make_contact
from tests.races import run_at_once

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 10
PAUSE = 0.05  # long enough for the other to come in between, if nothing stops it


def at_once(*works: Callable[[], Any]) -> list[str]:
    """Do all of them at the same moment: "ok", or the name of the refusal."""

    def outcome(number: int) -> str:
        try:
            works[number]()
        except Exception as error:
            return type(error).__name__
        return "ok"

    return run_at_once(outcome, threads=len(works))


def without_tree_locks(monkeypatch):
    """Nobody waits for anybody, and everybody hesitates after reading."""
    read = guard._read

    def read_and_hesitate(nodes, wanted):
        found = read(nodes, wanted)
        time.sleep(PAUSE)
        return found

    monkeypatch.setattr(guard, "acquire_gate", lambda **kwargs: None)
    monkeypatch.setattr(guard, "_read", read_and_hesitate)


def breaks(race: Callable[[], bool], rounds: int = 20) -> bool:
    """Whether the race is lost by all in at least one of so many rounds."""
    return any(not race() for _ in range(rounds))


# R23: two changes of the same version


def change_twice() -> bool:
    company = make_company()
    twins = [Company.objects.get(pk=company.pk) for _ in range(2)]
    for number, twin in enumerate(twins):
        twin.name = f"By {number}"
    outcomes = at_once(*[twin.save for twin in twins])
    stored = Company.objects.get(pk=company.pk)
    return sorted(outcomes) == ["StaleVersion", "ok"] and (
        stored.name == f"By {outcomes.index('ok')}"
        and stored.version == company.history.count() == 2
    )


def test_of_two_changes_of_one_version_one_is_refused():
    assert all(change_twice() for _ in range(ROUNDS))


def test_without_the_version_in_the_update_a_change_is_lost(monkeypatch):
    monkeypatch.setattr(recording.Versioned, "_do_update", models.Model._do_update)

    assert breaks(change_twice)


# R24: two moves that together would close a cycle


def move_below_each_other() -> bool:
    first, second = make_company(), make_company()
    outcomes = at_once(
        partial(move_company, first, second, actor=SYSTEM),
        partial(move_company, second, first, actor=SYSTEM),
    )
    return sorted(outcomes) == ["WouldCloseCycle", "ok"] and find_tree_faults() == []


def test_of_two_moves_that_close_a_cycle_one_is_refused():
    assert all(move_below_each_other() for _ in range(ROUNDS))


@pytest.mark.postgresql
def test_without_locks_the_two_moves_break(monkeypatch):
    without_tree_locks(monkeypatch)

    assert breaks(move_below_each_other)


def test_moves_between_two_hierarchies_never_wait_for_each_other():
    heads = [make_company(), make_company()]
    for _ in range(ROUNDS):
        companies = [make_company(parent=head) for head in heads for _ in range(3)]
        targets = [heads[1]] * 3 + [heads[0]] * 3

        outcomes = at_once(
            *[
                partial(move_company, company, target, actor=SYSTEM)
                for company, target in zip(companies, targets, strict=True)
            ]
        )

        assert outcomes == ["ok"] * 6
    assert find_tree_faults() == []


# R25: new subsidiaries while their parent moves


def create_below_a_moving_parent() -> bool:
    _, parent = make_chain(2)
    other = make_company()
    stale = [Company.objects.get(pk=parent.pk) for _ in range(5)]
    outcomes = at_once(
        partial(move_company, parent, other, actor=SYSTEM),
        *[partial(make_company, parent=each) for each in stale],
    )
    under = set(Company.objects.under(other).values_list("pk", flat=True))
    below = set(Company.objects.filter(parent=parent).values_list("pk", flat=True))
    return (
        outcomes == ["ok"] * 6
        and find_tree_faults() == []
        and under == {other.pk, parent.pk} | below
        and len(below) == 5
    )


def test_subsidiaries_made_while_their_parent_moves_go_with_it():
    assert all(create_below_a_moving_parent() for _ in range(ROUNDS))


@pytest.mark.postgresql
def test_without_locks_subsidiaries_stay_behind(monkeypatch):
    without_tree_locks(monkeypatch)

    assert breaks(create_below_a_moving_parent)


# R26: new head companies


def test_head_companies_made_at_once_have_hierarchies_of_their_own():
    for _ in range(ROUNDS):
        assert at_once(*[make_company] * 6) == ["ok"] * 6

    heads = Company.objects.values_list("pk", "tree_id")
    assert len(heads) == 6 * ROUNDS
    assert all(pk == tree_id for pk, tree_id in heads)
    assert find_tree_faults() == []


# R27: the first assignment in a company that is being deleted


def delete_and_assign() -> list[str]:
    company, contact = make_company(), make_contact()
    outcomes = at_once(
        partial(delete_company, company, actor=SYSTEM),
        partial(make_assignment, company=company, contact=contact),
    )
    assert find_tree_faults() == []
    return outcomes


EITHER = (["ok", "ValidationError"], ["CompanyInUse", "ok"])


def test_a_company_is_deleted_or_used():
    for _ in range(ROUNDS):
        assert delete_and_assign() in EITHER


@pytest.mark.postgresql
def test_without_row_locks_an_assignment_slips_in_and_the_deletion_crashes(
    monkeypatch,
):
    def hesitate(**kwargs):
        time.sleep(6 * PAUSE)

    # The assignment comes when the deletion has found none, and before it deletes.
    monkeypatch.setattr(
        ContactAssignment, "_lock", lambda self, using: time.sleep(3 * PAUSE)
    )
    monkeypatch.setattr(ContactAssignment, "record", lambda self, change: None)
    monkeypatch.setattr(
        models.QuerySet, "select_for_update", lambda self, **kwargs: self
    )
    pre_delete.connect(hesitate, sender=Company)
    try:
        assert breaks(lambda: delete_and_assign() in EITHER)
    finally:
        pre_delete.disconnect(hesitate, sender=Company)


# R28: the last two admins leave


def both_admins_leave() -> bool:
    company = make_company()
    make_assignment(company=company, role="BUYER")
    admins = [make_assignment(company=company, role="ADMIN") for _ in range(2)]
    outcomes = at_once(*[admin.delete for admin in admins])
    left = ContactAssignment.objects.filter(company=company, role="ADMIN").count()
    return sorted(outcomes) == ["LastAdmin", "ok"] and left == 1


def both_admins_are_deactivated() -> bool:
    company = make_company()
    make_assignment(company=company, role="BUYER")
    admins = [make_assignment(company=company, role="ADMIN") for _ in range(2)]
    for admin in admins:
        admin.contact.is_active = False
    outcomes = at_once(*[admin.contact.save for admin in admins])
    left = ContactAssignment.objects.in_force().filter(company=company, role="ADMIN")
    return sorted(outcomes) == ["LastAdmin", "ok"] and left.count() == 1


def one_leaves_and_one_is_deactivated() -> bool:
    company = make_company()
    make_assignment(company=company, role="BUYER")
    leaver, other = [make_assignment(company=company, role="ADMIN") for _ in range(2)]
    other.contact.is_active = False
    outcomes = at_once(leaver.delete, other.contact.save)
    left = ContactAssignment.objects.in_force().filter(company=company, role="ADMIN")
    return sorted(outcomes) == ["LastAdmin", "ok"] and left.count() == 1


@pytest.mark.parametrize(
    "race",
    [both_admins_leave, both_admins_are_deactivated, one_leaves_and_one_is_deactivated],
)
def test_one_of_the_last_two_admins_stays(race):
    assert all(race() for _ in range(ROUNDS))


@pytest.mark.postgresql
def test_without_row_locks_both_admins_leave(monkeypatch):
    check = ContactAssignmentQuerySet.refuse_without_admin

    def check_and_hesitate(self, companies):
        check(self, companies)
        time.sleep(PAUSE)

    monkeypatch.setattr(ContactAssignment, "_lock", lambda self, using: None)
    # The counter of events, which is a row, too, would make the second one wait.
    monkeypatch.setattr(ContactAssignment, "record", lambda self, change: None)
    monkeypatch.setattr(
        ContactAssignmentQuerySet, "refuse_without_admin", check_and_hesitate
    )

    assert breaks(both_admins_leave)


# R29: two new primary contacts


def two_become_primary() -> bool:
    company = make_company()
    old = make_assignment(company=company, type="PRIMARY")
    contacts = [make_contact(), make_contact()]
    outcomes = at_once(
        *[
            partial(make_assignment, company=company, contact=contact, type="PRIMARY")
            for contact in contacts
        ]
    )
    old.refresh_from_db()
    types = Counter(company.assignments.values_list("type", flat=True))
    return (
        outcomes == ["ok", "ok"]
        and types == {"PRIMARY": 1, "CONTACT": 2}
        and old.version == 2
    )


def test_of_two_new_primary_contacts_one_is_in_the_end():
    assert all(two_become_primary() for _ in range(ROUNDS))


@pytest.mark.postgresql
def test_without_the_row_lock_the_database_refuses_the_second_primary(monkeypatch):
    take_over = ContactAssignment._take_over_primary

    def take_over_and_hesitate(self, using):
        take_over(self, using)
        time.sleep(PAUSE)

    monkeypatch.setattr(ContactAssignment, "_lock", lambda self, using: None)
    monkeypatch.setattr(ContactAssignment, "_take_over_primary", take_over_and_hesitate)

    assert breaks(two_become_primary)


# Nothing is placed below a company while it is being closed


def close_and_create() -> bool:
    parent = make_company()
    stale = Company.objects.get(pk=parent.pk)
    closing, creating = at_once(
        partial(set_status, parent, "CLOSED", actor=SYSTEM, reason=""),
        partial(make_company, parent=stale),
    )
    closed_at = Company.objects.get(pk=parent.pk).updated_at
    made = [child.created_at for child in Company.objects.filter(parent=parent)]
    if creating == "ParentClosed":
        return closing == "ok" and made == []
    return (closing, creating) == ("ok", "ok") and made[0] <= closed_at


def test_a_company_is_made_before_its_parent_is_closed_or_not_at_all():
    assert all(close_and_create() for _ in range(ROUNDS))


@pytest.mark.postgresql
def test_without_locks_a_company_is_made_below_a_closed_one(monkeypatch):
    check = Company.refuse_parent

    def check_and_hesitate(self, parent):
        check(self, parent)
        time.sleep(5 * PAUSE)

    without_tree_locks(monkeypatch)
    monkeypatch.setattr(Company, "refuse_parent", check_and_hesitate)

    assert breaks(close_and_create)
