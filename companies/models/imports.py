"""Imports that were asked for by the API or in the console, and how they stand."""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import batched
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from integrations.models import ApiClient
from integrations.sight import Viewer

RECORDS_IN_PART = 1_000


class ImportQuerySet(models.QuerySet["Import"]):
    def visible_to(self, viewer: Viewer) -> Self:
        """Those that the viewer itself has sent."""
        own = "client" if isinstance(viewer, ApiClient) else "staff"
        return self.filter(**{own: viewer.pk})

    def waiting(self) -> Self:
        """What a worker has to do next, or what one has left undone."""
        return self.filter(state__in=Import.BUSY)

    def forget_people(self) -> None:
        """Somebody was erased: no result of an import of people may name them."""
        rows = ImportPart.objects.filter(content_of=ImportPart.Of.RESULTS)
        rows.filter(owner__in=self.filter(personal=True)).delete()


class Import(models.Model):
    """A file that is to be imported: planned, looked at, applied; or refused.

    Its changes of state are conditional updates (`companies/imports/jobs.py`): of two
    who start, apply or cancel it at the same moment one does.
    """

    class State(models.TextChoices):
        UPLOADED = "UPLOADED", _("Waits for its columns")
        PLANNING = "PLANNING", _("Is being planned")
        PLANNED = "PLANNED", _("Planned")
        APPLYING = "APPLYING", _("Is being applied")
        APPLIED = "APPLIED", _("Applied")
        REFUSED = "REFUSED", _("Refused")
        OUTDATED = "OUTDATED", _("Plan out of date")
        CANCELLED = "CANCELLED", _("Cancelled")
        FAILED = "FAILED", _("Failed")

    BUSY = (State.PLANNING, State.APPLYING)
    CAN_PLAN = (
        State.UPLOADED,
        State.PLANNED,
        State.REFUSED,
        State.OUTDATED,
        State.FAILED,
    )

    kind = models.CharField(_("kind"), max_length=32)
    file_name = models.CharField(_("file"), max_length=255)
    size = models.PositiveBigIntegerField(_("size"))
    header = models.JSONField(_("header"), default=list)
    mapping = models.JSONField(_("mapping"), null=True)
    encoding = models.CharField(_("encoding"), max_length=20, blank=True)
    partial = models.BooleanField(_("without bad records"), default=False)
    confirmed = models.BooleanField(_("confirmed"), default=False)
    apply_at_once = models.BooleanField(_("apply at once"), default=False)
    personal = models.BooleanField(default=False)  # the file holds data of persons
    state = models.CharField(
        _("state"), max_length=9, choices=State, default=State.PLANNING
    )
    step = models.CharField(_("step"), max_length=20, blank=True)
    done = models.PositiveIntegerField(_("done"), default=0)
    total = models.PositiveIntegerField(_("of"), null=True)
    totals = models.JSONField(_("totals"), default=dict)
    sources = models.JSONField(_("sources"), default=list)
    faults = models.JSONField(_("faults"), default=list)  # of the file as a whole
    fault_count = models.PositiveIntegerField(default=0)
    fingerprint = models.CharField(max_length=64, blank=True)
    client = models.ForeignKey(
        ApiClient,
        verbose_name=_("API client"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
    )
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("staff"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
    )
    may_move = models.BooleanField(default=False)  # when it was sent
    claim = models.CharField(max_length=32, blank=True)  # of who works on it
    beat_at = models.DateTimeField(null=True)  # when that was last heard of
    attempts = models.PositiveSmallIntegerField(default=0)
    cancel_requested = models.BooleanField(default=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["id"],
                condition=models.Q(state__in=["PLANNING", "APPLYING"]),
                name="companies_import_waiting",
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_busy(self) -> bool:
        return self.state in self.BUSY

    @property
    def may_be_cancelled(self) -> bool:
        return self.state not in (self.State.APPLIED, self.State.CANCELLED)

    def keep_results(self, results: Iterable[dict[str, Any]]) -> None:
        """Replace the outcomes by record; packed, a thousand in a row."""
        of = ImportPart.Of.RESULTS
        self.parts.filter(content_of=of).delete()
        for number, batch in enumerate(batched(results, RECORDS_IN_PART)):
            text = json.dumps(batch, separators=(",", ":")).encode()
            actions = sorted({one["action"] for one in batch})
            noted = any(one["notes"] for one in batch)
            self.parts.create(
                content_of=of,
                number=number,
                content=zlib.compress(text),
                actions=[*actions, "noted"] if noted else actions,
            )

    def results(
        self, *, after: int = 0, action: str = "", most: int = 50
    ) -> tuple[Sequence[dict[str, Any]], int | None]:
        """Outcomes from place `after` on, and the place to go on from, if any.

        `action`: only those, or "noted": with something worth a look.
        """
        found: list[dict[str, Any]] = []
        first = after // RECORDS_IN_PART
        rows = self.parts.filter(content_of=ImportPart.Of.RESULTS, number__gte=first)
        for part in rows.order_by("number").defer("content"):
            if action and action not in part.actions:
                continue
            start = part.number * RECORDS_IN_PART
            for place, one in enumerate(part.records(), start):
                if place < after or not _matches(one, action):
                    continue
                if len(found) == most:
                    return found, place
                found.append(one)
        return found, None

    def write_file(self, chunks: Iterable[bytes]) -> None:
        for number, chunk in enumerate(chunks):
            self.parts.create(
                content_of=ImportPart.Of.FILE,
                number=number,
                content=zlib.compress(chunk, 1),
            )

    def read_file(self) -> Iterator[bytes]:
        """The file in pieces; nothing once it was applied or is old."""
        rows = self.parts.filter(content_of=ImportPart.Of.FILE).order_by("number")
        for pk in list(rows.values_list("pk", flat=True)):
            content = self.parts.values_list("content", flat=True).get(pk=pk)
            yield zlib.decompress(content)


def _matches(one: dict[str, Any], action: str) -> bool:
    return not action or one["action"] == action or (action == "noted" and one["notes"])


class ImportPart(models.Model):
    """A piece of the file of an import, or of its results; packed."""

    class Of(models.TextChoices):
        FILE = "FILE", _("File")
        RESULTS = "RESULTS", _("Results")

    owner = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="parts")
    content_of = models.CharField(max_length=7, choices=Of)
    number = models.PositiveIntegerField()
    content = models.BinaryField()
    actions = models.JSONField(default=list)  # of which results it has some

    class Meta:
        verbose_name = _("part of an import")
        verbose_name_plural = _("parts of imports")
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "content_of", "number"],
                name="companies_importpart_unique",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.owner_id}/{self.content_of}/{self.number}"

    def records(self) -> list[dict[str, Any]]:
        return json.loads(zlib.decompress(self.content))


class ImportMapping(models.Model):
    """Which columns of somebody's files are which of ours, saved by a name."""

    kind = models.CharField(_("kind"), max_length=32)
    name = models.CharField(_("name"), max_length=100)
    columns = models.JSONField(_("columns"), default=dict)  # header → column or ""
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("saved mapping")
        verbose_name_plural = _("saved mappings")
        ordering = ["kind", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "name"],
                name="companies_importmapping_unique",
                violation_error_code="duplicate_name",
                violation_error_message=_("There is already a mapping of this name."),
            ),
        ]

    def __str__(self) -> str:
        return self.name
