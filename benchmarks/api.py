"""What calls of the API cost, beside a bare function that gives the same answers.

    uv run benchmarks/api.py [--companies N] [--rounds N] [--calls N] [--only get,list]
                             [--connections 1,8,32] [--beside DIRECTORY] [--server URL]
                             [--keep]

Makes a database of its own on the PostgreSQL server of DATABASE_URL, which has to run
on this machine, and drops it again. Starts Konzern, the bare function (api_bare.py) and
an ordinary DRF program (api_naive.py) in gunicorn, and calls them in turns over HTTP,
with connections kept open. CPU is that of the workers and of their PostgreSQL
processes, by the kernel's count of nanoseconds.

Without `--connections`: one worker with one thread, one call after the other. With it:
two workers of eight threads, and so many connections at once; requests per second,
latency, and in the end the memory. `--beside` calls another checkout of Konzern, too.
"""

import argparse
import json
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from api_load import Load, middle_of
from api_load import measure as measure_load
from database import ROOT, SERVER, SERVER_HELP, own_database
from programs import HERE, SAME, Cost, Program, serving

NAME = "konzern_api"
HEAVY = {"bulk": 30}  # kinds of which there are so many times fewer calls
# How many times the CPU of the bare function a call may take, and should at most.
AIMS = {
    "get": (7, 4.5),
    "list": (3, 2),
    "list, count": (1.8, 1.2),
    "search": (2.2, 1.6),
    "deep page": (2, 1.1),
    "descendants": (6, 3),
    "create": (4, 3),
    "patch": (9, 6),
    "bulk": (25, 10),
    "assign": (8, 6),
    "check": (6, 4),
}


