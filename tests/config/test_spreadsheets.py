import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO, StringIO

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from config import spreadsheets
from config.spreadsheets import (
    csv_pieces,
    guarded,
    rows_of,
    unguarded,
    write_xlsx,
)
from tests.approvals.makers import make_limit
from tests.factories import make_company

DANGEROUS = st.text(st.sampled_from("'=+-@\t\r＝＋－＠ a1|%\"\n"), max_size=12)  # noqa: RUF001


@given(st.text() | DANGEROUS)
@settings(max_examples=10_000, deadline=None)
@example("+49 30 1234")
@example("'=1")
def test_every_text_comes_back(text: str):
    cell = guarded(text)

    assert cell[:1] not in tuple("=+-@\t\r＝＋－＠")  # noqa: RUF001
    assert unguarded(cell) == text


@pytest.mark.parametrize("text", ["", "Acme", "'tis", "a=b", "1", "株式会社", "'"])
def test_harmless_texts_stay_as_they_are(text: str):
    assert guarded(text) == text


def read_csv(pieces) -> list[list[str]]:
    text = b"".join(pieces).decode("utf-8-sig")
    return list(csv.reader(StringIO(text, newline="")))


def test_a_csv_file_holds_every_character():
    rows = [["code", "name"], ["a", 'Müller "&" Söhne,\r\nOHG; 株式会社'], ["b", ""]]

    assert read_csv(csv_pieces(rows)) == rows


def test_a_csv_file_comes_in_pieces(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spreadsheets, "AT_ONCE", 10)

    pieces = list(csv_pieces([n] for n in range(95)))

    assert len(pieces) == 10
    assert len(read_csv(pieces)) == 95


def test_a_worksheet_holds_numbers_and_texts():
    file = BytesIO()

    write_xlsx([["a", "b"], [Decimal("1250.50"), "Nul\0 and\x0b more"]], file)

    sheet = load_workbook(file).active
    assert list(sheet.values) == [("a", "b"), (1250.5, "Nul and more")]


@pytest.mark.django_db
def test_rows_are_as_the_api_writes_them():
    # given
    limit = make_limit(
        company=make_company(name="=cmd|' /C calc'!A0", attributes={"a": [1]}),
        amount="1250.5",
        binds="ROLES",
        roles=["BUYER"],
    )
    type(limit).objects.update(created_at=datetime(2026, 1, 2, 3, tzinfo=UTC))
    names = (
        *("company__name", "company__attributes", "amount", "unlimited", "roles"),
        *("contact__email", "created_at", "company__registered_on", "alert_percents"),
    )
    limit.company.registered_on = date(1999, 12, 31)
    limit.company.save()

    # when
    header, row = rows_of(type(limit).objects.all(), {name: name for name in names})

    # then
    assert header == list(names)
    assert row == [
        "'=cmd|' /C calc'!A0",
        '{"a": [1]}',
        Decimal("1250.5"),
        "false",
        '["BUYER"]',
        "",
        "2026-01-02T03:00:00Z",
        "1999-12-31",
        "",
    ]
    (_names, cells) = read_csv(csv_pieces([header, row]))
    assert cells[2] in ("1250.5", "1250.5000")
