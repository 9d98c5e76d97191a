"""Text from people and files: one stored form, one form to search and compare by."""

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# A date as we take it; Python takes "20261124", weeks and any digits, too.
DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
# Zero-width joiners are kept: names in Indic scripts and emoji need them.
KEPT_FORMAT_CHARACTERS = frozenset("\u200c\u200d")


def clean_text(value: str) -> str:
    """The form in which text is stored: NFC, no control or direction characters.

    Tabs, line breaks and all kinds of blanks at the ends are trimmed. Raises
    ValidationError `unstorable_text` for NUL and lone surrogates, which no database
    keeps (Unicode Standard Annex 15 for NFC).
    """
    if value.isascii() and value.isprintable():
        return value.strip()
    refuse_unstorable(value)
    kept = (
        character
        for character in unicodedata.normalize("NFC", value)
        if character in "\n\t"
        or character in KEPT_FORMAT_CHARACTERS
        or unicodedata.category(character) not in ("Cc", "Cf", "Cn")
    )
    return "".join(kept).strip().strip("\u200c\u200d")


def refuse_unstorable(value: str) -> None:
    """Raise ValidationError for text with NUL or lone surrogates."""
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValidationError(
            _("The text has characters that cannot be stored."), code="unstorable_text"
        )


def fold(value: str) -> str:
    """The form to search and compare by: without case and accents ("Ärzte" = "arzte").

    In Python, because SQLite knows only the letters of ASCII.
    """
    if value.isascii():
        return value.casefold()
    decomposed = unicodedata.normalize("NFKD", value.casefold())
    bare = (letter for letter in decomposed if not unicodedata.combining(letter))
    return unicodedata.normalize("NFKC", "".join(bare)).casefold()


def search_words(query: str, *, most: int = 5) -> list[str]:
    """The folded words that a row has to contain, each somewhere; the first `most`."""
    return fold(query).split()[:most]
