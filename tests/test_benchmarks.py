import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
KINDS = [
    "get",
    "list",
    "search",
    "descendants",
    "people",
    "pricing",
    "create",
    "patch",
    "bulk",
    "assign",
    "check",
    "submit",
]
BASE = ("--companies", "200", "--rounds", "1", "--calls", "3")


def rows_of(*options: str) -> list[list[str]]:
    """What the benchmark prints, in words."""
    # Of this run only: another may drop its own meanwhile.
    name = ("--name", f"konzern_api_test_{os.getpid()}")
    run = subprocess.run(  # noqa: S603
        [sys.executable, "benchmarks/api.py", *name, *BASE, *options],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith("DJANGO_")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return [line.split() for line in run.stdout.splitlines() if line.strip()]


@pytest.mark.postgresql
@pytest.mark.long
def test_the_benchmark_of_the_api_runs_and_its_programs_agree():
    # when
    rows = rows_of()
    # then
    kinds = {row[0] for row in rows}
    assert [kind for kind in KINDS if kind not in kinds] == []


@pytest.mark.postgresql
@pytest.mark.long
def test_it_measures_many_connections_and_the_memory():
    # when
    rows = rows_of("--connections", "1,4", "--only", "get,create,submit")
    # then
    measured = [(row[0], int(row[2])) for row in rows if row[0] in KINDS]
    assert measured == [(k, n) for k in ("get", "create", "submit") for n in (1, 4)]
    memory = rows[-1]
    assert memory[-6::2] == ["konzern", "bare", "naive"]
    assert all(int(size.strip(",")) > 10 for size in memory[-5::2])
