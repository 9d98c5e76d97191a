"""What operations cost among 10,000, 100,000 and 1,000,000 companies, side by side.

    uv run benchmarks/scale.py FILE… [--companies N,N] [--keep] [--only TEXT]

FILE is a CSV of real companies (code, name, parent_code …), gzipped or not. They are
loaded, and copies of them with their structure, into databases of the benchmark's own
on the PostgreSQL server of DATABASE_URL, which has to run on this machine; `--keep`
leaves the databases for the next run. Everything is called over HTTP, in turns with a
bare function that answers the same out of one SQL statement (scale_bare.py).
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from api import count_statements
from database import ROOT, SERVER, SERVER_HELP, own_database
from programs import HERE, SAME, Cost, Program, serving

NAME = "konzern_scale"
COUNTS = "10000,100000,1000000"
CHANGES = 10_000  # records of an import


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--companies", default=COUNTS, help="with commas between")
    parser.add_argument("--server", default=SERVER, help=SERVER_HELP)
    parser.add_argument("--name", default=NAME, help="of the databases, with a number")
    parser.add_argument("--keep", action="store_true", help="the databases, for again")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=20, help="in each round")
    parser.add_argument("--only", default="", help="operations with this in the name")
    parser.add_argument("--as-json", action="store_true", help="of one number")
    options = parser.parse_args()
    os.environ["DATABASE_STATEMENT_TIMEOUT"] = "0"  # of a busy machine, too
    counts = [int(count) for count in options.companies.split(",")]
    if options.as_json:
        print(json.dumps(measure_all(options, counts[0])))
        return
    found = {}
    for count in counts:  # each in a process of its own: Django knows one database
        command = [sys.executable, __file__, *sys.argv[1:], "--as-json"]
        command += ["--companies", str(count)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)  # noqa: S603
        found[count] = json.loads(done.stdout.splitlines()[-1])
    report(found)


def measure_all(options: argparse.Namespace, count: int) -> dict[str, Any]:
    with (
        own_database(
            options.server, f"{options.name}_{count}", keep=options.keep
        ) as new,
        ExitStack() as stack,
    ):
        from api_data import SCOPES, make_token

        if new:
            load(options.files, count)
        from scale_calls import Calls

        calls = Calls(make_token(f"{SCOPES} companies:move"))
        programs = [
            stack.enter_context(serving("konzern", "config.wsgi", ROOT)),
            stack.enter_context(serving("bare", "scale_bare:application", HERE)),
        ]
        reads = {name: (make, options.calls) for name, make in calls.reads.items()}
        found = {}
        for name, (make, number) in (reads | calls.writes).items():
            if options.only not in name:
                continue
            found[name] = measure(programs, make, number, options.rounds)
            print(name, found[name], file=sys.stderr)
            if name not in reads:
                vacuum()
        if options.only in "import":
            from scale_import import measure as measure_import

            with tempfile.TemporaryDirectory() as folder:
                found |= measure_import(min(CHANGES, count // 2), Path(folder))
            vacuum()
        return found


def load(files: list[Path], count: int) -> None:
    from scale_data import companies, multiply, read

    from companies.tree.load import load_in_parts
    from config.actors import SYSTEM

    load_in_parts(companies(multiply(read(files), count)), actor=SYSTEM)
    vacuum()


def vacuum() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")


def measure(
    programs: list[Program], make: Callable[[], Any], calls: int, rounds: int
) -> dict[str, Any]:
    check_same(programs, make)
    # Twice, as what was moved away has to come back.
    statements = max(count_statements(make()[0]) for _ in range(2))
    ours: list[Cost] = []
    bare: list[Cost] = []
    for turn in range(rounds + 1):
        costs = {}
        for program in programs if turn % 2 else programs[::-1]:
            place = program.name == "bare"
            sent = [make()[place] for _ in range(calls + 1)]
            costs[program.name] = program.measure(sent)
        if turn:  # the first one only warms up
            ours.append(costs["konzern"])
            bare.append(costs["bare"])
    return {
        "ours": statistics.median(cost.wall for cost in ours),
        "bare": statistics.median(cost.wall for cost in bare),
        "multiple": statistics.median(
            one.cpu / other.cpu for one, other in zip(ours, bare, strict=True)
        ),
        "sql": statements,
    }


def check_same(programs: list[Program], make: Callable[[], Any]) -> None:
    """Both answer the same to a question, and alike to a change."""
    first = make()
    is_change = first[0].method != "GET"
    second = make() if is_change else first
    texts = programs[0].send(first[0]), programs[1].send(second[1])
    ours, bare = (json.loads(re.sub(rb"http://[^/]*", b"", text)) for text in texts)
    if "results" in ours:
        ours, bare = ({k: v for k, v in x.items() if k in SAME} for x in (ours, bare))
    elif is_change:
        ours, bare = list(ours), list(bare)
    assert ours == bare, f"{ours}\n{bare}"


def report(found: dict[int, dict[str, Any]]) -> None:
    """A line for each operation; what does not fit into a size is left out."""
    print(
        "\nMedians: ms of a call of Konzern, of the bare function, and how many times"
    )
    print("its CPU (application and PostgreSQL) Konzern takes; SQL: statements\n")
    print(f"{'':33}{'SQL':>8}", *(f"{f'{count:,} companies':>25}" for count in found))
    names = dict.fromkeys(name for one in found.values() for name in one)
    for name in names:
        cells = [one.get(name) for one in found.values()]
        statements = max(cell["sql"] for cell in cells if cell)
        print(f"{name:33}{statements:>8,}", *(f"{cell_of(c):>25}" for c in cells))


def cell_of(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return "–"  # noqa: RUF001
    if cell["bare"] is None:
        return f"{cell['ours']:,.0f}" + " " * 17
    digits = 1 if cell["ours"] < 1_000 else 0
    return (
        f"{cell['ours']:,.{digits}f}{cell['bare']:>9,.{digits}f}"
        f"{cell['multiple']:>7.1f}×"  # noqa: RUF001
    )


if __name__ == "__main__":
    main()
