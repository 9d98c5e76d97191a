"""Hostile files cost a second and some memory, measured from outside."""

import gzip
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from django.conf import settings

from tests import figures

# The files are refused before any database is asked: once is enough.
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        "postgresql" in settings.DATABASES["default"]["ENGINE"], reason="as on SQLite"
    ),
]

MIB = 1024 * 1024
MEMORY = 512 * MIB
HEAD = b"code,name\n"
SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'


class Cost(NamedTuple):
    said: str
    seconds: float  # of CPU, of the command and what it starts
    memory: int


def writing(path: Path, pieces: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)


def workbook(path: Path, sheet: Iterable[str], *, before: str = "") -> None:
    """A workbook of one sheet with this XML in it; `before` comes first of all."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-'
            'package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"'
            f'/><Override PartName="/xl/s.xml" ContentType="{kind}.worksheet+xml"/>'
            "</Types>",
        )
        for name, target, relation in (
            ("_rels/.rels", "xl/workbook.xml", "officeDocument"),
            ("xl/_rels/workbook.xml.rels", "s.xml", "worksheet"),
        ):
            archive.writestr(
                name,
                f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
                f'Type="{office}/{relation}" Target="{target}"/></Relationships>',
            )
        archive.writestr(
            "xl/workbook.xml",
            '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
            f' xmlns:r="{office}"><sheets><sheet name="companies" sheetId="1" '
            'r:id="r1"/></sheets></workbook>',
        )
        with archive.open("xl/s.xml", "w", force_zip64=True) as part:
            part.write((before + SHEET).encode())
            for piece in sheet:
                part.write(piece.encode())
            part.write(b"</worksheet>")


def cells(count: int, width: int, content: str = "") -> Iterator[str]:
    yield "<sheetData>"
    for row in range(count // width):
        named = (
            f'<c r="{chr(65 + place // 26)}{chr(65 + place % 26)}{row + 1}" '
            f's="{row * place % 97}"{content}/>'
            for place in range(width)
        )
        yield f'<row r="{row + 1}">{"".join(named)}</row>'
    yield "</sheetData>"


LAUGHS = "<!DOCTYPE lolz [<!ENTITY a 'ha'>{}]>".format(
    "".join(f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(12))
)
TEXT = '<sheetData><row r="1"><c t="inlineStr"><is><t>{}</t></is></c></row></sheetData>'
NESTED = b'{"a": ' + b"[" * MIB + b"\n"

FILES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "gzip bomb of 4 GB": (
        "x.csv.gz",
        lambda path: path.write_bytes(gzip.compress(b"\0" * 64 * MIB) * 64),
    ),
    "workbook that unpacks to 1 GB": (
        "x.xlsx",
        lambda path: workbook(path, [" " * 64 * MIB] * 16),
    ),
    "a line of 1 GB": (
        "x.csv",
        lambda path: writing(path, [HEAD, *[b"x" * MIB] * 1024]),
    ),
    "a JSON line of 1 GB": (
        "x.jsonl",
        lambda path: writing(path, [b'{"code": "', *[b"x" * MIB] * 1024]),
    ),
    "10 million empty cells": (
        "x.csv",
        lambda path: writing(path, [HEAD, *[b"," * 999 + b"\n"] * 10_000]),
    ),
    "10 million empty cells, workbook": (
        "x.xlsx",
        lambda path: workbook(path, cells(10_000_000, 500)),
    ),
    "nested JSON": ("x.jsonl", lambda path: writing(path, [NESTED] * 3)),
    "nested JSON, many lines": (
        "x.jsonl",
        lambda path: writing(path, [b'{"code": ' + b"[" * 2_000 + b"\n"] * 10_000),
    ),
    "a million headers": (
        "x.csv",
        lambda path: writing(path, [",".join(map(str, range(10**6))).encode()]),
    ),
    "a million headers, JSON": (
        "x.jsonl",
        lambda path: writing(
            path,
            [
                json.dumps({f"k{n}": "", "code": "a"}).encode() + b"\n"
                for n in range(10**6)
            ],
        ),
    ),
    "a million headers, workbook": (
        "x.xlsx",
        lambda path: workbook(path, cells(10**6, 10**6)),
    ),
    "billion laughs": (
        "x.xlsx",
        lambda path: workbook(path, [TEXT.format("&m;")], before=LAUGHS),
    ),
    "1,048,576 by 16,384 claimed": (
        "x.xlsx",
        lambda path: workbook(
            path, ['<dimension ref="A1:XFD1048576"/>', TEXT.format("code")]
        ),
    ),
    "a last row in the last place": (
        "x.xlsx",
        lambda path: workbook(
            path,
            [
                '<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>code</t></is>',
                '</c></row><row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x',
                "</t></is></c></row></sheetData>",
            ],
        ),
    ),
    "500 MB of NUL": ("x.csv", lambda path: writing(path, [b"\0" * MIB] * 500)),
    "NUL in each of a million lines": (
        "x.csv",
        lambda path: writing(path, [HEAD, b"\0\n" * 10**6]),
    ),
}

# A child counts the memory of the process that forked it as its own: a worker of the
# tests has more than any import. So a small process starts the import, and tells.
MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=sys.stderr)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Callable[[Path], Cost]:
    """Imports a file by the command, in a process of its own; what that costs."""
    database = tmp_path_factory.mktemp("database") / "db.sqlite3"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DJANGO_")}
    environment |= {"DATABASE_URL": f"sqlite:///{database}", "DJANGO_DEBUG": "1"}
    command = [sys.executable, "manage.py"]
    where = {"cwd": settings.BASE_DIR, "env": environment}
    subprocess.run([*command, "migrate", "-v0"], check=True, **where)  # noqa: S603

    def work(path: Path) -> Cost:
        with (path.parent / "said").open("w+b") as said:
            done = subprocess.run(  # noqa: S603
                [
                    *(sys.executable, "-c", MEASURED),
                    *(*command, "import_data", "companies", str(path), "--dry-run"),
                ],
                stdout=subprocess.PIPE,
                stderr=said,
                check=True,
                **where,
            )
            said.seek(0)
            text = said.read().decode()
        assert "Traceback" not in text, text[-2_000:]
        seconds, kibibytes = done.stdout.split()
        return Cost(text, float(seconds), int(kibibytes) * 1024)

    return work


@pytest.fixture(scope="module")
def harmless(run, tmp_path_factory) -> dict[str, float]:
    """Seconds of CPU to read nothing much, by the kind of file: one or two."""
    folder = tmp_path_factory.mktemp("harmless")
    (folder / "x.csv").write_bytes(HEAD + b"a,A\n")
    workbook(folder / "x.xlsx", [TEXT.format("code")])
    plain, book = (run(folder / name).seconds for name in ("x.csv", "x.xlsx"))
    return {"csv": plain, "jsonl": plain, "gz": plain, "xlsx": book}


@pytest.mark.parametrize("hostile", FILES)
def test_a_hostile_file_costs_little(run, harmless, tmp_path, hostile: str):
    # given
    name, write = FILES[hostile]
    path = tmp_path / name
    write(path)
    # when
    began = time.perf_counter()
    cost = run(path)
    passed = time.perf_counter() - began
    path.unlink()
    # then
    usual = harmless[name.rpartition(".")[2]]  # to start, above all
    beyond = cost.seconds - usual
    figures.show(
        f"{hostile:34} {beyond:5.1f} s of CPU beyond {usual:.1f}, {passed:5.1f} all, "
        f"{cost.memory // MIB:4} MiB: {cost.said.splitlines()[0][:70]}"
    )
    assert cost.memory < MEMORY
    assert beyond < usual
