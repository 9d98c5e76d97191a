"""Planning asks for many records at once: statements grow with batches, not records."""

from math import ceil
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from companies.imports import Caller
from companies.models import Company
from companies.tree.check import find_tree_faults
from companies.tree.load import load_companies
from config.actors import SYSTEM
from tests import figures
from tests.factories import make_client
from tests.imports import load, plan_of

pytestmark = pytest.mark.django_db

BATCH = 1_000
EACH = 5  # statements at most for a batch: companies, LEIs, above, below, locations
TABLE = Company._meta.db_table
HEAD = "code,name,parent_code,lei,city"


def many(count: int) -> None:
    """Hierarchies of ten: a head company, one below it, and eight below that."""
    new: list[Company] = []
    for number in range(count):
        top = new[number - number % 10] if number % 10 else None
        parent = new[number - number % 10 + 1] if number % 10 > 1 else top
        new.append(Company(code=f"C{number}", name="Old", parent=parent))
    load_companies(new, actor=SYSTEM)


def changes(count: int, path: Path) -> Path:
    """Names and places of all that are below: each goes to the next hierarchy."""
    lines = []
    for number in range(count):
        there = (number + 10) % count // 10 * 10
        lines.append(f"C{number},New,{f'C{there}' if number % 10 else ''},,Berlin")
    path.write_text("\n".join([HEAD, *lines]) + "\n")
    return path


@pytest.mark.parametrize("sees_all", [True, False])
def test_planning_10_000_changes_asks_for_each_thousand_once(tmp_path, sees_all):
    # given
    count = 10_000
    many(count)
    path = changes(count, tmp_path / "changes.csv")
    heads = Company.objects.heads()
    client = None if sees_all else make_client(hierarchies=heads)
    # when
    with CaptureQueriesContext(connection) as queries:
        plan = plan_of(path, caller=Caller(client=client))
    # then
    assert plan.totals["updated"] == count
    assert plan.totals["moved"] == count * 9 // 10
    assert len(queries) <= ceil(count / BATCH) * EACH + EACH
    figures.show(f"planning {count:,} changes and moves: {len(queries)} statements")


@pytest.mark.postgresql
def test_postgresql_learns_that_a_table_it_saw_empty_has_grown():
    # given what a large import leaves that was undone
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE companies_company")
        # when
        many(BATCH)
        # then
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = %s", [TABLE])
        assert cursor.fetchone() == (BATCH,)


@pytest.mark.postgresql
def test_postgresql_does_not_count_a_large_table_again_for_few_rows(monkeypatch):
    # given
    monkeypatch.setattr("companies.tree.load.BATCH", 10)
    many(200)
    new = [Company(code=f"N{number}", name="New") for number in range(10)]
    # when
    with CaptureQueriesContext(connection) as queries:
        load_companies(new, actor=SYSTEM)
    # then
    assert not [q for q in queries if q["sql"].startswith("ANALYZE")]


def test_planning_bad_records_asks_no_more(tmp_path):
    # given a thousand cycles, of stored companies with others between
    count = 2_000
    many(count)
    path = tmp_path / "cycles.csv"
    lines = [f"C{n},Old,C{n + 2},," for n in range(0, count, 10)]
    lines += [f"C{n},Old,nobody,," for n in range(3, count, 10)]
    path.write_text("\n".join([HEAD, *lines]) + "\n")
    # when
    with CaptureQueriesContext(connection) as queries:
        plan = plan_of(path)
    # then
    assert plan.totals["refused"] == len(lines)
    assert len(queries) <= ceil(len(lines) / BATCH) * EACH + EACH
    (problem,) = plan.outcomes[0].problems
    assert "C0 → C2 → C1" in str(problem.message)  # C1 is not in the file
    (problem, *_rest) = plan.outcomes[-1].problems
    assert "nobody" in str(problem.message)


def test_applying_a_thousand_changes_costs_what_a_hundred_do(tmp_path):
    # given
    many(1_000)
    statements = []
    # when
    for count in (100, 1_000):
        path = changes(count, tmp_path / "changes.csv")
        with CaptureQueriesContext(connection) as queries:
            plan = load(path)
        statements.append(len(queries))
    # then
    assert plan.totals["refused"] == 0
    assert Company.objects.filter(name="New", version__gt=1).count() == 1_000
    assert find_tree_faults() == []
    assert statements[1] <= statements[0] + 2  # 2,000 ids are two batches of 1,000
