"""Many new companies at once, in the time of a few.

One by one, each insert would shift the numbers of all companies to its right; here the
numbers are computed for all of them, and the rows are copied in.
"""

from bisect import bisect
from collections.abc import Iterable, Sequence
from itertools import batched, groupby
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from companies.errors import ParentGone, TooDeep, WouldCloseCycle
from companies.models.company import Company, search_text_of
from companies.signals import companies_loaded
from config.actors import Actor
from config.bulk import copy_rows, insert_first_history
from config.db import (
    acquire_gate,
    acquire_hierarchies,
    allow_long_work,
    write_connection,
)
from integrations.services import record_events

COLUMNS = [field.attname for field in Company._meta.concrete_fields]
BATCH = 1_000  # of ids in one query


@transaction.atomic
def load_companies(
    companies: Iterable[Company], *, actor: Actor, reason: str = ""
) -> range:
    """Store new companies, with their groups, history and events; their ids, in order.

    Each has its code and was validated by the caller (`clean_fields()`, `clean()`);
    `parent` is another one of them, whatever the order, or a stored company. No
    other change of the tree runs meanwhile. Raises ValidationError for codes that are
    missing or taken, WouldCloseCycle, TooDeep, ParentGone, ParentClosed.
    """
    new = list(companies)
    allow_long_work()
    acquire_gate(exclusive=True)
    if not new:
        return range(0)
    _refuse_duplicates(new)
    ordered = _from_the_top(new)
    places = _lock_places(new)
    ids = _allocate_ids(len(new))
    for pk, company in zip(ids, new, strict=True):
        company.pk = pk
    _number(ordered, places)
    now = timezone.now()
    for company in new:
        company.version = 1
        company.created_at = company.updated_at = now
        company.search_text = search_text_of(company)
    copy_rows(Company, COLUMNS, map(attrgetter(*COLUMNS), new))
    alias = write_connection(Company).alias
    for company in new:
        company._state.adding = False
        company._state.db = alias
        company._mptt_cached_fields["parent"] = company.parent_id
        company._remember_status(None)
    loaded = Company.objects.filter(pk__range=(ids[0], ids[-1]))
    insert_first_history(Company, loaded, actor=actor, reason=reason)
    record_events("company.created", loaded, company="pk")
    companies_loaded.send(Company, company_ids=ids)
    return ids


def _refuse_duplicates(new: Sequence[Company]) -> None:
    codes = {company.code.lower() for company in new}
    if "" in codes:
        message = _("A company that is loaded needs a code.")
        raise ValidationError({"code": ValidationError(message, code="required")})
    taken = len(codes) < len(new) or any(
        Company.objects.annotate(_code=Lower("code")).filter(_code__in=batch).exists()
        for batch in batched(codes, BATCH)
    )
    if taken:
        message = _("There is already a company of this code.")
        raise ValidationError({"code": ValidationError(message, code="duplicate_code")})


def _from_the_top(new: Sequence[Company]) -> list[Company]:
    """The new companies, each behind its parent. Raises WouldCloseCycle."""
    below: dict[int, list[Company]] = {id(company): [] for company in new}
    ordered = []
    for company in new:
        # A parent that is not yet stored has no id, only the object.
        parent = company.parent if company.parent_id is None else None
        if parent is None:
            ordered.append(company)
        else:
            below[id(parent)].append(company)
    for company in ordered:  # grows while we walk
        ordered += below[id(company)]
    if len(ordered) < len(new):
        raise WouldCloseCycle(companies=len(new) - len(ordered))
    return ordered


def _lock_places(new: Sequence[Company]) -> dict[int, Company]:
    """The stored parents, with their hierarchies locked until the end."""
    wanted = {c.parent_id for c in new if c.parent_id is not None}
    places: dict[int, Company] = {}
    for batch in batched(sorted(wanted), BATCH):
        places |= Company.objects.in_bulk(batch)
    for company in new:
        if company.parent_id is None:
            continue
        if company.parent_id not in places:
            raise ParentGone(parent=company.parent_id)
        company.refuse_parent(places[company.parent_id])
    # The gate is ours: nobody can move a company to another hierarchy meanwhile. The
    # lock is for those who do not pass the gate, purchases above all.
    heads = sorted({place.tree_id for place in places.values()})
    for batch in batched(heads, BATCH):
        acquire_hierarchies(batch)
    return places


