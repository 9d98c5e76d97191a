"""What it costs to authorise purchases, beside a bare transaction with the same writes.

    uv run benchmarks/authorise.py [--companies N] [--clients N] [--rounds N]
                                   [--seconds N] [--server URL] [--keep]

Makes a database of its own on the PostgreSQL server of DATABASE_URL, which has to run
on this machine, and drops it again. Every client is a process with one connection; all
submit at once, in turns: a bare transaction through psycopg (authorise_bare.py), the
service, and the service over HTTP (gunicorn, two workers of eight threads). They buy
for 200 companies that have a limit each, or in one hierarchy that shares a single one.
"""

import argparse
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import count
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from database import ROOT, SERVER, SERVER_HELP, own_database

NAME = "konzern_authorise"
MODES = ("bare", "service", "http")
SCOPES = "purchases:read purchases:write"


class Place(NamedTuple):
    """Where a client may buy, and what counts it: ids."""

    company: int
    head: int
    buyer: int
    limit: int


class Load(NamedTuple):
    """What one client does next."""

    mode: str
    places: list[Place]
    begin: float  # time.time()
    seconds: float


class Result(NamedTuple):
    submits: float  # a second, of all clients
    middle: float  # milliseconds of one submit: median
    slow: float  # 99 of 100 took less
    errors: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default=SERVER, help=SERVER_HELP)
    parser.add_argument("--companies", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each turn")
    parser.add_argument("--name", default=NAME, help="of the database")
    parser.add_argument("--keep", action="store_true", help="the database, for again")
    options = parser.parse_args()
    with own_database(options.server, options.name, keep=options.keep) as new:
        from api_data import load, make_token

        if new:
            load(options.companies)
        settings = {"200 companies": spread(200), "one shared limit": shared()}
        with (
            serving() as port,
            clients(options.clients, port, make_token(SCOPES)) as pipes,
        ):
            for name, places in settings.items():
                report(name, measure(pipes, places, options))
        prove()


def spread(number: int) -> list[Place]:
    """A buyer each of so many companies, which have a limit of their own."""
    from companies.models import Company

    found = Company.objects.order_by("-pk").exclude(parent=None)
    step = max(len(found) // number, 1)
    return [place(company, _limit(company)) for company in found[::step][:number]]


def shared() -> list[Place]:
    """The buyers of all companies of one hierarchy, which share a limit."""
    from companies.models import Company

    head = Company.objects.heads().order_by("pk").first()
    limit = _limit(head)
    return [place(company, limit) for company in Company.objects.under(head)]


def place(company: Any, limit: Any) -> Place:
    buyer = company.assignments.get(role="BUYER").contact_id
    return Place(company.pk, company.tree_id, buyer, limit.pk)


def _limit(company: Any) -> Any:
    from approvals.models import PurchaseLimit

    found, _made = PurchaseLimit.objects.get_or_create(
        company=company, period="MONTH", currency="EUR", defaults={"amount": 10**9}
    )
    return found


@contextmanager
def serving() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(  # noqa: S603
        [
            *(sys.executable, "-m", "gunicorn", "config.wsgi", "--log-level", "error"),
            *("--workers", "2", "--threads", "8", "--keep-alive", "600"),
            *("--bind", f"127.0.0.1:{port}"),
        ],
        cwd=ROOT,
    )
    try:
        yield port
    finally:
        server.terminate()
        server.wait(10)


@contextmanager
def clients(number: int, port: int, token: str) -> Iterator[list[Connection]]:
    spawn = multiprocessing.get_context("spawn")
    pipes = []
    for _ in range(number):
        ours, its = spawn.Pipe()
        spawn.Process(target=client, args=(its, port, token), daemon=True).start()
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()  # it is ready
    try:
        yield pipes
    finally:
        for pipe in pipes:
            pipe.send(None)


def client(pipe: Connection, port: int, token: str) -> None:
    """Submits what the pipe says, and tells seconds of each and errors."""
    import django

    django.setup()
    submits = {
        "bare": bare_submits(),
        "service": service_submits(),
        "http": http_submits(port, token),
    }
    pipe.send(os.getpid())
    numbers = count()
    while load := pipe.recv():
        took, errors = [], []
        turn = os.getpid()
        time.sleep(max(load.begin - time.time(), 0))
        while time.time() < load.begin + load.seconds:
            number = next(numbers)
            chosen = load.places[(turn + number) % len(load.places)]
            start = time.perf_counter()
            try:
                submits[load.mode](chosen, f"{turn}-{number}")
            except Exception as error:
                errors.append(repr(error)[:300])
            took.append(time.perf_counter() - start)
        pipe.send((took, errors))


type Submit = Callable[[Place, str], None]


def bare_submits() -> Submit:
    import psycopg
    from authorise_bare import submit

    connection = psycopg.connect(
        os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=2
    )
    return lambda place, reference: submit(connection, place, reference)


def service_submits() -> Submit:
    from decimal import Decimal

    from approvals import services
    from config.actors import Actor
    from config.money import Money

    def submit(place: Place, reference: str) -> None:
        _answer, request = services.submit_request(
            company=place.company,
            requester=place.buyer,
            kind="CART",
            reference=reference,
            money=Money(Decimal("0.01"), "EUR"),
            actor=Actor.client(1, contact_id=place.buyer),
        )
        assert request is not None
        assert request.status == "APPROVED"

    return submit


def http_submits(port: int, token: str) -> Submit:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def submit(place: Place, reference: str) -> None:
        body = {
            "company": place.company,
            "requester": place.buyer,
            "kind": "CART",
            "reference": reference,
            "money": {"amount": "0.01", "currency": "EUR"},
        }
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Idempotency-Key": reference,
        }
        path = "/api/v1/purchase-requests/"
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 201:
            raise RuntimeError(f"{answer.status} {text[:200]!r}")

    return submit


def measure(
    pipes: Sequence[Connection], places: list[Place], options: argparse.Namespace
) -> dict[str, list[Result]]:
    results: dict[str, list[Result]] = {mode: [] for mode in MODES}
    for number in range(options.rounds + 1):
        for mode in MODES:
            begin = time.time() + 0.3
            for pipe in pipes:
                pipe.send(Load(mode, places, begin, options.seconds))
            answers = [pipe.recv() for pipe in pipes]
            took = sorted(one for answer in answers for one in answer[0])
            errors = [error for answer in answers for error in answer[1]]
            for error in errors[:3]:
                print(f"{mode}: {error}", flush=True)
            if number or errors:  # the first round is for warming up
                middle, slow = took[len(took) // 2], took[len(took) * 99 // 100]
                per_second = len(took) / options.seconds
                results[mode].append(
                    Result(per_second, middle * 1e3, slow * 1e3, len(errors))
                )
    return results


def report(name: str, results: dict[str, list[Result]]) -> None:
    print(f"\n{name}: medians of rounds, least and most in brackets")
    print(f"{'':8} {'submits/s':>18} {'p50 ms':>7} {'p99 ms':>7} errors  of bare")
    bare = [result.submits for result in results["bare"]]
    for mode, rounds in results.items():
        each = [result.submits for result in rounds]
        ratio = statistics.median(b / own for b, own in zip(bare, each, strict=False))
        print(
            f"{mode:8} {statistics.median(each):7.0f} ({min(each):.0f}-{max(each):.0f})"
            f" {statistics.median(r.middle for r in rounds):7.1f}"
            f" {statistics.median(r.slow for r in rounds):7.1f}"
            f" {sum(r.errors for r in rounds):6} {ratio:7.1f}x",
            flush=True,
        )


def prove() -> None:
    """Every counter is what its ledger says; bare entries have no snapshot to read."""
    from approvals.ledger_check.queries import WRONG_COUNTER, rows, teach_units
    from approvals.models import LedgerEntry

    teach_units()
    wrong = len(list(rows(WRONG_COUNTER)))
    print(f"\n{LedgerEntry.objects.count():,} ledger entries, {wrong} wrong counters")
    assert not wrong


if __name__ == "__main__":
    main()
