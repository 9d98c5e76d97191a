"""Many new and changed companies at once, in the time of a few.

One by one, each insert and each move would shift the numbers of all companies to its
right; here new rows are copied in, changed ones written by one statement, and the
hierarchies concerned numbered once.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import batched
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from companies.errors import ParentGone, TooDeep, WouldCloseCycle
from companies.models.company import DERIVED, Company
from companies.signals import companies_loaded
from config.actors import Actor
from config.bulk import allocate_ids, copy_rows, insert_history
from config.db import (
    acquire_gate,
    acquire_hierarchies,
    allow_long_work,
    is_unique_violation,
    write_connection,
)
from config.errors import StaleVersion
from integrations.recording import save_versions
from integrations.services import record_events

from .numbering import renumber

COLUMNS = [field.attname for field in Company._meta.concrete_fields]
UNIQUE_CODE = "companies_company_unique_code"
PART = 20_000  # companies that are in memory at once
BATCH = 1_000  # of ids in one query

type Changed = tuple[Company, Collection[str]]  # with the names of its changed fields


@transaction.atomic
def load_in_parts(
    companies: Iterable[Company], *, actor: Actor, reason: str = ""
) -> int:
    """Store any number of new companies as they are read; how many it were.

    As `load_companies()`, in one transaction; but of a part nothing is kept once it is
    stored, so memory does not grow with their number. For that whole hierarchies come
    together: where parents are still to come, companies are kept until they do.
    """
    count = 0
    for part in _parts(companies):
        for company in part:
            # A parent of an earlier part has its id by now.
            if company.parent_id is None and company.parent is not None:
                company.parent_id = company.parent.pk
        count += len(load_companies(part, actor=actor, reason=reason))
    return count


def _parts(companies: Iterable[Company]) -> Iterator[list[Company]]:
    """The companies in parts that end before a head company, without open parents."""
    part: list[Company] = []
    here: set[int] = set()
    awaited: set[int] = set()
    for company in companies:
        parent = company.parent if company.parent_id is None else None
        is_head = parent is None and company.parent_id is None
        if is_head and len(part) >= PART and not awaited:
            yield part
            part, here = [], set()
        part.append(company)
        here.add(id(company))
        awaited.discard(id(company))
        if parent is not None and parent.pk is None and id(parent) not in here:
            awaited.add(id(parent))
    yield part


@transaction.atomic
def load_companies(
    companies: Iterable[Company], *, actor: Actor, reason: str = ""
) -> range:
    """Store new companies, as many as there are; their ids, in order.

    See `store_companies()`.
    """
    allow_long_work()
    return store_companies(companies, actor=actor, reason=reason)


@transaction.atomic
def store_companies(
    companies: Iterable[Company],
    changed: Sequence[Changed] = (),
    *,
    actor: Actor,
    reason: str = "",
) -> range:
    """Store new companies and changes of stored ones; the new ids, in order.

    Leaves what `save()` would: groups, versions, history, events, a sound tree. Each
    company has its code and was validated by the caller (`clean_fields()`, `clean()`);
    `parent` is a new one, whatever the order, or a stored company. Moved ones come
    behind their parents. No other change of the tree runs meanwhile. Raises
    ValidationError for codes that are missing or taken, WouldCloseCycle (of new ones;
    the database refuses other cycles), TooDeep, ParentGone, ParentClosed, StaleVersion.
    """
    new = list(companies)
    acquire_gate(exclusive=True)
    if not new and not changed:
        return range(0)
    moved = [company for company, fields in changed if "parent" in fields]
    above = [_parent_in_hand(company) for company in moved]
    ordered = _from_the_top(new)
    places = _lock_places(new, moved)
    ids = allocate_ids(Company, len(new)) if new else range(0)
    for pk, company in zip(ids, new, strict=True):
        company.pk = pk
    _number(ordered, places)
    _copy(new)
    _learn(len(new))
    if changed:
        _write(changed, moved, above)
    _renumber(new, moved, above, places)
    _record(ids, changed, moved, actor=actor, reason=reason)
    if ids:
        companies_loaded.send(Company, company_ids=ids)
    return ids


def _copy(new: Sequence[Company]) -> None:
    """Insert the rows; ValidationError for codes that are missing or taken.

    Only the unique index is asked: of a table that has just grown PostgreSQL knows no
    statistics, and would look for a thousand codes by reading all of it.
    """
    if not new:
        return
    if not all(company.code for company in new):
        message = _("A company that is loaded needs a code.")
        raise ValidationError({"code": ValidationError(message, code="required")})
    now = timezone.now()
    for company in new:
        company.version = 1
        company.created_at = company.updated_at = now
        company.derive()
    try:
        with transaction.atomic():
            copy_rows(Company, COLUMNS, map(attrgetter(*COLUMNS), new))
    except IntegrityError as error:
        if not is_unique_violation(error) or UNIQUE_CODE not in str(error):
            raise
        message = _("There is already a company of this code.")
        refusal = ValidationError(message, code="duplicate_code")
        raise ValidationError({"code": refusal}) from error
    alias = write_connection(Company).alias
    for company in new:
        company._state.adding = False
        company._state.db = alias
        company._mptt_cached_fields["parent"] = company.parent_id
        company._remember_status(None)


def _learn(count: int) -> None:
    """Let PostgreSQL count the table again once it has grown by more than a tenth.

    Of a table that it last saw empty (an import undone before this one) it expects no
    row, and would for each of a thousand ids read all of it. Of a table that is large
    already it knows enough, and to count that takes a second.
    """
    connection = write_connection(Company)
    if count >= BATCH and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT reltuples FROM pg_class "
                "WHERE oid = 'companies_company'::regclass"
            )
            ((known,),) = cursor.fetchall()
            if count * 10 > known:
                cursor.execute("ANALYZE (SKIP_LOCKED) companies_company")


def _write(
    changed: Sequence[Changed], moved: Sequence[Any], above: Sequence[Any]
) -> None:
    for company, _fields in changed:
        company.derive()
    names = set(DERIVED).union(*[fields for _company, fields in changed]) - {"parent"}
    columns = sorted(names)
    if moved:
        columns += ["parent_id", "tree_id"]
        for company, parent in zip(moved, above, strict=True):
            if parent is not None:
                company.parent_id = parent.pk  # it has one by now
            company.tree_id = company.pk  # until the hierarchies are numbered
    if len(moved) > 1:
        # First out of each other's way: no step then closes a cycle that the whole
        # does not have, whatever the order in which the database takes them.
        rows = models.QuerySet(Company).filter(pk__in=[one.pk for one in moved])
        rows.update(parent=None, tree_id=F("pk"))
    save_versions([company for company, _fields in changed], columns)
    for company in moved:
        company._mptt_cached_fields["parent"] = company.parent_id


def _renumber(
    new: Sequence[Any],
    moved: Sequence[Any],
    above: Sequence[Any],
    places: dict[int, Any],
) -> None:
    """Give everybody in the hierarchies concerned the numbers that the parents demand.

    The numbers of objects in hand stay as they were. Raises TooDeep.
    """
    heads = {place.tree_id for place in places.values()}
    heads |= {company.pk for company in moved if company.parent_id is None}
    heads |= {parent.tree_id for parent in above if parent is not None}
    if heads:
        renumber(heads)
    most = settings.COMPANY_MAX_DEPTH
    deep = any(company.level >= most for company in new)
    if moved:
        rows = Company.objects.filter(level__gte=most, tree_id__in=heads)
        deep = rows.exists()
    if deep:
        raise TooDeep(levels=most + 1, most=most)


def _record(
    ids: range, changed: Sequence[Changed], moved: Sequence[Company], **by: Any
) -> None:
    """History and events: of the new ones, the changed and the moved."""
    is_new = Q(pk__range=(ids[0], ids[-1])) if ids else Q(pk__in=[])
    rows = Company.objects.filter(
        is_new | Q(pk__in=[company.pk for company, _fields in changed])
    )
    change: Any = "+"
    event: Any = "company.created"
    if changed:
        change = Case(When(is_new, then=Value("+")), default=Value("~"))
        event = Case(
            When(is_new, then=Value(event)),
            When(pk__in=[company.pk for company in moved], then=Value("company.moved")),
            default=Value("company.updated"),
        )
    insert_history(Company, rows, change=change, **by)
    record_events(event, rows, company="pk")


def _parent_in_hand(company: Any) -> Any:
    """The parent, if it is a new one, which has no id yet."""
    return company._state.fields_cache.get("parent") if not company.parent_id else None


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


def _lock_places(
    new: Sequence[Company], moved: Sequence[Company]
) -> dict[int, Company]:
    """Stored parents and what moves, with their hierarchies locked until the end."""
    placed = [company for company in (*new, *moved) if company.parent_id is not None]
    wanted = {company.parent_id for company in placed} | {one.pk for one in moved}
    places: dict[int, Company] = {}
    for batch in batched(sorted(wanted), 2 * BATCH):
        places |= Company.objects.in_bulk(batch)
    for company in placed:
        if company.parent_id not in places:
            raise ParentGone(parent=company.parent_id)
        company.refuse_parent(places[company.parent_id])
    if gone := [company.pk for company in moved if company.pk not in places]:
        raise StaleVersion(rows=gone)
    # The gate is ours: nobody can move a company to another hierarchy meanwhile. The
    # lock is for those who do not pass the gate, purchases above all.
    heads = sorted({place.tree_id for place in places.values()})
    for batch in batched(heads, BATCH):
        acquire_hierarchies(batch)
    return places


def _number(ordered: Sequence[Any], places: dict[int, Any]) -> None:
    """Give each new company its numbers, parents first.

    In a stored hierarchy these are of no account yet, but for the order of siblings:
    behind those that are stored.
    """
    sizes = {id(company): 1 for company in ordered}
    for company in reversed(ordered):
        if company.parent_id is None and company.parent is not None:
            sizes[id(company.parent)] += sizes[id(company)]
    # Per company the next number below it.
    free = {pk: place.rght for pk, place in places.items()}
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
        company.lft = free.get(company.parent_id, 1)
        company.rght = company.lft + 2 * sizes[id(company)] - 1
        free[company.pk] = company.lft + 1
        if company.parent_id is not None:
            free[company.parent_id] = company.rght + 1
