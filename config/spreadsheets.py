"""Tables that leave: rows as CSV and XLSX, row by row, in memory that does not grow.

A spreadsheet runs a cell that begins with one of a few characters as a formula. Texts
that do get an apostrophe; one that has apostrophes before such a character gets one
more, so that `unguarded()` finds back to every text.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import IO, Any

from django.db.models import QuerySet
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")  # noqa: RUF001  (full width, too)
MOST_ROWS = 1_048_576  # of a worksheet (ECMA-376), the header included
AT_ONCE = 500  # rows in one piece of a CSV file

type Columns = Mapping[str, str]  # header: where the ORM finds it, `parent__code`
type Row = Sequence[Any]


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text that was guarded; any other as it is."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def rows_of(queryset: QuerySet, columns: Columns) -> Iterator[Row]:
    """The header, then a row of plain values for each object, read as they go."""
    yield list(columns)
    values = queryset.values_list(*columns.values())
    for row in values.iterator(chunk_size=2000):
        yield [_cell(value) for value in row]


def _cell(value: Any) -> Any:
    """As the API writes it; numbers stay numbers, whole texts are guarded."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case dict() | list():
            return json.dumps(value, ensure_ascii=False) if value else ""
        case str():
            return guarded(value)
    return value


def csv_pieces(rows: Iterable[Row]) -> Iterator[bytes]:
    """A CSV file (RFC 4180) in UTF-8 with the byte order mark that Excel needs."""
    kept = _Kept()
    writer = csv.writer(kept)
    kept.write("\ufeff")
    for number, row in enumerate(rows, 1):
        writer.writerow([_plain(value) for value in row])
        if number % AT_ONCE == 0:
            yield kept.taken()
    yield kept.taken()


def _plain(value: Any) -> Any:
    return f"{value:f}" if isinstance(value, Decimal) else value


def write_xlsx(rows: Iterable[Row], file: IO[bytes]) -> None:
    """A workbook of one sheet, of at most MOST_ROWS rows."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Konzern")
    for row in rows:
        sheet.append([_allowed(value) for value in row])
    book.save(file)


def _allowed(value: Any) -> Any:
    """XML knows no control characters; none of ours are stored, others' may be."""
    return ILLEGAL_CHARACTERS_RE.sub("", value) if isinstance(value, str) else value


class _Kept:
    """What a csv.writer has written and nobody has taken yet."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def write(self, text: str) -> None:
        self.parts.append(text)

    def taken(self) -> bytes:
        parts, self.parts = self.parts, []
        return "".join(parts).encode()
