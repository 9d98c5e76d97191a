"""Eight processes write the tree at once; without the guard they break it."""

import pytest
from django.db import connection

from companies.models import Company
from companies.tree.check import find_tree_faults
from tests import figures
from tests.companies.tree_writers import Outcome, database_url, write_at_once
from tests.factories import make_company

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def forest(monkeypatch):
    """Eight hierarchies of five companies, and the way there for other processes."""
    for _ in range(8):
        head = make_company()
        for _ in range(2):
            middle = make_company(parent=head)
            make_company(parent=middle)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings")
    monkeypatch.setenv("DATABASE_URL", database_url())
    # How long eight writers wait for two cores is no matter of this test.
    monkeypatch.setenv("DATABASE_LOCK_TIMEOUT", "60")


def told(outcome: Outcome, guarded: str) -> list:
    faults = find_tree_faults()
    count = Company.objects.count()
    figures.show(f"tree, {guarded}: {outcome}; {count} companies, {len(faults)} faults")
    return faults


def race(operations: int) -> None:
    outcome = write_at_once(operations)

    faults = told(outcome, "guarded")
    assert faults == []
    assert outcome.unexpected == {}
    assert outcome.counts.total() == operations
    assert outcome.counts["ok"] > operations / 3


def test_many_writers_leave_the_tree_sound(forest):
    race(400 if connection.vendor == "postgresql" else 160)


@pytest.mark.long
def test_many_writers_leave_the_tree_sound_after_thousands_of_operations(forest):
    race(5_000 if connection.vendor == "postgresql" else 504)


def test_without_the_guard_the_same_writers_break_the_tree(forest):
    outcome = write_at_once(240, guarded=False)

    faults = told(outcome, "not guarded")
    if connection.vendor == "postgresql":
        assert faults != []
    else:  # SQLite has one writer: it is the writers that fail
        assert outcome.counts["OperationalError SQLITE_BUSY"] > 0 or (
            outcome.counts["OperationalError SQLITE_BUSY_SNAPSHOT"] > 0
        )
