"""Who is told what of a request by e-mail: written with the change, sent after it.

A mail that cannot be sent breaks nothing: `process_approvals` tries it again, with
growing gaps.
"""

import logging
import smtplib
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, mailers
from django.db import transaction
from django.db.models import F
from django.template.loader import render_to_string
from django.utils import timezone, translation

from companies.models import Company, Contact
from config.actors import Actor
from config.db import locked_if_free
from config.money import readable

from .models import Notice, PurchaseRequest, RequestHistory
from .rules import Approver, Step
from .situation import read_path
from .waiting import OpenStep, open_step, open_steps

logger = logging.getLogger(__name__)

Kind = Notice.Kind
Status = Notice.Status
Change = RequestHistory.Change
ASKING = {  # those who can decide now
    Change.SUBMITTED: Kind.WAITING,
    Change.AGREED: Kind.WAITING,
    Change.CHANGED: Kind.CHANGED,
    Change.ESCALATED: Kind.ESCALATED,
}
TELLING = {  # the requester, unless it was they who did it
    Change.APPROVED: Kind.APPROVED,
    Change.DECLINED: Kind.DECLINED,
    Change.EXPIRED: Kind.EXPIRED,
    Change.CANCELLED: Kind.CANCELLED,
}
ASKED = {*ASKING.values(), Kind.REMINDER}
# After each try that failed; the last one is given up.
GAPS = [timedelta(minutes=minutes) for minutes in (1, 10, 60, 6 * 60, 24 * 60)]
BATCH = 20
LEASE = timedelta(minutes=5)  # longer than a batch takes with a server that hangs


# Written in the transaction of the change


def notice_change(
    request: PurchaseRequest, change: str, actor: Actor, step: Step | None = None
) -> None:
    """Note whom the change concerns. `step`: the open one, where it has been read."""
    if request.is_pending and change in ASKING:
        write_notices(request, ASKING[Change(change)], _asked(request, change, step))
    elif change in TELLING and actor.contact_id != request.requester_id:
        write_notices(request, TELLING[Change(change)], [request.requester_id])


def write_notices(
    request: PurchaseRequest, kind: str, contacts: Iterable[int]
) -> list[Notice]:
    """Notices about the request as it is now, to be sent when this is committed."""
    now = timezone.now()
    written = Notice.objects.bulk_create(
        Notice(
            request=request,
            contact_id=contact,
            kind=kind,
            version=request.version,
            due_at=now,
            created_at=now,
        )
        for contact in sorted(set(contacts))
    )
    if written and settings.NOTICES_AT_ONCE:
        keys = [notice.pk for notice in written]
        transaction.on_commit(partial(send_notices, only=keys), robust=True)
    return written


def _asked(request: PurchaseRequest, change: str, step: Step | None) -> Iterable[int]:
    if step is not None:
        return [approver.person.id for approver in step.approvers]
    opened = open_step(request, read_path(request.company_id))
    if change == Change.AGREED and opened.stored.agreed:
        return []  # others of the same step have been asked
    return opened.deciders


# Sent after it


@dataclass
class Sent:
    """How it went with notices that were due."""

    sent: int = 0
    dropped: int = 0
    failed: int = 0  # to be tried again
    given_up: int = 0


def send_notices(*, only: Collection[int] | None = None) -> Sent:
    """Send what is due, all or `only` these; safe in several processes at once."""
    count = Sent()
    while claimed := _claim(only):
        _send(claimed, count)
    return count


@transaction.atomic
def _claim(only: Collection[int] | None) -> list[Notice]:
    """Some that are due, put off for as long as sending may take: now they are ours."""
    due = Notice.objects.due()
    if only is not None:
        due = due.filter(pk__in=only)
    claimed = list(locked_if_free(due)[:BATCH])
    Notice.objects.filter(pk__in=[notice.pk for notice in claimed]).update(
        due_at=timezone.now() + LEASE, tries=F("tries") + 1
    )
    for notice in claimed:
        notice.tries += 1
    return claimed


def _send(claimed: Iterable[Notice], count: Sent) -> None:
    """Outside of any transaction: nobody waits for a mail server but ourselves."""
    notices = _read(claimed)
    mails, server = _Mails(notices), _Server()
    for notice in notices:
        try:
            mail = mails.make(notice)
            if mail is not None:
                server.deliver(mail)
        except Exception as error:  # whatever it was: the next try may succeed
            _put_off(notice, error, count)
            continue
        if mail is None:
            _finish(notice, Status.DROPPED)
            count.dropped += 1
        else:
            _finish(notice, Status.SENT, sent_at=timezone.now())
            count.sent += 1
    server.close()


