"""What an import finds on its way: what it refuses, and what has no place here."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from config.tables.faults import printable, shortened


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is stored: the file, the object by its id, and the field in it."""

    file: str
    what: str
    id: str
    field: str
    code: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}, {self.what} {printable(self.id)}"
        if self.field:
            place += f", {self.field}"
        return f"{place}: {shortened(self.message)} [{self.code}]"


class EmporixRefused(Exception):
    """Something is wrong with what the files say; nothing was stored."""

    def __init__(self, refusals: Iterable[Refusal]) -> None:
        self.refusals = list(refusals)
        super().__init__("\n".join(map(str, self.refusals)))


@dataclass(slots=True)
class Findings:
    """Filled by all steps, so that one run tells all that is wrong."""

    refusals: dict[Refusal, None] = field(default_factory=dict)  # each once
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def leave_out(self, what: Any, path: str) -> None:
        """Something that the files say is not stored: one more of it."""
        self.left_out[str(what), path] += 1
