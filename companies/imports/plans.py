"""What an import would do, record by record."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from config.tables import Fault, Layout, Problem
from config.tables.faults import shortened


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    MOVE = "move"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Change:
    """A field with its value before and after, as text."""

    field: str
    old: str
    new: str


@dataclass(slots=True, eq=False)
class Outcome:
    """What becomes of one record. `problems` refuse it; `notes` are worth a look."""

    file: str
    number: int
    line: int
    action: Action = Action.UNCHANGED
    key: str = ""
    label: str = ""
    changes: Sequence[Change] = ()
    problems: Sequence[Problem] = ()
    notes: Sequence[Problem] = ()

    @property
    def is_refused(self) -> bool:
        return self.action == Action.REFUSED

    def refuse(self, code: str, message: Any, column: str | None = None) -> None:
        self.action = Action.REFUSED
        self.changes = ()
        self.problems = [*self.problems, Problem(code, message, column)]

    def note(self, code: str, message: Any, column: str | None = None) -> None:
        self.notes = [*self.notes, Problem(code, message, column)]

    def faults(self) -> list[Fault]:
        return [
            Fault(self.file, p.code, p.message, self.number, self.line, p.column)
            for p in self.problems
        ]

    def as_json(self) -> dict[str, Any]:
        """For storing and for the API."""
        told: dict[str, Any] = {
            "file": self.file,
            "record": self.number,
            "line": self.line,
            "action": str(self.action),
            "key": shortened(self.key),
            "label": shortened(self.label),
            "changes": [
                {"field": c.field, "old": shortened(c.old), "new": shortened(c.new)}
                for c in self.changes
            ],
        }
        for name, said in (("problems", self.problems), ("notes", self.notes)):
            told[name] = [
                {"code": p.code, "column": p.column, "message": shortened(p.message)}
                for p in said
            ]
        return told


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it was read, for people who see oddities in the preview."""

    file: str
    layout: Layout
    columns: tuple[tuple[str, str], ...] = ()  # header, our column
    left_out: tuple[str, ...] = ()


@dataclass(slots=True)
class Plan:
    """All records with what becomes of them; `work` is what the kind needs to apply."""

    outcomes: list[Outcome]
    sources: list[Source] = field(default_factory=list)
    work: Any = None

    @property
    def totals(self) -> dict[str, int]:
        """Records by action. Moved ones are among the updated."""
        counts = Counter(outcome.action for outcome in self.outcomes)
        return {
            "records": len(self.outcomes),
            "created": counts[Action.CREATE],
            "updated": counts[Action.UPDATE] + counts[Action.MOVE],
            "moved": counts[Action.MOVE],
            "unchanged": counts[Action.UNCHANGED],
            "refused": counts[Action.REFUSED],
            "noted": sum(bool(outcome.notes) for outcome in self.outcomes),
        }

    @property
    def refused(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.is_refused]

    @property
    def faults(self) -> list[Fault]:
        return [fault for outcome in self.refused for fault in outcome.faults()]

    @property
    def changes_anything(self) -> bool:
        return any(
            outcome.action not in (Action.UNCHANGED, Action.REFUSED)
            for outcome in self.outcomes
        )

    def fingerprint(self) -> str:
        """Equal for plans that would do the same from the same state."""
        digest = hashlib.sha256()
        for one in self.outcomes:
            told = [one.number, one.action, one.key]
            told += [[c.field, c.old, c.new] for c in one.changes]
            told += [[p.code, p.column] for p in one.problems]
            digest.update(json.dumps(told).encode("utf-8", "backslashreplace"))
        return digest.hexdigest()
