"""Which companies may be the same: shown with a score and reasons, never refused.

Companies are looked up by the keys that are stored with them (`companies.names`), all
of a batch at once, and then compared one by one. WEIGHTS says what counts how much.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from itertools import batched, product
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db.models import F, Q, Window
from django.db.models.functions import RowNumber
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from config.search import with_one_of

from . import identifiers
from .models import Company, CompanyQuerySet, Location
from .names import (
    SIMILAR,
    address_key,
    compact,
    likeness,
    name_key,
    registration_key,
    sketch,
)

LEAST = 50  # of 100; what scores less is not shown
MOST = 20
BATCH = 500  # companies or records that are looked up at once
MOST_OF_A_KEY = 100  # in one country: a name that so many have tells nothing

WEIGHTS = {
    "same_lei": 100,
    "same_tax_id": 90,
    "same_duns": 90,
    "same_registration_id": 90,
    "same_number_elsewhere": 30,
    "same_name": 60,
    "similar_name": 40,
    "same_address": 30,
    "same_country": 10,
    "other_country": -30,
    "other_lei": -50,
    "other_tax_id": -20,
    "other_registration_id": -20,
}
BY_NAME = WEIGHTS["same_name"] + WEIGHTS["same_country"]
MESSAGES = {
    "same_lei": _("The same LEI."),
    "same_tax_id": _("The same tax id."),
    "same_duns": _("The same D-U-N-S number."),
    "same_registration_id": _("The same registration id in the same country."),
    "same_number_elsewhere": _("The same registration id, of another register."),
    "same_name": _("The same name, legal form aside."),
    "similar_name": _("A similar name."),
    "same_address": _("A location at the same address."),
    "same_country": _("In the same country."),
    "other_country": _("In another country."),
    "other_lei": _("Another LEI."),
    "other_tax_id": _("Another tax id."),
    "other_registration_id": _("Another registration id."),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a company, or of one that is about to be entered."""

    name: str = ""
    legal_name: str = ""
    country: str = ""
    registration_id: str = ""
    registration_agency: str = ""
    tax_id: str = ""
    lei: str = ""
    duns: str = ""
    addresses: frozenset[str] = frozenset()  # as by `names.address_key()`
    company: int | None = None  # its own id, if it is stored
    sketches: frozenset[str] = frozenset()  # of its names, if they are stored

    @classmethod
    def given(
        cls,
        *,
        address_line1: str = "",
        postcode: str = "",
        city: str = "",
        **values: Any,
    ) -> Self:
        """Of values as people write them: a wrong number is compared as it is."""
        country = values["country"] = values.get("country", "").upper()
        for name, normalise in (
            ("lei", identifiers.normalise_lei),
            ("duns", identifiers.normalise_duns),
            ("tax_id", lambda value: identifiers.normalise_tax_id(value, country)),
        ):
            if value := values.get(name):
                with suppress(ValidationError):
                    values[name] = normalise(value)
        address = address_key(address_line1, postcode, city)
        return cls(addresses=frozenset({address} - {""}), **values)

    @property
    def names(self) -> set[str]:
        return {name for name in (self.name, self.legal_name) if name}


STORED = [field.name for field in fields(Facts)][:8]


