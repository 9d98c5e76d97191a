"""Objects of the API, read field by field: of the right type, or refused.

An object knows which of its fields were read. The others are told in the end.
"""

from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from config.text import refuse_unstorable

from .findings import Findings, Refusal

MOST_DIGITS = 20  # before the point or after it
MIXINS = "mixins"  # fields of a seller's own: one thing, however much is in it
_MISSING = object()


class Kind(StrEnum):
    """What the API has lists of; the value is how people are told of it."""

    ENTITY = "legal entity"
    LOCATION = "location"
    ASSIGNMENT = "contact assignment"
    CUSTOMER = "customer"
    GROUP = "group"
    MEMBER = "group user"


class Node:
    """An object of the API, or an object inside of one.

    What is not told is None, and null is "", [] or so: the former says nothing, the
    latter that it is empty.
    """

    def __init__(
        self,
        data: dict[str, Any],
        *,
        file: str,
        kind: Kind,
        name: str,
        findings: Findings,
        prefix: str = "",
    ) -> None:
        self.data, self.file, self.kind, self.name = data, file, kind, name
        self.findings, self.prefix = findings, prefix
        self.seen: set[str] = set()
        self.parts: list[Node] = []
        self.is_refused = False

    def refuse(self, code: str, message: Any, path: str = "") -> None:
        self.is_refused = True
        place = self.prefix + path if path else self.prefix.removesuffix(".")
        refusal = Refusal(self.file, self.kind, self.name, place, code, str(message))
        self.findings.refusals[refusal] = None

    # --- what a field says

    def text(self, path: str) -> str | None:
        value = self._value(path, str, _("Give a text."))
        if value is None:
            return "" if self._is_null(path) else None
        try:
            refuse_unstorable(value)
        except ValidationError as error:
            self.refuse(error.code or "invalid", error.message, path)
            return None
        return value.strip()

    def flag(self, path: str) -> bool | None:
        return self._value(path, bool, _("Give true or false."))

    def number(self, path: str) -> Decimal | None:
        value = self._value(path, (int, Decimal), _("Give a number."))
        if value is None:
            return None
        value = Decimal(value)
        digits = value.as_tuple().exponent
        if abs(value.adjusted()) > MOST_DIGITS or abs(int(digits)) > MOST_DIGITS:
            self.refuse("invalid_amount", _("No amount has so many digits."), path)
            return None
        return value

    def texts(self, path: str) -> list[str] | None:
        values = self._list(path, str, _("Give a list of texts."))
        if values is None:
            return None
        try:
            refuse_unstorable("".join(values))
        except ValidationError as error:
            self.refuse(error.code or "invalid", error.message, path)
            return None
        return [value.strip() for value in values]

    def objects(self, path: str) -> list["Node"] | None:
        """Objects in a list, each to be read like this one."""
        values = self._list(path, dict, _("Give a list of objects."))
        if values is None:
            return None
        return [self._part(value, f"{path}[].") for value in values]

    def object(self, path: str) -> "Node | None":
        value = self._value(path, dict, _("Give an object."))
        return None if value is None else self._part(value, f"{path}.")

    def localized(self, path: str, language: str) -> str | None:
        """A text, or one of a map of languages: that language, else the first."""
        if not isinstance(self._get(path), dict):
            return self.text(path)
        texts = self.object(path)
        languages = sorted(texts.data, key=lambda one: one != language)
        found = [(one, texts.text(one)) for one in languages[:1]]
        return found[0][1] if found else ""

    def anything(self, path: str) -> Any:
        """As it is, to be kept as it is; None for what is empty."""
        self.seen.add(path)
        value = self._get(path)
        return None if value is _MISSING else value or None

    def _part(self, data: dict[str, Any], path: str) -> "Node":
        part = Node(
            data,
            file=self.file,
            kind=self.kind,
            name=self.name,
            findings=self.findings,
            prefix=self.prefix + path,
        )
        self.parts.append(part)
        return part

    def _get(self, path: str) -> Any:
        value: Any = self.data
        walked = ""
        for name in path.split("."):
            if value is None:
                return _MISSING
            if not isinstance(value, dict):
                self.refuse("wrong_type", _("Give an object."), walked)
                return _MISSING
            value = value.get(name, _MISSING)
            walked = f"{walked}.{name}" if walked else name
            if value is _MISSING:
                return _MISSING
        return value

    def _is_null(self, path: str) -> bool:
        return self._get(path) is None

    def _value(self, path: str, types: Any, message: str) -> Any:
        self.seen.add(path)
        value = self._get(path)
        if value is _MISSING or value is None:
            return None
        # In Python true is a number.
        is_flag = isinstance(value, bool)
        if not isinstance(value, types) or (is_flag and types is not bool):
            self.refuse("wrong_type", message, path)
            return None
        return value

    def _list(self, path: str, types: type, message: str) -> list[Any] | None:
        values = self._value(path, list, message)
        if values is None:
            return [] if self._is_null(path) else None
        if not all(isinstance(value, types) for value in values):
            self.refuse("wrong_type", message, path)
            return None
        return values

    # --- what nobody has read

    def is_bad(self) -> bool:
        return self.is_refused or any(part.is_bad() for part in self.parts)

    def unread(self) -> Iterator[tuple[Kind, str]]:
        """The fields that say something and were not read, without places in lists."""
        for part in self.parts:
            yield from part.unread()
        for path in _leaves(self.data, self.seen):
            yield self.kind, self.prefix + path


def _leaves(data: Any, seen: set[str], path: str = "") -> Iterator[str]:
    if path in seen:
        return
    if isinstance(data, dict) and path.rpartition(".")[2] != MIXINS:
        for name, value in data.items():
            yield from _leaves(value, seen, f"{path}.{name}" if path else name)
    elif isinstance(data, list) and any(isinstance(one, dict) for one in data):
        for value in data:
            yield from _leaves(value, seen, f"{path}[]")
    elif data not in (None, "", [], {}):
        yield path
