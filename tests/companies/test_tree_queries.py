"""How many queries the tree costs: pinned, so that a slip is seen at once."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from companies.models import Company, Location
from companies.services import move_company
from config.actors import SYSTEM
from tests.factories import make_chain, make_company

pytestmark = pytest.mark.django_db


def statements(work: Callable[[], object]) -> list[str]:
    """What the work asks of the database, but for savepoints."""
    with CaptureQueriesContext(connection) as captured:
        work()
    asked = [query["sql"] for query in captured.captured_queries]
    return [sql for sql in asked if "SAVEPOINT" not in sql]


def of_companies(work: Callable[[], object]) -> int:
    """Without those of other apps that hear of a new company, and without locks."""
    ours = [
        sql
        for sql in statements(work)
        if "companies_" in sql and "pg_advisory" not in sql
    ]
    return len(ours)


def test_creating_and_changing_companies_costs_few_queries():
    head, middle, low = make_chain(3)
    other = make_company()
    low.name = "Renamed"

    found = {
        "create head": of_companies(make_company),
        "create child": of_companies(lambda: make_company(parent=middle)),
        "rename": of_companies(low.save),
        "move": of_companies(lambda: low.move(other)),
        "move service": of_companies(lambda: move_company(low, head, actor=SYSTEM)),
    }
    assert found == {
        "create head": 3,
        "create child": 4,
        "rename": 2,
        "move": 7,
        "move service": 8,
    }


@pytest.mark.parametrize(
    "rows",
    [
        lambda low: Company.objects.under(low),
        lambda low: Company.objects.above(low),
        lambda low: Company.objects.below(low),
        lambda low: Company.objects.in_hierarchy_of(low),
        lambda low: Company.objects.with_effective_status(),
        lambda low: Company.objects.effectively("ACTIVE"),
        lambda low: Company.objects.under(low).with_place().with_type(),
        lambda low: Location.objects.usable_by(low),
    ],
)
def test_each_question_about_the_tree_is_one_query(rows, django_assert_num_queries):
    head, _, _ = make_chain(3)

    with django_assert_num_queries(1):
        list(rows(head))

    with django_assert_num_queries(1):
        list(rows(head.pk))
