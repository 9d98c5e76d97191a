"""The base of all staff pages: our actor, versions, refusals and panels on unfold."""

from .base import KonzernAdmin, KonzernList, ReadOnlyAdmin
from .display import badge, link, plain
from .forms import (
    AnswerForAllForm,
    AnswerForm,
    AutocompleteField,
    KonzernForm,
    ReasonForm,
    as_validation_error,
    refusal_text,
)
from .history import history_of
from .home import HomePanel, Task, add_home_panel, add_tasks
from .inlines import KonzernStackedInline, KonzernTabularInline, ReadOnlyInline
from .panels import Panel, extend
from .sight import (
    OutsidePortfolio,
    keep_in_sight,
    offer_seen,
    seen,
    sees_all,
    sight_by,
    sight_of,
)

__all__ = [
    "AnswerForAllForm",
    "AnswerForm",
    "AutocompleteField",
    "HomePanel",
    "KonzernAdmin",
    "KonzernForm",
    "KonzernList",
    "KonzernStackedInline",
    "KonzernTabularInline",
    "OutsidePortfolio",
    "Panel",
    "ReadOnlyAdmin",
    "ReadOnlyInline",
    "ReasonForm",
    "Task",
    "add_home_panel",
    "add_tasks",
    "as_validation_error",
    "badge",
    "extend",
    "history_of",
    "keep_in_sight",
    "link",
    "offer_seen",
    "plain",
    "refusal_text",
    "seen",
    "sees_all",
    "sight_by",
    "sight_of",
]
