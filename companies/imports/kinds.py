"""What can be imported. Higher apps register kinds of their own, from above."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Value
from django.utils.functional import Promise

from companies.models import Company, StaffSight
from config.actors import SYSTEM, Actor
from config.tables import Caps
from integrations.models import ApiClient
from integrations.sight import Viewer

from .plans import Plan
from .progress import Progress
from .records import Reading


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a kind knows; `identifier`: spreadsheets damage such numbers."""

    name: str
    label: str | Promise
    help: str | Promise = ""
    identifier: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom records are judged: nobody imports more than they may see and write."""

    actor: Actor = SYSTEM
    reason: str = "import"  # what the history says
    client: ApiClient | None = None  # only what this client sees
    staff: StaffSight | None = None  # or this member of staff
    may_move: bool = True
    finds_duplicates: bool = True  # and is told of them
    confirm: bool = False  # also what leaves open requests without an approver
    caps: Caps = field(default_factory=Caps)

    def sees[M: QuerySet](self, rows: M) -> M:
        return rows if self._viewer is None else rows.visible_to(self._viewer)

    def sees_company(self, path: str = "pk") -> Exists | Value:
        """An expression: whether they see the company to which `path` leads."""
        if self.sees_all:
            return Value(True)
        return Exists(self.sees(Company.objects.filter(pk=OuterRef(path)).order_by()))

    @property
    def sees_all(self) -> bool:
        return self._viewer is None or self._viewer.sees_all_hierarchies

    @property
    def _viewer(self) -> Viewer | None:
        return self.client or self.staff


type PlanIt = Callable[[Reading, Caller, Progress], Plan]
type ApplyIt = Callable[[Plan, Caller, Progress], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that files have records of.

    `plan` compares the records with what is stored, and stores nothing. `apply` stores
    what a plan says, in the caller's transaction, inside of `locking()`. `state` is
    another whenever something has changed that a plan relies upon and that `apply` does
    not compare itself. `needed`: the header has at least one of each group.
    """

    name: str
    label: str | Promise
    columns: tuple[Column, ...]
    needed: tuple[tuple[str, ...], ...]
    plan: PlanIt
    apply: ApplyIt
    scope: str  # of API clients
    permissions: tuple[str, ...]  # of staff
    moving: tuple[str, str] | None = None  # scope and permission to move companies
    personal: bool = False  # its files hold data of persons
    locking: Callable[[], AbstractContextManager[Any]] = nullcontext
    state: Callable[[], Any] = lambda: None

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


_kinds: dict[str, Kind] = {}


def register(*kinds: Kind) -> None:
    for kind in kinds:
        _kinds[kind.name] = kind


def kind_of(name: str) -> Kind:
    """The kind of that name. Raises KeyError."""
    return _kinds[name]


def all_kinds() -> Iterable[Kind]:
    return _kinds.values()
