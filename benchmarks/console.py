"""What the pages of the console cost, with many companies loaded.

Server time of each page as a superuser sees it, and its statements: of every list, of
each list searched, of an object of each kind, and of the pages that are no list.
"""

import argparse
import logging
import statistics
import time
from collections.abc import Iterator
from typing import Any

from database import SERVER, SERVER_HELP, own_database

MOST = 300  # ms at the median


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default=SERVER, help=SERVER_HELP)
    parser.add_argument("--companies", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--name", default="konzern_console", help="of the database")
    parser.add_argument("--keep", action="store_true", help="the database, for again")
    options = parser.parse_args()
    with own_database(options.server, options.name, keep=options.keep) as new:
        from api_data import add_monthly_limits, load
        from django.db import connection

        if new:
            load(options.companies)
            add_monthly_limits()
            submit_some(200)
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")
        report(options.rounds)


def submit_some(count: int) -> None:
    """Purchases over as many companies; those of requesters wait for a decision."""
    from approvals.services import submit_request
    from companies.models import ContactAssignment
    from config.actors import SYSTEM
    from config.money import Money

    logging.disable()  # of mails that nobody takes here
    rows = ContactAssignment.objects.exclude(role="").order_by("company_id", "pk")
    for number, row in enumerate(rows.iterator()):
        if number == count:
            break
        submit_request(
            company=row.company_id,
            requester=row.contact_id,
            money=Money.parse("120", "EUR"),
            kind="CART",
            reference=f"bench-{number}",
            actor=SYSTEM,
        )
    logging.disable(logging.NOTSET)


def pages() -> Iterator[tuple[str, str]]:
    """The name of each page, and its address."""
    from django.contrib import admin
    from django.urls import reverse

    from companies.models import Company

    yield "first page", reverse("admin:index")
    yield "search over everything", reverse("admin:search") + "?q=nord+stahl"
    head = Company.objects.heads().order_by("pk").first()
    below = reverse("admin:companies_company_subsidiaries", args=[head.pk])
    yield "company, subsidiaries", below
    yield "company, chart", reverse("admin:companies_company_chart", args=[head.pk])
    yield "companies on a day", reverse("admin:companies_company_structure")
    yield "company, duplicates", reverse("admin:companies_company_duplicates")
    yield "may they buy?", reverse("admin:approvals_may_they_buy")
    for model, at in admin.site._registry.items():
        name = model._meta.verbose_name
        yield f"{name}: list", at.url_of("changelist")
        if at.search_fields:
            yield f"{name}: search", at.url_of("changelist") + "?q=nord+stahl"
        newest = model._default_manager.order_by("-pk").first()
        if newest is not None:
            yield f"{name}: page", at.url_of("change", newest.pk)


def report(rounds: int) -> None:
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from companies.models import Company

    staff, _new = User.objects.get_or_create(
        username="bench", is_staff=True, is_superuser=True
    )
    browser = Client(headers={"host": "127.0.0.1"})
    browser.force_login(staff)
    print(f"{Company.objects.count():,} companies; medians of {rounds}")
    print(f"{'page':<36} {'ms':>6} {'SQL':>4}")
    slow = 0
    for name, address in pages():
        took: list[float] = []
        for number in range(rounds + 1):
            with CaptureQueriesContext(connection) as queries:
                begun = time.perf_counter()
                answer: Any = browser.get(address)
                _body = answer.getvalue()
                took.append((time.perf_counter() - begun) * 1_000)
            if answer.status_code != 200:
                raise RuntimeError(f"{address}: {answer.status_code}")
            if not number:
                took.clear()  # the first one fills caches
        middle = statistics.median(took)
        slow += middle > MOST
        print(f"{name:<36} {middle:6.0f} {len(queries):4}", flush=True)
    print(f"{slow} pages above {MOST} ms")


if __name__ == "__main__":
    main()
