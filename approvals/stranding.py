"""Which open requests a change would leave without anybody who could decide until now.

They are never stuck: who may decide is read again at each decision, so that they move
on to the next company above, and at last to the seller's staff. But whoever makes the
change should know of them.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from companies.models import Company, ContactAssignment

from .errors import WouldStrandRequests
from .models import PurchaseRequest, PurchaseRequestQuerySet
from .waiting import open_steps

MOST_NAMED = 100


@contextmanager
def watching(requests: PurchaseRequestQuerySet, *, confirm: bool) -> Iterator[None]:
    """Make a change in here, in a transaction. Raises WouldStrandRequests afterwards.

    Not if it is confirmed: then nobody looks.
    """
    refuse = None if confirm else watch(requests)
    yield
    if refuse is not None:
        refuse()


def watch(requests: PurchaseRequestQuerySet) -> Callable[[], None]:
    """Look who could decide on these now; the answer looks who can then, and raises."""
    return partial(_refuse_stranded, deciders_of(requests))


def watch_closing(company: int) -> Callable[[], None]:
    """On what waits at a closed company nobody can decide: it expires."""
    waiting = below(company).pending().order_by("pk")
    return partial(_refuse, list(waiting.values_list("pk", flat=True)))


def deciders_of(requests: PurchaseRequestQuerySet) -> dict[int, set[int]]:
    """Who could decide now, by request; only where at least one contact could."""
    steps = open_steps(requests.pending())
    return {pk: step.deciders for pk, step in steps.items() if step.deciders}


def _refuse_stranded(before: dict[int, set[int]]) -> None:
    now = deciders_of(PurchaseRequest.objects.filter(pk__in=before))
    _refuse(pk for pk, people in before.items() if not people & now.get(pk, set()))


def _refuse(stranded: Iterable[int]) -> None:
    lost = sorted(stranded)
    if not lost:
        return
    named = lost[:MOST_NAMED]
    error = WouldStrandRequests(requests=named, count=len(lost))
    requests = PurchaseRequest.objects.filter(pk__in=named).select_related("company")
    error.lines = tuple(f"{one}, {one.company}" for one in requests.order_by("pk"))
    raise error


def below(company: Company | int) -> PurchaseRequestQuerySet:
    """Requests of the company and of all below it."""
    return PurchaseRequest.objects.filter(
        company__in=Company.objects.under(company).order_by()
    )


def concerning(contact: int) -> PurchaseRequestQuerySet:
    """Requests on which the person might decide: of the hierarchies they work in."""
    own = ContactAssignment.objects.filter(contact=contact).values("company_id")
    companies = Company.objects.filter(pk__in=own).order_by().with_place()
    heads = set(companies.values_list("head", flat=True))
    found = PurchaseRequest.objects.none()
    for head in sorted(heads):
        found = found | below(head)
    return found
