"""Reads a sheet of a workbook, writes its rows as JSON lines; a process of its own.

Run as a script, with a workbook on standard input:
    workbook_reader.py MEMORY SECONDS [SHEET ...]

It knows nothing of Konzern and of the database, and has only as much memory and time
as it is given. defusedxml, which openpyxl uses where it is installed, refuses entities.
"""

import datetime
import json
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from itertools import repeat
from shutil import copyfileobj
from typing import IO, Any

import openpyxl
from openpyxl.cell.cell import TYPE_ERROR, TYPE_FORMULA

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

FORMULA = re.compile(rb"<(\w+:)?f[ />]")
CELL = (b"<c ", b"<c>", b"<c/", b":c ", b":c>", b":c/")  # in whatever namespace
MOST_CELLS = 5_000_000  # empty ones too, each of which takes as long as any other
WIDEST = 16_384  # of a row (ECMA-376)
CHUNK = 1024 * 1024


def limit(memory: int, seconds: int) -> None:
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def write(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


def read(file: IO[bytes], wanted: list[str]) -> None:
    # Before openpyxl: it reads a sheet that tells no dimensions to its end.
    with zipfile.ZipFile(file) as archive:
        parts = {name: look_through(archive, name) for name in archive.namelist()}
    if any(cells > MOST_CELLS for _formulas, cells in parts.values()):
        write({"cells": MOST_CELLS})
        return
    values = openpyxl.load_workbook(
        file, read_only=True, data_only=True, keep_links=False
    )
    sheet = choose(values.worksheets, wanted)
    others = [one.title for one in values.worksheets if one is not sheet]
    write({"sheet": sheet.title, "others": others})
    pairs: Iterable[tuple[Any, Any]] = zip(rows_of(sheet), repeat(()))
    if parts[sheet._worksheet_path][0]:
        # Only a second look tells a formula without a result from an empty cell.
        written = openpyxl.load_workbook(file, read_only=True, keep_links=False)
        second = rows_of(written[sheet.title])
        pairs = zip(rows_of(sheet), second, strict=True)
    for line, (row, formula) in enumerate(pairs, 1):
        values_told = list(told(row, formula))
        while values_told and values_told[-1] is None:
            values_told.pop()
        if any(value is not None for value in values_told):
            write([line, values_told])


def choose(sheets: list[Any], wanted: list[str]) -> Any:
    by_name = {sheet.title.strip().casefold(): sheet for sheet in sheets}
    for name in wanted:
        if name.casefold() in by_name:
            return by_name[name.casefold()]
    visible = [sheet for sheet in sheets if sheet.sheet_state == "visible"]
    return (visible or sheets)[0]


def rows_of(sheet: Any) -> Iterator[tuple[Any, ...]]:
    sheet.reset_dimensions()  # what the file says of them may be wrong
    return sheet.iter_rows()


def look_through(archive: zipfile.ZipFile, name: str) -> tuple[bool, int]:
    """Whether a part has formulas, and how many cells; no more than matter."""
    formulas, cells, before = False, 0, b""
    with archive.open(name) as part:
        while (chunk := part.read(CHUNK)) and cells <= MOST_CELLS:
            found = sum(map(chunk.count, CELL))
            if found > WIDEST and b"</row" not in chunk:
                return formulas, MOST_CELLS + 1  # a row without an end
            cells += found
            formulas = formulas or FORMULA.search(before + chunk) is not None
            before = chunk[-64:]
    return formulas, cells


def told(row: tuple[Any, ...], written: tuple[Any, ...]) -> Iterator[Any]:
    formulas = {
        place for place, cell in enumerate(written) if cell.data_type == TYPE_FORMULA
    }
    for place, cell in enumerate(row):
        value = plain(cell)
        if place in formulas:
            yield ["none"] if value is None else ["computed", value]
        else:
            yield value


def plain(cell: Any) -> Any:
    value = cell.value
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if cell.data_type == TYPE_ERROR:
        return ["error", str(value)]
    match value:
        case str():
            return value
        case bool():
            return ["truth", "true" if value else "false"]
        case int():
            return ["number", str(value)]
        case float():
            text = format(value, ".17g") if abs(value) >= 1e15 else repr(value)
            return ["number", text.removesuffix(".0")]
        case datetime.datetime() if value.time() == datetime.time():
            return ["date", value.date().isoformat()]
    return ["date", str(value)]


def main() -> None:
    memory, seconds, *wanted = sys.argv[1:]
    limit(int(memory), int(seconds))
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    with tempfile.TemporaryFile() as file:
        copyfileobj(sys.stdin.buffer, file)
        read(file, wanted)
    write("end")


if __name__ == "__main__":
    main()
