"""Legal entities and locations, as records of companies, limits and locations."""

import json
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from companies.identifiers import normalise_tax_id
from companies.models import Company, Location

from .findings import Findings
from .objects import MIXINS, Kind, Node
from .records import Records

KEY = "emporix"  # among the attributes of a company
BATCH = 1_000
INFO = {  # our column, their field
    "legal_name": "legalInfo.legalName",
    "registration_agency": "legalInfo.registrationAgency",
    "registration_id": "legalInfo.registrationId",
    "country": "legalInfo.countryOfRegistration",
    "tax_id": "legalInfo.taxRegistrationNumber",
}
REGISTERED = "legalInfo.registrationDate"
COMPANY = {
    "code": "id",
    "name": "name",
    "parent_code": "parentId",
    "registered_on": REGISTERED,
    "attributes": MIXINS,
    **INFO,
}
LIMIT = {
    "company_code": "id",
    "amount": "accountLimit.value",
    "currency": "accountLimit.currency",
}
ADDRESS = {
    "address_line1": "contactDetails.addressLine1",
    "address_line2": "contactDetails.addressLine2",
    "city": "contactDetails.city",
    "region": "contactDetails.state",
    "postcode": "contactDetails.postcode",
    "country": "contactDetails.countryCode",
}
PLACE = {
    "code": "id",
    "name": "name",
    "type": "type",
    "email": "contactDetails.emails",
    "phone": "contactDetails.phones",
    "is_billing": "contactDetails.tags",
    "is_shipping": "contactDetails.tags",
    **ADDRESS,
}
TYPES = {
    "HEADQUARTER": Location.Type.HEADQUARTERS,
    "WAREHOUSE": Location.Type.WAREHOUSE,
    "OFFICE": Location.Type.OFFICE,
}
TAGS = {"is_billing": "billing", "is_shipping": "shipping"}


def company_records(entities: Iterable[Node], *, keep_tax_ids: bool) -> Records:
    """Legal entities as companies; the id becomes the code.

    `keep_tax_ids`: a tax number that is wrong for its country becomes an attribute.
    """
    records = Records(COMPANY)
    entities = list(entities)
    stored = _stored_attributes([entity.name for entity in entities])
    for entity in entities:
        values: dict[str, str | None] = {
            "code": entity.text("id"),
            "name": entity.text("name"),
            "parent_code": _parent(entity),
            "registered_on": _date(entity),
        }
        values |= {column: entity.text(path) for column, path in INFO.items()}
        kept = {name: entity.anything(name) for name in (MIXINS, "restrictions")}
        if keep_tax_ids and (number := _wrong_tax_id(values)):
            kept["taxRegistrationNumber"] = number
            values["tax_id"] = ""
            entity.findings.leave_out(f"{entity.kind}, kept as attribute", TAX_ID)
        attributes = stored.get(entity.name.lower(), {})
        values["attributes"] = _with(attributes, _plain(kept))
        if entity.is_refused:
            records.refused.add(entity.name)
        else:
            records.add(entity, values)
    return records


TAX_ID = INFO["tax_id"]


def _parent(entity: Node) -> str | None:
    """Whether it has a parent decides; `type` follows from it, here as there."""
    kind, parent = entity.text("type"), entity.text("parentId")
    if kind not in (None, "", "COMPANY", "SUBSIDIARY"):
        entity.refuse("invalid_choice", _("Give COMPANY or SUBSIDIARY."), "type")
    elif kind == "SUBSIDIARY" and not parent:
        entity.refuse("required", _("A subsidiary has a parent."), "parentId")
    elif kind == "COMPANY" and parent:
        entity.findings.notes.append(
            f"{entity.kind} {entity.name}: a COMPANY with a parentId is a subsidiary"
        )
    return "" if kind == "COMPANY" and parent is None else parent


def _date(entity: Node) -> str | None:
    """The day of a point in time, as it is written."""
    text = entity.text(REGISTERED)
    return text.partition("T")[0] if text else text


def _wrong_tax_id(values: dict[str, str | None]) -> str:
    number = values["tax_id"] or ""
    try:
        normalise_tax_id(number, (values["country"] or "").upper())
    except ValidationError:
        return number
    return ""


def _stored_attributes(codes: list[str]) -> dict[str, dict[str, Any]]:
    """What is there already: other attributes stay as they are."""
    found: dict[str, dict[str, Any]] = {}
    rows = Company.objects.order_by().annotate(_code=Lower("code"))
    for start in range(0, len(codes), BATCH):
        part = [code.lower() for code in codes[start : start + BATCH]]
        found |= rows.filter(_code__in=part).values_list("_code", "attributes")
    return found


