"""What benchmarks/scale.py imports: changes, beside the bare SQL of them."""

import csv
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from api_bare_sql import EVENT, HISTORY
from bulk_load import Cost, cost
from django.db import connection, transaction

from companies.imports import Caller, FileToRead, Progress, apply_import, kind_of
from companies.imports import plan_import as plan
from companies.models import Company
from companies.models.company import search_text_of
from companies.names import sketch
from config.actors import SYSTEM

MANY_EVENTS = EVENT.format(stream="c.id", type="company.updated").replace(
    "FROM counted, c", "FROM counted JOIN c ON c.id = counted.stream"
)
UPDATE = f"""WITH c AS (
        UPDATE companies_company o SET name = new.name, search_text = new.search_text,
            name_sketch = new.name_sketch, version = o.version + 1, updated_at = now()
        FROM new_names new WHERE lower(o.code) = new.code RETURNING o.*
    ), kept AS ({HISTORY.format(kind="~")})
    {MANY_EVENTS}
    SELECT count(*) FROM c"""


def measure(number: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Costs of importing so many changes; the plans of others are not applied."""
    chosen = list(Company.objects.order_by("?")[:number])
    stamp = int(time.time())
    renamed = folder / "renamed.csv"
    write(
        renamed, ("code", "name"), ((c.code, f"{c.name[:230]} {stamp}") for c in chosen)
    )
    moved, new = folder / "moved.csv", folder / "new.csv"
    heads = list(Company.objects.heads().order_by("?")[: 2 * number])
    half = len(heads) // 2
    places = zip(heads[:half], heads[half:], strict=False)
    write(
        moved,
        ("code", "parent_code"),
        ((company.code, place.code) for company, place in places),
    )
    write(
        new,
        ("code", "name", "country", "parent_code"),
        ((f"i-{stamp}-{c.pk}", f"{c.name[:240]} 2", c.country, c.code) for c in chosen),
    )
    bare = cost(lambda: bare_update(chosen, stamp + 1))
    return {
        "plan of renamed": told(lambda: planned(renamed), bare),
        "import of renamed": told(lambda: applied(renamed), bare),
        "plan of moved": told(lambda: planned(moved), None),
        "plan of new": told(lambda: planned(new), None),
    }


def write(path: Path, header: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def planned(path: Path) -> None:
    result = plan(kind_of("companies"), [FileToRead(path)], CALLER, Progress())
    assert result.totals["refused"] < result.totals["records"] / 10, result.totals


def applied(path: Path) -> None:
    result = apply_import(kind_of("companies"), [FileToRead(path)], CALLER, Progress())
    assert result.totals["updated"] == result.totals["records"], result.totals


CALLER = Caller(actor=SYSTEM)


def bare_update(companies: list[Company], stamp: int) -> None:
    for company in companies:
        company.name = f"{company.name[:230]} {stamp}"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE new_names (code text, name text, search_text text, "
            "name_sketch text) ON COMMIT DROP"
        )
        with cursor.copy("COPY new_names FROM STDIN") as copy:
            for one in companies:
                key = sketch(one.name)
                copy.write_row((one.code.lower(), one.name, search_text_of(one), key))
        cursor.execute(UPDATE)
        assert cursor.fetchone() == (len(companies),)


def told(work: Callable[[], None], bare: Cost | None) -> dict[str, Any]:
    with counting() as counts:
        ours = cost(work)
    return {
        "ours": ours.wall * 1000,
        "bare": bare and bare.wall * 1000,
        "multiple": bare and ours.cpu / bare.cpu,
        "sql": counts[0],
    }


@contextmanager
def counting() -> Iterator[list[int]]:
    counts = [0]

    def count(execute: Any, *args: Any) -> Any:
        counts[0] += 1
        return execute(*args)

    with connection.execute_wrapper(count):
        yield counts
