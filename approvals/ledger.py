"""Money of limits: held for a request, used by an order, given back, corrected.

The only writer of counters and of the ledger. Each function runs in the transaction of
what it is for; counters are taken in the order of their limits' ids, so that two
transactions never wait for each other (reliability: limits in one order).
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from config.actors import Actor
from config.db import require_write_transaction
from config.money import plus
from config.request_id import current_request_id

from .errors import Overtaken
from .models import LedgerEntry, LimitCounter, PurchaseLimit, PurchaseRequest
from .rules import NOTHING, LimitState

Kind = LedgerEntry.Kind
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
    WHERE excluded.ceiling IS NULL
        OR ROUND({TABLE}.reserved + {TABLE}.used + excluded.reserved, 4)
            <= excluded.ceiling
    RETURNING limit_id, reserved, used, alerted
"""  # noqa: S608
ROW = "(%s, %s, %s, %s, 0, %s, 0)"


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
    now, call = timezone.now(), current_request_id()
    LedgerEntry.objects.bulk_create(
        LedgerEntry(
            limit_id=limit.id,
            period=limit.period,
            period_start=limit.period_start,
            kind=Kind.RESERVE,
            request=request,
            revision=request.revision,
            company_id=request.company_id,
            amount=amount,
            currency=request.currency,
            reserved_before=counters[limit.id][0] - amount,
            used_before=counters[limit.id][1],
            cap=limit.cap,
            on_exceed=limit.on_exceed,
            actor=str(actor),
            call_id=call,
            at=now,
        )
        for limit in holding
    )
    return [limit for limit in holding if _passes_alert(limit, *counters[limit.id])]


def _add(
    limits: Sequence[LimitState], amount: Decimal
) -> dict[int, tuple[Decimal, Decimal, int]]:
    """Reserved, used and alerted after the addition, by limit; missing: did not fit."""
    require_write_transaction()
    values: list[object] = []
    decimals = connection.ops.adapt_decimalfield_value
    for limit in limits:
        ceiling = None if limit.bites else limit.cap
        values += [
            limit.id,
            limit.period,
            connection.ops.adapt_datefield_value(limit.period_start),
            decimals(amount, 18, 4),
            None if ceiling is None else decimals(ceiling, 18, 4),
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


def release(request: PurchaseRequest, *, actor: Actor) -> list[LedgerEntry]:
    """Give back all that the request holds, to the periods it was taken from.

    Returns the reservations that have so ended.
    """
    held = _held(request)
    for entry in held:
        _move(entry, Kind.RELEASE, entry.amount, actor=actor)
    return held


def hold_again(
    released: Iterable[LedgerEntry], changed: PurchaseRequest, *, actor: Actor
) -> None:
    """Hold the smaller amount of the next revision where more was held before."""
    for entry in released:
        _move(
            entry, Kind.RESERVE, changed.amount, actor=actor, revision=changed.revision
        )


def confirm(request: PurchaseRequest, ordered: Decimal, *, actor: Actor) -> None:
    """Turn what the request holds into use; what was not ordered is given back."""
    for entry in _held(request):
        _move(entry, Kind.CONFIRM, ordered, actor=actor)
        if ordered < entry.amount:
            _move(entry, Kind.RELEASE, entry.amount - ordered, actor=actor)


def refund(request: PurchaseRequest, amount: Decimal, *, actor: Actor) -> None:
    """Give used money back, to the periods in which it was used."""
    used = LedgerEntry.objects.filter(request=request, kind=Kind.CONFIRM)
    for entry in used.select_related("limit").order_by("limit_id"):
        _move(entry, Kind.REFUND, amount, actor=actor)


def correct(
    limit: PurchaseLimit,
    *,
    period_start: date,
    amount: Decimal,
    actor: Actor,
    reason: str,
) -> LedgerEntry:
    """Add to what a limit has used in a period, or with a minus take from it.

    For what was bought beside Konzern, or counted wrongly. The period is that of the
    limit as it is now.
    """
    require_write_transaction()
    counter, _made = LimitCounter.objects.get_or_create(
        limit=limit, period=limit.period, period_start=period_start
    )
    return _write(
        counter,
        Kind.CORRECT,
        amount,
        limit=limit,
        company_id=limit.company_id,
        actor=actor,
        reason=reason,
    )


def _held(request: PurchaseRequest) -> list[LedgerEntry]:
    """The reservations of the request that have not ended, in the order of locking."""
    held = LedgerEntry.objects.holding().filter(request=request)
    return list(held.select_related("limit").order_by("limit_id"))


def _move(
    entry: LedgerEntry,
    kind: LedgerEntry.Kind,
    amount: Decimal,
    *,
    actor: Actor,
    revision: int | None = None,
) -> None:
    counter = LimitCounter.objects.get(
        limit=entry.limit_id, period=entry.period, period_start=entry.period_start
    )
    _write(
        counter,
        kind,
        amount,
        limit=entry.limit,
        company_id=entry.company_id,
        request_id=entry.request_id,
        revision=revision or entry.revision,
        actor=actor,
    )


def _write(
    counter: LimitCounter,
    kind: LedgerEntry.Kind,
    amount: Decimal,
    *,
    limit: PurchaseLimit,
    actor: Actor,
    **fields: object,
) -> LedgerEntry:
    """Change the counter, and write down what it was before and what it was for."""
    entry = LedgerEntry(
        limit=limit,
        period=counter.period,
        period_start=counter.period_start,
        kind=kind,
        amount=amount,
        currency=limit.currency,
        reserved_before=NOTHING,
        used_before=NOTHING,
        cap=limit.amount,
        on_exceed=limit.on_exceed,
        actor=str(actor),
        call_id=current_request_id(),
        at=timezone.now(),
        **fields,
    )
    reserved, used = entry.after  # from nothing: by how much each changes
    LimitCounter.objects.filter(pk=counter.pk).update(
        reserved=plus("reserved", reserved), used=plus("used", used)
    )
    counter.refresh_from_db(fields=["reserved", "used"])  # ours until the end
    entry.reserved_before = counter.reserved - reserved
    entry.used_before = counter.used - used
    entry.save(force_insert=True)
    return entry


def _passes_alert(
    limit: LimitState, reserved: Decimal, used: Decimal, alerted: int
) -> bool:
    """Whether a threshold is reached for the first time in the period; noted if so."""
    if not limit.alert_percents or limit.cap is None:
        return False
    reached = [
        percent
        for percent in limit.alert_percents
        if (reserved + used) * 100 >= limit.cap * percent
    ]
    if not reached or max(reached) <= alerted:
        return False
    LimitCounter.objects.filter(
        limit=limit.id, period=limit.period, period_start=limit.period_start
    ).update(alerted=max(reached))
    return True
