"""The records of files, with our columns instead of theirs."""

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from config.spreadsheets import unguarded
from config.tables import Caps, Fault, FileRefused, Problem, Row, Table, open_table
from config.tables.faults import printable

from . import oddities
from .plans import Source

LEAVE_OUT = ""  # in a mapping: this column is not imported
ALIKE = 0.75  # how near a name is to one of ours, so that it may be a slip


@dataclass(slots=True)
class Record:
    """One record: the cells of our columns, trimmed; None: nothing is said."""

    file: str
    number: int
    line: int
    columns: Sequence[str]
    cells: Sequence[str | None]
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    @property
    def values(self) -> dict[str, str]:
        """What the record says, by column."""
        return {
            name: cell
            for name, cell in zip(self.columns, self.cells, strict=False)
            if cell is not None
        }


@dataclass(frozen=True, slots=True)
class FileToRead:
    """A file at `path`; `mapping` is from its headers to our columns, or LEAVE_OUT."""

    path: Path
    name: str = ""
    mapping: Mapping[str, str] | None = None
    encoding: str = ""


class Reading:
    """The records of some files of a kind, which are read as they are asked for."""

    def __init__(self, kind: Any, files: Sequence[FileToRead], caps: Caps) -> None:
        self.kind, self.files, self.caps = kind, files, caps
        self.sources: list[Source] = []
        # Notes that need a look at the whole column, by file and record.
        self.late_notes: dict[tuple[str, int], list[Problem]] = defaultdict(list)
        self.is_complete = True  # no record was unreadable

    def records(self) -> Iterator[Record]:
        """Raises FileRefused, at any record."""
        for file in self.files:
            with ExitStack() as stack:
                table = stack.enter_context(self._open(file))
                columns = map_header(self.kind, table, file.mapping)
                self.sources.append(
                    Source(table.file, table.layout, *_said(table, columns))
                )
                yield from self._records(table, columns)

    def _open(self, file: FileToRead) -> Any:
        return open_table(
            file.path,
            name=file.name,
            caps=self.caps,
            encoding=file.encoding,
            sheets=(self.kind.name, str(self.kind.label)),
        )

    def _records(self, table: Table, columns: list[str | None]) -> Iterator[Record]:
        places = [place for place, name in enumerate(columns) if name]
        names = tuple(columns[place] for place in places)
        exact = [self.kind.column(name).identifier for name in names]
        is_text = table.layout.format != "json"
        zeros = Zeros()
        for row in table.rows:
            record = Record(table.file, row.number, row.line, names, ())
            record.problems = _ours(row.problems, table.header, columns)
            record.notes = _ours(row.notes, table.header, columns)
            if row.cells:
                record.cells = _cells(row, places, is_text)
                _check_unnamed(record, row, columns, table.header)
                for place, cell in enumerate(record.cells):
                    if cell:
                        given = row.cells[places[place]].strip(" \t\r\n")
                        oddities.look_at(record, names[place], given, exact[place])
                        if exact[place]:
                            zeros.see(record.number, names[place], cell)
            if record.problems:
                record.cells = ()
            self.is_complete &= not record.problems
            yield record
        for number, problem in zeros.lost():
            self.late_notes[table.file, number].append(problem)


def map_header(
    kind: Any, table: Table, mapping: Mapping[str, str] | None
) -> list[str | None]:
    """Our column for each of the table's, None for what is left out.

    Without a mapping a header is ours whatever its case and blanks; others are left
    out, but not those that may be slips: a parent must not get lost so. Raises
    FileRefused.
    """
    faults: list[Fault] = []
    known = {column.name for column in kind.columns}
    columns: list[str | None] = []
    given = {normal(name): target for name, target in (mapping or {}).items()}
    for header in table.header:
        name = normal(header)
        if name in given:
            column = given[name] or None
        else:
            column = name if name in known else None
            if column is None and name and not mapping:
                faults += _slip(header, name, known, table)
        columns.append(column)
    for header in mapping or {}:
        if normal(header) not in {normal(name) for name in table.header}:
            message = _("The file has no column “%s”.") % printable(header)
            faults.append(Fault(table.file, "missing_column", message))
    for column, count in Counter(filter(None, columns)).items():
        if column not in known:
            message = _("There is no column “%s” to import to.") % printable(column)
            faults.append(Fault(table.file, "unknown_column", message))
        elif count > 1:
            message = _("The column “%s” is there twice.") % column
            faults.append(Fault(table.file, "duplicate_column", message, column=column))
    faults += _missing(kind, table, columns)
    if faults:
        raise FileRefused(*faults)
    return columns


