"""Merges at the same moment as other changes. Each control takes the lock out.

On PostgreSQL: SQLite has one writer at a time, so there is nothing to race for.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from approvals.models import PurchaseRequest
from companies import merging
from companies.merging import merge_companies, unmerge_company
from companies.models import Company, CompanyMerge
from companies.services import create_company, move_company
from companies.tree import guard
from companies.tree.check import find_tree_faults
from config.actors import SYSTEM
from tests.approvals.makers import person, submit
from tests.factories import make_assignment, make_company, make_contact, make_location
from tests.races import run_at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]
ROUNDS = 6
PAUSE = 0.05


def at_once(*works: Callable[[], Any]) -> list[str]:
    """Do all of them at the same moment: "ok", or the name of the refusal."""

    def outcome(number: int) -> str:
        try:
            works[number]()
        except Exception as error:
            return type(error).__name__
        return "ok"

    return run_at_once(outcome, threads=len(works))


def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for anybody, and everybody hesitates after reading."""
    read = guard._read

    def read_and_hesitate(nodes: Any, wanted: Any) -> Any:
        found = read(nodes, wanted)
        time.sleep(PAUSE)
        return found

    monkeypatch.setattr(guard, "acquire_gate", lambda **kwargs: None)
    monkeypatch.setattr(guard, "_read", read_and_hesitate)
    monkeypatch.setattr(merging, "locked", lambda rows: rows)


def breaks(race: Callable[[], bool], rounds: int = 20) -> bool:
    return any(not race() for _ in range(rounds))


def merge(company: Company, into: Company, **options: Any) -> CompanyMerge:
    return merge_companies(company, into, actor=SYSTEM, **options)


# One company into two others


def merge_into_two() -> bool:
    goes, *others = (make_company() for _ in range(3))
    make_location(company=goes)
    outcomes = at_once(*[partial(merge, goes, other) for other in others])
    merged = CompanyMerge.objects.filter(company=goes)
    return sorted(outcomes) == ["AlreadyMerged", "ok"] and (
        [one.into_id for one in merged] == [others[outcomes.index("ok")].pk]
        and others[outcomes.index("ok")].locations.count() == 1
    )


def test_a_company_is_merged_into_one_other_only():
    assert all(merge_into_two() for _ in range(ROUNDS))


def test_without_locks_a_company_is_merged_into_two(monkeypatch):
    without_locks(monkeypatch)

    assert breaks(merge_into_two)


# Two companies into each other


def merge_into_each_other() -> bool:
    one, other = make_company(), make_company()
    outcomes = at_once(partial(merge, one, other), partial(merge, other, one))
    statuses = Company.objects.filter(pk__in=[one.pk, other.pk])
    return sorted(outcomes) == ["MergedCompany", "ok"] and sorted(
        statuses.values_list("status", flat=True)
    ) == ["ACTIVE", "CLOSED"]


def test_of_two_merges_into_each_other_one_is_refused():
    assert all(merge_into_each_other() for _ in range(ROUNDS))


def test_without_locks_two_companies_close_each_other(monkeypatch):
    without_locks(monkeypatch)

    assert breaks(merge_into_each_other)


# A merge, and a subsidiary that comes at the same moment


def merge_beside_a_new_subsidiary() -> bool:
    goes, stays = make_company(), make_company()
    outcomes = at_once(
        partial(merge, goes, stays),
        partial(create_company, actor=SYSTEM, name="New", parent=goes),
    )
    left = Company.objects.filter(parent=goes).count()
    return (
        outcomes[0] == "ok"
        and outcomes[1] in ("ok", "ParentClosed")
        and left == 0
        and find_tree_faults() == []
    )


def test_no_subsidiary_is_left_below_a_company_that_was_merged():
    assert all(merge_beside_a_new_subsidiary() for _ in range(ROUNDS))


def test_without_locks_a_subsidiary_is_left_behind(monkeypatch):
    without_locks(monkeypatch)

    assert breaks(merge_beside_a_new_subsidiary)


# A merge, and a person or a place that comes at the same moment


def merge_beside_an_assignment() -> bool:
    """The assignment may come to the closed company, but nothing is lost or doubled."""
    goes, stays, contact = make_company(), make_company(), make_contact()
    make_assignment(company=goes, contact=contact, role="ADMIN")
    outcomes = at_once(
        partial(merge, goes, stays),
        partial(make_assignment, company=stays, contact=contact, role="BUYER"),
    )
    rows = list(stays.assignments.filter(contact=contact))
    return outcomes[0] == "ok" and len(rows) == 1


def test_nobody_is_assigned_twice_by_a_merge():
    assert all(merge_beside_an_assignment() for _ in range(ROUNDS))


# A merge, and a purchase


def merge_beside_a_purchase(late: float = 0) -> bool:
    head = make_company()
    goes, stays = make_company(parent=head), make_company(parent=head)
    # From above: the lock of a person whose assignment moves would hold it up, too.
    person(head, "ADMIN", covers_subsidiaries=True)
    requester = person(head, "REQUESTER", covers_subsidiaries=True)

    def buy() -> None:
        time.sleep(late)
        submit(goes, requester)

    outcomes = at_once(partial(merge, goes, stays), buy)
    pending = PurchaseRequest.objects.filter(company=goes).open().count()
    closed = Company.objects.get(pk=goes.pk).status == "CLOSED"
    # Either the purchase came first, and holds up the merge; or there is none.
    return not (closed and pending) and "IntegrityError" not in outcomes


def test_no_open_request_is_left_at_a_company_that_was_merged():
    assert all(merge_beside_a_purchase() for _ in range(ROUNDS))


def test_without_locks_a_request_is_left_behind(monkeypatch):
    # It hesitates only where it has seen that nothing is open, and closes next.
    close = merging._fill_in_and_close

    def hesitate_and_close(made: merging.Merging) -> None:
        time.sleep(PAUSE * 20)
        close(made)

    monkeypatch.setattr(guard, "acquire_gate", lambda **kwargs: None)
    monkeypatch.setattr(merging, "locked", lambda rows: rows)
    monkeypatch.setattr(merging, "_fill_in_and_close", hesitate_and_close)

    assert breaks(partial(merge_beside_a_purchase, late=PAUSE * 8), rounds=5)


# Twice back, and back beside a move


def unmerge_twice() -> bool:
    goes, stays = make_company(), make_company()
    make_company(parent=goes)
    merge(goes, stays)
    outcomes = at_once(*[partial(unmerge_company, goes, actor=SYSTEM)] * 2)
    return sorted(outcomes) == ["NotMerged", "ok"] and goes.subsidiaries.count() == 1


def test_a_merge_is_taken_back_once():
    assert all(unmerge_twice() for _ in range(ROUNDS))


def test_without_locks_a_merge_is_taken_back_twice(monkeypatch):
    without_locks(monkeypatch)

    assert breaks(unmerge_twice)


def unmerge_beside_a_move() -> bool:
    goes, stays, other = (make_company() for _ in range(3))
    child = make_company(parent=goes)
    merge(goes, stays)
    outcomes = at_once(
        partial(unmerge_company, goes, actor=SYSTEM, confirm=True),
        partial(move_company, child, other, actor=SYSTEM),
    )
    return outcomes == ["ok", "ok"] and find_tree_faults() == []


def test_the_way_back_and_a_move_never_break_the_tree():
    assert all(unmerge_beside_a_move() for _ in range(ROUNDS))