def _allocate_ids(count: int) -> range:
    """Ids without a gap, so that "all that were loaded" is a range."""
    connection = write_connection(Company)
    table, column = Company._meta.db_table, Company._meta.pk.column
    with connection.cursor() as cursor:
        while connection.vendor == "postgresql":
            cursor.execute(
                "SELECT min(id), max(id) FROM (SELECT "
                "nextval(pg_get_serial_sequence(%s, %s)) AS id "
                "FROM generate_series(1, %s)) AS taken",
                [table, column, count],
            )
            first, last = cursor.fetchone()
            # A gap: someone took an id without passing the gate. Take new ones.
            if last - first + 1 == count:
                return range(first, last + 1)
    first = Company.objects.allocate_pk()
    return range(first, first + count)


def _number(ordered: Sequence[Any], places: dict[int, Any]) -> None:
    """Give each new company its numbers, parents first; make room in stored ones."""
    sizes = {id(company): 1 for company in ordered}
    for company in reversed(ordered):
        if company.parent_id is None and company.parent is not None:
            sizes[id(company.parent)] += sizes[id(company)]
    widths: dict[int, int] = {}
    for company in ordered:
        if company.parent_id is not None:
            width = widths.get(company.parent_id, 0)
            widths[company.parent_id] = width + 2 * sizes[id(company)]
    free = _make_room(widths, places)  # per company the next number below it
    for company in ordered:
        parent = company.parent if company.parent_id is None else None
        if parent is not None:
            company.parent_id = parent.pk
            company.tree_id, company.level = parent.tree_id, parent.level + 1
        elif company.parent_id is not None:
            place = places[company.parent_id]
            company.tree_id, company.level = place.tree_id, place.level + 1
        else:
            company.tree_id, company.level = company.pk, 0
        if company.level >= settings.COMPANY_MAX_DEPTH:
            raise TooDeep(levels=company.level + 1, most=settings.COMPANY_MAX_DEPTH)
        company.lft = free.get(company.parent_id, 1)
        company.rght = company.lft + 2 * sizes[id(company)] - 1
        free[company.pk] = company.lft + 1
        if company.parent_id is not None:
            free[company.parent_id] = company.rght + 1


def _make_room(widths: dict[int, int], places: dict[int, Any]) -> dict[int, int]:
    """Widen stored companies for what comes below them; the first free number of each.

    Whatever is not left of a widened company's end moves to the right.
    """
    free: dict[int, int] = {}
    shifted: list[tuple[int, int, int]] = []
    by_end = sorted(widths, key=lambda pk: (places[pk].tree_id, places[pk].rght))
    for head, pks in groupby(by_end, key=lambda pk: places[pk].tree_id):
        ends: list[int] = []
        totals = [0]
        for pk in pks:
            free[pk] = places[pk].rght + totals[-1]
            ends.append(places[pk].rght)
            totals.append(totals[-1] + widths[pk])
        rows = Company.objects.filter(tree_id=head, rght__gte=ends[0]).order_by()
        shifted += (
            (lft + totals[bisect(ends, lft)], rght + totals[bisect(ends, rght)], pk)
            for pk, lft, rght in rows.values_list("pk", "lft", "rght")
        )
    if shifted:
        _write_numbers(shifted)
    return free


def _write_numbers(rows: list[tuple[int, int, int]]) -> None:
    table = Company._meta.db_table
    connection = write_connection(Company)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                f"UPDATE {table} SET lft = new.lft, rght = new.rght "  # noqa: S608
                "FROM unnest(%s::int[], %s::int[], %s::bigint[]) "
                f"AS new(lft, rght, id) WHERE {table}.id = new.id",
                [list(column) for column in zip(*rows, strict=True)],
            )
        else:
            cursor.executemany(
                f"UPDATE {table} SET lft = %s, rght = %s WHERE id = %s",  # noqa: S608
                rows,
            )
