"""Files of JSON as the API answers: lists, pages behind each other, or several lists.

A list says by the fields of its objects what it is a list of; in an object with several
lists their names say so. The same object may be on two pages.
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from django.utils.translation import gettext as _

from config.tables import Fault, FileRefused
from config.tables.faults import printable

from .findings import Findings
from .objects import Kind, Node

LISTS = {
    "legalentities": Kind.ENTITY,
    "locations": Kind.LOCATION,
    "contactassignments": Kind.ASSIGNMENT,
    "customers": Kind.CUSTOMER,
    "groups": Kind.GROUP,
    "groupusers": Kind.MEMBER,
}
# The first that has one of these fields, or one of these types.
SIGNS: tuple[tuple[Kind, frozenset[str], frozenset[str]], ...] = (
    (Kind.MEMBER, frozenset({"groupId"}), frozenset()),
    (
        Kind.ASSIGNMENT,
        frozenset({"legalEntity", "customer", "primary"}),
        frozenset({"PRIMARY", "BILLING", "LOGISTICS"}),
    ),
    (Kind.GROUP, frozenset({"userType", "accessControls", "templates"}), frozenset()),
    (
        Kind.CUSTOMER,
        frozenset({"contactEmail", "customerNumber", "businessModel", "firstName"}),
        frozenset({"CUSTOMER"}),
    ),
    (
        Kind.LOCATION,
        frozenset({"contactDetails"}),
        frozenset({"HEADQUARTER", "WAREHOUSE", "OFFICE"}),
    ),
    (
        Kind.ENTITY,
        frozenset(
            {
                "legalInfo",
                "parentId",
                "accountLimit",
                "customerGroups",
                "entitiesAddresses",
                "approvalGroup",
            }
        ),
        frozenset({"COMPANY", "SUBSIDIARY"}),
    ),
)
BLANK = re.compile(r"[ \t\r\n]*")

type Objects = dict[Kind, dict[str, Node]]  # by their ids


def read_files(paths: Sequence[Path], findings: Findings) -> Objects:
    """All objects of the files. Raises FileRefused for what is no such JSON."""
    objects: Objects = {kind: {} for kind in Kind}
    for path in paths:
        for kind, data in _objects(path):
            _add(objects[kind], kind, data, path.name, findings)
    return objects


def _add(
    found: dict[str, Node],
    kind: Kind,
    data: dict[str, Any],
    file: str,
    findings: Findings,
) -> None:
    name = data.get("id")
    shown = name if isinstance(name, str) and name else f"no. {len(found) + 1}"
    node = Node(data, file=file, kind=kind, name=shown, findings=findings)
    if not node.text("id"):
        if not node.is_refused:
            node.refuse("required", _("It is empty."), "id")
        return
    known = found.setdefault(name, node)
    if known.data != data:  # on two pages, or in two lists, it may well be
        message = _("The id of another one, with other data.")
        node.refuse("duplicate_id", message, "id")


def _objects(path: Path) -> Iterator[tuple[Kind, dict[str, Any]]]:
    for value in _values(path):
        match value:
            case list():
                yield from _of_list(value, path.name)
            case dict() if "id" not in value and _is_of_lists(value):
                for name, items in value.items():
                    kind = LISTS.get(_bare(name))
                    if kind is None or not isinstance(items, list):
                        message = _("“%s” is none of the lists that can be read.")
                        _refuse(path.name, "unknown_list", message % printable(name))
                    yield from _of_list(items, path.name, kind)
            case dict():
                yield from _of_list([value], path.name)
            case _:
                message = _("Give lists of objects, as the API answers.")
                _refuse(path.name, "no_objects", message)


def _is_of_lists(value: dict[str, Any]) -> bool:
    return any(isinstance(items, list) for items in value.values())


def _bare(name: str) -> str:
    """legalEntities, legal-entities, legal_entities: people write it as they like."""
    return re.sub(r"[-_ ]", "", name).lower()


def _of_list(
    items: list[Any], file: str, kind: Kind | None = None
) -> Iterator[tuple[Kind, dict[str, Any]]]:
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            message = _("Number %s of a list is no object.") % number
            _refuse(file, "no_objects", message)
    kinds = [kind or _kind_of(item) for item in items]
    usual = next(filter(None, kinds), None)
    for number, (found, item) in enumerate(zip(kinds, items, strict=True), 1):
        of_kind = found or usual
        if of_kind is None:
            message = _("Nothing says what number %s of a list is.") % number
            _refuse(file, "unknown_kind", message)
        yield of_kind, item


def _kind_of(item: dict[str, Any]) -> Kind | None:
    said = item.get("type")
    for kind, fields, types in SIGNS:
        if fields & item.keys() or (isinstance(said, str) and said in types):
            return kind
    return None


# --- JSON


class _Odd(Exception):
    """JSON that not every reader would read in the same way."""


def _values(path: Path) -> Iterator[Any]:
    """The values of the file, one behind the other."""
    try:
        text = path.read_bytes().removeprefix(BOM_UTF8).decode()
    except OSError as error:
        _refuse(path.name, "unreadable", error.strerror)
    except UnicodeDecodeError:
        _refuse(path.name, "not_text", _("The file is not UTF-8."))
    decoder = json.JSONDecoder(
        object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=Decimal
    )
    at = BLANK.match(text).end()
    if at == len(text):
        _refuse(path.name, "not_json", _("The file is empty."))
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            message = _("Not JSON: %s.") % error.msg
            _refuse(path.name, "not_json", message, line=error.lineno)
        except _Odd as error:
            _refuse(path.name, "not_json", error)
        except (RecursionError, ValueError):
            _refuse(path.name, "not_json", _("Not JSON that can be read."))
        yield value
        at = BLANK.match(text, at).end()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise _Odd(_("A key is there twice in one object."))
    return values


def _refuse_constant(constant: str) -> None:
    raise _Odd(_("%s is not JSON.") % constant)


def _refuse(file: str, code: str, message: Any, *, line: int | None = None) -> NoReturn:
    raise FileRefused(Fault(file, code, str(message), line=line))
