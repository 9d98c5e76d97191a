"""Field history: who changed what, when, before and after."""

from functools import cache
from typing import Any

from django.db import models
from simple_history.manager import HistoryManager
from simple_history.models import HistoricalRecords

from .request_id import current_request_id
from .writing import QuickInsert


class HistoryEntry(QuickInsert):
    """What each entry of a history says beside the fields: the call that made it."""

    request_id = models.CharField(
        max_length=64, default=current_request_id, editable=False, blank=True
    )

    class Meta:
        abstract = True


class MadeOnceManager(HistoryManager):
    """The package makes this class anew whenever `history` is read: for each save."""

    @classmethod
    @cache
    def from_queryset(
        cls, queryset_class: type[models.QuerySet], class_name: str | None = None
    ) -> type[models.Manager]:
        return super().from_queryset(queryset_class, class_name)


class ReasonedHistory(HistoricalRecords):
    """Says why, where somebody gave a reason; "" where nobody did."""

    def get_change_reason_for_object(
        self, instance: models.Model, history_type: str, using: str
    ) -> str:
        return getattr(instance, "_change_reason", "")


def track_history(*, excluded: tuple[str, ...] = ()) -> HistoricalRecords:
    """History that names our Actor, where django-simple-history would name a user.

    Set `instance._history_user = actor` before saving; without it the entry says
    "system".
    """
    return ReasonedHistory(
        bases=[HistoryEntry],
        history_manager=MadeOnceManager,
        excluded_fields=list(excluded),
        history_user_id_field=models.CharField(max_length=80, default="system"),
        history_user_getter=lambda row: row.history_user_id,
        history_user_setter=_set_actor,
        get_user=lambda **kwargs: None,
        history_change_reason_field=models.CharField(
            max_length=500, default="", blank=True
        ),
    )


def _set_actor(row: Any, actor: object) -> None:
    row.history_user_id = str(actor) if actor is not None else "system"
