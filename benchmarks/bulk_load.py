"""What a bulk load costs, beside COPY of the same rows and beside save() one by one.

    uv run benchmarks/bulk_load.py [FILE] [--server URL] [--repeats N]

FILE is a CSV of companies (code, name, parent_code …), gzipped or not; without one a
structure like that of real groups is made up. Makes a database of its own on the
PostgreSQL server of DATABASE_URL, which has to run on this machine, and drops it again.
CPU is that of this process and of the server process that serves it, together.
"""

import argparse
import csv
import gzip
import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from database import SERVER, SERVER_HELP, own_database

NAME = "konzern_bulk_load"
COUNTS = (13_405, 100_000)
SAMPLE = 300
COLUMNS = ("code", "name", "legal_name", "country", "registration_id")
TABLES = (
    "companies_company",
    "companies_historicalcompany",
    "integrations_eventcounter",
    "integrations_event",
    "groups_customergroup",
)
TICKS = os.sysconf("SC_CLK_TCK")

type Rows = list[dict[str, str]]


class Cost(NamedTuple):
    client: float  # seconds of CPU
    server: float
    wall: float

    @property
    def cpu(self) -> float:
        return self.client + self.server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--server", default=SERVER, help=SERVER_HELP)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    real = read(options.file) if options.file else invent(COUNTS[0])
    with own_database(options.server, NAME):
        for count in COUNTS:
            report(count, *measure_all(multiply(real, count), options.repeats))


def read(path: Path) -> Rows:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def invent(count: int) -> Rows:
    """Twenty-seven groups that hold nearly all, the others single companies."""
    chance = random.Random(1)
    rows: Rows = []
    levels: list[int] = []
    for number in range(count):
        parent = chance.randrange(number) if number > 27 and number % 25 else None
        while parent is not None and levels[parent] > 15:
            parent = chance.randrange(number)
        levels.append(0 if parent is None else levels[parent] + 1)
        name = f"Company {number} {chance.randrange(10**9)}"
        rows.append(
            {
                "code": f"code-{number}",
                "name": name,
                "legal_name": f"{name} LIMITED",
                "country": chance.choice(("US", "DE", "GB", "KY")),
                "registration_id": str(1_000_000 + number),
                "parent_code": "" if parent is None else f"code-{parent}",
            }
        )
    return rows


def multiply(rows: Rows, count: int) -> Rows:
    """As many companies as asked for: the same hierarchies again, with other codes."""
    many: Rows = []
    while len(many) < count:
        copy = len(many) // len(rows)
        for row in rows[: count - len(many)]:
            parent = row["parent_code"] and f"{row['parent_code']}-{copy}"
            code = f"{row['code']}-{copy}"
            many.append(row | {"code": code, "parent_code": parent})
    return many


def measure_all(rows: Rows, repeats: int) -> tuple[list[Cost], list[Cost], list[Cost]]:
    """The costs of loading, of COPY, and of saving a sample; each in turn."""
    from django.db import connection

    loads, copies, saves = [], [], []
    for _ in range(repeats):
        loads.append(cost(lambda: load(rows)))
        dumped = dump()
        truncate()
        copies.append(cost(lambda: copy(dumped)))  # noqa: B023
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {TABLES[0]}")
            assert cursor.fetchone() == (len(rows),)
        truncate()
        saves.append(cost(lambda: save(rows)))
        truncate()
    return loads, copies, saves


def objects(rows: Rows) -> list:
    from companies.models import Company

    companies = {
        row["code"]: Company(**{name: row[name] for name in COLUMNS}) for row in rows
    }
    for row in rows:
        if row["parent_code"] in companies:
            companies[row["code"]].parent = companies[row["parent_code"]]
    return list(companies.values())


def load(rows: Rows) -> None:
    from companies.tree.load import load_companies
    from config.actors import SYSTEM

    load_companies(objects(rows), actor=SYSTEM)


def save(rows: Rows) -> None:
    """A sample, each in its transaction, parents first."""
    waiting = objects(rows[:SAMPLE])
    while waiting:
        ready = [c for c in waiting if c.parent is None or c.parent.pk]
        waiting = [c for c in waiting if c.parent is not None and not c.parent.pk]
        for company in ready:
            company.parent = company.parent  # takes over the id that it has now
            company.save()


def dump() -> dict[str, list[bytes]]:
    from django.db import connection

    dumped = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            with cursor.copy(f"COPY {table} TO STDOUT") as blocks:
                dumped[table] = [b"".join(map(bytes, blocks))]
    return dumped


def copy(dumped: dict[str, list[bytes]]) -> None:
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        for table, blocks in dumped.items():
            with cursor.copy(f"COPY {table} FROM STDIN") as into:
                for block in blocks:
                    into.write(block)


def truncate() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")
        cursor.execute("CHECKPOINT")


def cost(work: Callable[[], None]) -> Cost:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    server, client, wall = server_cpu(pid), time.process_time(), time.perf_counter()
    work()
    return Cost(
        client=time.process_time() - client,
        server=server_cpu(pid) - server,
        wall=time.perf_counter() - wall,
    )


def server_cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS  # utime, stime


def report(
    count: int, loads: list[Cost], copies: list[Cost], saves: list[Cost]
) -> None:
    print(f"\n{count:,} companies with groups, history and events; medians of", end=" ")
    print(f"{len(loads)}, µs per company")
    print(
        f"{'':22}{'client':>9}{'server':>9}{'CPU':>9}{'wall':>9}{'rows/s':>9}", end=""
    )
    print(f"{'CPU/COPY':>10}")
    base = statistics.median(cost.cpu for cost in copies) / count
    for name, costs, rows in (
        ("load_companies()", loads, count),
        ("COPY of the same rows", copies, count),
        (f"save(), {SAMPLE} of them", saves, min(SAMPLE, count)),
    ):
        each = [
            statistics.median(getattr(cost, part) for cost in costs) / rows
            for part in ("client", "server", "cpu", "wall")
        ]
        print(f"{name:22}", *(f"{seconds * 1e6:8,.0f}" for seconds in each), end="")
        print(f"{1 / each[3]:9,.0f}{each[2] / base:9.1f}x")


if __name__ == "__main__":
    main()
