"""Files of all formats and encodings; hostile ones are refused soon, by name."""

import gzip
import io
import json
import time
import tracemalloc
import zipfile
from pathlib import Path

import openpyxl
import pytest

from config.tables import Caps, FileRefused, open_table
from config.tables.rows import Row

CAPS = Caps(
    size=100 * 2**20, records=200_000, unpacked=500 * 2**20, ratio=100, seconds=900
)
LINES = ["code;name;note", 'a;"Käse; ""fein""";-', "b;Ålesund;€"]
FORMATS = {
    "utf-8": "\n".join(LINES).encode(),
    "utf-8 with mark": "\n".join(LINES).encode("utf-8-sig"),
    "utf-16": "\r\n".join(LINES).encode("utf-16"),
    "utf-16-le without mark": "\n".join(LINES).encode("utf-16-le"),
    "utf-16-be without mark": "\n".join(LINES).encode("utf-16-be"),
    "windows-1252": "\r\n".join(LINES).encode("cp1252"),
    "old line ends": "\r".join(LINES).encode(),
    "sep": "\n".join(["sep=;", *LINES]).encode(),
    "blank lines": "\n\n".join(["", *LINES, ";;", ""]).encode(),
    "gzip": gzip.compress("\n".join(LINES).encode()),
}


def read(path: Path, caps: Caps = CAPS, **options) -> tuple[list[str], list[Row]]:
    with open_table(path, caps=caps, **options) as table:
        return table.header, list(table.rows)


def refusal(path: Path, caps: Caps = CAPS) -> str:
    """The code of why the file is refused; it takes neither time nor memory."""
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(FileRefused) as refused:
        read(path, caps)
    seconds, (_now, most) = (
        time.process_time() - started,
        tracemalloc.get_traced_memory(),
    )
    tracemalloc.stop()
    assert most < 64 * 2**20
    assert seconds < 10  # of CPU, with the memory watched; without, less than one
    (fault,) = refused.value.faults
    assert len(str(fault)) < 500
    return fault.code


def file(tmp_path: Path, content: bytes, name: str = "file.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_text_is_read_in_whatever_way_it_is_saved(tmp_path: Path, name: str):
    # when
    header, rows = read(file(tmp_path, FORMATS[name]))
    # then
    assert header == ["code", "name", "note"]
    assert [list(row.cells) for row in rows] == [
        ["a", 'Käse; "fein"', "-"],
        ["b", "Ålesund", "€"],
    ]
    assert [row.number for row in rows] == [1, 2]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_in_the_header(tmp_path: Path, delimiter: str):
    lines = [delimiter.join(["code", "name"]), delimiter.join(["a", "x"])]
    header, rows = read(file(tmp_path, "\n".join(lines).encode()))
    assert (header, list(rows[0].cells)) == (["code", "name"], ["a", "x"])


def test_an_encoding_can_be_named(tmp_path: Path):
    # given two letters that are UTF-8, but were meant otherwise
    path = file(tmp_path, "code,name\na,Ã¼\n".encode("cp1252"))
    # then
    assert read(path)[1][0].cells[1] == "ü"
    assert read(path, encoding="windows-1252")[1][0].cells[1] == "Ã¼"
    with pytest.raises(FileRefused, match="unknown_encoding"):
        read(path, encoding="ebcdic")


def test_json_lines_say_nothing_of_missing_keys(tmp_path: Path):
    # given
    lines = [
        {"code": "a", "name": "Käse"},
        {"code": "b", "size": 12, "is_shared": True, "name": None},
    ]
    content = "\n".join(json.dumps(line) for line in lines)
    # when
    header, rows = read(file(tmp_path, content.encode(), "x.jsonl"))
    # then
    assert header == ["code", "name", "size", "is_shared"]
    assert list(rows[0].cells) == ["a", "Käse", None, None]
    assert list(rows[1].cells) == ["b", "", "12", "true"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("{", "not_json"),
        ("[1]", "not_json"),
        ("1", "not_json"),
        ('{"a": 1.5}', "fraction"),
        ('{"a": NaN}', "no_plain_value"),
        ('{"a": {"b": 1}}', "no_plain_value"),
        ('{"a": ["b"]}', "no_plain_value"),
        ('{"a": 1, "a": 2}', "duplicate_key"),
        ('{"a": ' + "9" * 5_000 + "}", "not_json"),
        ('{"a": ' + "9" * 4_000 + "}", "no_plain_value"),
        ("[" * 100_000, "not_json"),
        ('{"a": ' * 10_000, "not_json"),
        ('{"a": "\\ud800"}', "not_text"),
        ('{"a": "\\u0000"}', "nul"),
    ],
)
def test_a_bad_line_of_json_is_one_bad_record(tmp_path: Path, line: str, code: str):
    # when
    _header, rows = read(file(tmp_path, ('{"a": "x"}\n' + line).encode(), "x.jsonl"))
    # then
    assert rows[0].problems == []
    assert [problem.code for problem in rows[1].problems] == [code]