class Kind(NamedTuple):
    """One kind of call: what each program is sent, and Konzern's statements for it."""

    name: str
    programs: list[Program]
    makes: list[Callable[[], Any]]
    statements: int

    def calls(self, wanted: int) -> int:
        return max(1, wanted // HEAVY.get(self.name, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default=SERVER, help=SERVER_HELP)
    parser.add_argument("--companies", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=60, help="in each round")
    parser.add_argument("--only", help="kinds of calls, with commas between")
    parser.add_argument("--connections", help="numbers, with commas between")
    parser.add_argument("--beside", type=Path, help="another checkout of Konzern")
    parser.add_argument("--name", default=NAME, help="of the database")
    parser.add_argument("--keep", action="store_true", help="the database, for again")
    options = parser.parse_args()
    with (
        own_database(options.server, options.name, keep=options.keep) as new,
        ExitStack() as stack,
    ):
        from api_calls import Calls
        from api_data import add_monthly_limits, load, make_token

        if new:
            load(options.companies)
            add_monthly_limits()
        calls = Calls(make_token())
        many = {"workers": 2, "threads": 8} if options.connections else {}
        places = {
            "konzern": ("config.wsgi", ROOT),
            "bare": ("api_bare:application", HERE),
            "naive": ("api_naive:application", HERE),
        }
        if options.beside:
            places["beside"] = ("config.wsgi", options.beside)
        programs = [
            stack.enter_context(serving(name, *place, **many))
            for name, place in places.items()
        ]
        print(f"{len(calls.companies):,} companies; medians of {options.rounds} rounds")
        report = report_load if options.connections else report_costs
        report(calls, programs, options)


def kinds(calls: Any, programs: list[Program], only: str | None) -> Any:
    """Those asked for, each when the programs have been seen to answer the same."""
    for name, make in calls.works.items():
        if only and name not in only.split(","):
            continue
        check_same(programs, make)
        senders = {
            "konzern": lambda make=make: make()[0],
            "bare": lambda make=make: make()[1],
            "naive": calls.naive.get(name),
            "beside": lambda make=make: make()[0],
        }
        having = [program for program in programs if senders[program.name]]
        makes = [senders[program.name] for program in having]
        yield Kind(name, having, makes, count_statements(make()[0]))


def in_turns[T](
    kind: Kind, rounds: int, measure: Callable[[Program, Any], T]
) -> dict[str, list[T]]:
    """What each program takes, by rounds; a first one only warms up."""
    found: dict[str, list[T]] = {program.name: [] for program in kind.programs}
    pairs = list(zip(kind.programs, kind.makes, strict=True))
    for turn in range(rounds + 1):
        # One of them always comes first, the other is then in its warm caches.
        for program, make in pairs if turn % 2 else pairs[::-1]:
            cost = measure(program, make)
            if turn:
                found[program.name].append(cost)
    return found


def report_costs(
    calls: Any, programs: list[Program], options: argparse.Namespace
) -> None:
    print("CPU ms of a call (application + PostgreSQL), and as a multiple of bare\n")
    names = [program.name for program in programs]
    others = [name for name in names if name != "bare"]
    print(f"{'':12}{'SQL':>4}", *(f"{name:>22}" for name in names), end="")
    print(*(f"{name:>8}" for name in others), f"{'(from, to)':>12}  must  want")
    for kind in kinds(calls, programs, options.only):
        found = in_turns(
            kind,
            options.rounds,
            lambda program, make, kind=kind: program.measure(
                [make() for _ in range(kind.calls(options.calls) + 1)]
            ),
        )
        print(f"{kind.name:12}{kind.statements:>4}", end="")
        print("", *(f"{cost_of(found.get(name)):>22}" for name in names), end="")
        print(*(f"{multiple_of(found, name):>8}" for name in others), end="")
        ratios = sorted(multiples(found, "konzern"))
        spread = f"({ratios[0]:.1f}, {ratios[-1]:.1f})"
        print(f"{spread:>13}{aims_of(kind.name, statistics.median(ratios))}".rstrip())


def report_load(
    calls: Any, programs: list[Program], options: argparse.Namespace
) -> None:
    print(
        "Requests per second, milliseconds (median, 95 of 100), CPU ms of a request\n"
        "(application + PostgreSQL), and that as a multiple of bare. Client: its CPU\n"
        "ms of a request.\n"
    )
    names = [program.name for program in programs]
    others = [name for name in names if name != "bare"]
    print(f"{'':22}", *(f"{name:^26}" for name in names), end="")
    print(f"{'multiple of bare':>{8 * len(others)}}")
    print(f"{'':12}{'SQL':>4}{'conn.':>6}", end=" ")
    print(*(f"{'1/s':>6}{'p50':>7}{'p95':>7}{'CPU':>6}" for _ in names), end="")
    print("", *(f"{name:>7}" for name in others), " must  want          client")
    for kind in kinds(calls, programs, options.only):
        for connections in map(int, options.connections.split(",")):
            found = in_turns(
                kind,
                options.rounds,
                lambda program, make, number=connections, kind=kind: measure_load(
                    program, make, number, max(kind.calls(options.calls), 4 * number)
                ),
            )
            print(f"{kind.name:12}{kind.statements:>4}{connections:>6}", end=" ")
            print(*(load_of(found.get(name)) for name in names), end="")
            print("", *(f"{multiple_of(found, name):>7}" for name in others), end="")
            ratio = statistics.median(multiples(found, "konzern"))
            client = middle_of(found["konzern"]).client
            print(f"{aims_of(kind.name, ratio)}{client:>8.2f}", flush=True)
    print("\nMiB of the server with its two workers (PSS):", end=" ")
    print(", ".join(f"{one.name} {one.memory():.0f}" for one in programs))


def cost_of(costs: list[Cost] | None) -> str:
    if costs is None:
        return "-"
    cpu, application, database = (
        statistics.median(getattr(cost, part) for cost in costs)
        for part in ("cpu", "application", "database")
    )
    return f"{cpu:.2f} ({application:.2f} + {database:.2f})"


def load_of(loads: list[Load] | None) -> str:
    if loads is None:
        return f"{'-':>26}"
    one = middle_of(loads)
    latency = f"{shortly(one.middle):>7}{shortly(one.slow):>7}"
    return f"{one.per_second:>6.0f}{latency}{shortly(one.cpu):>6}"


def shortly(milliseconds: float) -> str:
    """Three digits of it."""
    digits = 2 if milliseconds < 10 else 1 if milliseconds < 100 else 0
    return f"{milliseconds:,.{digits}f}"


def multiples(found: dict[str, list[Any]], name: str) -> list[float]:
    """How many times the CPU of the bare function, in each round."""
    pairs = zip(found.get(name, []), found["bare"], strict=False)
    return [one.cpu / bare.cpu for one, bare in pairs]


def multiple_of(found: dict[str, list[Any]], name: str) -> str:
    ratios = multiples(found, name)
    return f"{statistics.median(ratios):.1f}" if ratios else "-"


def aims_of(kind: str, ratio: float) -> str:
    """The two aims of the kind, and which of them is reached."""
    if kind not in AIMS:
        return f"{'-':>6}{'-':>6}{'':8}"
    must, want = AIMS[kind]
    reached = "want" if ratio <= want else "must" if ratio <= must else "MISSED"
    return f"{must:>6g}{want:>6g}{reached:>8}"


def check_same(programs: list[Program], make: Callable[[], Any]) -> None:
    """Both programs answer the same to a question, and alike to a change."""
    ours, bare = (
        json.loads(program.send(call))
        for program, call in zip(programs[:2], make(), strict=True)
    )
    if "totals" in ours:
        ours, bare = (len(body["results"]) for body in (ours, bare))
    elif "results" in ours:
        ours, bare = ({k: v for k, v in x.items() if k in SAME} for x in (ours, bare))
    elif "created_at" in ours and ours["id"] != bare["id"]:
        ours, bare = list(ours), list(bare)
    assert ours == bare, f"{ours}\n{bare}"


def count_statements(call: Any) -> int:
    """Without those that only begin and end transactions."""
    from api_calls import in_process
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        in_process(call)
    frames = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")
    return sum(not query["sql"].startswith(frames) for query in queries)


if __name__ == "__main__":
    main()
