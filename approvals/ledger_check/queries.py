"""What the database is asked: each question returns the rows that are wrong.

Amounts are compared as whole ten-thousandths: exact on SQLite, too, which keeps
decimals as binary floating point.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from types import SimpleNamespace

from django.db import connection

from approvals.ledger import Key
from approvals.models import (
    LedgerEntry,
    LimitCounter,
    PurchaseLimit,
    PurchaseRequest,
    RequestHistory,
)
from approvals.models.ledger import RESERVED, USED
from approvals.models.requests import OPEN
from config.money import DECIMAL_PLACES, MINOR_UNITS, SIGNIFICANT_DIGITS

PORTION = 1000
# Of each currency: its smallest unit, and the first amount with too many digits, both
# in ten-thousandths; no column takes more than the most.
SCALES = [
    f"('{code}', {step}, {min(step * 10**SIGNIFICANT_DIGITS, 9 * 10**18)})"
    for code, step in sorted(
        (code, 10 ** (DECIMAL_PLACES - units)) for code, units in MINOR_UNITS.items()
    )
]


class Row(SimpleNamespace):
    """A row by the names of its columns."""

    @property
    def key(self) -> Key:
        """Of the counter; SQLite gives dates as text."""
        first = date.fromisoformat(str(self.period_start))
        return (self.limit_id, self.period, first)

    @property
    def place(self) -> str:
        return f"limit {self.limit_id}, {self.period} from {self.period_start}"

    @property
    def reservation(self) -> str:
        told = f"Request {self.request_id}, revision {self.revision}"
        return f"{told}, limit {self.limit_id}"


def rows(query: str) -> Iterator[Row]:
    """What the query finds; on SQLite after `teach_units()`."""
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {_tables()} {query}")
        names = [column[0] for column in cursor.description]
        while portion := cursor.fetchmany(PORTION):
            for values in portion:
                yield Row(**dict(zip(names, values, strict=True)))


def teach_units() -> None:
    if connection.vendor == "sqlite":
        connection.connection.create_function("units", 1, _units, deterministic=True)


def _units(value: float | None) -> int | None:
    """What SQLite keeps as a float is exact to 15 digits, and none has more."""
    return None if value is None else round(Decimal(repr(value)).scaleb(DECIMAL_PLACES))


def _tables() -> str:
    """What the queries read: the tables, with amounts as whole ten-thousandths."""

    def units(column: str) -> str:
        if connection.vendor == "sqlite":
            return f"units({column})"
        return f"CAST({column} * 10000 AS bigint)"

    def sign(effects: Mapping[str, int]) -> str:
        cases = [f"WHEN '{kind}' THEN {sign}" for kind, sign in effects.items()]
        return f"CASE kind {' '.join(cases)} ELSE 0 END"

    return f"""
        entry AS (
            SELECT *, {sign(RESERVED)} * amount AS reserves,
                {sign(USED)} * amount AS uses
            FROM (
                SELECT id, limit_id, period, period_start, kind, request_id, revision,
                    company_id, currency, on_exceed, {units("cap")} AS cap,
                    {units("amount")} AS amount,
                    {units("reserved_before")} AS reserved,
                    {units("used_before")} AS used
                FROM {LedgerEntry._meta.db_table}
            ) AS stored
        ),
        lim AS (
            SELECT id, currency, {units("amount")} AS amount
            FROM {PurchaseLimit._meta.db_table}
        ),
        scale(code, step, most) AS (VALUES {", ".join(SCALES)}),
        counter AS (
            SELECT limit_id, period, period_start,
                {units("reserved")} AS reserved, {units("used")} AS used
            FROM {LimitCounter._meta.db_table}
        ),
        request AS (
            SELECT id, company_id, currency, status, revision,
                status IN ({", ".join(f"'{status}'" for status in OPEN)}) AS is_open,
                {units("amount")} AS amount, {units("ordered_amount")} AS ordered,
                {units("refunded_amount")} AS refunded
            FROM {PurchaseRequest._meta.db_table}
        ),
        history AS (
            SELECT request_id, version, change, status, {units("amount")} AS amount
            FROM {RequestHistory._meta.db_table}
        ),
        asked AS (
            SELECT request_id, version, status, amount,
                ROW_NUMBER() OVER (PARTITION BY request_id ORDER BY version) AS revision
            FROM history WHERE change IN ('SUBMITTED', 'CHANGED')
        ),
        approved AS (
            SELECT request_id, MAX(version) AS version
            FROM history WHERE change = 'APPROVED' GROUP BY request_id
        ),
        total AS (
            SELECT limit_id, period, period_start,
                SUM(reserves) AS reserved, SUM(uses) AS used
            FROM entry GROUP BY limit_id, period, period_start
        ),
        reservation AS (
            SELECT limit_id, request_id, revision,
                SUM(CASE WHEN kind = 'RESERVE' THEN 1 ELSE 0 END) AS reserves,
                SUM(CASE WHEN kind = 'CONFIRM' THEN 1 ELSE 0 END) AS confirms,
                SUM(CASE WHEN kind = 'RELEASE' THEN 1 ELSE 0 END) AS releases,
                SUM(CASE WHEN kind = 'RESERVE' THEN amount ELSE 0 END) AS reserved,
                SUM(CASE WHEN kind = 'CONFIRM' THEN amount ELSE 0 END) AS confirmed,
                SUM(CASE WHEN kind = 'RELEASE' THEN amount ELSE 0 END) AS released,
                SUM(CASE WHEN kind = 'REFUND' THEN amount ELSE 0 END) AS refunded,
                MIN(period) <> MAX(period) OR MIN(period_start) <> MAX(period_start)
                    AS elsewhere
            FROM entry WHERE request_id IS NOT NULL
            GROUP BY limit_id, request_id, revision
        ),
        passing AS (
            SELECT * FROM entry
            WHERE kind = 'RESERVE' AND reserved + used + amount > cap
                AND NOT EXISTS (
                    SELECT 1 FROM {LedgerEntry._meta.db_table} more
                    WHERE more.request_id = entry.request_id
                        AND more.limit_id = entry.limit_id
                        AND more.revision = entry.revision - 1
                        AND more.kind = 'RELEASE'
                        AND more.period = entry.period
                        AND more.period_start = entry.period_start
                        AND {units("more.amount")} >= entry.amount
                )
        )
    """  # noqa: S608  (words of our own only)


def _money(units: int | None) -> str:
    return "nothing" if units is None else f"{Decimal(units).scaleb(-4).normalize():f}"


WRONG_COUNTER = """
    SELECT place.limit_id, place.period, place.period_start,
        counter.reserved, counter.used,
        COALESCE(total.reserved, 0) AS wanted_reserved,
        COALESCE(total.used, 0) AS wanted_used
    FROM (
        SELECT limit_id, period, period_start FROM counter
        UNION
        SELECT limit_id, period, period_start FROM total
    ) place
    LEFT JOIN counter ON counter.limit_id = place.limit_id
        AND counter.period = place.period
        AND counter.period_start = place.period_start
    LEFT JOIN total ON total.limit_id = place.limit_id
        AND total.period = place.period
        AND total.period_start = place.period_start
    WHERE counter.limit_id IS NULL
        OR counter.reserved <> COALESCE(total.reserved, 0)
        OR counter.used <> COALESCE(total.used, 0)
    ORDER BY place.limit_id, place.period, place.period_start
