"""Rows of which every change is versioned, kept in a history and told as an event.

Everything that other systems or people change inherits `Recorded`: no lost update, no
change without its event, whatever path it comes by.
"""

from collections.abc import Iterable
from typing import Any

from django.db import models, router, transaction
from django.utils.translation import gettext_lazy as _

from config.actors import Actor
from config.errors import StaleVersion

from .services import record_event


class Versioned(models.Model):
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

    def _do_update(self, base_qs: Any, using: str, pk_val: Any, *args: Any) -> Any:
        # Django's one place where the UPDATE is made; private, hence a test of ours.
        read = getattr(self, "_read_version", None)
        if read is None:
            return super()._do_update(base_qs, using, pk_val, *args)
        same = base_qs.filter(version=read)
        updated = super()._do_update(same, using, pk_val, *args)
        if not updated:
            stored = base_qs.filter(pk=pk_val).values_list("version", flat=True)
            raise StaleVersion(version=stored.first())
        return updated


class Recorded(Versioned):
    """Records a version, a history entry and an event with each save and delete.

    `event_company_id` says in whose stream the event is told; None: nobody's.
    """

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if args:
            raise TypeError("save() takes keyword arguments only.")
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using):
            if self._state.adding:
                self.version = 1
                super().save(**kwargs)
                self.record("created")
            else:
                self.save_version(using, kwargs.get("update_fields"))
                self.record("updated")

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using):
            self.record("deleted")
            return super().delete(*args, **kwargs)

    @property
    def event_company_id(self) -> int | None:
        return self.company_id

    def record(self, change: str) -> None:
        """Tell the change: "purchaselimit.updated" becomes "purchase_limit.updated"."""
        record_event(
            f"{event_noun(type(self))}.{change}",
            self,
            company_id=self.event_company_id,
        )


def event_noun(model: type[models.Model]) -> str:
    """The model's name as events write it: `customer_group` for CustomerGroup."""
    return "".join(
        f"_{letter.lower()}" if letter.isupper() else letter
        for letter in model.__name__
    ).lstrip("_")