def test_bytes_that_are_no_text_are_one_bad_record(tmp_path: Path):
    # given UTF-8 with one line of Windows-1252, and half a pair in UTF-16
    mixed = file(tmp_path, "code,name\na,ü\n".encode() + b"b,\xfc\nc,x\n")
    pair = "code,name\na,\ud800\nb,y\n".encode("utf-16-le", "surrogatepass")
    half = file(tmp_path, b"\xff\xfe" + pair, "half.csv")
    # then
    for path, bad in ((mixed, 2), (half, 1)):
        _header, rows = read(path)
        found = {row.number for row in rows if row.problems}
        assert found == {bad}
        assert rows[bad - 1].problems[0].code == "not_text"


def test_utf16_that_is_cut_off_is_refused(tmp_path: Path):
    assert refusal(file(tmp_path, "code,name\na,x".encode("utf-16")[:-1])) == "not_text"


def workbook(tmp_path: Path, rows: list[list], **parts: bytes) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    path = tmp_path / "book.xlsx"
    book.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def rewritten(path: Path, part: str, change) -> Path:
    """The workbook with the text of one of its parts changed."""
    again = path.with_name("again.xlsx")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(again, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == part:
                content = change(content)
            new.writestr(entry.filename, content, zipfile.ZIP_DEFLATED)
    return again


SHEET = "xl/worksheets/sheet1.xml"


def test_a_workbook_gives_texts(tmp_path: Path):
    # given
    rows = [["code", "name", None], ["a", "Käse"], [None, None], [12, 1.5, True]]
    # when
    header, found = read(workbook(tmp_path, rows))
    # then
    assert header == ["code", "name"]
    assert [list(row.cells) for row in found if row.cells] == [["a", "Käse"]]
    assert [row.line for row in found] == [2, 4]
    assert [problem.code for problem in found[1].problems] == ["unnamed_column"]


def test_entities_of_a_workbook_are_not_resolved(tmp_path: Path):
    # given a billion laughs, and a file of the server
    plain = workbook(tmp_path, [["code", "name"], ["a", "x"]])
    secret = file(tmp_path, b"secret", "secret.txt")
    laughs = b'<!DOCTYPE x [<!ENTITY a "ha">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
    )
    outside = b'<!DOCTYPE x [<!ENTITY j SYSTEM "file://%s">' % str(secret).encode()
    for doctype in (laughs, outside):

        def change(content: bytes, doctype: bytes = doctype) -> bytes:
            start = content.index(b"<worksheet")
            value = content[start:].replace(b"<v>0</v>", b"<v>&j;</v>", 1)
            return content[:start] + doctype + b"]>" + value

        # then
        assert refusal(rewritten(plain, SHEET, change)) == "bad_workbook"


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"xl/vbaProject.bin": b"macro"}, "macros"),
        ({"../outside": b""}, "bad_workbook"),
        ({"/etc/passwd": b""}, "bad_workbook"),
        ({"xl\\..\\..\\x": b""}, "bad_workbook"),
        ({f"x{n}": b"" for n in range(1_001)}, "bad_workbook"),
        ({"bomb": b"0" * 50_000_000}, "packed_too_well"),
    ],
)
def test_odd_workbooks_are_refused_unread(tmp_path: Path, parts: dict, code: str):
    path = workbook(tmp_path, [["code", "name"]])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert refusal(path) == code


def test_a_link_in_a_workbook_is_refused(tmp_path: Path):
    path = workbook(tmp_path, [["code", "name"]])
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo("xl/link")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    assert refusal(path) == "bad_workbook"


