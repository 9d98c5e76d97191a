"""A table as all formats give it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from .caps import LONGEST_CELL, MOST_COLUMNS, Caps
from .faults import Fault, FileRefused, Problem

# In text that is read with surrogateescape: a byte that is no text.
FIRST_SURROGATE, LAST_SURROGATE = "\ud800", "\udfff"


@dataclass(slots=True)
class Row:
    """One record. `cells` are in the order of the header; None: nothing is said.

    `line`: as an editor or a spreadsheet counts. A row with problems has no cells.
    """

    number: int
    line: int
    cells: Sequence[str | None]
    problems: Sequence[Problem] = ()
    notes: Sequence[Problem] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """How the file is written, for people who see oddities in the preview."""

    format: str
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    other_sheets: tuple[str, ...] = ()


@dataclass(slots=True)
class Table:
    """The header of a file, and its rows, which are read once."""

    file: str
    header: list[str]
    layout: Layout
    rows: Iterator[Row] = field(default_factory=lambda: iter(()))


def refuse(file: str, code: str, message: str, **place: int | str | None) -> Fault:
    raise FileRefused(Fault(file, code, message, **place))  # type: ignore[arg-type]


def check_header(header: Sequence[str], file: str, line: int = 1) -> None:
    if len(header) > MOST_COLUMNS:
        message = _("The file has more than %s columns.") % f"{MOST_COLUMNS:,}"
        refuse(file, "too_many_columns", message, line=line)


def counted(caps: Caps, file: str) -> Callable[[int], None]:
    """A check that is called with the number of each record."""
    most = caps.records

    def check(number: int) -> None:
        if most is not None and number > most:
            message = _("The file has more than %s records.") % f"{most:,}"
            refuse(file, "too_many_records", message, record=number)

    return check


def problems_of(cells: Sequence[str | None], header: Sequence[str]) -> list[Problem]:
    """What no cell may have, whatever it means."""
    problems = []
    for name, cell in zip(header, cells, strict=False):
        if cell is None:
            continue
        if len(cell) > LONGEST_CELL:
            message = _("The cell has more than %s characters.") % f"{LONGEST_CELL:,}"
            problems.append(Problem("too_long", message, name))
        elif not cell.isascii() and any(
            FIRST_SURROGATE <= character <= LAST_SURROGATE for character in cell
        ):
            # The bytes around may be wrong too: the whole record is in doubt.
            message = _("Bytes in column “%s” are no text of this encoding.") % name
            problems.append(Problem("not_text", message))
        elif "\0" in cell:
            message = _("There is a NUL character in column “%s”.") % name
            problems.append(Problem("nul", message))
    return problems