"""
BROKEN_CHAIN = """
    SELECT * FROM (
        SELECT id, limit_id, period, period_start, reserved, used,
            LAG(reserved + reserves, 1, 0) OVER earlier AS wanted_reserved,
            LAG(used + uses, 1, 0) OVER earlier AS wanted_used
        FROM entry
        WINDOW earlier AS (PARTITION BY limit_id, period, period_start ORDER BY id)
    ) chained
    WHERE reserved <> wanted_reserved OR used <> wanted_used
    ORDER BY id
"""
BELOW_ZERO = """
    SELECT id, limit_id, period, period_start FROM entry
    WHERE reserved + reserves < 0 OR used + uses < 0 ORDER BY id
"""
PASSED_BLOCK = """
    SELECT id, limit_id, amount, cap - reserved - used AS remaining
    FROM passing WHERE on_exceed = 'BLOCK' ORDER BY id
"""
# Whoever passes a limit that asks for approval waits for it, and orders with it only.
PASSED_UNAPPROVED = """
    SELECT passing.id, passing.limit_id, passing.request_id
    FROM passing
    LEFT JOIN asked ON asked.request_id = passing.request_id
        AND asked.revision = passing.revision
    LEFT JOIN reservation ON reservation.request_id = passing.request_id
        AND reservation.limit_id = passing.limit_id
        AND reservation.revision = passing.revision
    LEFT JOIN approved ON approved.request_id = passing.request_id
    WHERE on_exceed = 'APPROVE' AND (
        asked.status IS NULL OR asked.status <> 'PENDING'
        OR confirms > 0 AND COALESCE(approved.version, 0) < asked.version
    )
    ORDER BY passing.id
