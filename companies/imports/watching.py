"""Progress of a stored import, told to others while its transaction is open."""

import time

from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from django.utils.translation import gettext as _

from companies.models import Import

from .progress import Progress, Stopped

EACH = 1  # second
TELL = (
    f"UPDATE {Import._meta.db_table} "  # noqa: S608  (a name of our own)
    "SET step = %s, done = %s, total = %s, beat_at = %s "
    "WHERE id = %s AND claim = %s RETURNING cancel_requested"
)


class Watched(Progress):
    """Writes each second how far the import is, and stops it if somebody wants that.

    In a transaction others would see nothing of it, so on PostgreSQL a second
    connection writes. SQLite has one writer: while it applies, nothing is told, and
    nobody could ask it to stop.
    """

    def __init__(self, job: Import, seconds: int | None) -> None:
        self.job = job
        self.ends = None if seconds is None else time.monotonic() + seconds
        self.told_at = 0.0
        self.step, self.total = "", None
        self.beside: BaseDatabaseWrapper | None = None

    def begin(self, step: str, total: int | None = None) -> None:
        self.step, self.total = step, total
        self._tell(0)

    def report(self, done: int) -> None:
        if time.monotonic() - self.told_at >= EACH:
            self._tell(done)

    def _tell(self, done: int) -> None:
        self.told_at = time.monotonic()
        if self.ends is not None and self.told_at > self.ends:
            raise Stopped("took_too_long", _("The import took too long."))
        alongside = self._connection()
        if alongside is None:
            return
        now = alongside.ops.adapt_datetimefield_value(timezone.now())
        told = [self.step, done, self.total, now, self.job.pk, self.job.claim]
        with alongside.cursor() as cursor:
            cursor.execute(TELL, told)
            found = cursor.fetchone()
        if found is not None and found[0]:
            raise Stopped("cancelled", _("The import was cancelled."))

    def _connection(self) -> BaseDatabaseWrapper | None:
        if not connection.in_atomic_block:
            return connections[connection.alias]
        if connection.vendor != "postgresql":
            return None
        if self.beside is None:
            self.beside = connections.create_connection(connection.alias)
        return self.beside

    def close(self) -> None:
        if self.beside is not None:
            self.beside.close()
