"""From a path to a table: what the file is, by its content."""

import gzip
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from django.utils.translation import gettext as _

from .caps import MIB, SMALL, Caps
from .csv_files import open_csv
from .json_lines import open_json_lines
from .rows import Table, refuse
from .workbooks import open_workbook

GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
EMPTY_ZIP = b"PK\x05\x06"
OLE = b"\xd0\xcf\x11\xe0"  # old workbooks, and encrypted new ones
JSON_NAMES = (".json", ".jsonl", ".ndjson")


@contextmanager
def open_table(
    path: Path,
    *,
    name: str = "",
    caps: Caps = Caps(),  # noqa: B008  (it is frozen)
    encoding: str = "",
    sheets: tuple[str, ...] = (),
) -> Iterator[Table]:
    """The table in the file at `path`, called `name` in messages. Raises FileRefused.

    `encoding`: of a text file, if it is known. `sheets`: names by which the sheet of a
    workbook is looked for; without any of them its first visible one is taken.
    """
    name = name or path.name
    try:
        size = path.stat().st_size
        if caps.size is not None and size > caps.size:
            message = _("The file is larger than %s MiB.") % (caps.size // MIB)
            refuse(name, "file_too_large", message)
        with ExitStack() as closing:
            file = closing.enter_context(path.open("rb"))
            plain = closing.enter_context(_unpacked(file, size, name, caps))
            yield _table(plain, name, caps, closing, encoding, sheets)
    except OSError as error:
        refuse(name, "unreadable", error.strerror or str(error))


def _table(
    file: IO[bytes],
    name: str,
    caps: Caps,
    closing: ExitStack,
    encoding: str,
    sheets: tuple[str, ...],
) -> Table:
    start = file.read(8)
    file.seek(0)
    if start.startswith((ZIP, EMPTY_ZIP)):
        return open_workbook(file, name, caps, closing, sheets)
    if start.startswith(OLE):
        message = _("An old or an encrypted workbook. Save it as .xlsx, unencrypted.")
        refuse(name, "old_workbook", message)
    if name.lower().endswith((".xlsx", ".xlsm", ".xls")):
        refuse(name, "no_workbook", _("The file is named like a workbook and is none."))
    if start.lstrip()[:1] in (b"{", b"[") or _bare(name).endswith(JSON_NAMES):
        return open_json_lines(file, name, caps)
    return open_csv(file, name, caps, closing, encoding)


def _bare(name: str) -> str:
    return name.lower().removesuffix(".gz")


@contextmanager
def _unpacked(file: IO[bytes], size: int, name: str, caps: Caps) -> Iterator[IO[bytes]]:
    if file.read(2) != GZIP:
        file.seek(0)
        yield file
        return
    file.seek(0)
    with tempfile.TemporaryFile() as plain:
        try:
            _unpack(file, plain, size, name, caps)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            refuse(name, "bad_gzip", _("The gzip file is damaged or cut off."))
        plain.seek(0)
        if plain.read(2) == GZIP:
            refuse(name, "nested_gzip", _("A gzip file inside a gzip file."))
        plain.seek(0)
        yield plain


def _unpack(
    file: IO[bytes], plain: IO[bytes], size: int, name: str, caps: Caps
) -> None:
    total = 0
    with gzip.GzipFile(fileobj=file) as packed:
        while part := packed.read(MIB):
            total += len(part)
            check_unpacked(total, size, name, caps)
            plain.write(part)


def check_unpacked(total: int, packed: int, name: str, caps: Caps) -> None:
    """Refuse what becomes far larger than it looks."""
    if caps.unpacked is not None and total > caps.unpacked:
        message = _("Unpacked, the file is larger than %s MiB.") % (
            caps.unpacked // MIB
        )
        refuse(name, "unpacked_too_large", message)
    if caps.ratio is not None and total > max(SMALL, caps.ratio * packed):
        message = _("Unpacked, the file is more than %s times as large.") % caps.ratio
        refuse(name, "packed_too_well", message)
