"""What is missing or doubtful about companies: one rule per finding, said to SQL.

A finding is a condition on companies, so that the same rule lists, filters and counts.
Higher apps add theirs with `add_finding()`. Closed companies are left out: nobody will
complete them.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .models import Company, CompanyQuerySet, ContactAssignment, Location
from .models.assignment import Role
from .models.company import Status, here_or_above

type Rule = Callable[[], Q]  # asked afresh each time: some go by the day

ANY, NONE = "any", "none"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that somebody should look at; `rule` finds the companies."""

    code: str
    label: str | Promise
    rule: Rule


FINDINGS: dict[str, Finding] = {}


def add_finding(code: str, label: str | Promise, rule: Rule) -> None:
    FINDINGS[code] = Finding(code, label, rule)


def choices() -> list[tuple[str, str | Promise]]:
    """What lists can be asked for."""
    return [
        *((one.code, one.label) for one in FINDINGS.values()),
        (ANY, _("Anything missing or doubtful")),
        (NONE, _("Nothing missing")),
    ]


def having(rows: CompanyQuerySet, wanted: str) -> CompanyQuerySet:
    """Companies with that finding, with ANY, or with NONE; closed ones are left out."""
    rows = rows.exclude(status=Status.CLOSED)
    if wanted == NONE:
        return rows.exclude(_any())
    return rows.filter(_any() if wanted == ANY else FINDINGS[wanted].rule())


def findings_of(rows: CompanyQuerySet) -> list[tuple[Company, list[Finding]]]:
    """Each company of `rows` with what was found; one query."""
    return [
        (company, [one for one in _all() if getattr(company, f"has_{one.code}")])
        for company in _asked(rows)
    ]


def _asked(rows: CompanyQuerySet) -> CompanyQuerySet:
    return rows.annotate(**{f"has_{one.code}": _as_value(one) for one in _all()})


@dataclass(frozen=True, slots=True)
class Share:
    """In how many companies something was found."""

    finding: Finding
    companies: int
    percent: int


@dataclass(frozen=True, slots=True)
class Quality:
    """How complete some companies are."""

    companies: int
    complete: int
    counts: Sequence[Share]

    @property
    def percent(self) -> int:
        return share(self.complete, self.companies)


def quality_of(rows: CompanyQuerySet) -> Quality:
    """What was found in these companies, as numbers; one query."""
    counts = {one.code: Count("pk", filter=one.rule()) for one in _all()}
    found = (
        rows.exclude(status=Status.CLOSED)
        .order_by()
        .aggregate(
            companies=Count("pk"), complete=Count("pk", filter=~_any()), **counts
        )
    )
    return _quality(found["companies"], found["complete"], found)


def review(
    rows: CompanyQuerySet, *, most: int
) -> tuple[Quality, list[tuple[Company, list[Finding]]]]:
    """The numbers, and the first `most` of the companies where something was found.

    For so many companies as can be read at once: each rule is asked once of each.
    """
    asked = _asked(rows.exclude(status=Status.CLOSED))
    flags = asked.values_list("pk", *(f"has_{one.code}" for one in _all()))
    found = {
        pk: [one for one, has in zip(_all(), row, strict=True) if has]
        for pk, *row in flags
    }
    lacking = [pk for pk, findings in found.items() if findings]
    numbers = Counter(one.code for findings in found.values() for one in findings)
    companies = Company.objects.in_bulk(lacking[:most])
    return (
        _quality(len(found), len(found) - len(lacking), numbers),
        [(companies[pk], found[pk]) for pk in lacking[:most]],
    )


def _quality(total: int, complete: int, numbers: Mapping[str, int]) -> Quality:
    """`numbers`: in how many companies each finding is, by its code."""
    shares = [
        Share(one, numbers[one.code], share(numbers[one.code], total)) for one in _all()
    ]
    return Quality(total, complete, shares)


def share(part: int, whole: int) -> int:
    """Whole percents; 100 and 0 only where it is all or nothing."""
    if part in (0, whole):
        return 100 if part == whole else 0
    return min(99, max(1, round(100 * part / whole)))


def _all() -> Sequence[Finding]:
    return tuple(FINDINGS.values())


def _any() -> Q:
    found = Q()
    for one in _all():
        found |= one.rule()
    return found


def _as_value(finding: Finding) -> Exists:
    same = Company.objects.order_by().filter(pk=OuterRef("pk"))
    return Exists(same.filter(finding.rule()))


# --- the rules of this app


def _no_primary_contact() -> Q:
    primary = ContactAssignment.objects.in_force().filter(
        type=ContactAssignment.Type.PRIMARY, company=OuterRef("pk")
    )
    return ~Q(Exists(primary))


def _no_admin() -> Q:
    admins = ContactAssignment.objects.in_force().filter(role=Role.ADMIN)
    own = admins.filter(company=OuterRef("pk"))
    above = admins.filter(here_or_above("company"), covers_subsidiaries=True)
    return ~Q(Exists(own)) & ~Q(Exists(above))


def _no_address() -> Q:
    places = Location.objects.filter(is_active=True)
    shared = places.filter(here_or_above("company"), is_shared=True)
    return ~Q(Exists(places.filter(company=OuterRef("pk")))) & ~Q(Exists(shared))


def _incomplete_address() -> Q:
    lacking = Q(address_line1="") | Q(city="") | Q(country="")
    places = Location.objects.filter(lacking, is_active=True, company=OuterRef("pk"))
    return Q(Exists(places))


def _shared_number() -> Q:
    """Another company has its tax id, or its registration id in its country."""

    def others(column: str) -> Q:
        rows = Company.objects.order_by().filter(**{column: OuterRef(column)})
        return ~Q((column, "")) & Q(Exists(rows.exclude(pk=OuterRef("pk"))))

    return others("tax_id") | others("registration_key")


add_finding("no_primary_contact", _("No primary contact"), _no_primary_contact)
add_finding("no_admin", _("No admin"), _no_admin)
add_finding("no_legal_name", _("No legal name"), lambda: Q(legal_name=""))
add_finding("no_country", _("No country"), lambda: Q(country=""))
add_finding(
    "no_identifier",
    _("No registration id, tax id, LEI or D-U-N-S"),
    lambda: Q(registration_id="", tax_id="", lei="", duns=""),
)
add_finding("no_address", _("No location"), _no_address)
add_finding(
    "incomplete_address",
    _("A location without street, city or country"),
    _incomplete_address,
)
add_finding("shared_number", _("Another company has the same number"), _shared_number)
