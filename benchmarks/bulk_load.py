"""What a bulk load costs, beside COPY of the same rows and beside save() one by one.

    uv run benchmarks/bulk_load.py [FILE] [--server URL] [--repeats N] [--companies N,N]

FILE is a CSV of companies (code, name, parent_code …), gzipped or not; without one a
structure like that of real groups is made up. Makes a database of its own on the
PostgreSQL server of DATABASE_URL, which has to run on this machine, and drops it again.
CPU is that of this process and of the server process that serves it, together; memory
the most that this process has in hand while it reads, makes and loads the companies.
"""

import argparse
import csv
import gzip
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

from database import SERVER, SERVER_HELP, own_database

NAME = "konzern_bulk_load"
COUNTS = "13405,100000,1000000"
INVENTED = 13_405
ENOUGH = 300_000  # companies in all repeats of a number
SAMPLE = 300
BLOCK = 1 << 20  # bytes
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
    memory: int = 0  # MiB of this process, at most

    @property
    def cpu(self) -> float:
        return self.client + self.server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--server", default=SERVER, help=SERVER_HELP)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--companies", default=COUNTS, help="with commas between")
    options = parser.parse_args()
    real = read(options.file) if options.file else invent(INVENTED)
    with own_database(options.server, NAME):
        for number in map(int, options.companies.split(",")):
            repeats = min(options.repeats, max(1, ENOUGH // number))
            report(number, *measure_all(real, number, repeats))


def read(path: Path) -> Rows:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        waiting = list(csv.DictReader(file))
    codes = {""}
    ordered: Rows = []
    while waiting:  # parents first
        ready = [row for row in waiting if row["parent_code"] in codes]
        waiting = [row for row in waiting if row["parent_code"] not in codes]
        codes |= {row["code"] for row in ready}
        ordered += ready
    return ordered


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


def measure_all(
    rows: Rows, number: int, repeats: int
) -> tuple[list[Cost], list[Cost], list[Cost]]:
    """The costs of loading, of COPY, and of saving a sample; each in turn."""
    from django.db import connection

    loads, copies, saves = [], [], []
    for _ in range(repeats):
        loads.append(cost(lambda: load(rows, number)))
        with tempfile.TemporaryDirectory() as folder:
            dump(Path(folder))
            truncate()
            copies.append(cost(lambda: copy(Path(folder))))
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {TABLES[0]}")
            assert cursor.fetchone() == (number,)
        truncate()
        saves.append(cost(lambda: save(rows)))
        truncate()
    return loads, copies, saves


def objects(rows: Rows) -> Iterator:
    """The same hierarchies again and again, with other codes."""
    from companies.models import Company

    for copy in count():
        companies = {}
        for row in rows:
            values = {name: row[name] for name in COLUMNS}
            code = values["code"] = f"{row['code']}-{copy}"
            companies[code] = Company(**values)
        for row, company in zip(rows, companies.values(), strict=True):
            company.parent = companies.get(f"{row['parent_code']}-{copy}")
        yield from companies.values()


def load(rows: Rows, number: int) -> None:
    from companies.tree.load import load_in_parts
    from config.actors import SYSTEM

    load_in_parts(islice(objects(rows), number), actor=SYSTEM)


def save(rows: Rows) -> None:
    """A sample, each in its transaction, parents first."""
    waiting = list(islice(objects(rows), SAMPLE))
    while waiting:
        ready = [c for c in waiting if c.parent is None or c.parent.pk]
        waiting = [c for c in waiting if c.parent is not None and not c.parent.pk]
        for company in ready:
            company.parent = company.parent  # takes over the id that it has now
            company.save()


def dump(folder: Path) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        for table in TABLES:
            with (
                (folder / table).open("wb") as file,
                cursor.copy(f"COPY {table} TO STDOUT") as blocks,
            ):
                for block in blocks:
                    file.write(block)


def copy(folder: Path) -> None:
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        for table in TABLES:
            with (
                (folder / table).open("rb") as file,
                cursor.copy(f"COPY {table} FROM STDIN") as into,
            ):
                while block := file.read(BLOCK):
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
    Path("/proc/self/clear_refs").write_text("5")  # the most so far counts no more
    server, client, wall = server_cpu(pid), time.process_time(), time.perf_counter()
    work()
    return Cost(
        client=time.process_time() - client,
        server=server_cpu(pid) - server,
        wall=time.perf_counter() - wall,
        memory=peak_memory(),
    )


def peak_memory() -> int:
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) // 1024


def server_cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS  # utime, stime


def report(
    number: int, loads: list[Cost], copies: list[Cost], saves: list[Cost]
) -> None:
    print(
        f"\n{number:,} companies with groups, history and events; medians of", end=" "
    )
    print(f"{len(loads)}, µs per company")
    print(
        f"{'':22}{'client':>9}{'server':>9}{'CPU':>9}{'wall':>9}{'rows/s':>9}", end=""
    )
    print(f"{'CPU/COPY':>10}{'memory':>10}")
    base = statistics.median(cost.cpu for cost in copies) / number
    for name, costs, rows in (
        ("load_in_parts()", loads, number),
        ("COPY of the same rows", copies, number),
        (f"save(), {SAMPLE} of them", saves, min(SAMPLE, number)),
    ):
        each = [
            statistics.median(getattr(cost, part) for cost in costs) / rows
            for part in ("client", "server", "cpu", "wall")
        ]
        print(f"{name:22}", *(f"{seconds * 1e6:8,.0f}" for seconds in each), end="")
        print(f"{1 / each[3]:9,.0f}{each[2] / base:9.1f}x", end="")
        print(f"{max(cost.memory for cost in costs):6,} MiB", flush=True)


if __name__ == "__main__":
    main()
