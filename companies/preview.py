"""What a change of a company would change around it, before it is made.

The change is made, looked at and taken back. Each app says how things stand for a
company and all below it; what stood before and not after, or the reverse, is what would
change.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .errors import PreviewOutdated
from .large import note_on_size
from .models import Company, ContactAssignment
from .models.company import STATUS_OF_BADNESS, Status
from .signals import standing_asked

SALT = "companies.preview"
MOST_PEOPLE = 200


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand in one respect: lines for people, each by itself."""

    topic: str
    label: str | Promise
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One respect in which the change would be felt."""

    topic: str
    label: str | Promise
    before: tuple[str, ...]
    after: tuple[str, ...]

    def sentences(self) -> Iterator[str]:
        for text, lines, others in (
            (_("%(topic)s, no longer: %(line)s"), self.before, self.after),
            (_("%(topic)s, new: %(line)s"), self.after, self.before),
        ):
            for line in lines:
                if line not in others:
                    yield text % {"topic": self.label, "line": line}


@dataclass(frozen=True, slots=True)
class Preview:
    """What would change. The token makes the change fail if anything else would."""

    changes: tuple[Change, ...]
    token: str

    def sentences(self) -> list[str]:
        return [text for change in self.changes for text in change.sentences()]


type Say = Callable[[], Sequence[Standing]]


def preview_change(
    company: Company, action: str, make: Callable[[], Any], *, say: Say = tuple
) -> Preview:
    """What `make()` would change. Raises what it raises; nothing stays.

    `say` is asked afterwards for what the change has to tell of itself.
    """
    with transaction.atomic():
        before = standing_of(company.pk)
        make()
        before, after = _with_told(before, standing_of(company.pk), say())
        transaction.set_rollback(True)
    token = signing.dumps(_digest(company.pk, action, before, after), salt=SALT)
    return Preview(_changes(before, after), token)


@contextmanager
def as_previewed(
    company: Company, action: str, token: str, *, say: Say = tuple
) -> Iterator[None]:
    """Let the change be made in here if it does just what the preview of `token` said.

    For inside the change's transaction; without a token everything is right. Raises
    PreviewOutdated at the end, for the transaction to be rolled back.
    """
    if not token:
        yield
        return
    before = standing_of(company.pk)
    yield
    before, after = _with_told(before, standing_of(company.pk), say())
    try:
        previewed = signing.loads(token, salt=SALT)
    except signing.BadSignature as error:
        raise PreviewOutdated(company=company.pk) from error
    if previewed != _digest(company.pk, action, before, after):
        raise PreviewOutdated(company=company.pk)


def standing_of(company: int) -> tuple[Standing, ...]:
    """How things stand for the company and all below it, in the eyes of all apps."""
    answers = standing_asked.send(Company, company=company)
    own = (_place(company), _size(company), _statuses(company), _people(company))
    return (*own, *(one for _receiver, told in answers for one in told))


def _with_told(
    before: Sequence[Standing], after: Sequence[Standing], told: Sequence[Standing]
) -> tuple[Sequence[Standing], Sequence[Standing]]:
    nothing = [Standing(one.topic, one.label, ()) for one in told]
    return (*before, *nothing), (*after, *told)


def _place(company: int) -> Standing:
    way = Company.objects.above(company).exclude(pk=company).head_first()
    path = " > ".join(way.values_list("name", flat=True))
    return Standing(
        "place", gettext_lazy("Place"), (path or _("the top: a head company"),)
    )


def _size(company: int) -> Standing:
    note = note_on_size(company)
    return Standing("size", gettext_lazy("Hierarchy"), (note,) if note else ())


def _statuses(company: int) -> Standing:
    """How many companies have which effective status, from good to bad."""
    counts: dict[int, int] = {}
    rows = Company.objects.under(company).order_by().with_badness()
    for badness in rows.values_list("badness", flat=True):
        counts[badness] = counts.get(badness, 0) + 1
    lines = [
        f"{Status(STATUS_OF_BADNESS[badness]).label}: {count}"
        for badness, count in sorted(counts.items())
    ]
    return Standing("statuses", gettext_lazy("Companies by status"), tuple(lines))


def _people(company: int) -> Standing:
    """People of companies above who count here, too."""
    rows = (
        ContactAssignment.objects.in_force()
        .reaching(company)
        .exclude(company=company)
        .select_related("contact", "company")
        .order_by("pk")[:MOST_PEOPLE]
    )
    lines = [
        f"{row.contact.name}, {row.get_role_display() or _('no role')} ({row.company})"
        for row in rows
    ]
    return Standing("people", gettext_lazy("People from above"), tuple(lines))


def _changes(
    before: Sequence[Standing], after: Sequence[Standing]
) -> tuple[Change, ...]:
    return tuple(
        Change(old.topic, old.label, old.lines, new.lines)
        for old, new in zip(before, after, strict=True)
        if old.lines != new.lines
    )


def _digest(
    company: int, action: str, before: Sequence[Standing], after: Sequence[Standing]
) -> str:
    told = [[one.topic, one.lines] for one in (*before, *after)]
    return hashlib.sha256(json.dumps([company, action, told]).encode()).hexdigest()
