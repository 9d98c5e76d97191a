"""Rows that count their versions."""

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from config.actors import Actor
from config.errors import StaleVersion
from config.writing import QuickInsert, update_one


class Versioned(QuickInsert):
    """Grows `version` by one with each change; a change of an old version is refused.

    The version is compared in the WHERE of the UPDATE itself, so that of two people
    who have read version 4 only one writes version 5; the other gets StaleVersion.
    """

    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        abstract = True

    def by(self, actor: Actor, reason: str = "") -> Any:
        """Name who makes the next change (and why), for the history; returns self."""
        self._history_user = actor
        self._change_reason = reason
        return self

    def save_version(self, using: str, update_fields: Iterable[str] | None) -> None:
        """UPDATE the row, if it still has the version that this object was read with.

        Raises StaleVersion if not; then the object keeps the version it had.
        """
        read = self.version
        if update_fields is not None:
            update_fields = {*update_fields, "version", "updated_at"}
        self.version, self._read_version = read + 1, read
        try:
            models.Model.save(
                self, using=using, force_update=True, update_fields=update_fields
            )
        except BaseException:
            self.version = read
            raise
        finally:
            self._read_version = None

    def _do_update(
        self,
        base_qs: Any,
        using: str,
        pk_val: Any,
        values: Any,
        update_fields: Any,
        forced_update: bool,
        returning_fields: Any,
    ) -> Any:
        # Django's one place where the UPDATE is made; private, hence a test of ours.
        rest = (values, update_fields, forced_update, returning_fields)
        read = getattr(self, "_read_version", None)
        if read is None:
            return super()._do_update(base_qs, using, pk_val, *rest)
        field_of = self._meta.get_field
        done = None
        if not returning_fields:
            done = update_one(
                type(self),
                [(field, value) for field, _model, value in values],
                where=[(self._meta.pk, pk_val), (field_of("version"), read)],
                using=using,
            )
        if done is None:
            same = base_qs.filter(version=read)
            updated = super()._do_update(same, using, pk_val, *rest)
        else:
            updated = [()] if done else []
        if not updated:
            stored = base_qs.filter(pk=pk_val).values_list("version", flat=True)
            raise StaleVersion(version=stored.first())
        return updated
