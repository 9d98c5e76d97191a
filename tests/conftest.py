from typing import Any

import pytest
from django.db import connection
from django.db.backends.sqlite3.base import DatabaseOperations
from hypothesis import HealthCheck, settings

from tests import figures

# How long values take says how busy the machine is, and nothing of the code.
settings.register_profile("konzern", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("konzern")

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
    parser.addoption(
        "--renew-examples",
        action="store_true",
        help="Write the answers to examples of the API that are new or have changed.",
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):  # a process of pytest-xdist
        session.config.workeroutput["figures"] = figures.SHOWN


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    figures.SHOWN.extend(getattr(node, "workeroutput", {}).get("figures", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if figures.SHOWN:
        terminalreporter.section(f"figures ({connection.vendor})")
        terminalreporter.write("\n".join([*figures.SHOWN, ""]))


@pytest.fixture(autouse=True)
def _skip_what_cannot_run(request: pytest.FixtureRequest) -> None:
    marked = request.node.get_closest_marker
    if marked("postgresql") and connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL; .ci/run has it")
    if marked("long") and not request.config.getoption("--long"):
        pytest.skip("takes minutes; .ci/run runs it with --long")