@dataclass(frozen=True, slots=True)
class Reason:
    """What speaks for two companies being one, or against it."""

    code: str

    @property
    def message(self) -> str | Promise:
        return MESSAGES[self.code]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A company that may be the same, from 1 to 100."""

    id: int
    code: str
    name: str
    score: int
    reasons: tuple[Reason, ...]


def possible_duplicates(
    asked: Iterable[Facts],
    *,
    among: CompanyQuerySet | None = None,
    least: int = LEAST,
    most: int = MOST,
) -> list[list[Duplicate]]:
    """For each of the asked the companies that may be the same, the likeliest first.

    `among`: those that the caller may see. A batch of 500 costs at most ten statements,
    whatever their number.
    """
    companies = Company.objects.order_by() if among is None else among.order_by()
    answers = []
    for batch in batched(asked, BATCH):
        keys = [_keys(facts, least) for facts in batch]
        found = _look_up(keys, companies)
        others = [
            {pk for key in own for pk in found.get(key, ())} - {facts.company}
            for facts, own in zip(batch, keys, strict=True)
        ]
        known = _read(set().union(*others))
        for facts, pks in zip(batch, others, strict=True):
            scored = [_compare(facts, *known[pk]) for pk in pks if pk in known]
            likely = [one for one in scored if one.score >= least]
            likely.sort(key=lambda one: (-one.score, one.id))
            answers.append(likely[:most])
    return answers


def duplicates_of(company: Company | int, **options: Any) -> list[Duplicate]:
    """Other companies that may be the same as a stored one."""
    pk = getattr(company, "pk", company)
    (answer,) = possible_duplicates([_read([pk])[pk][0]], **options)
    return answer


@dataclass(frozen=True, slots=True)
class Pair:
    """Two stored companies that may be one; `company` was entered first."""

    company: int
    code: str
    name: str
    duplicate: Duplicate


def report(
    *,
    after: int = 0,
    among: CompanyQuerySet | None = None,
    least: int = LEAST,
    size: int = 50,
    span: int = 5 * BATCH,
) -> tuple[list[Pair], int | None]:
    """Pairs among all companies, each once, in the order of their ids.

    Looks at no more than `span` companies, those with ids greater than `after`; the
    second answer is where to go on, None at the end. A page may so be short, or empty.
    """
    companies = Company.objects.order_by() if among is None else among.order_by()
    ids = companies.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)
    looked_at = list(ids[: span + 1])
    pairs: list[Pair] = []
    for batch in batched(looked_at[:span], BATCH):
        known = _read(batch)
        asked = [known[pk] for pk in batch if pk in known]
        later = companies.filter(pk__gt=batch[0])
        found = possible_duplicates([one[0] for one in asked], among=later, least=least)
        for (facts, code, name), duplicates in zip(asked, found, strict=True):
            pairs += (
                Pair(facts.company, code, name, one)
                for one in duplicates
                if one.id > facts.company
            )
            if len(pairs) >= size:
                return pairs, facts.company if facts.company != looked_at[-1] else None
    return pairs, looked_at[span - 1] if len(looked_at) > span else None


# --- how they are found

type Key = tuple[str, str]  # the column, the value


def _keys(facts: Facts, least: int) -> set[Key]:
    """What a company that may be the same has, in one column or another.

    Who shares no number has to share the name, and for more than `BY_NAME` the address.
    """
    sketches = facts.sketches or {sketch(name) for name in facts.names}
    if least > BY_NAME and not facts.addresses:
        sketches = frozenset()
    keys = {
        *product(("name_sketch", "legal_sketch"), sketches),
        ("registration_key", registration_key(facts.country, facts.registration_id)),
        ("tax_id", facts.tax_id),
        ("lei", facts.lei),
        ("duns", facts.duns),
        *(("address", address) for address in facts.addresses),
    }
    return {key for key in keys if key[1]}


def _look_up(
    keys: Iterable[set[Key]], companies: CompanyQuerySet
) -> Mapping[Key, list[int]]:
    """The companies that have each key; of one that many have, the first."""
    values: dict[str, set[str]] = defaultdict(set)
    for column, value in set().union(*keys):
        values[column].add(value)
    found: dict[Key, list[int]] = defaultdict(list)
    for column, wanted in sorted(values.items()):
        path = "locations__address_key" if column == "address" else column
        # The second condition is that of the index, which the first implies.
        rows = with_one_of(companies.filter(~Q((path, ""))), path, wanted).annotate(
            place_in_key=Window(
                RowNumber(), partition_by=[F(path), F("country")], order_by="pk"
            )
        )
        rows = rows.filter(place_in_key__lte=MOST_OF_A_KEY)
        for value, pk in rows.values_list(path, "pk"):
            found[column, value].append(pk)
    return found


def _read(ids: Iterable[int]) -> dict[int, tuple[Facts, str, str]]:
    """Stored companies by id: what is known of each, its code and its name."""
    known = {}
    for batch in batched(sorted(ids), BATCH * 2):
        addresses: dict[int, set[str]] = defaultdict(set)
        places = with_one_of(Location.objects.exclude(address_key=""), "company", batch)
        for pk, address in places.order_by().values_list("company_id", "address_key"):
            addresses[pk].add(address)
        rows = with_one_of(Company.objects.order_by(), "pk", batch)
        sketches = ("name_sketch", "legal_sketch")
        for pk, code, name, legal, *values in rows.values_list(
            "pk", "code", *sketches, *STORED
        ):
            facts = Facts(
                *values,
                addresses=frozenset(addresses[pk]),
                company=pk,
                sketches=frozenset({name, legal}),
            )
            known[pk] = facts, code, facts.name
    return known


# --- how they are compared


def _compare(one: Facts, other: Facts, code: str, name: str) -> Duplicate:
    found = tuple(_reasons(one, other))
    score = max(0, min(100, sum(WEIGHTS[reason] for reason in found)))
    return Duplicate(other.company, code, name, score, tuple(map(Reason, found)))


def _reasons(one: Facts, other: Facts) -> Iterator[str]:
    for number in ("lei", "tax_id", "duns"):
        mine, yours = getattr(one, number), getattr(other, number)
        if mine and mine == yours:
            yield f"same_{number}"
        elif mine and yours and number != "duns":
            yield f"other_{number}"
    same_country = bool(one.country) and one.country == other.country
    if same_country and one.registration_id and other.registration_id:
        yield _registration(one, other)
    names = max(
        (likeness(a, b) for a in _name_keys(one) for b in _name_keys(other)), default=0
    )
    if names >= SIMILAR:
        yield "same_name" if names == 1 else "similar_name"
        if same_country:
            yield "same_country"
    if one.country and other.country and not same_country:
        yield "other_country"
    if one.addresses & other.addresses:
        yield "same_address"


def _registration(one: Facts, other: Facts) -> str:
    if compact(one.registration_id) != compact(other.registration_id):
        return "other_registration_id"
    agencies = {compact(one.registration_agency), compact(other.registration_agency)}
    if len(agencies - {""}) > 1:
        return "same_number_elsewhere"  # each court in Germany has its own HRB 1234
    return "same_registration_id"


def _name_keys(facts: Facts) -> set[str]:
    return {name_key(name) for name in facts.names}
