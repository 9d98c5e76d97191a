from typing import Any

import pytest
from django.db import connection
from django.db.backends.sqlite3.base import DatabaseOperations

flush = DatabaseOperations.sql_flush


def flush_in_spite_of_triggers(
    operations: DatabaseOperations, *args: Any, **options: Any
) -> list[str]:
    """Empty the tables after a test, although rows are kept for good (SQLite).

    PostgreSQL truncates, which fires no row triggers.
    """
    with operations.connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
    return [
        *(f'DROP TRIGGER "{name}"' for name, _sql in triggers),
        *flush(operations, *args, **options),
        *(sql for _name, sql in triggers),
    ]


DatabaseOperations.sql_flush = flush_in_spite_of_triggers


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="Run the proofs that take minutes, too."
    )


@pytest.fixture(autouse=True)
def _skip_what_cannot_run(request: pytest.FixtureRequest) -> None:
    marked = request.node.get_closest_marker
    if marked("postgresql") and connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL; .ci/run has it")
    if marked("long") and not request.config.getoption("--long"):
        pytest.skip("takes minutes; .ci/run runs it with --long")
