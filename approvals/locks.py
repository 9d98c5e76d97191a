"""The lock of a hierarchy: for who buys in it, and who changes what counts there."""

from collections.abc import Callable
from functools import wraps

from django.db import transaction
from django.db.models import QuerySet

from companies.errors import TreeChanged
from companies.models import Company
from config.compiled import compiled
from config.db import acquire_hierarchies, locked, repeated
from config.errors import StaleVersion
from integrations.recording import Versioned

from .errors import Overtaken

MOST_TRIES = 20


class HierarchyChanged(TreeChanged):
    """The company was moved to another hierarchy while we waited for its lock."""


def in_locked_hierarchy[**P, T](work: Callable[P, T]) -> Callable[P, T]:
    """Run the service in a transaction; anew if what it had read was overtaken.

    That is: the company was moved to another hierarchy, somebody else took what was
    left of a limit, or somebody was just named to decide for others. Starting over
    gives all locks back: nobody ever waits for one hierarchy while holding another.
    """

    @wraps(work)
    @repeated
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        tries = MOST_TRIES
        while True:
            tries -= 1
            try:
                with transaction.atomic():
                    return work(*args, **kwargs)
            except (HierarchyChanged, Overtaken):
                if not tries:
                    raise

    return run


def lock_hierarchy_of(company: int, *, alone: bool = False) -> None:
    """Lock the company's hierarchy until the end of the transaction.

    Shared for purchases: others may buy meanwhile, but nobody moves a company, puts one
    on hold or changes a limit. Alone for what changes the limits and rules that
    purchases are checked against: each purchase is wholly before it or wholly after.
    Raises HierarchyChanged if the company was moved away while we waited.
    """
    head = head_of(company)
    acquire_hierarchies([head], shared=not alone)
    if head_of(company) != head:
        raise HierarchyChanged(companies=[company])


@compiled
def _heads(company: int) -> QuerySet:
    return (
        Company.objects.with_place().filter(pk=company).order_by().values_list("head")
    )


def head_of(company: int) -> int:
    """The id of the head company of the company's hierarchy.

    Raises Company.DoesNotExist if the company is gone.
    """
    for (head,) in _heads(company):
        return head
    raise Company.DoesNotExist(f"Company {company} is gone.")


def lock_row[M: Versioned](row: M, expected_version: int) -> M:
    """The row, read again under its lock. Raises StaleVersion, also if it is gone."""
    found = locked(type(row)._default_manager.filter(pk=row.pk)).first()
    return at_version(found, expected_version)


def at_version[M: Versioned](found: M | None, expected_version: int) -> M:
    """What was found, if it is there and as the caller read it; else StaleVersion."""
    if found is None or found.version != expected_version:
        raise StaleVersion(version=found and found.version)
    return found
