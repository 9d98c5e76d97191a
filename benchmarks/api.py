"""What calls of the API cost, beside a bare function that gives the same answers.

    uv run benchmarks/api.py [--companies N] [--rounds N] [--calls N] [--only get,list]
                             [--beside DIRECTORY] [--server URL] [--keep]

Makes a database of its own on the PostgreSQL server of DATABASE_URL, which has to run
on this machine, and drops it again. Starts Konzern and the bare function (api_bare.py)
in gunicorn, one worker with one thread each, and calls them in turns over HTTP, with
connections kept open. CPU is that of the worker and of its PostgreSQL process, by the
kernel's count of nanoseconds. `--beside` calls another checkout of Konzern, too.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from database import ROOT, SERVER, SERVER_HELP, own_database

NAME = "konzern_api"
HERE = Path(__file__).resolve().parent
PORT = 8791  # and those behind it
SAME = ("results", "count")  # of a page; the bare function cannot sign cursors


class Cost(NamedTuple):
    """Milliseconds of one call."""

    application: float
    database: float

    @property
    def cpu(self) -> float:
        return self.application + self.database


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default=SERVER, help=SERVER_HELP)
    parser.add_argument("--companies", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=60, help="in each round")
    parser.add_argument("--only", help="kinds of calls, with commas between")
    parser.add_argument("--beside", type=Path, help="another checkout of Konzern")
    parser.add_argument("--keep", action="store_true", help="the database, for again")
    options = parser.parse_args()
    with (
        own_database(options.server, NAME, keep=options.keep) as new,
        ExitStack() as stack,
    ):
        from api_calls import Calls
        from api_data import load, make_token

        if new:
            load(options.companies)
        calls = Calls(make_token())
        programs = [
            stack.enter_context(serving("konzern", PORT, "config.wsgi", ROOT)),
            stack.enter_context(
                serving("bare", PORT + 1, "api_bare:application", HERE)
            ),
        ]
        if options.beside:
            other = serving("beside", PORT + 2, "config.wsgi", options.beside)
            programs.append(stack.enter_context(other))
        print(f"{len(calls.companies):,} companies; medians of {options.rounds} rounds")
        report(calls, programs, options)


class Program:
    """A server that runs, and what it has cost so far."""

    def __init__(self, name: str, port: int, master: int) -> None:
        self.name = name
        self.workers = workers_of(master)
        self.connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def send(self, call: Any) -> Any:
        body, headers = None, call.headers
        if call.body is not None:
            body = json.dumps(call.body).encode()
            headers = headers | {"Content-Type": "application/json"}
        self.connection.request(call.method, call.path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{call.path}: {answer.status} {text[:500]!r}")
        return text

    def measure(self, calls: Sequence[Any]) -> Cost:
        self.send(calls[0])
        backends = self._backends()
        before = nanoseconds(self.workers), nanoseconds(backends)
        for call in calls[1:]:
            self.send(call)
        after = nanoseconds(self.workers), nanoseconds(backends)
        each = (len(calls) - 1) * 1e6
        return Cost((after[0] - before[0]) / each, (after[1] - before[1]) / each)

    def _backends(self) -> list[int]:
        """The processes of PostgreSQL that serve this program."""
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            return [row[0] for row in connection.execute(query, [self.name])]


@contextmanager
def serving(name: str, port: int, application: str, place: Path) -> Iterator[Program]:
    process = subprocess.Popen(  # noqa: S603
        [
            *(sys.executable, "-m", "gunicorn", "--worker-class", "gthread"),
            *("--threads", "1", "--keep-alive", "600", "--timeout", "600"),
            *("--bind", f"127.0.0.1:{port}", "--log-level", "warning", application),
        ],
        cwd=place,
        env=os.environ | {"PGAPPNAME": name},
    )
    try:
        yield Program(name, port, process.pid)
    finally:
        process.terminate()
        process.wait(10)


def workers_of(master: int) -> list[int]:
    """The worker processes of a gunicorn, once they are there."""
    for _ in range(100):
        children = Path(f"/proc/{master}/task/{master}/children").read_text()
        if children:
            return [int(pid) for pid in children.split()]
        time.sleep(0.1)
    raise TimeoutError("The server does not start.")


def nanoseconds(pids: list[int]) -> int:
    """CPU of the processes, all their threads."""
    return sum(
        int((task / "schedstat").read_text().split()[0])
        for pid in pids
        for task in Path(f"/proc/{pid}/task").iterdir()
    )


def report(calls: Any, programs: list[Program], options: argparse.Namespace) -> None:
    names = [program.name for program in programs]
    print("CPU ms of a call (application + PostgreSQL), and as a multiple of bare\n")
    print(f"{'':13}{'SQL':>4}", *(f"{name:>22}" for name in names), end="")
    print(f"{'multiple (from, to)':>22}", "beside" if options.beside else "")
    for kind, make in calls.works.items():
        if options.only and kind not in options.only.split(","):
            continue
        check_same(programs, make)
        statements = count_statements(make()[0])
        rounds: list[dict[str, Cost]] = []
        for turn in range(options.rounds + 1):
            # One of them always comes first, the other is then in its warm caches.
            order = programs if turn % 2 else programs[::-1]
            costs = {p.name: p.measure(chosen(p, make, options.calls)) for p in order}
            if turn:  # the first one only warms up
                rounds.append(costs)
        print_row(kind, statements, names, rounds)


def chosen(program: Program, make: Callable[[], Any], count: int) -> list[Any]:
    return [make()[program.name == "bare"] for _ in range(count + 1)]


def print_row(
    kind: str, statements: int, names: list[str], rounds: list[dict[str, Cost]]
) -> None:
    print(f"{kind:13}{statements:>4}", end="")
    for name in names:
        costs = [costs[name] for costs in rounds]
        cpu, application, database = (
            statistics.median(getattr(cost, part) for cost in costs)
            for part in ("cpu", "application", "database")
        )
        print(f"{f'{cpu:.2f} ({application:.2f} + {database:.2f})':>23}", end="")
    for name in names[:1] + names[2:]:
        ratios = sorted(costs[name].cpu / costs["bare"].cpu for costs in rounds)
        spread = f"{statistics.median(ratios):.1f} ({ratios[0]:.1f}, {ratios[-1]:.1f})"
        print(f"{spread:>22}", end="")
    print(flush=True)


def check_same(programs: list[Program], make: Callable[[], Any]) -> None:
    """Both programs answer the same to a question, and alike to a change."""
    ours, bare = (
        json.loads(program.send(call))
        for program, call in zip(programs[:2], make(), strict=True)
    )
    if "results" in ours:
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
