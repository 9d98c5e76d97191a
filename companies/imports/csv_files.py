"""Read CSV files so that every fault has its file, record, line and column.

A record is what stands between two ends of line outside of quotes; the first one after
the header is number 1. Lines count as an editor does, from 1.
"""

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.functional import Promise
from django.utils.translation import gettext as _

GZIP = b"\x1f\x8b"
NO_TEXT = (b"\xff\xfe", b"\xfe\xff", b"PK\x03\x04")  # UTF-16, workbooks


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file: its values by column, trimmed."""

    file: str
    number: int
    line: int
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where; `code` is for programs, `message` for people."""

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
        message = str(self.message)
        if len(message) > 300:  # never repeat a huge cell
            message = message[:300] + "…"
        return f"{', '.join(place)}: {message} [{self.code}]"


@dataclass(slots=True)
class Table:
    """The good records of a file, and what is wrong with the others."""

    file: str
    records: list[Record] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def refuse(self, code: str, message: str, **place: int | str | None) -> None:
        self.faults.append(Fault(self.file, code, message, **place))  # type: ignore[arg-type]


def read_table(
    path: Path, *, known: Collection[str], mandatory: Collection[str]
) -> Table:
    """Read a CSV file, gzipped or not, in UTF-8 with or without byte order mark.

    The header names `known` columns in any order and case, `mandatory` ones among them.
    Blank lines are skipped. Nothing is guessed: whatever is odd is a fault.
    """
    table = Table(path.name)
    text = _read_text(path, table)
    if text is None:
        return table
    lines = _rows(text, table)
    header = next(lines, None)
    if header is None:
        if not table.faults:
            table.refuse("no_header", _("The file is empty: there is no header."))
        return table
    names = [name.strip().lower() for name in header[2]]
    if not _header_is_good(names, table, known, mandatory):
        return table
    for number, line, cells in lines:
        values = _values(names, cells, number, line, table)
        if values is not None:
            table.records.append(Record(table.file, number, line, values))
    return table


def _read_text(path: Path, table: Table) -> str | None:
    try:
        data = path.read_bytes()
        if data.startswith(GZIP):
            data = gzip.decompress(data)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        table.refuse("bad_gzip", _("The gzip file is damaged or cut off."))
        return None
    except OSError as error:
        table.refuse("unreadable", error.strerror or str(error))
        return None
    if data.startswith(NO_TEXT):
        table.refuse("no_csv", _("This is no CSV file in UTF-8. Save it as one."))
        return None
    # Bytes that are no UTF-8 become lone surrogates, which we find in their record.
    return data.decode("utf-8-sig", errors="surrogateescape")


def _rows(text: str, table: Table) -> Iterator[tuple[int, int, list[str]]]:
    """Number (0: the header), first line and cells of each record that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 0
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            table.refuse(*_why(error), record=number, line=line)
            return
        if any(cell.strip() for cell in cells):
            yield number, line, cells
            number += 1


def _why(error: csv.Error) -> tuple[str, str]:
    if "end of data" in str(error):
        return "open_quote", _(
            "A quote is opened here and never closed. The rest cannot be read."
        )
    if "field larger" in str(error):
        return "huge_cell", _("A cell is far too long. The rest was not read.")
    return "bad_csv", _(
        "Something stands behind a closing quote. The rest cannot be read."
    )


def _header_is_good(
    names: list[str], table: Table, known: Collection[str], mandatory: Collection[str]
) -> bool:
    for name in mandatory:
        if name not in names:
            message = _("The header has no column “%s”.") % name
            table.refuse("missing_column", message, column=name)
    for name, count in Counter(names).items():
        if name and name not in known:
            message = _("The column “%s” is not known.") % _printable(name)
            table.refuse("unknown_column", message, column=_printable(name))
        elif name and count > 1:
            message = _("The column “%s” is there twice.") % name
            table.refuse("duplicate_column", message, column=name)
    return not table.faults


def _values(
    names: list[str], cells: list[str], number: int, line: int, table: Table
) -> dict[str, str] | None:
    place = {"record": number, "line": line}
    if len(cells) != len(names):
        message = _("The record has %(cells)d cells, the header has %(names)d.")
        counts = {"cells": len(cells), "names": len(names)}
        table.refuse("wrong_number_of_cells", message % counts, **place)
        return None
    values = {}
    for name, cell in zip(names, cells, strict=True):
        if not cell.isascii() and any("\ud800" <= c <= "\udfff" for c in cell):
            table.refuse("not_utf8", _("This is not UTF-8."), column=name, **place)
            return None
        if "\0" in cell:
            table.refuse("nul", _("There is a NUL byte."), column=name, **place)
            return None
        if name:
            values[name] = cell.strip()
        elif cell.strip():
            message = _("There is a value in a column without a name.")
            table.refuse("unnamed_column", message, **place)
            return None
    return values


def _printable(name: str) -> str:
    return name[:80].encode("ascii", "backslashreplace").decode()
