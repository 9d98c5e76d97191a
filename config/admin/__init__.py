"""The base of all staff pages: our actor, versions, refusals and panels on unfold."""

from .base import KonzernAdmin, KonzernList, ReadOnlyAdmin
from .display import badge, link, plain
from .forms import (
    AnswerForm,
    AutocompleteField,
    KonzernForm,
    ReasonForm,
    as_validation_error,
    refusal_text,
)
from .history import history_of
from .inlines import KonzernStackedInline, KonzernTabularInline, ReadOnlyInline
from .panels import Panel, extend

__all__ = [
    "AnswerForm",
    "AutocompleteField",
    "KonzernAdmin",
    "KonzernForm",
    "KonzernList",
    "KonzernStackedInline",
    "KonzernTabularInline",
    "Panel",
    "ReadOnlyAdmin",
    "ReadOnlyInline",
    "ReasonForm",
    "as_validation_error",
    "badge",
    "extend",
    "history_of",
    "link",
    "plain",
    "refusal_text",
]