def test_an_encrypted_workbook_is_named(tmp_path: Path):
    encrypted = file(
        tmp_path, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 500, "e.xlsx"
    )
    assert refusal(encrypted) == "old_workbook"


def test_no_other_zip_is_a_workbook(tmp_path: Path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("inner.zip", b"PK\x03\x04")
    assert refusal(file(tmp_path, content.getvalue(), "x.xlsx")) == "no_workbook"
    assert refusal(file(tmp_path, b"code,name\n", "x.xlsx")) == "no_workbook"
    assert refusal(file(tmp_path, content.getvalue()[:-30])) == "bad_workbook"


def test_a_workbook_that_needs_too_much_is_given_up(tmp_path: Path, monkeypatch):
    # given
    monkeypatch.setattr("config.tables.workbooks.MEMORY", 2**20)
    # then
    path = workbook(tmp_path, [["code", "name"], ["a", "x"]])
    assert refusal(path) == "bad_workbook"


def test_links_to_other_files_are_not_followed(tmp_path: Path):
    # given a formula that points to another workbook, with its stored result
    plain = workbook(tmp_path, [["code", "name"], ["a", 7]])
    formula = b"<f>'file:///etc/[passwd]x'!A1</f><v>7</v>"
    path = rewritten(plain, SHEET, lambda c: c.replace(b"<v>7</v>", formula))
    # when
    _header, rows = read(path)
    # then
    assert list(rows[0].cells) == ["a", "7"]
    assert "formula" in {note.code for note in rows[0].notes}


# Caps, on both sides


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_so_many_records_and_no_more(tmp_path: Path, suffix: str):
    # given
    caps = Caps(records=3)
    lines = {"csv": ["code", *"abc"], "jsonl": ['{"code": "x"}'] * 3}[suffix]
    path = file(tmp_path, "\n".join(lines).encode(), f"x.{suffix}")
    # then
    assert len(read(path, caps)[1]) == 3
    # when there is one more
    path.write_text("\n".join([*lines, lines[-1]]))
    # then
    assert refusal(path, caps) == "too_many_records"


def test_a_file_may_be_so_large_and_no_larger(tmp_path: Path):
    content = b"code\n" + b"a\n" * 100
    path = file(tmp_path, content)
    assert len(read(path, Caps(size=len(content)))[1]) == 100
    assert refusal(path, Caps(size=len(content) - 1)) == "file_too_large"


def test_an_unpacked_file_may_be_so_large_and_no_larger(tmp_path: Path):
    content = b"code\n" + b"a\n" * 100
    path = file(tmp_path, gzip.compress(content))
    assert len(read(path, Caps(unpacked=len(content)))[1]) == 100
    assert refusal(path, Caps(unpacked=len(content) - 1)) == "unpacked_too_large"


def test_a_gzip_bomb_is_refused(tmp_path: Path):
    bomb = gzip.compress(b"code\n" + b"0" * 50_000_000)
    assert refusal(file(tmp_path, bomb, "bomb.csv.gz")) == "packed_too_well"
    twice = gzip.compress(gzip.compress(b"code\na\n"))
    assert refusal(file(tmp_path, twice, "twice.csv.gz")) == "nested_gzip"
    cut = gzip.compress(b"code\na\n")[:-4]
    assert refusal(file(tmp_path, cut, "cut.csv.gz")) == "bad_gzip"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"code,name\na," + b"x" * 20_000_000, "line_too_long"),
        (b'code,name\na,"' + b"x\n" * 10_000_000, "open_quote"),
        (b",".join([b"c"] * 100_000) + b"\n", "too_many_columns"),
        (b'{"a": "' + b"x" * 20_000_000, "line_too_long"),
    ],
)
def test_endless_lines_and_cells_are_refused(tmp_path: Path, content: bytes, code: str):
    assert refusal(file(tmp_path, content)) == code


def test_a_cell_may_be_so_long_and_no_longer(tmp_path: Path):
    path = file(tmp_path, f"code\n{'x' * 32_767}\n{'x' * 32_768}\ny\n".encode())
    _header, rows = read(path)
    assert [[p.code for p in row.problems] for row in rows] == [[], ["too_long"], []]
