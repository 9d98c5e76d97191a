"""JSON lines: one object of plain values on each line."""

import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import IO, Any

from django.utils.translation import gettext as _

from .caps import LONGEST_LINE, MOST_COLUMNS, Caps
from .faults import Problem, printable
from .rows import Layout, Row, Table, check_header, counted, problems_of, refuse

MOST_DIGITS = 40


class _Odd(Exception):
    """The line is no object of plain values."""

    def __init__(self, code: str, message: str, column: str | None = None) -> None:
        self.problem = Problem(code, message, column)


def open_json_lines(file: IO[bytes], name: str, caps: Caps) -> Table:
    """The header is made of the keys of all lines, in the order in which they come."""
    if _start(file).startswith(b"["):
        message = _("One JSON document. Give JSON lines: one object on each line.")
        refuse(name, "json_document", message)
    header: dict[str, None] = {}
    for _line, text in _lines(file, name):
        try:
            header.update(dict.fromkeys(_object(text)))
        except _Odd:
            continue  # told when the rows are read
        if len(header) > MOST_COLUMNS:
            break
    if not header:
        message = _("No line is a JSON object. Give one object on each line.")
        refuse(name, "json_document", message)
    names = list(header)
    check_header(names, name)
    return Table(name, names, Layout("json", "utf-8"), _rows(file, names, name, caps))


def _start(file: IO[bytes]) -> bytes:
    return file.read(64).removeprefix(BOM_UTF8).lstrip()


def _lines(file: IO[bytes], name: str) -> Iterator[tuple[int, bytes]]:
    file.seek(0)
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            message = _("A line has more than %s characters.") % f"{LONGEST_LINE:,}"
            refuse(name, "line_too_long", message, line=number)
        if number == 1:
            line = line.removeprefix(BOM_UTF8)
        if line.strip():
            yield number, line


def _rows(file: IO[bytes], header: list[str], name: str, caps: Caps) -> Iterator[Row]:
    check_number = counted(caps, name)
    for number, (line, text) in enumerate(_lines(file, name), 1):
        check_number(number)
        try:
            values = _object(text)
            cells = [
                _text(key, values[key]) if key in values else None for key in header
            ]
        except _Odd as odd:
            yield Row(number, line, (), [odd.problem])
            continue
        problems = problems_of(cells, header)
        yield Row(number, line, () if problems else cells, problems)


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(
            line.decode(), object_pairs_hook=_unique, parse_float=_Fraction
        )
    except UnicodeDecodeError as error:
        raise _Odd("not_text", _("The line is not UTF-8.")) from error
    except json.JSONDecodeError as error:
        raise _Odd("not_json", _("Not JSON: %s.") % error.msg) from error
    except (RecursionError, ValueError) as error:
        raise _Odd("not_json", _("Not JSON that can be read.")) from error
    if not isinstance(value, dict):
        raise _Odd("not_json", _("Give one JSON object on each line."))
    return value


class _Fraction(str):
    """A number with a point: its text, as it stands in the file."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise _Odd("duplicate_key", _("A key is there twice."))
    return values


def _text(key: str, value: Any) -> str:
    """What a cell of a CSV file would have for the value. null: empty."""
    match value:
        case _Fraction():
            # Amounts and numbers are texts: no reader may round them.
            message = _('Write numbers with decimals as texts: "12.50".')
            raise _Odd("fraction", message, printable(key))
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() if value.bit_length() < 4 * MOST_DIGITS:
            return str(value)
    message = _("Give a text, a whole number, true, false or null.")
    raise _Odd("no_plain_value", message, printable(key))
