import pytest
from django.db import connection


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
