"""The catalogues of translations, from the code: `uv run python locale/update.py`.

Writes django.po and django.mo of each language. New messages come in empty; those that
nothing says any more go. `--check` writes nothing and says what is wrong. In Python all
through: nobody needs GNU gettext.

`--empty FILE` writes what lacks a translation as JSON, `--fill FILE` takes it back.
"""

import argparse
import io
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = ("de",)
FOLDERS = ("approvals", "companies", "config", "groups", "integrations", "templates")
# Has no German of its own, and its pages are ours; without the parts for packages that
# we do not have.
BORROWED = "unfold"
UNUSED = re.compile(r"contrib/(?!filters/)|/import_export|/migrations/")
KEYWORDS = DEFAULT_KEYWORDS | {
    f"{name}_lazy": DEFAULT_KEYWORDS[name]
    for name in ("gettext", "ngettext", "pgettext", "npgettext")
}
NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)  # the same code gives the same file
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sd]|%%|\{\w*\}")
MARKUP = re.compile(r"</?\w[^>]*>|&\w+;")

type Found = tuple[str, str | tuple[str, ...], str | None]  # file, text, context


def extracted() -> Iterator[Found]:
    """Every message of the code and of the templates, with where it is."""
    for folder in FOLDERS:
        yield from _said_in(ROOT / folder)
    elsewhere = set(_of_django())
    for _file, text, context in _said_in(_folder_of(BORROWED)):
        if text not in elsewhere:
            yield f"the package {BORROWED}", text, context


def _said_in(folder: Path) -> Iterator[Found]:
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".py", ".html", ".txt") or UNUSED.search(str(path)):
            continue
        code = path.read_bytes()
        if path.suffix != ".py":
            # As Python, in which only the calls are left; indents would mean something.
            lines = templatize(code.decode(), origin=path).splitlines()
            code = "\n".join(map(str.strip, lines)).encode()
        where = path.relative_to(folder.parent).as_posix()
        found = extract("python", io.BytesIO(code), keywords=KEYWORDS)
        for _line, text, _comments, context in found:
            if text:
                yield where, text, context


def _of_django() -> Iterator[Any]:
    for path in _folder_of("django").rglob("locale/de/LC_MESSAGES/django.po"):
        with path.open("rb") as file:
            yield from (m.id for m in read_po(file) if m.id and m.string)


def _folder_of(package: str) -> Path:
    return Path(find_spec(package).submodule_search_locations[0])


def template() -> Catalog:
    catalog = Catalog(project="Konzern", charset="utf-8", fuzzy=False)
    for where, text, context in extracted():
        catalog.add(text, locations=[(where, 0)], context=context)
    return catalog


def merged(old: Catalog, messages: Catalog, language: str) -> Catalog:
    """The messages with the translations that there are, nothing guessed."""
    new = Catalog(
        locale=language,
        project="Konzern",
        charset="utf-8",
        fuzzy=False,
        header_comment="# Konzern in German. Words: docs/developer-guide.md.",
        creation_date=NO_DATE,
        revision_date=NO_DATE,
    )
    said = [message for message in messages if message.id]  # without the header
    for message in sorted(said, key=lambda one: (min(one.locations), str(one.id))):
        known = old.get(message.id, message.context)
        new.add(
            message.id,
            string=known.string if known is not None and not known.fuzzy else None,
            locations=sorted(set(message.locations)),
            context=message.context,
        )
    return new


def as_po(catalog: Catalog) -> bytes:
    file = io.BytesIO()
    write_po(file, catalog, width=88, include_lineno=False, sort_by_file=False)
    return file.getvalue()


def as_mo(catalog: Catalog) -> bytes:
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def faults_of(catalog: Catalog, messages: Catalog, compiled: bytes) -> Iterator[str]:
    """What is wrong with a catalogue, in sentences."""
    known = {(m.id, m.context) for m in catalog if m.id}
    wanted = {(m.id, m.context) for m in messages if m.id}
    yield from (f"Missing: {text!r}" for text, _c in sorted(wanted - known, key=str))
    yield from (
        f"Said nowhere: {text!r}" for text, _c in sorted(known - wanted, key=str)
    )
    for message in catalog:
        if message.id:
            yield from (f"{fault}: {message.id!r}" for fault in _faults_in(message))
    if as_mo(catalog) != compiled:
        yield "The .mo is not made of this .po."


def _faults_in(message: Message) -> Iterator[str]:
    ids, texts = _forms(message.id), _forms(message.string)
    if message.fuzzy:
        yield "Fuzzy"
    if not all(texts) or len(texts) != len(ids):
        yield "Not translated"
        return
    for said, text in zip(ids, texts, strict=True):
        for pattern, name in ((PLACEHOLDER, "placeholders"), (MARKUP, "markup")):
            if sorted(pattern.findall(said)) != sorted(pattern.findall(text)):
                yield f"Other {name}"
        if _blanks_of(said) != _blanks_of(text):
            yield "Other blanks at the ends"


def _blanks_of(text: str) -> tuple[str, str]:
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


def _forms(text: Any) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ("",))


def read(language: str) -> Catalog:
    path = path_of(language)
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def path_of(language: str) -> Path:
    return ROOT / "locale" / language / "LC_MESSAGES" / "django.po"


def check(language: str) -> list[str]:
    compiled = path_of(language).with_suffix(".mo").read_bytes()
    return list(faults_of(read(language), template(), compiled))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--empty", type=Path, metavar="FILE")
    parser.add_argument("--fill", type=Path, metavar="FILE")
    given = parser.parse_args(argv)
    wrong = 0
    for language in LANGUAGES:
        if not given.check:
            _update(language, given.fill, given.empty)
        for fault in check(language):
            wrong += 1
            sys.stderr.write(f"{language}: {fault}\n")
    return 1 if wrong else 0


def _update(language: str, fill: Path | None, empty: Path | None) -> None:
    catalog = merged(read(language), template(), language)
    if fill is not None:
        given = json.loads(fill.read_text())
        for message in catalog:
            text = given.get(_forms(message.id)[0]) if message.id else None
            if text and len(_forms(text)) == len(_forms(message.id)):
                message.string = text if isinstance(text, str) else tuple(text)
    path = path_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(as_po(catalog))
    path.with_suffix(".mo").write_bytes(as_mo(read(language)))
    if empty is not None:
        lacking = {
            _forms(m.id)[0]: "" if isinstance(m.id, str) else ["", ""]
            for m in catalog
            if m.id and not all(_forms(m.string))
        }
        empty.write_text(json.dumps(lacking, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
