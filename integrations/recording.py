"""Rows of which every change is versioned, kept in a history and told as an event.

Everything that other systems or people change inherits `Recorded`: no lost update, no
change without its event, whatever path it comes by.
"""

from collections.abc import Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from django.db import models, router
from django.utils import timezone

from config.bulk import update_rows
from config.clean import constrained_fields
from config.db import part_of_transaction
from config.errors import StaleVersion

from .models.versions import Versioned
from .services import record_event


def save_versions(rows: Sequence[Any], columns: Sequence[str]) -> None:
    """What `save_version()` does, for many rows of one model at once.

    `columns` are names of fields, with "_id" for foreign keys. Raises StaleVersion if
    others have changed one of the rows, with the ids of these as `rows`: then the
    transaction has to be rolled back.
    """
    model, now = type(rows[0]), timezone.now()
    values = attrgetter(*columns, "pk")
    written = update_rows(
        model,
        ["id", "version"],
        ["version", "updated_at", *columns],
        (
            (row.pk, row.version, row.version + 1, now, *values(row)[:-1])
            for row in rows
        ),
    )
    if written < len(rows):
        mine = model._base_manager.filter(updated_at=now).values_list("pk", flat=True)
        raise StaleVersion(rows=sorted({row.pk for row in rows} - set(mine)))
    for row in rows:
        row.version, row.updated_at = row.version + 1, now


class Recorded(Versioned):
    """Records a version, a history entry and an event with each save and delete.

    `event_company_id` says in whose stream the event is told; None: nobody's.
    """

    # Rows that come with another one: that one's event and history tell of them, and
    # their own history begins with their first change.
    may_come_with_another = False

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if args:
            raise TypeError("save() takes keyword arguments only.")
        using = kwargs.pop("using", None)
        using = using or router.db_for_write(type(self), instance=self)
        with part_of_transaction(using):
            self.write(using, **kwargs)

    def write(self, using: str, **kwargs: Any) -> None:
        """The work of `save()`, in its transaction: where subclasses lock and check."""
        if self._state.adding:
            self.version = 1
            super().save(using=using, **kwargs)
            self.record("created")
        else:
            self.save_version(using, kwargs.get("update_fields"))
            self.record("updated")

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        with part_of_transaction(using):
            self.record("deleted")
            return super().delete(*args, **kwargs)

    def clean_fields(self, exclude: Any = None) -> None:
        # What is in hand has been read: no query whether it exists. Whoever deletes it
        # meanwhile is found out by the foreign key, with such a query as without.
        in_hand = {
            field.name
            for field in self._meta.concrete_fields
            if field.is_relation and self._state.fields_cache.get(field.name)
        }
        super().clean_fields({*(exclude or ()), *in_hand})

    def validate_constraints(self, exclude: Any = None) -> None:
        # Django leaves out each constraint of which a field is excluded, but only after
        # it has wrapped the values of all fields, for each of them.
        excluded = set(exclude or ())
        if any(excluded.isdisjoint(names) for names in _constrained(type(self))):
            super().validate_constraints(exclude)

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


@cache
def _constrained(model: type[models.Model]) -> list[set[str]]:
    """The fields of each constraint."""
    return [
        constrained_fields(constraint)
        for _model, constraints in model().get_constraints()
        for constraint in constraints
    ]


def event_noun(model: type[models.Model]) -> str:
    """The model's name as events write it: `customer_group` for CustomerGroup."""
    return "".join(
        f"_{letter.lower()}" if letter.isupper() else letter
        for letter in model.__name__
    ).lstrip("_")
