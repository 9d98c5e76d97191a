"""Processes that write the tree at random, as fast as they can, all at once.

Each is a process of its own with its own connection, as in production: threads would
share too much. `guarded=False` takes the guard out; only tests can.
"""

import multiprocessing
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote

import django

django.setup()  # again in the server that the processes are forked from

from django.db import connection  # noqa: E402

from companies.models import Company  # noqa: E402
from companies.tree import guard  # noqa: E402
from config import db  # noqa: E402

WRITERS = 8
REFUSALS = (
    "DoesNotExist",
    "ParentGone",
    "ProtectedError",
    "StaleVersion",
    "TooDeep",
    "WouldCloseCycle",
)


@dataclass
class Outcome:
    """What all writers together did, counted by the name of the error or "ok"."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def refused(self) -> int:
        return sum(self.counts[name] for name in REFUSALS)

    @property
    def unexpected(self) -> dict[str, int]:
        known = {"ok", *REFUSALS}
        return {name: n for name, n in self.counts.items() if name not in known}

    def __str__(self) -> str:
        done = self.counts.total()
        return (
            f"{done} operations by {WRITERS} processes in {self.seconds:.1f} s "
            f"({done / self.seconds:.0f}/s): {self.counts['ok']} ok, "
            f"{self.refused} refused, unexpected: {self.unexpected or 'none'}"
        )


def write_at_once(operations: int, *, guarded: bool = True) -> Outcome:
    """Let eight processes share so many operations; the database has the outcome."""
    share = operations // WRITERS
    outcome = Outcome()
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__])  # imports all of it only once
    with ProcessPoolExecutor(WRITERS, mp_context=processes) as pool:
        list(pool.map(_wake, range(WRITERS)))  # start-up does not count
        began = time.perf_counter()
        work = partial(_write, operations=share, guarded=guarded)
        for counts in pool.map(work, range(WRITERS)):
            outcome.counts.update(counts)
        outcome.seconds = time.perf_counter() - began
    return outcome


def database_url() -> str:
    """The address of the test database, for the processes to come."""
    settings = connection.settings_dict
    name = quote(str(settings["NAME"]))
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    user, host, port = settings["USER"], settings["HOST"], settings["PORT"]
    password = quote(settings["PASSWORD"], safe="")
    return f"postgres://{user}:{password}@{host}:{port or 5432}/{name}"


def _wake(number: int) -> int:
    time.sleep(0.2)  # so that each process takes one
    return number


def _write(seed: int, *, operations: int, guarded: bool) -> Counter[str]:
    chosen = random.Random(seed)
    if not guarded:
        _take_guard_out()
    counts: Counter[str] = Counter()
    for number in range(operations):
        operate = chosen.choices(
            (_insert_head, _insert_subsidiary, _move, _rename, _delete),
            weights=(10, 30, 30, 15, 15),
        )[0]
        counts[_outcome_of(partial(operate, chosen, f"{seed}-{number}"))] += 1
    connection.close()
    return counts


def _outcome_of(operate: Callable[[], None]) -> str:
    try:
        operate()
    except Exception as error:  # counted by its name: the test judges
        cause = getattr(error.__cause__, "sqlite_errorname", None)
        return f"{type(error).__name__} {cause}" if cause else type(error).__name__
    return "ok"


def _take_guard_out() -> None:
    """No locks; on SQLite the default mode of transactions, which locks too late."""

    def nothing(*args: object, **kwargs: object) -> None:
        return None

    guard.acquire_gate = nothing
    db.require_write_transaction = nothing
    if connection.vendor == "sqlite":
        connection.settings_dict["OPTIONS"]["transaction_mode"] = None
        connection.close()


def _pick(chosen: random.Random) -> Company:
    """A company, as somebody else may be changing it just now."""
    pks = list(Company.objects.order_by().values_list("pk", flat=True))
    return Company.objects.get(pk=chosen.choice(pks))


def _insert_head(chosen: random.Random, name: str) -> None:
    Company(name=f"Head {name}", code=f"h{os.getpid()}-{name}").save()


def _insert_subsidiary(chosen: random.Random, name: str) -> None:
    parent = _pick(chosen)
    Company(name=f"Company {name}", code=f"c{os.getpid()}-{name}", parent=parent).save()


def _move(chosen: random.Random, name: str) -> None:
    company = _pick(chosen)
    company.move(None if chosen.random() < 0.1 else _pick(chosen))


def _rename(chosen: random.Random, name: str) -> None:
    company = _pick(chosen)
    company.name = f"Renamed {name}"
    company.save()


def _delete(chosen: random.Random, name: str) -> None:
    _pick(chosen).delete()
