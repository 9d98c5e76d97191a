"""Money of limits: held for a request, used by an order, given back, corrected.

The only writer of counters and of the ledger. Each function runs in the transaction of
what it is for, and takes all counters that it needs at once, in the order of their
keys: two transactions never wait for each other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.actors import Actor
from config.db import require_write_transaction
from config.money import check_digits, check_minor_units, most_exact
from config.request_id import current_request_id
from config.text import clean_text
from integrations.services import record_event

from .errors import Overtaken
from .locks import in_locked_hierarchy, lock_hierarchy_of
from .models import LedgerEntry, LimitCounter, PurchaseLimit, PurchaseRequest
from .models.ledger import RESERVED, USED
from .periods import period_of
from .rules import NOTHING, LimitState

type Key = tuple[int, str, date]  # of a counter: limit, kind of period, its first day

Kind = LedgerEntry.Kind
KEY = ("limit_id", "period", "period_start")
TABLE = LimitCounter._meta.db_table
# One statement for all limits of a purchase: makes the counter of a new period, adds to
# one that is there, and adds nothing where the ceiling would be passed. Rows are taken
# in the order of VALUES. ROUND: SQLite adds in binary floating point.
RESERVE = f"""
    INSERT INTO {TABLE}
        (limit_id, period, period_start, reserved, used, ceiling, alerted)
    VALUES {{rows}}
    ON CONFLICT (limit_id, period, period_start) DO UPDATE
    SET reserved = ROUND({TABLE}.reserved + excluded.reserved, 4),
        ceiling = excluded.ceiling
    WHERE ROUND({TABLE}.reserved + {TABLE}.used + excluded.reserved, 4)
        <= excluded.ceiling
    RETURNING limit_id, reserved, used, alerted
"""  # noqa: S608
ALERT = "purchase_limit.alert"
ROW = "(%s, %s, %s, %s, 0, %s, 0)"
REASON_LENGTH = LedgerEntry._meta.get_field("reason").max_length


def concerned(limits: Iterable[LimitState], currency: str) -> list[LimitState]:
    """The limits on which a purchase counts: of a period, binding the person."""
    return sorted(
        (
            limit
            for limit in limits
            if limit.applies and limit.counts and limit.currency == currency
        ),
        key=lambda limit: limit.id,
    )


def held(request: PurchaseRequest) -> list[LedgerEntry]:
    """The reservations of the request that have not ended."""
    entries = LedgerEntry.objects.holding().filter(request=request)
    return list(entries.select_related("limit").order_by(*KEY))


def without(
    limits: Iterable[LimitState], reservations: Iterable[LedgerEntry]
) -> tuple[LimitState, ...]:
    """The limits as they would be, were these reservations given back."""
    amounts = {_key(entry): entry.amount for entry in reservations}
    return tuple(
        replace(limit, reserved=limit.reserved - amounts.get(_key(limit), NOTHING))
        for limit in limits
    )


def reserve(
    request: PurchaseRequest, limits: Iterable[LimitState], *, actor: Actor
) -> list[LimitState]:
    """Hold the request's amount on every limit concerned, in its current period.

    A limit that the decision found exceeded, and allowed to be, is passed; on every
    other the amount still has to fit now. Returns the limits of which so much is used
    or held that an alert is due. Raises Overtaken.
    """
    holding = concerned(limits, request.currency)
    if not holding:
        return []
    amount = request.amount
    counters = _add(holding, amount)
    if len(counters) < len(holding):
        raise Overtaken
    LedgerEntry.objects.bulk_create(
        _entry(
            Kind.RESERVE,
            amount,
            actor,
            request=request,
            revision=request.revision,
            company_id=request.company_id,
            limit_id=limit.id,
            period=limit.period,
            period_start=limit.period_start,
            currency=request.currency,
            reserved_before=counters[limit.id][0] - amount,
            used_before=counters[limit.id][1],
            cap=limit.cap,
            on_exceed=limit.on_exceed,
        )
        for limit in holding
    )
    return [
        limit
        for limit in holding
        if _passes_alert(
            _key(limit),
            limit.cap,
            limit.alert_percents,
            sum(counters[limit.id][:2]),
            counters[limit.id][2],
        )
    ]


def _add(
    limits: Sequence[LimitState], amount: Decimal
) -> dict[int, tuple[Decimal, Decimal, int]]:
    """Reserved, used and alerted after the addition, by limit; missing: did not fit."""
    require_write_transaction()
    values: list[object] = []
    decimals = connection.ops.adapt_decimalfield_value
    for limit in limits:
        _refuse_inexact(limit.reserved + limit.used + amount, limit.currency, "money")
        most = most_exact(limit.currency)
        free = limit.bites or limit.cap is None
        values += [
            limit.id,
            limit.period,
            connection.ops.adapt_datefield_value(limit.period_start),
            decimals(amount, 18, 4),
            decimals(most if free else min(limit.cap, most), 18, 4),
        ]
    rows = ", ".join([ROW] * len(limits))
    with connection.cursor() as cursor:
        cursor.execute(RESERVE.format(rows=rows), values)
        found = cursor.fetchall()
    return {
        limit: (_exact(reserved), _exact(used), alerted)
        for limit, reserved, used, alerted in found
    }


def _exact(value: object) -> Decimal:
    """What SQLite gives back as a float is exact to 15 digits, and none has more."""
    return round(Decimal(repr(value) if isinstance(value, float) else str(value)), 4)


def _refuse_inexact(total: Decimal, currency: str, field: str) -> None:
    if total > most_exact(currency):
        text = _("More than a limit can count in a period.")
        raise ValidationError({field: ValidationError(text, code="too_many_digits")})


def release(request: PurchaseRequest, *, actor: Actor) -> None:
    """Give back all that the request holds, to the periods it was taken from."""
    _book(
        [_ending(entry, Kind.RELEASE, entry.amount, actor) for entry in held(request)]
    )


def hold_less(
    stored: PurchaseRequest, changed: PurchaseRequest, *, actor: Actor
) -> None:
    """Hold the next revision's smaller amount where the stored one holds more."""
    entries = []
    for entry in held(stored):
        entries.append(_ending(entry, Kind.RELEASE, entry.amount, actor))
        entries.append(_ending(entry, Kind.RESERVE, changed.amount, actor))
        entries[-1].revision = changed.revision
    _book(entries)


