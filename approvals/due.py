"""What has become due by the passing of time: expiry, reminders, escalation, mails.

Each request in a transaction of its own, locked requests passed over: safe at any time,
and in several processes at once.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from config.actors import SYSTEM

from . import services
from .models import Notice, PurchaseRequest, PurchaseRequestQuerySet
from .notices import Sent, send_notices

logger = logging.getLogger(__name__)

PAGE = 500  # ids in memory at a time


@dataclass
class Done:
    """What was done, or would be in a dry run."""

    expired: int = 0
    escalated: int = 0
    reminded: int = 0
    broken: int = 0  # requests with which something went wrong; see the log
    mails: Sent = field(default_factory=Sent)


def process_due() -> Done:
    """Do all that is due. What goes wrong with one request keeps no other waiting."""
    done = Done()
    requests = PurchaseRequest.objects.order_by("pk")
    expire = partial(services.expire_request, actor=SYSTEM)
    escalate = partial(services.escalate_request, actor=SYSTEM)
    done.expired = _each(requests.overdue(), expire, done)
    done.escalated = _each(requests.to_escalate(), escalate, done)
    done.reminded = _each(requests.to_remind(), services.remind_of_request, done)
    done.mails = send_notices()
    return done


def count_due() -> Done:
    """What would be done now. Nothing is written, nothing is sent."""
    requests = PurchaseRequest.objects.order_by()
    overdue = requests.overdue()
    escalated = requests.to_escalate().exclude(pk__in=overdue.values("pk"))
    reminded = requests.to_remind().exclude(pk__in=overdue.values("pk"))
    return Done(
        expired=overdue.count(),
        escalated=escalated.count(),
        reminded=reminded.exclude(pk__in=escalated.values("pk")).count(),
        mails=Sent(sent=Notice.objects.due().count()),
    )


def _each(
    requests: PurchaseRequestQuerySet,
    work: Callable[[PurchaseRequest], bool],
    done: Done,
) -> int:
    """For how many of the requests the work was done."""
    count = 0
    for request in _in_pages(requests):
        try:
            count += work(request)
        except Exception:
            logger.exception("Request %d could not be processed.", request.pk)
            done.broken += 1
    return count


def _in_pages(requests: PurchaseRequestQuerySet) -> Iterable[PurchaseRequest]:
    """By their ids only: each is read again under its lock."""
    last = 0
    while page := list(
        requests.filter(pk__gt=last).values_list("pk", flat=True)[:PAGE]
    ):
        for last in page:
            yield PurchaseRequest(pk=last)