"""
OTHER_AMOUNT = """
    SELECT entry.id, entry.amount, asked.amount AS wanted
    FROM entry
    LEFT JOIN asked ON asked.request_id = entry.request_id
        AND asked.revision = entry.revision
    WHERE entry.kind = 'RESERVE'
        AND (asked.amount IS NULL OR asked.amount <> entry.amount)
    ORDER BY entry.id
"""
NEVER_RESERVED = """
    SELECT limit_id, request_id, revision FROM reservation
    WHERE reserves = 0 ORDER BY request_id, limit_id, revision
"""
ENDED_WRONGLY = """
    SELECT limit_id, request_id, revision, reserved, confirmed, released
    FROM reservation
    WHERE reserves > 1 OR confirms > 1 OR releases > 1
        OR confirms + releases > 0 AND confirmed + released <> reserved
    ORDER BY request_id, limit_id, revision
"""
ENDED_ELSEWHERE = """
    SELECT limit_id, request_id, revision FROM reservation
    WHERE elsewhere ORDER BY request_id, limit_id, revision
"""
STILL_HELD = """
    SELECT limit_id, request_id, reservation.revision, status
    FROM reservation JOIN request ON request.id = request_id
    WHERE reserves > 0 AND confirms + releases = 0
        AND (NOT is_open OR reservation.revision <> request.revision)
    ORDER BY request_id, limit_id, reservation.revision
"""
NOT_HELD = """
    SELECT limit_id, request_id, reservation.revision, status
    FROM reservation JOIN request ON request.id = request_id
    WHERE confirms + releases > 0
        AND is_open AND reservation.revision = request.revision
    ORDER BY request_id, limit_id
"""
OTHER_ORDER = """
    SELECT limit_id, request_id, reservation.revision, confirmed, ordered
    FROM reservation JOIN request ON request.id = request_id
    WHERE reservation.confirmed <> CASE
        WHEN reservation.revision = request.revision THEN COALESCE(ordered, 0) ELSE 0
    END AND (confirms > 0 OR request.status = 'ORDERED')
    ORDER BY request_id, limit_id
"""
# A correction may have taken before what a refund gives back.
OTHER_REFUND = """
    SELECT limit_id, request_id, reservation.revision, confirmed,
        reservation.refunded, request.refunded AS wanted
    FROM reservation JOIN request ON request.id = request_id
    WHERE reservation.refunded > confirmed
        OR confirms > 0 AND reservation.refunded > request.refunded
        OR confirms > 0 AND reservation.refunded < request.refunded AND NOT EXISTS (
            SELECT 1 FROM entry used JOIN entry taken
            ON taken.limit_id = used.limit_id AND taken.period = used.period
                AND taken.period_start = used.period_start
            WHERE used.request_id = reservation.request_id
                AND used.limit_id = reservation.limit_id AND used.kind = 'CONFIRM'
                AND taken.kind = 'CORRECT' AND taken.amount < 0
        )
    ORDER BY request_id, limit_id
"""
AMOUNTS = """
    SELECT id, amount, ordered, refunded FROM request
    WHERE amount <= 0 OR ordered > amount OR ordered <= 0 OR refunded < 0
        OR refunded > COALESCE(ordered, 0)
        OR status = 'ORDERED' AND ordered IS NULL
        OR status <> 'ORDERED' AND ordered IS NOT NULL
    ORDER BY id
"""
NO_AMOUNT = """
    SELECT id, kind, amount FROM entry
    WHERE kind = 'CORRECT' AND (amount = 0 OR request_id IS NOT NULL)
        OR kind <> 'CORRECT' AND (amount <= 0 OR request_id IS NULL)
    ORDER BY id
"""
OF_ANOTHER = """
    SELECT entry.id FROM entry
    JOIN lim ON lim.id = entry.limit_id
    LEFT JOIN request ON request.id = entry.request_id
    WHERE entry.currency <> lim.currency OR request.currency <> entry.currency
        OR request.company_id <> entry.company_id
    ORDER BY entry.id