def normal(header: str) -> str:
    """Headers are the same whatever their case and blanks."""
    return re.sub(r"[\s_-]+", "_", printable(header).strip().lower())


def _slip(header: str, name: str, known: set[str], table: Table) -> list[Fault]:
    bare = {column.replace("_", ""): column for column in known}
    near = difflib.get_close_matches(name.replace("_", "")[:80], bare, 1, ALIKE)
    if not near:
        return []
    message = _("The column “%(name)s” is not known. Is it “%(near)s”?") % {
        "name": printable(header),
        "near": bare[near[0]],
    }
    return [Fault(table.file, "unknown_column", message, column=printable(header))]


def _missing(kind: Any, table: Table, columns: Sequence[str | None]) -> list[Fault]:
    faults = []
    for group in kind.needed:
        if not set(group) & set(columns):
            found = ", ".join(printable(name) for name in table.header[:20] if name)
            message = _(
                "There is no column “%(names)s”. The header has: %(found)s."
            ) % {
                "names": _("” or “").join(group),
                "found": found,
            }
            faults += [
                Fault(table.file, "missing_column", message, column=name)
                for name in group
            ]
    return faults


def _said(table: Table, columns: Sequence[str | None]) -> tuple[Any, Any]:
    pairs = list(zip(table.header, columns, strict=True))
    taken = tuple((printable(header), name) for header, name in pairs if name)
    left = tuple(printable(header) for header, name in pairs if header and not name)
    return taken, left


def _ours(
    problems: Sequence[Problem], header: list[str], columns: list[str | None]
) -> list[Problem]:
    """The problems of the columns that we read; a bad record is bad as a whole."""
    ours = []
    for problem in problems:
        if problem.column is None:
            ours.append(problem)
        elif problem.column in header:
            column = columns[header.index(problem.column)]
            if column:
                ours.append(Problem(problem.code, problem.message, column))
    return ours


def _cells(row: Row, places: list[int], is_text: bool) -> list[str | None]:
    cells: list[str | None] = []
    for place in places:
        cell = row.cells[place]
        if cell is not None:
            cell = (unguarded(cell) if is_text else cell).strip()
        cells.append(cell)
    return cells


def _check_unnamed(
    record: Record, row: Row, columns: list[str | None], header: list[str]
) -> None:
    for name, cell in zip(header, row.cells, strict=True):
        if not name and cell and not cell.isspace():
            message = _("There is a value in a column without a name.")
            record.problems.append(Problem("unnamed_column", message))
            return


class Zeros:
    """Finds numbers from which a spreadsheet took the zeros at their beginning.

    Only in columns where numbers have one length: most have it, some by zeros.
    """

    FEW = 3

    def __init__(self) -> None:
        self.padded: dict[str, Counter[int]] = defaultdict(Counter)
        self.bare: dict[str, list[tuple[int, int]]] = defaultdict(list)

    def see(self, number: int, column: str, cell: str) -> None:
        if cell.isascii() and cell.isdigit():
            if cell[0] == "0":
                self.padded[column][len(cell)] += 1
            else:
                self.bare[column].append((number, len(cell)))

    def lost(self) -> Iterator[tuple[int, Problem]]:
        for column, lengths in self.padded.items():
            length, count = lengths.most_common(1)[0]
            bare = self.bare[column]
            usual = count + sum(digits == length for _number, digits in bare)
            if count < self.FEW or 2 * usual < lengths.total() + len(bare):
                continue
            for number, digits in bare:
                if digits < length:
                    message = _("Shorter than the others: was there a zero before it?")
                    yield number, Problem("zeros_lost", message, column)
