"""Does the ledger prove what is held, used, ordered and refunded, and what allowed it?

Trusts no counter and no service: the faults are those of the stored rows, whatever
wrote them. The database looks at all rows at once and returns the wrong ones only;
frozen decisions are read in portions.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from approvals import ledger
from approvals.models import LimitCounter
from approvals.periods import period_of
from config.db import one_snapshot

from .decisions import wrong_decisions
from .queries import CHECKS, PORTION, WRONG_COUNTER, rows, teach_units


@dataclass(frozen=True, slots=True)
class LedgerFault:
    """Something wrong with money of limits; `kind` is never renamed."""

    kind: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.sentence}"


def find_ledger_faults() -> Iterator[LedgerFault]:
    """All that is wrong, one by one; nothing for a sound ledger.

    In one snapshot: right while others write.
    """
    with one_snapshot():
        teach_units()
        for kind, query, sentence in CHECKS:
            for row in rows(query):
                yield LedgerFault(kind, sentence(row))
        yield from _wrong_periods()
        for kind, sentence in wrong_decisions():
            yield LedgerFault(kind, sentence)


def rebuild_counters() -> int:
    """Set counters that are not what the ledger says; how many. Never the ledger."""
    with one_snapshot():
        teach_units()
        wrong = [row.key for row in rows(WRONG_COUNTER)]
    return sum(ledger.rebuild(key) for key in wrong)


def _wrong_periods() -> Iterator[LedgerFault]:
    """Counters that begin where no period begins."""
    counters = LimitCounter.objects.order_by("id")
    for counter in counters.iterator(PORTION):
        span = period_of(counter.period, counter.period_start)
        if span is None or span.first != counter.period_start:
            yield LedgerFault("period", f"No such period: {counter}.")