def hold_anew(
    stored: PurchaseRequest,
    changed: PurchaseRequest,
    limits: Iterable[LimitState],
    *,
    actor: Actor,
) -> list[LimitState]:
    """Give back what the stored revision holds, and reserve for the next one.

    `limits`: as they are `without()` what it holds. Raises what reserving raises.
    """
    limits = concerned(limits, changed.currency)
    _lock([*map(_key, held(stored)), *map(_key, limits)])
    release(stored, actor=actor)
    return reserve(changed, limits, actor=actor)


def confirm(request: PurchaseRequest, ordered: Decimal, *, actor: Actor) -> None:
    """Turn what the request holds into use; what was not ordered is given back."""
    entries = []
    for entry in held(request):
        entries.append(_ending(entry, Kind.CONFIRM, ordered, actor))
        if ordered < entry.amount:
            rest = entry.amount - ordered
            entries.append(_ending(entry, Kind.RELEASE, rest, actor))
    _book(entries)


def refund(request: PurchaseRequest, amount: Decimal, *, actor: Actor) -> None:
    """Give used money back, to the periods in which it was used.

    What a correction has taken from a period already is not given back again.
    """
    used = LedgerEntry.objects.filter(request=request, kind=Kind.CONFIRM)
    _book(
        [
            _ending(entry, Kind.REFUND, amount, actor)
            for entry in used.select_related("limit")
        ]
    )


@in_locked_hierarchy
def correct(
    limit: PurchaseLimit, *, day: date, amount: Decimal, actor: Actor, reason: str
) -> LedgerEntry:
    """Add to what a limit has used in a period, or with a minus take from it.

    For what was bought beside Konzern, or counted wrongly. The period is the one around
    the day, of the kind that the limit has now. Raises ValidationError.
    """
    lock_hierarchy_of(limit.company_id)
    limit = PurchaseLimit.objects.get(pk=limit.pk)
    span = period_of(limit.period, day)
    reason = clean_text(reason).strip()
    _check_correction(limit, amount, reason, has_period=span is not None)
    key = (limit.pk, str(limit.period), span.first)
    counter = _lock([key])[key]
    used = counter.used + amount
    if used < 0:
        text = _("More than is used in the period.")
        raise ValidationError({"amount": ValidationError(text, code="below_zero")})
    _refuse_inexact(counter.reserved + used, limit.currency, "amount")
    entry = _entry(
        Kind.CORRECT,
        amount,
        actor,
        reason=reason,
        company_id=limit.company_id,
        **_of_limit(limit),
        period=limit.period,
        period_start=span.first,
    )
    _book([entry])
    record_event("purchase_limit.corrected", limit, company_id=limit.company_id)
    total = counter.reserved + used
    if _passes_alert(key, limit.amount, limit.alert_percents, total, counter.alerted):
        record_event(ALERT, limit, company_id=limit.company_id)
    return entry


