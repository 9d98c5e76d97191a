"""What spreadsheets, old encodings and copying do to values. Mostly worth a note."""

import re
import unicodedata
from typing import Any

from django.utils.translation import gettext as _

from config.tables import Problem

SCIENTIFIC = re.compile(r"[0-9](?:[.,][0-9]+)?E\+?[0-9]{1,3}", re.ASCII)
# "1-Mar", "Mar-01", "12/05/2026": what becomes of codes such as 1-3 and MAR-1.
MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
DATE = re.compile(
    rf"[0-9]{{1,2}}-(?:{MONTHS})(?:-[0-9]{{2,4}})?|(?:{MONTHS})-[0-9]{{1,4}}"
    r"|[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}",
    re.ASCII | re.IGNORECASE,
)
ERRORS = frozenset(
    ("#NAME?", "#REF!", "#VALUE!", "#DIV/0!", "#N/A", "#NULL!", "#NUM!", "#SPILL!")
)
# The first letters of UTF-8 that was read as Windows-1252.
MOJIBAKE = re.compile("[\u00c2-\u00f4][\u0080-\u00bf\u0152-\u2122]")


def look_at(record: Any, column: str, cell: str, is_exact: bool) -> None:
    """Add what is odd about the cell to the problems or notes of its record."""
    if cell in ERRORS:
        message = _("An error of a spreadsheet, taken as text.")
        record.notes.append(Problem("error_value", message, column))
    elif is_exact and SCIENTIFIC.fullmatch(cell):
        message = _("A number in scientific form: its digits are lost.")
        record.problems.append(Problem("scientific_form", message, column))
    elif is_exact and DATE.fullmatch(cell):
        message = _("It looks like a date: was it a code?")
        record.notes.append(Problem("date_for_text", message, column))
    if cell.isascii() and cell.isprintable():
        return
    if MOJIBAKE.search(cell) and _was_utf8(cell):
        message = _("It looks like UTF-8 that was read in another encoding.")
        record.notes.append(Problem("mojibake", message, column))
    if odd := _unseen(cell):
        message = _("It holds %s, which nobody sees.") % odd
        record.notes.append(Problem("invisible", message, column))
    elif not unicodedata.is_normalized("NFC", cell):
        message = _("Its letters are decomposed; they are stored composed.")
        record.notes.append(Problem("decomposed", message, column))


def _was_utf8(cell: str) -> bool:
    """Whether the bytes of which the text was made are UTF-8, or were before a cut."""
    for encoding in ("cp1252", "latin-1"):
        try:
            again = cell.encode(encoding, "ignore").decode("utf-8", "ignore")
        except UnicodeError:  # pragma: no cover  (nothing is left to go wrong)
            continue
        if len(again) < len(cell) and not again.isascii():
            return True
    return False


def _unseen(cell: str) -> str:
    """The first character that is neither seen nor a plain blank, by its number."""
    for character in cell:
        if character in " \n\r\t\u200c\u200d" or character.isprintable():
            continue
        return f"U+{ord(character):04X}"
    return ""
