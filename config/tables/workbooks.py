"""Workbooks (.xlsx): looked through from outside, then read by another process.

A workbook of 344 KiB can become 95 MB of XML and 800 MB of memory. So its directory is
checked before anything is unpacked, and what reads it may use only so much memory and
time (`workbook_reader.py`).
"""

import json
import os
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import IO, Any

from django.utils.translation import gettext as _

from .caps import MIB, SMALL, Caps
from .faults import Problem
from .rows import Layout, Row, Table, check_header, counted, problems_of, refuse

READER = Path(__file__).with_name("workbook_reader.py")
MEMORY = 512 * MIB
SECONDS = 300  # of CPU
MOST_ENTRIES = 1_000
ENCRYPTED = 0x1  # in the flags of an entry
MACROS = "xl/vbaProject.bin"
EXACT_DIGITS = 15  # what a number in a spreadsheet keeps


def open_workbook(
    file: IO[bytes],
    name: str,
    caps: Caps,
    closing: ExitStack,
    sheets: tuple[str, ...] = (),
) -> Table:
    """One sheet: the first of `sheets` that is there, else the first visible one.

    Values are those that the spreadsheet stored; formulas are never computed, macros
    and links never followed. Hidden rows are data like others.
    """
    check_workbook(file, name, caps)
    answers = _read(file, name, sheets)
    closing.callback(answers.close)  # ends the other process
    opened = next(answers)
    if "cells" in opened:
        message = _("The sheet has millions of cells, or rows that do not end.")
        refuse(name, "too_many_cells", message)
    layout = Layout("xlsx", sheet=opened["sheet"], other_sheets=tuple(opened["others"]))
    first = next(answers, None)
    if first is None:
        refuse(name, "no_header", _("The sheet is empty: there is no header."))
    line, cells = first
    check_header(cells, name, line)
    # A header that is no text is refused as an unknown column.
    header = [_plain(cell)[0].strip() for cell in cells]
    while header and not header[-1]:
        header.pop()
    return Table(name, header, layout, _rows(answers, header, name, caps))


def check_workbook(file: IO[bytes], name: str, caps: Caps) -> None:
    """Refuse by the directory what should not be unpacked at all."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        refuse(name, "bad_workbook", _("The workbook is damaged."))
    names = [entry.filename for entry in entries]
    if len(entries) > MOST_ENTRIES or len(set(names)) < len(names):
        refuse(name, "bad_workbook", _("The workbook has too many or equal parts."))
    for entry in entries:
        parts = PurePosixPath(entry.filename.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or _is_link(entry):
            refuse(name, "bad_workbook", _("The workbook has parts out of place."))
        if entry.flag_bits & ENCRYPTED:
            refuse(name, "encrypted", _("The workbook is encrypted."))
        most = None if caps.ratio is None else caps.ratio * entry.compress_size
        if most is not None and entry.file_size > max(SMALL, most):
            message = _("Unpacked, the file is more than %s times as large.")
            refuse(name, "packed_too_well", message % caps.ratio)
    total = sum(entry.file_size for entry in entries)
    if caps.unpacked is not None and total > caps.unpacked:
        message = _("Unpacked, the file is larger than %s MiB.")
        refuse(name, "unpacked_too_large", message % (caps.unpacked // MIB))
    if MACROS in names:
        message = _("A workbook with macros. Save it as .xlsx, without them.")
        refuse(name, "macros", message)
    if "xl/workbook.xml" not in names:
        refuse(name, "no_workbook", _("A ZIP file that is no workbook (.xlsx)."))


def _is_link(entry: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(entry.external_attr >> 16)


def _read(file: IO[bytes], name: str, sheets: tuple[str, ...]) -> Generator[Any]:
    """What the reading process answers, line by line; it ends when we stop asking."""
    arguments = [str(MEMORY), str(SECONDS), *sheets]
    os.lseek(file.fileno(), 0, os.SEEK_SET)  # where the other process begins
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", str(READER), *arguments],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as reader,
    ):
        finished = False
        try:
            for line in reader.stdout or ():
                answer = json.loads(line)
                if answer == "end":
                    finished = True
                    break
                yield answer
        except ValueError:
            finished = False  # cut off in the middle of a line
        finally:
            reader.kill()
        if not finished:
            message = _("The workbook is damaged, or needs too much memory or time.")
            refuse(name, "bad_workbook", message)


def _rows(
    answers: Iterator[Any], header: list[str], name: str, caps: Caps
) -> Iterator[Row]:
    check_number = counted(caps, name)
    for number, (line, found) in enumerate(answers, 1):
        check_number(number)
        cells, problems, notes = [], [], []
        for place, cell in enumerate(found):
            column = header[place] if place < len(header) else ""
            text, *said = _plain(cell)
            for code, message in said:
                odd = Problem(code, message, column)
                (notes if code in NOTES else problems).append(odd)
            cells.append(text)
        beyond = [cell for cell in cells[len(header) :] if cell]
        if beyond:
            message = _("There is a value in a column without a name.")
            problems.append(Problem("unnamed_column", message))
        cells = cells[: len(header)] + [""] * (len(header) - len(cells))
        problems += problems_of(cells, header)
        yield Row(number, line, () if problems else cells, problems, notes)


NOTES = {"number_for_text", "date_for_text", "formula", "digits_lost"}


def _plain(cell: Any) -> Any:
    """The text of a cell, and what is odd about it: [text, (code, message), ...]."""
    match cell:
        case None:
            return [""]
        case str():
            return [cell]
        case ["number", text]:
            message = _("A number: zeros before it are lost.")
            said = [("number_for_text", message)]
            if sum(map(str.isdigit, text)) > EXACT_DIGITS:
                message = _("A number of more than 15 digits: the last ones are lost.")
                said.append(("digits_lost", message))
            return [text, *said]
        case ["date", text]:
            return [text, ("date_for_text", _("A date, %s.") % text)]
        case ["truth", text]:
            return [text]
        case ["error", text]:
            message = _("The spreadsheet's error %s instead of a value.") % text
            return ["", ("error_value", message)]
        case ["computed", inner]:
            text, *said = _plain(inner)
            message = _("The stored result of a formula was taken: %s.") % text[:80]
            return [text, ("formula", message), *said]
    message = _("A formula without a stored result: there is no value.")
    return ["", ("formula_without_result", message)]
