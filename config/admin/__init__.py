"""The base of all staff pages: our actor, versions, refusals and panels on unfold."""

from .base import KonzernAdmin, KonzernList, ReadOnlyAdmin
from .display import badge, joined, link, plain
from .facts import Fact, add_facts
from .forms import (
    AnswerForAllForm,
    AnswerForm,
    AutocompleteField,
    DateAndTimeWidget,
    KonzernForm,
    ReasonForm,
    as_validation_error,
    refusal_text,
)
from .history import history_of
from .home import HomePanel, Task, add_home_panel, add_tasks
from .inlines import KonzernStackedInline, KonzernTabularInline, ReadOnlyInline
from .names import Ref, name_actors
from .panels import Panel, extend
from .search import Searched, add_searched
from .sight import (
    OutsidePortfolio,
    keep_in_sight,
    may_see,
    offer_seen,
    rows_of,
    seen,
    sees_all,
    sight_by,
    sight_of,
)
from .timeline import TIMELINE, Entry, Source, add_sources, history_source

__all__ = [
    "TIMELINE",
    "AnswerForAllForm",
    "AnswerForm",
    "AutocompleteField",
    "DateAndTimeWidget",
    "Entry",
    "Fact",
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
    "Ref",
    "Searched",
    "Source",
    "Task",
    "add_facts",
    "add_home_panel",
    "add_searched",
    "add_sources",
    "add_tasks",
    "as_validation_error",
    "badge",
    "extend",
    "history_of",
    "history_source",
    "joined",
    "keep_in_sight",
    "link",
    "may_see",
    "name_actors",
    "offer_seen",
    "plain",
    "refusal_text",
    "rows_of",
    "seen",
    "sees_all",
    "sight_by",
    "sight_of",
]
