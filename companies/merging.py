"""Merge a company that was entered twice into the one that stays, and take it back.

What belongs to the company that goes moves; where both have the same, that of the one
that stays counts. Every field that a merge changes is changed through `Merging.change`,
which writes down what it was: so a merge can be shown before it is made, and taken back
later. Higher apps move theirs when `companies_merging` is sent. See docs/merging.md.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.actors import SYSTEM, Actor
from config.db import allow_long_work, in_transaction, locked
from config.errors import DomainError

from .errors import (
    AlreadyMerged,
    MergedCompany,
    MergeIntoBelow,
    MergeIntoItself,
    MergeTooLarge,
    MergeTooOld,
    MergeUnfinished,
    NotMerged,
    ParentClosed,
    UnmergeIncomplete,
)
from .models import Company, CompanyLink, CompanyMerge, ContactAssignment, Location
from .models.assignment import Role
from .models.company import Status
from .models.location import DEFAULTS
from .preview import Preview, Standing, as_previewed, preview_change
from .services import check_version
from .signals import companies_merging
from .tree.guard import lock_companies

MOST_STEPS = 2_000
# Filled in where they are empty at the company that stays.
FILLED = (
    "legal_name",
    "legal_form",
    "website",
    "email",
    "phone",
    "language",
    "currency",
)
# Only if both are of one country, or the one that stays has none.
FILLED_OF_COUNTRY = ("country", "tax_id", "lei", "duns")
REGISTRATION = ("registration_id", "registration_agency", "registered_on")
STAYS, UNFINISHED = "stays", "unfinished"
TOPICS = {
    "subsidiaries": gettext_lazy("Subsidiaries"),
    "locations": gettext_lazy("Locations"),
    "people": gettext_lazy("People"),
    "links": gettext_lazy("Links"),
    "legal": gettext_lazy("Fields filled in"),
    STAYS: gettext_lazy("Stays with the old company"),
    UNFINISHED: gettext_lazy(
        "Open, and cannot be finished while the old one is closed"
    ),
}


class Merging:
    """A merge that is being made: `company` goes, `into` stays."""

    def __init__(
        self, company: Company, into: Company, actor: Actor, reason: str
    ) -> None:
        self.company, self.into = company, into
        self.actor, self.reason = actor, reason
        self.steps: list[dict[str, Any]] = []
        self.labels: dict[str, str | Promise] = dict(TOPICS)
        self.lines: dict[str, list[str]] = defaultdict(list)

    def change(self, row: models.Model, **values: Any) -> None:
        """Change fields of a row and write down what they were."""
        if len(self.steps) >= MOST_STEPS:
            raise MergeTooLarge(most=MOST_STEPS)
        fields: dict[str, list[Any]] = {}
        for name, value in values.items():
            field = row._meta.get_field(name)
            before = getattr(row, field.attname)
            setattr(row, name, value)
            after = getattr(row, field.attname)
            if before != after:
                fields[name] = [before, after]
        if fields:
            row.by(self.actor, self.reason).save(update_fields=list(fields))  # type: ignore[attr-defined]
            step = {"model": row._meta.label_lower, "id": row.pk, "fields": fields}
            self.steps.append(step)

    def tell(self, topic: str, line: Any, label: str | Promise = "") -> None:
        """A line for people of what happens, under a topic of its own if labelled."""
        if label:
            self.labels.setdefault(topic, label)
        self.lines[topic].append(str(line))

    def standing(self) -> Sequence[Standing]:
        """What the merge does, in the form in which previews show it."""
        return [
            Standing(topic, self.labels[topic], tuple(lines))
            for topic, lines in sorted(self.lines.items())
        ]


@in_transaction
def merge_companies(
    company: Company,
    into: Company,
    *,
    actor: Actor,
    reason: str = "",
    expected_version: int | None = None,
    previewed: str = "",
    confirm: bool = False,
) -> CompanyMerge:
    """Move what belongs to `company` to the company that stays, and close it.

    Its code goes on answering, with the company that stays. Ledger, history and past
    requests stay where they are. `previewed`: the token of a preview. Raises
    MergeIntoItself, MergeIntoBelow, AlreadyMerged, MergedCompany, ParentClosed,
    MergeTooLarge, StaleVersion, PreviewOutdated, and without `confirm`
    MergeUnfinished.
    """
    merging = _begin(company, into, actor, reason)
    check_version(merging.company, expected_version)
    action = _action(company)
    with as_previewed(into, action, previewed, say=merging.standing):
        _make(merging)
    if merging.lines[UNFINISHED] and not confirm:
        error = MergeUnfinished(company=company.pk)
        error.lines = tuple(merging.lines[UNFINISHED])
        raise error
    merge = CompanyMerge(
        company=merging.company,
        into=merging.into,
        steps=merging.steps,
        actor=str(actor),
        reason=reason,
    )
    merge.save()
    return merge


def preview_merge(company: Company, into: Company, *, actor: Actor = SYSTEM) -> Preview:
    """What the merge would do, in all apps. Raises what the merge would raise.

    But not what only has to be confirmed: that is among the lines.
    """
    made: list[Merging] = []

    def make() -> None:
        made.append(_begin(company, into, actor, ""))
        _make(made[0])

    def say() -> Sequence[Standing]:
        return made[0].standing()

    return preview_change(into, _action(company), make, say=say)


@in_transaction
def unmerge_company(
    company: Company,
    *,
    actor: Actor,
    reason: str = "",
    expected_version: int | None = None,
    confirm: bool = False,
) -> list[str]:
    """Take the company's merge back: each field that still has what the merge wrote.

    What was changed or deleted since stays as it is; without `confirm` nothing is done
    then, and UnmergeIncomplete says what that would be. Answers with these lines.
    Raises NotMerged, MergeTooOld, StaleVersion.
    """
    merge = CompanyMerge.objects.standing().filter(company=company.pk).first()
    if merge is None:
        raise NotMerged(company=company.pk)
    found = lock_companies(Company, [merge.company_id, merge.into_id])
    merge = locked(CompanyMerge.objects.standing().filter(pk=merge.pk)).first()
    if merge is None:
        raise NotMerged(company=company.pk)
    check_version(found[company.pk], expected_version)
    if merge.is_too_old:
        raise MergeTooOld(company=company.pk, until=merge.last_moment.isoformat())
    if CompanyMerge.objects.standing().filter(company=merge.into_id).exists():
        raise MergedCompany(company=merge.into_id)
    allow_long_work()
    reason = reason or f"unmerged from {found[merge.into_id].code}"
    lost = list(_take_back(merge, actor, reason))
    if lost and not confirm:
        error = UnmergeIncomplete(company=company.pk, count=len(lost))
        error.lines = tuple(lost)
        raise error
    merge.undone_at, merge.undone_by = timezone.now(), str(actor)
    merge.by(actor, reason).save(update_fields=["undone_at", "undone_by"])
    return lost


def _action(company: Company) -> str:
    return f"merge of {company.pk}"


def _begin(company: Company, into: Company, actor: Actor, reason: str) -> Merging:
    """Lock both hierarchies and both companies, and see that the merge makes sense."""
    if company.pk == into.pk:
        raise MergeIntoItself(company=company.pk)
    found = lock_companies(Company, [company, into])
    company, into = found[company.pk], found[into.pk]
    list(locked(Company.objects.filter(pk__in=found)).values_list("pk"))
    merges = CompanyMerge.objects.standing()
    if merges.filter(company=company.pk).exists():
        raise AlreadyMerged(company=company.pk)
    if merges.filter(company=into.pk).exists():
        raise MergedCompany(company=into.pk)
    if into.status == Status.CLOSED:
        raise ParentClosed(parent=into.pk)
    if Company.objects.above(into).filter(pk=company.pk).exists():
        raise MergeIntoBelow(company=company.pk, into=into.pk)
    return Merging(company, into, actor, reason or f"merged into {into.code}")


def _make(merging: Merging) -> None:
    allow_long_work()
    _move_subsidiaries(merging)
    _move_locations(merging)
    _move_people(merging)
    _move_links(merging)
    companies_merging.send(Company, merging=merging)
    _fill_in_and_close(merging)


def _move_subsidiaries(merging: Merging) -> None:
    for child in merging.company.subsidiaries.order_by("pk"):
        merging.change(child, parent=merging.into)
        merging.tell("subsidiaries", f"{child} ({child.code})")


def _move_locations(merging: Merging) -> None:
    theirs = Location.objects.filter(company=merging.into)
    codes = {code.lower() for code in theirs.values_list("code", flat=True)}
    taken = {mark for mark in DEFAULTS if theirs.filter(**{mark: True}).exists()}
    for place in merging.company.locations.order_by("pk"):
        changes: dict[str, Any] = {"company": merging.into}
        line = str(place)
        if place.code and place.code.lower() in codes:
            changes["code"] = ""
            line += _(", without its code %(code)s") % {"code": place.code}
        codes.add(place.code.lower())
        lost = [mark for mark in taken if getattr(place, mark)]
        if lost:
            changes |= dict.fromkeys(lost, False)
            line += _(", no default any more")
        merging.change(place, **changes)
        merging.tell("locations", line)


STRENGTH = [*Role.values, ""]
OF_A_RIGHT = ("role", "covers_subsidiaries", "valid_from", "valid_until")


def _move_people(merging: Merging) -> None:
    theirs = {
        row.contact_id: row
        for row in ContactAssignment.objects.filter(company=merging.into)
    }
    primary = ContactAssignment.Type.PRIMARY
    has_primary = any(row.type == primary for row in theirs.values())
    in_force = set(merging.company.assignments.in_force().values_list("pk", flat=True))
    rows = merging.company.assignments.select_related("contact").order_by("pk")
    for row in rows:
        kind = {"type": ContactAssignment.Type.CONTACT} if has_primary else {}
        kind = kind if row.type == primary else {}
        other = theirs.get(row.contact_id)
        role = row.get_role_display() or _("no role")
        if other is None:
            has_primary = has_primary or row.type == primary
            merging.change(row, company=merging.into, **kind)
            merging.tell("people", f"{row.contact.name}, {role}")
            continue
        # Assigned to both: the stronger of the two counts, whole.
        changes: dict[str, Any] = {}
        if row.pk in in_force and _is_stronger(row, other):
            changes = {name: getattr(row, name) for name in OF_A_RIGHT}
            merging.tell("people", f"{row.contact.name}, {role}")
        if row.type == primary and not has_primary:
            has_primary = True
            changes["type"] = primary
        merging.change(other, **changes)
        merging.tell(STAYS, f"{row.contact.name}, {role}")


def _is_stronger(one: ContactAssignment, other: ContactAssignment) -> bool:
    mine, yours = STRENGTH.index(one.role), STRENGTH.index(other.role)
    wider = one.covers_subsidiaries and not other.covers_subsidiaries
    return mine < yours or (mine == yours and wider)


def _move_links(merging: Merging) -> None:
    """Links from and to it; not one between the two, nor one that both have."""
    ours, into = merging.company.pk, merging.into
    known = {
        (link.company_id, link.kind, link.other_id)
        for link in CompanyLink.objects.of(into)
    }
    for link in CompanyLink.objects.of(ours).order_by("pk"):
        ends = {
            name: into.pk
            if getattr(link, f"{name}_id") == ours
            else getattr(link, f"{name}_id")
            for name in ("company", "other")
        }
        key = (ends["company"], link.kind, ends["other"])
        if ends["company"] == ends["other"] or key in known:
            merging.tell(STAYS, link)
            continue
        known.add(key)
        moved = "company" if link.company_id == ours else "other"
        merging.change(link, **{moved: into})
        merging.tell("links", link)


def _fill_in_and_close(merging: Merging) -> None:
    ours, into = merging.company, merging.into
    filled = {name: getattr(ours, name) for name in _to_fill(ours, into)}
    merging.change(ours, status=Status.CLOSED)
    if "lei" in filled:
        merging.change(ours, lei="")  # unique: only one of the two can have it
    attributes = ours.attributes | into.attributes
    if attributes != into.attributes:
        filled["attributes"] = attributes
    for name, value in filled.items():
        label = capfirst(str(Company._meta.get_field(name).verbose_name))
        merging.tell("legal", label if name == "attributes" else f"{label}: {value}")
        merging.change(into, **{name: value})


def _to_fill(ours: Company, into: Company) -> Iterator[str]:
    names = list(FILLED)
    if ours.country == into.country or not into.country:
        names += FILLED_OF_COUNTRY
        if not into.registration_id and ours.registration_id:
            yield from (name for name in REGISTRATION if getattr(ours, name))
    for name in names:
        if getattr(ours, name) and not getattr(into, name):
            yield name


# --- back


def _take_back(merge: CompanyMerge, actor: Actor, reason: str) -> Iterator[str]:
    """Undo step by step, the last first; what cannot be undone, as lines."""
    for step in reversed(merge.steps):
        model = apps.get_model(step["model"])
        row = model._base_manager.filter(pk=step["id"]).first()
        kind = capfirst(str(model._meta.verbose_name))
        if row is None:
            yield _("%(kind)s %(id)s: it is gone.") % {"kind": kind, "id": step["id"]}
            continue
        fields = _values(model, step)
        if any(getattr(row, f.attname) != after for f, (_old, after) in fields.items()):
            text = _("%(kind)s %(row)s: it was changed since, and stays as it is.")
            yield text % {"kind": kind, "row": row}
            continue
        try:
            with transaction.atomic():
                for field, (before, _after) in fields.items():
                    setattr(row, field.attname, before)
                names = [field.name for field in fields]
                row.by(actor, reason).save(update_fields=names)
        except (DomainError, ValidationError, IntegrityError):
            text = _("%(kind)s %(row)s: what it was is not possible any more.")
            yield text % {"kind": kind, "row": row}


def _values(model: type[models.Model], step: dict[str, Any]) -> dict[Any, list[Any]]:
    """The fields of a step with their values before and after, as models have them."""
    return {
        field: [field.to_python(value) for value in values]
        for name, values in step["fields"].items()
        for field in [model._meta.get_field(name)]
    }
