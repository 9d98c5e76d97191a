"""The programs that are measured: each in gunicorn, with its CPU and memory."""

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

HERE = Path(__file__).resolve().parent
SAME = ("results", "count")  # of a page; the bare function cannot sign cursors


class Cost(NamedTuple):
    """Milliseconds of one call."""

    application: float
    database: float
    wall: float  # from sending it to its whole answer; the median

    @property
    def cpu(self) -> float:
        return self.application + self.database


class Program:
    """A server that runs, and what it has cost so far."""

    def __init__(self, name: str, port: int, master: int, workers: int = 1) -> None:
        self.name, self.port, self.master = name, port, master
        self.workers = workers_of(master, workers)
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
        backends = self.backends()
        before = nanoseconds(self.workers), nanoseconds(backends)
        walls = []
        for call in calls[1:]:
            begun = time.perf_counter_ns()
            self.send(call)
            walls.append(time.perf_counter_ns() - begun)
        after = nanoseconds(self.workers), nanoseconds(backends)
        each = len(walls) * 1e6
        return Cost(
            application=(after[0] - before[0]) / each,
            database=(after[1] - before[1]) / each,
            wall=statistics.median(walls) / 1e6,
        )

    def memory(self) -> float:
        """MiB of the server and its workers: what they share counts once (PSS)."""
        rollups = [
            Path(f"/proc/{pid}/smaps_rollup").read_text()
            for pid in (self.master, *self.workers)
        ]
        return sum(int(re.search(r"Pss: *(\d+)", one)[1]) for one in rollups) / 1024

    def backends(self) -> list[int]:
        """The processes of PostgreSQL that serve this program.

        Not those of another run of the benchmark, on a database of its own; and no
        parallel workers, which come and go.
        """
        query = """SELECT pid FROM pg_stat_activity WHERE application_name = %s
            AND datname = current_database() AND leader_pid IS NULL"""
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            return [row[0] for row in connection.execute(query, [self.name])]


@contextmanager
def serving(
    name: str, application: str, place: Path, *, workers: int = 1, threads: int = 1
) -> Iterator[Program]:
    """A program in gunicorn, until the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(  # noqa: S603
        [
            *(sys.executable, "-m", "gunicorn", "--worker-class", "gthread"),
            *("--workers", str(workers), "--threads", str(threads)),
            *("--keep-alive", "600", "--timeout", "600"),
            *("--bind", f"127.0.0.1:{port}", "--log-level", "warning", application),
        ],
        cwd=place,
        env=os.environ | {"PGAPPNAME": name},
    )
    try:
        yield Program(name, port, process.pid, workers)
    finally:
        process.terminate()
        process.wait(10)


def workers_of(master: int, number: int) -> list[int]:
    """The worker processes of a gunicorn, once they are there."""
    for _ in range(100):
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        if len(children) == number:
            return [int(pid) for pid in children]
        time.sleep(0.1)
    raise TimeoutError("The server does not start.")


def nanoseconds(pids: list[int]) -> int:
    """CPU of the processes, all their threads."""
    return sum(
        int((task / "schedstat").read_text().split()[0])
        for pid in pids
        for task in Path(f"/proc/{pid}/task").iterdir()
    )
