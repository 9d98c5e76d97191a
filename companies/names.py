"""The forms by which names, numbers and addresses of companies are compared.

What people write differently without meaning anything else goes: case, accents,
punctuation, the order of words, "and", legal forms. See docs/data-quality.md.
"""

import re
from difflib import SequenceMatcher
from itertools import groupby
from pathlib import Path

from config.text import fold

KEY_LENGTH = 100
SIMILAR = 0.8  # of two names of which the letters in common are such a share
LETTER_RUNS = re.compile(r"[^\W_]+")
APOSTROPHES = re.compile("['\N{RIGHT SINGLE QUOTATION MARK}`\N{ACUTE ACCENT}]")
CONNECTORS = frozenset({"and", "und", "et", "y", "e", "och", "og", "i", "en", "the"})
VOWELS = frozenset("aeiouy")
WITHOUT_ACCENT = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe"})
STREETS = {
    r"strasse\b": "str",
    r"\bstreet\b": "st",
    r"\broad\b": "rd",
    r"\bavenue\b": "ave",
    r"\bboulevard\b": "bd",
    r"\bdrive\b": "dr",
    r"\blane\b": "ln",
    r"\bsquare\b": "sq",
    r"\bplatz\b": "pl",
    r"\bplace\b": "pl",
}

LISTS = (Path(__file__).parent / "legal_forms.txt").read_text(encoding="utf-8")
BEHIND, BEFORE = (
    frozenset(part.partition("]")[2].split()) for part in LISTS.split("\n[")[1:]
)
# Written without a blank before or behind the name.
ATTACHED_FORMS = re.compile(
    "\\((?:株|有|주)\\)|株式会社|有限会社|合同会社|合資会社|合名会社"
    "|股份有限公司|有限责任公司|有限責任公司|有限公司|주식회사|유한회사"
)


def name_key(name: str) -> str:
    """The words that tell a company, in one order: "Meyer Karl KG" is "karl meyer"."""
    return " ".join(sorted(set(_core(_words(name)))))


def sketch(name: str) -> str:
    """What stays of a name if vowels and double letters are mistyped, to look it up.

    "Müller", "Mueller" and "Muler" have the same. Names that share it need not be
    alike: `likeness()` tells.
    """
    words = {_skeleton(word) for word in _core(_words(name))}
    return " ".join(sorted(words))[:KEY_LENGTH]


def likeness(one: str, other: str) -> float:
    """How alike two names are, of which the `name_key` is given: 1 is the same."""
    if one == other:
        return 1.0
    if _numbers(one) != _numbers(other):
        return 0.0  # Store 12 is not Store 13
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def compact(number: str) -> str:
    """A number without blanks and punctuation, in capitals, without zeros in front."""
    return "".join(LETTER_RUNS.findall(fold(number))).upper().lstrip("0")


def registration_key(country: str, registration_id: str) -> str:
    """The number of a register, in its country; "" without either."""
    number = compact(registration_id)
    return f"{country}{number}" if country and number else ""


def address_key(line1: str, postcode: str, city: str) -> str:
    """Street and number, in a place of that postcode, or else of that name."""
    street = fold(line1)
    for pattern, short in STREETS.items():
        street = re.sub(pattern, short, street)
    street = "".join(LETTER_RUNS.findall(street))
    place = "".join(LETTER_RUNS.findall(fold(postcode or city)))
    return f"{place} {street}"[:KEY_LENGTH] if street and place else ""


def _words(name: str) -> list[str]:
    text = ATTACHED_FORMS.sub(" ", fold(APOSTROPHES.sub("", name)))
    text = text.translate(WITHOUT_ACCENT)
    words: list[str] = []
    found = LETTER_RUNS.findall(text)
    for single, run in groupby(found, key=lambda word: len(word) == 1):
        # "G.m.b.H." and "S. A." are one word each
        group = list(run)
        words += ["".join(group)] if single else group
    return words


def _core(words: list[str]) -> list[str]:
    """Without legal forms at either end and connectors; all, if nothing would stay."""
    first, end = 0, len(words)
    while first < end and _is_one_of(BEHIND, words[end - 1]):
        end -= 1
    while first < end and _is_one_of(BEFORE, words[first]):
        first += 1
    core = words[first:end]
    return core[:1] + [w for w in core[1:] if w not in CONNECTORS] if core else words


def _is_one_of(forms: frozenset[str], word: str) -> bool:
    return word in forms or (word in CONNECTORS and len(word) > 1)


def _skeleton(word: str) -> str:
    """The first letter and the consonants behind it, each of several only once."""
    if not word.isascii():
        return word
    letters = [letter for letter, _same in groupby(word)]
    return letters[0] + "".join(one for one in letters[1:] if one not in VOWELS)


def _numbers(name: str) -> set[str]:
    return {word for word in name.split() if any(map(str.isdigit, word))}
