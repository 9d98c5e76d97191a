"""Which changes of the OpenAPI document break those who call us.

What callers send must stay welcome; what they read must stay as it was. New fields, new
values of an enumeration in an answer, new codes and refusals are no breaks: callers are
told to expect them. Unknown input is refused here, so taking a field or a query
parameter away is a break, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
# Bounds, and whether a larger one takes more.
BOUNDS = {
    "maxLength": True,
    "maxItems": True,
    "maxProperties": True,
    "maximum": True,
    "exclusiveMaximum": True,
    "minLength": False,
    "minItems": False,
    "minProperties": False,
    "minimum": False,
    "exclusiveMinimum": False,
}
TEXT_ONLY = {"description", "summary", "example", "examples", "title"}


def contract(document: Any) -> Any:
    """The document without its texts and examples: what callers rely on."""
    match document:
        case dict():
            return {
                name: members(value) if name in MAPS else contract(value)
                for name, value in document.items()
                if name not in TEXT_ONLY
            }
        case list():
            return [contract(value) for value in document]
    return document


# Of names that may be those of texts, too: a field can be called "description".
MAPS = {"properties", "schemas", "responses", "parameters", "headers"}


def members(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: contract(inner) for name, inner in value.items()}
    return contract(value)


def breaking_changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """A sentence for each, with the operation and what was relied on."""
    return list(dict.fromkeys(Comparison(old, new).breaks()))


@dataclass
class Comparison:
    old: dict[str, Any]
    new: dict[str, Any]
    seen: set[tuple[str, str, str]] = field(default_factory=set)  # a schema has itself

    def breaks(self) -> Iterator[str]:
        for kind in ("paths", "webhooks"):
            for path, item in self.old.get(kind, {}).items():
                after = self.new.get(kind, {}).get(path, {})
                for method in METHODS:
                    if method not in item:
                        continue
                    name = f"{method.upper()} {path}"
                    if kind == "webhooks":
                        name = f"Webhook {path}"
                    if method not in after:
                        yield f"{name}: is gone."
                        continue
                    self.seen.clear()
                    compare = self._webhook if kind == "webhooks" else self._operation
                    for reason in compare(item[method], after[method]):
                        yield f"{name}: {reason}"

    def _webhook(self, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        """What we send is what they read."""
        before, after = (one.get("requestBody", {}) for one in (old, new))
        yield from self._contents("the message", before, after, "read")
        headers = {(p["in"], p["name"]) for p in new.get("parameters", ())}
        for parameter in old.get("parameters", ()):
            if (parameter["in"], parameter["name"]) not in headers:
                yield f"the header {parameter['name']} is gone."

    def _operation(self, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        if old.get("operationId") != new.get("operationId"):
            yield (
                f"its operationId was {old.get('operationId')}, "
                f"and is {new.get('operationId')}."
            )
        yield from self._security(old, new)
        yield from self._parameters(old, new)
        yield from self._body(old, new)
        yield from self._responses(old, new)

    def _security(self, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        ways = [_scopes(way) for way in new.get("security") or [{}]]
        for before in map(_scopes, old.get("security") or [{}]):
            if any(way <= before for way in ways):
                continue
            missing = min((way - before for way in ways), key=len)
            names = ", ".join(scope or "a token" for _scheme, scope in sorted(missing))
            yield f"needs {names}, which it did not."

    def _parameters(self, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        before, after = self._by_name(old), self._by_name(new)
        for key, parameter in before.items():
            what = f"the {key[0]} parameter {key[1]}"
            if key not in after:
                if key[0] in ("query", "path"):
                    yield f"{what} is gone."
                continue
            if after[key].get("required") and not parameter.get("required"):
                yield f"{what} is required, which it was not."
            schemas = parameter.get("schema", {}), after[key].get("schema", {})
            yield from self._schema(what, *schemas, "sent")
        for key, parameter in after.items():
            if key not in before and parameter.get("required"):
                yield f"the {key[0]} parameter {key[1]} is new and required."

    def _body(self, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        before, after = (one.get("requestBody", {}) for one in (old, new))
        if after.get("required") and not before.get("required"):
            yield "the body is required, which it was not."
        yield from self._contents("the body", before, after, "sent")

    def _responses(self, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        before, after = old.get("responses", {}), new.get("responses", {})
        for status, response in before.items():
            if status not in after:
                yield f"the status {status} is gone."
                continue
            first = self._resolved(self.old, response)
            second = self._resolved(self.new, after[status])
            what = f"the answer {status}"
            for header in first.get("headers", {}).keys() - second.get("headers", {}):
                yield f"{what} no longer has the header {header}."
            yield from self._contents(what, first, second, "read")
        for status in after:
            if status not in before and status.startswith(("2", "3")):
                yield f"the status {status} is new: no caller expects it."

    def _contents(
        self, what: str, old: dict[str, Any], new: dict[str, Any], use: "Use"
    ) -> Iterator[str]:
        for kind, content in old.get("content", {}).items():
            if kind not in new.get("content", {}):
                yield f"{what} is no longer {kind}."
                continue
            after = new["content"][kind].get("schema", {})
            yield from self._schema(what, content.get("schema", {}), after, use)

    def _schema(self, what: str, old: Any, new: Any, use: "Use") -> Iterator[str]:
        refs = tuple(
            one.get("$ref", "") if isinstance(one, dict) else "" for one in (old, new)
        )
        if all(refs):
            key = (*refs, f"{use} {what.partition(' at ')[0]}")
            if key in self.seen:
                return
            self.seen.add(key)
        before, after = self._flat(self.old, old), self._flat(self.new, new)
        if _alternatives(before) or _alternatives(after):
            yield from self._alternatives(what, before, after, use)
            return
        yield from self._types(what, before, after, use)
        yield from self._values(what, before, after, use)
        yield from self._fields(what, before, after, use)
        if "items" in before and "items" in after:
            inner = f"{what} at *" if " at " not in what else f"{what}/*"
            yield from self._schema(inner, before["items"], after["items"], use)

    def _types(self, what: str, old: Any, new: Any, use: "Use") -> Iterator[str]:
        before, after = _types(old), _types(new)
        if use == "sent" and after and not before <= _wide(after):
            lost = _list(before - after) if before else "just anything"
            yield f"{what} no longer takes {lost}."
        if use == "read" and before and not after <= _wide(before):
            yield f"{what} was {_list(before)}, and can be {_list(after - before)}."
        if use == "read" and before and not after:
            yield f"{what} was {_list(before)}, and can be anything."
        if old.get("format") != new.get("format"):
            narrower = use == "sent" and "format" in new
            other = use == "read" and "format" in old
            if narrower or other:
                formats = [one.get("format", "free") for one in (old, new)]
                yield f"{what} had the format {formats[0]}, and has {formats[1]}."

    def _values(self, what: str, old: Any, new: Any, use: "Use") -> Iterator[str]:
        if use == "read":
            return
        before, after = _choices(old), _choices(new)
        if after is not None and before is None:
            yield f"{what} takes only {_list(after)}, which it did not."
        elif after is not None and (lost := before - after):
            yield f"{what} no longer takes {_list(lost)}."
        for name, upper in BOUNDS.items():
            if name not in new or new[name] == old.get(name):
                continue
            if name not in old or (new[name] < old[name]) == upper:
                yield f"{what} has {name} {new[name]}, and had {old.get(name, 'none')}."
        if "pattern" in new and new["pattern"] != old.get("pattern"):
            yield f"{what} has another pattern."

    def _alternatives(self, what: str, old: Any, new: Any, use: "Use") -> Iterator[str]:
        """Each that was sent is taken, each that is read was known."""
        before, after = self._ways(self.old, old), self._ways(self.new, new)
        if len(before) == len(after) == 1:
            yield from self._schema(what, *before.values(), *after.values(), use)
            return
        if {"null"} & (before.keys() ^ after.keys()):
            lost, gained = "null" in before, "null" in after
            if use == "sent" and lost:
                yield f"{what} no longer takes null."
            if use == "read" and gained:
                yield f"{what} can be null, which it could not."
        before.pop("null", None)
        after.pop("null", None)
        if len(before) == len(after) == 1:
            yield from self._schema(what, *before.values(), *after.values(), use)
            return
        given, known = (before, after) if use == "sent" else (after, before)
        listed = use == "read" and self._all_listed(before, after)
        for name, one in ({} if listed else given).items():
            pairs = [(one, k) if use == "sent" else (k, one) for k in known.values()]
            if all(self._differs(*pair, use) for pair in pairs):
                verb = "no longer takes" if use == "sent" else "can now be"
                yield f"{what} {verb} {name}."

    def _all_listed(self, old: dict[str, Any], new: dict[str, Any]) -> bool:
        """Both are enumerations, which may grow in answers."""
        flat = [self._flat(self.old, one) for one in old.values()]
        flat += [self._flat(self.new, one) for one in new.values()]
        return all(_choices(one) is not None for one in flat)

    def _ways(self, document: Any, schema: dict[str, Any]) -> dict[str, Any]:
        """What a value may be, by names: alternatives, or one or several types."""
        ways = _alternatives(schema) or [schema]
        if ways == [schema] and len(_types(schema)) > 1:
            ways = [schema | {"type": one} for one in sorted(_types(schema))]
        named = {}
        for way in ways:
            nothing = _choices(self._flat(document, way)) == {"null"}
            named["null" if nothing else _name(way)] = way
        return named

    def _differs(self, old: Any, new: Any, use: "Use") -> bool:
        alone = Comparison(self.old, self.new)
        return any(alone._schema("", old, new, use))

    def _fields(self, what: str, old: Any, new: Any, use: "Use") -> Iterator[str]:
        hidden = "readOnly" if use == "sent" else "writeOnly"
        before = self._shown(self.old, old, hidden)
        after = self._shown(self.new, new, hidden)
        required = set(old.get("required", ())), set(new.get("required", ()))
        closed = new.get("additionalProperties") is False
        if use == "sent" and closed and old.get("additionalProperties") is not False:
            yield f"{what} takes no other fields, which it did."
        for name, value in before.items():
            place = f"{what}/{name}" if " at " in what else f"{what} at {name}"
            if name not in after:
                yield f"{place} is gone."
                continue
            if use == "sent" and name in required[1] - required[0]:
                yield f"{place} is required, which it was not."
            if use == "read" and name in required[0] - required[1]:
                yield f"{place} can be missing, which it could not."
            yield from self._schema(place, value, after[name], use)
        for name in after:
            if use == "sent" and name not in before and name in required[1]:
                yield f"{what} needs the new field {name}."
        extra = [one.get("additionalProperties") for one in (old, new)]
        if all(isinstance(one, dict) for one in extra):
            inner = f"{what}/*" if " at " in what else f"{what} at *"
            yield from self._schema(inner, *extra, use)

    def _shown(self, document: Any, schema: Any, hidden: str) -> dict[str, Any]:
        return {
            name: value
            for name, value in schema.get("properties", {}).items()
            if not self._flat(document, value).get(hidden)
        }

    def _by_name(self, operation: dict[str, Any]) -> dict[tuple[str, str], Any]:
        return {(p["in"], p["name"]): p for p in operation.get("parameters", ())}

    def _flat(self, document: Any, schema: Any) -> dict[str, Any]:
        """References followed, and all parts that hold together in one."""
        if not isinstance(schema, dict):
            return {} if schema else {"enum": []}  # true takes all, false nothing
        schema = self._resolved(document, schema)
        flat = {name: value for name, value in schema.items() if name != "allOf"}
        for part in schema.get("allOf", ()):
            for name, value in self._flat(document, part).items():
                if name == "properties":
                    flat[name] = value | flat.get(name, {})
                elif name == "required":
                    flat[name] = [*flat.get(name, ()), *value]
                else:
                    flat.setdefault(name, value)
        return flat

    def _resolved(self, document: Any, value: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in value:
            return value
        found = document
        for name in value["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        beside = {name: other for name, other in value.items() if name != "$ref"}
        return self._resolved(document, found) | beside


type Use = Literal["sent", "read"]


def _scopes(way: dict[str, list[str]]) -> set[tuple[str, str]]:
    """What a token needs; a scheme without scopes needs the token all the same."""
    return {
        (scheme, scope) for scheme, scopes in way.items() for scope in ("", *scopes)
    }


def _types(schema: dict[str, Any]) -> set[str]:
    types = schema.get("type", ())
    return {types} if isinstance(types, str) else set(types)


def _wide(types: set[str]) -> set[str]:
    """A whole number is a number."""
    return types | {"integer"} if "number" in types else types


def _choices(schema: dict[str, Any]) -> set[str] | None:
    if "const" in schema:
        return {str(schema["const"])}
    if "enum" not in schema:
        return None
    return {"null" if one is None else str(one) for one in schema["enum"]}


def _list(values: set[str]) -> str:
    return ", ".join(sorted(values))


def _alternatives(schema: dict[str, Any]) -> list[Any]:
    return schema.get("anyOf") or schema.get("oneOf") or []


def _name(schema: Any) -> str:
    if not isinstance(schema, dict):
        return "anything"
    values = _choices(schema)
    of_values = _list(values) if values else ""
    ref = schema.get("$ref", "").rpartition("/")[2]
    return ref or of_values or _list(_types(schema)) or "anything"