def rebuild(key: Key) -> bool:
    """Set a counter to what the ledger says; whether that was another amount.

    A ledger that takes more than there is leaves it as it was.
    """
    with transaction.atomic():
        counter = _lock([key])[key]
        stored = (counter.reserved, counter.used)
        counter.reserved = counter.used = NOTHING
        for entry in _of(LedgerEntry, key).only("kind", "amount").iterator():
            counter.reserved += entry.amount * RESERVED[entry.kind]
            counter.used += entry.amount * USED[entry.kind]
        if stored == (counter.reserved, counter.used):
            return False
        if counter.reserved < 0 or counter.used < 0:
            return False
        _store([counter], ["reserved", "used"])
        return True


def _check_correction(
    limit: PurchaseLimit, amount: Decimal, reason: str, *, has_period: bool
) -> None:
    errors: dict[str, Any] = {}
    if not has_period:
        text = _("A limit for each purchase counts nothing.")
        errors["limit"] = ValidationError(text, code="counts_nothing")
    try:
        check_minor_units(amount, limit.currency)
        check_digits(amount)
    except ValidationError as error:
        errors["amount"] = error
    if not amount:
        text = _("A correction of 0 is none.")
        errors["amount"] = ValidationError(text, code="zero")
    if not reason:
        text = _("Say why.")
        errors["reason"] = ValidationError(text, code="blank")
    elif len(reason) > REASON_LENGTH:
        text = _("At most %(most)d characters.")
        errors["reason"] = ValidationError(
            text, code="max_length", params={"most": REASON_LENGTH}
        )
    if errors:
        raise ValidationError(errors)


def _entry(
    kind: LedgerEntry.Kind, amount: Decimal, actor: Actor, **fields: Any
) -> LedgerEntry:
    return LedgerEntry(
        kind=kind,
        amount=amount,
        actor=str(actor),
        call_id=current_request_id(),
        at=timezone.now(),
        **fields,
    )


def _of_limit(limit: PurchaseLimit) -> dict[str, Any]:
    """What an entry says of its limit as it is now."""
    return {
        "limit": limit,
        "currency": limit.currency,
        "cap": limit.amount,
        "on_exceed": limit.on_exceed,
    }


def _ending(
    entry: LedgerEntry, kind: LedgerEntry.Kind, amount: Decimal, actor: Actor
) -> LedgerEntry:
    """What follows the entry, on the same counter for the same request."""
    return _entry(
        kind,
        amount,
        actor,
        request_id=entry.request_id,
        revision=entry.revision,
        company_id=entry.company_id,
        **_of_limit(entry.limit),
        period=entry.period,
        period_start=entry.period_start,
    )


def _book(entries: Sequence[LedgerEntry]) -> None:
    """Change the counters, and write down what each was before and what it was for."""
    if not entries:
        return
    counters = _lock([_key(entry) for entry in entries])
    booked = []
    for entry in entries:
        counter = counters[_key(entry)]
        entry.reserved_before, entry.used_before = counter.reserved, counter.used
        if entry.kind == Kind.REFUND:
            entry.amount = min(entry.amount, counter.used)
        if entry.amount:
            counter.reserved, counter.used = entry.after
            booked.append(entry)
    _store(counters.values(), ["reserved", "used"])
    LedgerEntry.objects.bulk_create(booked)


def _lock(keys: Iterable[Key]) -> dict[Key, LimitCounter]:
    """The counters, made where there are none, locked in the order of their keys."""
    require_write_transaction()
    wanted = sorted(set(keys))
    counters = [LimitCounter(**dict(zip(KEY, key, strict=True))) for key in wanted]
    _store(counters, ["period"])  # the same as before: an UPDATE only locks
    found = LimitCounter.objects.filter(pk__in=[counter.pk for counter in counters])
    return {_key(counter): counter for counter in found}


def _store(counters: Iterable[LimitCounter], fields: Sequence[str]) -> None:
    LimitCounter.objects.bulk_create(
        counters, update_conflicts=True, unique_fields=KEY, update_fields=fields
    )


def _key(row: LedgerEntry | LimitCounter | LimitState) -> Key:
    limit = row.id if isinstance(row, LimitState) else row.limit_id
    return (limit, str(row.period), row.period_start)


def _of[M: (LedgerEntry, LimitCounter)](model: type[M], key: Key) -> QuerySet[M]:
    return model.objects.filter(**dict(zip(KEY, key, strict=True)))


def _passes_alert(
    key: Key,
    cap: Decimal | None,
    percents: Iterable[int],
    total: Decimal,
    alerted: int,
) -> bool:
    """Whether a threshold is reached for the first time in the period; noted if so."""
    if cap is None:
        return False
    reached = [percent for percent in percents if total * 100 >= cap * percent]
    if not reached or max(reached) <= alerted:
        return False
    _of(LimitCounter, key).update(alerted=max(reached))
    return True