def _with(attributes: dict[str, Any], kept: dict[str, Any]) -> str | None:
    """The attributes with what is kept; None if they stay as they are."""
    kept = {name: value for name, value in kept.items() if value}
    if attributes.get(KEY, {}) == kept:
        return None
    others = {name: value for name, value in attributes.items() if name != KEY}
    return json.dumps(others | ({KEY: kept} if kept else {}))


def _plain(value: Any) -> Any:
    """Fractions as JSON has them; as texts if they would lose digits."""
    match value:
        case dict():
            return {name: _plain(one) for name, one in value.items()}
        case list():
            return [_plain(one) for one in value]
        case Decimal():
            number = float(value)
            return number if Decimal(repr(number)) == value else str(value)
    return value


# --- limits


def limit_records(entities: Iterable[Node], without: Collection[str]) -> Records:
    """The account limit: each purchase above it needs approval, as it does there.

    `without`: the ids of entities that are refused.
    """
    records = Records(LIMIT)
    for entity in entities:
        amount = entity.number(LIMIT["amount"])
        currency = entity.text(LIMIT["currency"])
        if amount is None or entity.name in without:
            continue
        if not currency:
            entity.refuse("required", _("A limit has a currency."), LIMIT["currency"])
            continue
        values: dict[str, str | None] = {
            "company_code": entity.name,
            "amount": f"{amount.normalize():f}",
            "currency": currency,
            "period": "PURCHASE",
            "scope": "COMPANY",
        }
        records.add(entity, values)
    return records


# --- locations


def location_records(
    entities: Iterable[Node],
    locations: dict[str, Node],
    findings: Findings,
    without: Collection[str] = (),
) -> Records:
    """A location for each legal entity that names it: here each has its own.

    `without`: as above.
    """
    records = Records(PLACE | {"company_code": "entitiesAddresses"})
    told: dict[str, dict[str, str | None]] = {}
    for entity, node in _placed(entities, locations):
        if node.name not in told:
            told[node.name] = _location(node)
        else:
            findings.leave_out(node.kind, "shared by several legal entities: copied")
        if not node.is_bad() and entity.name not in without:
            records.add(node, {"company_code": entity.name} | told[node.name])
    for location in locations.values():
        if location.name not in told:
            location.seen.update(location.data)
            findings.leave_out(location.kind, "of no legal entity")
    return records


def _placed(
    entities: Iterable[Node], locations: dict[str, Node]
) -> Iterator[tuple[Node, Node]]:
    """Each location with its legal entity: as its own list has it, else as theirs."""
    inside: dict[str, Node] = {}
    for entity in entities:
        for part in entity.objects("entitiesAddresses") or ():
            name = part.text("id")
            part.seen.update(part.data)  # read as a location, or a copy
            if not name:
                part.refuse("required", _("It is empty."), "id")
            elif name in locations:
                yield entity, locations[name]
            elif len(part.data) == 1 and name not in inside:
                message = _("The files have no location %s.") % name
                part.refuse("unknown_location", message, "id")
            else:
                yield entity, _inside(entity, part, name, inside)


def _inside(entity: Node, part: Node, name: str, inside: dict[str, Node]) -> Node:
    """A location that only legal entities tell of: the first that does."""
    if name not in inside:
        inside[name] = Node(
            part.data,
            file=part.file,
            kind=Kind.LOCATION,
            name=name,
            findings=part.findings,
        )
        entity.parts.append(inside[name])
    elif len(part.data) > 1 and part.data != inside[name].data:
        message = _("The id of another one, with other data.")
        part.refuse("duplicate_id", message, "id")
    return inside[name]


def _location(node: Node) -> dict[str, str | None]:
    values = {column: node.text(path) for column, path in ADDRESS.items()}
    kind = node.text("type")
    if kind and kind not in TYPES:
        message = _("Give HEADQUARTER, WAREHOUSE or OFFICE.")
        node.refuse("invalid_choice", message, "type")
    values |= {"code": node.text("id"), "name": node.text("name")}
    values["type"] = TYPES.get(kind or "")
    values["email"] = _first(node, PLACE["email"])
    values["phone"] = _first(node, PLACE["phone"])
    tags = node.texts("contactDetails.tags")
    if tags is not None:
        for tag in tags:
            if tag.lower() not in TAGS.values():
                node.findings.leave_out(node.kind, f"contactDetails.tags: {tag}")
        marks = {tag.lower() for tag in tags}
        for column, tag in TAGS.items():
            values[column] = "true" if tag in marks else "false"
    return values


def _first(node: Node, path: str) -> str | None:
    """Of several the first; the others are told."""
    values = node.texts(path)
    if values is None:
        return None
    for _other in values[1:]:
        node.findings.leave_out(node.kind, f"{path}: all but the first")
    return values[0] if values else ""
