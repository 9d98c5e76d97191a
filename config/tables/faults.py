"""What is wrong with a file, and where."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.functional import Promise

LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a record, or worth a look; `code` is for programs."""

    code: str
    message: str | Promise
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem and its place; records and lines count from 1."""

    file: str
    code: str
    message: str | Promise
    record: int | None = None
    line: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        place = [self.file]
        if self.record is not None:
            place.append(f"record {self.record}")
        if self.line is not None:
            place.append(f"line {self.line}")
        if self.column is not None:
            place.append(f"column {self.column}")
        return f"{', '.join(place)}: {shortened(self.message)} [{self.code}]"


class FileRefused(Exception):
    """The file as a whole cannot be read; nothing of it was stored."""

    def __init__(self, *faults: Fault) -> None:
        self.faults: Sequence[Fault] = faults
        super().__init__("\n".join(map(str, faults)))


def shortened(message: str | Promise) -> str:
    """A message never repeats a huge cell."""
    text = str(message)
    return text if len(text) <= LONGEST_MESSAGE else text[:LONGEST_MESSAGE] + "…"


def printable(name: str) -> str:
    """A header of a file as it can be said: short, and of visible characters."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in name[:80])
    return shown.encode("utf-8", "backslashreplace").decode()