def _read(claimed: Iterable[Notice]) -> list[Notice]:
    keys = [notice.pk for notice in claimed]
    related = ("contact", "request__company", "request__requester")
    return list(Notice.objects.select_related(*related).filter(pk__in=keys))


class _Server:
    """The mail server, for a batch; one that does not answer is not asked again."""

    def __init__(self) -> None:
        self._mailer = mailers.default
        self._dead: Exception | None = None

    def deliver(self, mail: EmailMessage) -> None:
        if self._dead is not None:
            raise self._dead
        try:
            self._mailer.open()
        except Exception as error:
            self._dead = error
            raise
        try:
            self._mailer.send_messages([mail])
        except Exception:
            self.close()  # the next mail gets a connection that is whole
            raise

    def close(self) -> None:
        with suppress(Exception):
            self._mailer.close()


def _put_off(notice: Notice, error: Exception, count: Sent) -> None:
    problem = type(error).__name__
    if isinstance(error, smtplib.SMTPResponseException):
        problem += f" {error.smtp_code}"
    logger.warning("Notice %d was not sent: %s.", notice.pk, problem)
    if notice.tries > len(GAPS):
        _finish(notice, Status.GIVEN_UP, problem=problem)
        count.given_up += 1
    else:
        due_at = timezone.now() + GAPS[notice.tries - 1]
        _finish(notice, Status.WAITING, problem=problem, due_at=due_at)
        count.failed += 1


def _finish(notice: Notice, status: str, **values: Any) -> None:
    """Write what became of the try, if it still is ours."""
    Notice.objects.filter(
        pk=notice.pk, status=Status.WAITING, tries=notice.tries
    ).update(status=status, **({"due_at": None} | values))


class _Mails:
    """Makes the mails of a batch; who can decide is read for all its requests at once.

    Read now, since a mail may have waited: nobody is asked who cannot decide any more.
    """

    def __init__(self, notices: Iterable[Notice]) -> None:
        asking = (notice.request for notice in notices if notice.kind in ASKED)
        pending = {request.pk: request for request in asking if request.is_pending}
        self._steps: Mapping[int, OpenStep] = open_steps(pending.values())

    def make(self, notice: Notice) -> EmailMessage | None:
        """The mail; None if the person is gone, or cannot decide any more."""
        person, instead_of = notice.contact, None
        if not person.is_active or person.erased_at is not None:
            return None
        if notice.kind in ASKED:
            rights = self._rights_of(person, notice.request_id)
            if not rights:
                return None
            instead_of = rights[0].through.instead_of
        return make_mail(notice, instead_of)

    def _rights_of(self, person: Contact, request: int) -> list[Approver]:
        step = self._steps.get(request)
        approvers = step.now.approvers if step else ()
        return [one for one in approvers if one.person.id == person.pk]


def make_mail(notice: Notice, instead_of: Any = None) -> EmailMessage:
    """The mail in the recipient's language; the first line of its text is the subject.

    `instead_of`: for whom the recipient stands in.
    """
    request, kind = notice.request, notice.kind.lower()
    url = settings.SHOP_REQUEST_URL.replace("{id}", str(request.pk))
    entry = request.history.filter(version=notice.version).first()
    with translation.override(_language(notice.contact, request.company)):
        text = render_to_string(
            f"approvals/mail/{kind}.txt",
            {
                "request": request,
                "company": request.company,
                "requester": request.requester,
                "person": notice.contact,
                "instead_of": instead_of,
                "amount": readable(request.amount, request.currency),
                "comment": entry.comment if entry else "",
                "was_approved": _was_approved(notice),
                "url": url,
            },
        )
    subject, _end, body = text.strip().partition("\n")
    return EmailMessage(
        subject=" ".join(subject.split()),
        body=body.strip() + "\n",
        to=[notice.contact.email],
        headers={
            # The same in each try, so that a second copy can be known as one.
            "Message-ID": f"<{notice.created_at:%Y%m%d%H%M%S}.{notice.pk}@{_domain()}>",
            "Auto-Submitted": "auto-generated",  # RFC 3834: no replies of absent people
        },
    )


def _was_approved(notice: Notice) -> bool:
    """Of one that has expired: whether it had been approved before."""
    past = notice.request.history.filter(version__lt=notice.version)
    return notice.kind == Kind.EXPIRED and past.filter(status="APPROVED").exists()


def _language(person: Contact, company: Company) -> str:
    """The person's own, else the company's, where there are translations for it."""
    for tag in (person.language, company.language):
        with suppress(LookupError):
            return translation.get_supported_language_variant(tag.lower())
    return settings.LANGUAGE_CODE


def _domain() -> str:
    return settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">") or "localhost"
