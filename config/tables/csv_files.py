"""Delimited text: commas, semicolons or tabs, in the encodings that people save."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from typing import IO

from django.utils.translation import gettext as _

from .caps import LONGEST_LINE, MIB, Caps
from .faults import Problem
from .rows import Layout, Row, Table, check_header, counted, problems_of, refuse

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
ENCODINGS = {"utf-8": "utf-8-sig", "utf-16": "utf-16", "windows-1252": "cp1252"}
SEP = re.compile(r"\ufeff?\"?sep=(.)\"?[\r\n]*\Z", re.IGNORECASE)
NO_TEXT = re.compile("[\ud800-\udfff]")
BEYOND_ASCII = re.compile("[^\x00-\x7f\ud800-\udfff]")

# Of the whole process; the default of Python would end at cells we can name.
csv.field_size_limit(LONGEST_LINE)


def open_csv(
    file: IO[bytes], name: str, caps: Caps, closing: ExitStack, encoding: str = ""
) -> Table:
    """Blank lines are skipped, and so is `sep=;` before the header.

    Bytes that are no text of the encoding are a problem of their record.
    """
    encoding = _known(encoding, name) if encoding else guess_encoding(file)
    file.seek(0)
    # UTF-16 has no bytes to escape: half a pair is let through and found later.
    errors = "surrogatepass" if encoding.startswith("utf-16") else "surrogateescape"
    text = io.TextIOWrapper(file, encoding, errors, newline="")
    closing.callback(text.detach)  # the file is not ours to close
    lines = _Lines(text, name)
    first, delimiter = _first_line(lines)
    if first is None:
        refuse(name, "no_header", _("The file is empty: there is no header."))
    delimiter = delimiter or _guess_delimiter(first)
    reader = csv.reader(
        chain([first], lines), delimiter=delimiter, quotechar='"', strict=True
    )
    records = _records(reader, lines, name)
    _number, line, header = next(records)
    check_header(header, name, line)
    names = [cell.strip() for cell in header]
    layout = Layout("csv", _said(encoding), DELIMITERS.get(delimiter, delimiter))
    return Table(name, names, layout, _rows(records, names, name, caps))


class _Lines:
    """The lines of a text, counted, none of them endless."""

    def __init__(self, text: IO[str], name: str) -> None:
        self.text, self.name, self.count = text, name, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = self.text.readline(LONGEST_LINE + 1)
        except UnicodeError:
            message = _("The text is not UTF-16 from here on.")
            refuse(self.name, "not_text", message, line=self.count + 1)
        if not line:
            raise StopIteration
        self.count += 1
        if len(line) > LONGEST_LINE:
            message = _("A line has more than %s characters.") % f"{LONGEST_LINE:,}"
            refuse(self.name, "line_too_long", message, line=self.count)
        return line


def _first_line(lines: _Lines) -> tuple[str | None, str]:
    """The first line with anything in it, and the delimiter that a line before says."""
    delimiter = ""
    for line in lines:
        if match := SEP.match(line):
            delimiter = match[1]
        elif line.strip("\ufeff \t\r\n,;"):
            return line, delimiter
    return None, delimiter


def _guess_delimiter(line: str) -> str:
    """The one that makes most cells of the header."""

    def cells(delimiter: str) -> int:
        try:
            return len(next(csv.reader([line], delimiter=delimiter)))
        except csv.Error:
            return 0

    return max(DELIMITERS, key=cells)


def _records(
    reader: Iterator[list[str]], lines: _Lines, name: str
) -> Iterator[tuple[int, int, list[str]]]:
    """Number (0: the header), first line and cells of each record that is not blank."""
    number, line = 0, lines.count
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            refuse(name, *_why(error), record=number, line=line)
        if any(cell and not cell.isspace() for cell in cells):
            yield number, line, cells
            number += 1
        line = lines.count + 1


def _why(error: csv.Error) -> tuple[str, str]:
    if "end of data" in str(error):
        return "open_quote", _(
            "A quote is opened here and never closed. The rest cannot be read."
        )
    if "field larger" in str(error):
        return "open_quote", _(
            "A cell does not end. Perhaps a quote is opened here and never closed."
        )
    return "bad_csv", _(
        "Something stands behind a closing quote. The rest cannot be read."
    )


def _rows(
    records: Iterator[tuple[int, int, list[str]]],
    header: list[str],
    name: str,
    caps: Caps,
) -> Iterator[Row]:
    check_number = counted(caps, name)
    width = len(header)
    for number, line, cells in records:
        check_number(number)
        if len(cells) != width:
            text = _("The record has %(cells)d cells, the header has %(names)d.")
            text %= {"cells": len(cells), "names": width}
            problem = Problem("wrong_number_of_cells", text)
            yield Row(number, line, (), [problem])
            continue
        problems = problems_of(cells, header)
        yield Row(number, line, () if problems else cells, problems)


def guess_encoding(file: IO[bytes]) -> str:
    """UTF-8 if the file has any of it, or nothing but ASCII; Windows-1252 if not.

    UTF-16 by its mark, or by the NULs that it makes of ASCII. A file with both UTF-8
    and other bytes was put together by hand: it is UTF-8 with bad records.
    """
    start = file.read(1024)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if start[1::2].count(0) > len(start) // 3:
        return "utf-16-le"
    if start[::2].count(0) > len(start) // 3:
        return "utf-16-be"
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    wrong = False
    while part := file.read(MIB):
        if part.isascii():
            continue
        text = decoder.decode(part)
        if BEYOND_ASCII.search(text):
            return "utf-8-sig"
        wrong = wrong or NO_TEXT.search(text) is not None
    return "cp1252" if wrong else "utf-8-sig"


def _known(encoding: str, name: str) -> str:
    if encoding not in ENCODINGS:
        text = _("Encodings are: %s.") % ", ".join(ENCODINGS)
        refuse(name, "unknown_encoding", text)
    return ENCODINGS[encoding]


def _said(encoding: str) -> str:
    names = {codec: said for said, codec in ENCODINGS.items()}
    return names.get(encoding, encoding)