"""


def _wrong_form(what: str, rows: str, row_id: str, *amounts: str) -> str:
    """Rows with a unit smaller than the currency has, or with too many digits."""
    wrong = [f"{amount} % step <> 0 OR ABS({amount}) >= most" for amount in amounts]
    return f"""
        SELECT '{what}' AS what, {row_id} AS id, currency FROM {rows}
        LEFT JOIN scale ON code = currency
        WHERE code IS NULL OR {" OR ".join(wrong)} ORDER BY 2
    """  # noqa: S608


WRONG_FORMS = (
    _wrong_form("ledger entry", "entry", "id", "amount", "reserved", "used", "cap"),
    _wrong_form("limit", "lim", "id", "amount"),
    _wrong_form("request", "request", "id", "amount", "ordered", "refunded"),
    _wrong_form(
        "history of request",
        "history JOIN request ON request.id = request_id",
        "request_id",
        "history.amount",
    ),
    _wrong_form(
        "counter of limit",
        "counter JOIN lim ON lim.id = limit_id",
        "limit_id",
        "reserved",
        "used",
    ),
)
CHECKS = (
    (
        "counter",
        WRONG_COUNTER,
        lambda row: (
            f"The counter of {row.place} has reserved {_money(row.reserved)} and used "
            f"{_money(row.used)}; the ledger says {_money(row.wanted_reserved)} and "
            f"{_money(row.wanted_used)}."
        ),
    ),
    (
        "chain",
        BROKEN_CHAIN,
        lambda row: (
            f"Entry {row.id} of {row.place} begins with reserved "
            f"{_money(row.reserved)} and used {_money(row.used)}; the one before ended "
            f"with {_money(row.wanted_reserved)} and {_money(row.wanted_used)}."
        ),
    ),
    (
        "below_zero",
        BELOW_ZERO,
        lambda row: f"Entry {row.id} of {row.place} takes more than there is.",
    ),
    (
        "overspend",
        PASSED_BLOCK,
        lambda row: (
            f"Entry {row.id} reserves {_money(row.amount)} where limit {row.limit_id} "
            f"blocks more than {_money(row.remaining)}."
        ),
    ),
    (
        "unapproved",
        PASSED_UNAPPROVED,
        lambda row: (
            f"Entry {row.id} passes limit {row.limit_id}, but request "
            f"{row.request_id} did not wait for approval."
        ),
    ),
    (
        "other_amount",
        OTHER_AMOUNT,
        lambda row: (
            f"Entry {row.id} reserves {_money(row.amount)}; asked for was "
            f"{_money(row.wanted)}."
        ),
    ),
    (
        "never_reserved",
        NEVER_RESERVED,
        lambda row: f"{row.reservation} ends what was never reserved.",
    ),
    (
        "ended_wrongly",
        ENDED_WRONGLY,
        lambda row: (
            f"{row.reservation} reserves {_money(row.reserved)}, uses "
            f"{_money(row.confirmed)} and releases {_money(row.released)}."
        ),
    ),
    (
        "ended_elsewhere",
        ENDED_ELSEWHERE,
        lambda row: f"{row.reservation} has entries in more than one period.",
    ),
    (
        "still_held",
        STILL_HELD,
        lambda row: f"{row.reservation} is still held; the request is {row.status}.",
    ),
    (
        "not_held",
        NOT_HELD,
        lambda row: f"{row.reservation} is not held; the request is {row.status}.",
    ),
    (
        "other_order",
        OTHER_ORDER,
        lambda row: (
            f"{row.reservation} uses {_money(row.confirmed)}; ordered was "
            f"{_money(row.ordered)}."
        ),
    ),
    (
        "other_refund",
        OTHER_REFUND,
        lambda row: (
            f"{row.reservation} gives back {_money(row.refunded)} of "
            f"{_money(row.confirmed)}; refunded was {_money(row.wanted)}."
        ),
    ),
    (
        "amounts",
        AMOUNTS,
        lambda row: (
            f"Request {row.id} asks for {_money(row.amount)}, ordered "
            f"{_money(row.ordered)}, refunded {_money(row.refunded)}."
        ),
    ),
    (
        "amounts",
        NO_AMOUNT,
        lambda row: (
            f"Entry {row.id} is a {row.kind} of {_money(row.amount)}, with or without "
            "a request where that cannot be."
        ),
    ),
    (
        "of_another",
        OF_ANOTHER,
        lambda row: (
            f"Entry {row.id} has another currency or company than its limit or request."
        ),
    ),
    *(
        (
            "form",
            query,
            lambda row: (
                f"The {row.what} {row.id} has an amount that {row.currency} has not."
            ),
        )
        for query in WRONG_FORMS
    ),
)
