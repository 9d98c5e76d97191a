"""Reads what the rules decide from: a few queries, however many companies there are."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from operator import itemgetter
from typing import Any

from django.db.models import Exists, F, FilteredRelation, OuterRef, Q, QuerySet
from django.utils import timezone

from companies.models import Company, Contact, ContactAssignment
from config.compiled import compiled
from config.db import locked

from .locks import lock_hierarchy_of
from .models import (
    ApprovalGroupMember,
    ApprovalRule,
    PurchaseLimit,
    StandIn,
)
from .periods import period_at, possible_starts
from .rules import (
    CompanyOnPath,
    Deputy,
    GroupOnPath,
    Holding,
    LimitState,
    Membership,
    Path,
    People,
    Person,
    Role,
    RuleState,
    RuleStep,
    Situation,
    counts_in,
)

NAMED = ("first_name", "last_name", "email")
OF_CONTACT = tuple(f"contact__{name}" for name in NAMED)
OF_STAND_IN = tuple(f"stand_in__{name}" for name in NAMED)
COUNTED = [period for period in PurchaseLimit.Period if period != "PURCHASE"]


def _companies_above(companies: list[int]) -> QuerySet:
    return (
        Company.objects.above_any(companies)
        .order_by("approval_groups__id")
        .values_list(
            "pk",
            "parent_id",
            "name",
            "status",
            "approval_policy__allow_self_approval",
            Exists(ApprovalRule.objects.filter(company=OuterRef("pk"), is_active=True)),
            Exists(StandIn.objects.filter(company=OuterRef("pk"))),
            "approval_groups__id",
            "approval_groups__name",
        )
    )


_companies_above_one = compiled(_companies_above)


def read_path(company: int) -> Path:
    """The company and those above it, each with its approval groups; one query."""
    return _paths([company], _companies_above_one([company]))[company]


def read_paths(companies: list[int]) -> dict[int, Path]:
    """The path of each of these companies; one query for all."""
    return _paths(companies, _companies_above(companies))


def _paths(companies: list[int], rows: Iterable[Any]) -> dict[int, Path]:
    known: dict[int, CompanyOnPath] = {}
    parents: dict[int, int | None] = {}
    for pk, parent, name, status, allows, rules, deputies, group, group_name in rows:
        groups = known[pk].groups if pk in known else ()
        if group is not None:
            groups = (*groups, GroupOnPath(id=group, name=group_name))
        parents[pk] = parent
        known[pk] = CompanyOnPath(
            id=pk,
            name=name,
            status=status,
            groups=groups,
            allows_self_approval=bool(allows),
            has_rules=rules,
            has_stand_ins=deputies,
        )
    paths = {}
    for company in companies:
        way, pk = [], company
        while pk is not None:
            if pk not in known:
                raise Company.DoesNotExist(f"Company {pk} is gone.")
            way.append(known[pk])
            pk = parents[pk]
        paths[company] = tuple(reversed(way))
    return paths


def lock_path(company: int, *, alone: bool = False) -> Path:
    """The path of the company, with its hierarchy locked: see lock_hierarchy_of()."""
    lock_hierarchy_of(company, alone=alone)
    return read_path(company)


def lock_person(contact: int) -> Contact:
    """The person, of whom until the end nobody takes a right or deactivates them."""
    return locked(Contact.objects.filter(pk=contact)).get()


def lock_decider(contact: int, path: Path) -> dict[int, Contact]:
    """The person as lock_person() does, with all those for whom they may stand in.

    Whose right it is counts, too; so nobody takes it from them until the end.
    """
    people = {contact}
    if any(on_path.has_stand_ins for on_path in path):
        companies = [on_path.id for on_path in path]
        named = StandIn.objects.in_force().filter(
            stand_in=contact, company__in=companies
        )
        people.update(named.values_list("contact", flat=True))
    return {row.pk: row for row in locked(Contact.objects.filter(pk__in=people))}


def read_situation(
    path: Path, person: Contact, *, at: datetime | None = None
) -> Situation:
    """All that counts when the person buys something for the last company of the path.

    `at`: as of that moment (default: now), for dates and periods.
    """
    moment = at or timezone.now()
    company = path[-1].id
    return Situation(
        path=path,
        person=Person(id=person.pk, name=person.name),
        person_is_active=person.is_active,
        holdings=read_holdings(path, day=timezone.localdate(moment), also=person.pk),
        limits=read_limits(company, path, moment),
        rules=read_rules(company, path),
    )


def limits_of(company: int) -> tuple[LimitState, ...]:
    """The effective limits of a company now, with what is used and left."""
    return read_limits(company, read_path(company), timezone.now())


@compiled
def _limits_on(company: int, starts: list[date]) -> QuerySet:
    counted = Q(counters__period=F("period"), counters__period_start__in=starts)
    return (
        PurchaseLimit.objects.binding(company)
        .annotate(counter=FilteredRelation("counters", condition=counted))
        .values_list(
            "pk",
            "name",
            "company_id",
            "amount",
            "currency",
            "period",
            "time_zone",
            "scope",
            "on_exceed",
            "binds",
            "roles",
            "contact_id",
            "alert_percents",
            "counter__period",
            "counter__period_start",
            "counter__reserved",
            "counter__used",
            named=True,
        )
    )


def read_limits(company: int, path: Path, moment: datetime) -> tuple[LimitState, ...]:
    """Limits under which the company's purchases fall, with what is left; one query."""
    names = {on_path.id: on_path.name for on_path in path}
    rows = _limits_on(company, sorted(possible_starts(COUNTED, moment)))
    found: dict[int, LimitState] = {}
    for row in rows:
        span = period_at(row.period, moment, row.time_zone)
        start = span.first if span else None
        if row.pk not in found:
            found[row.pk] = LimitState(
                id=row.pk,
                name=row.name,
                company=row.company_id,
                company_name=names[row.company_id],
                cap=row.amount,
                currency=row.currency,
                period=row.period,
                period_start=start,
                period_end=span.last if span else None,
                scope=row.scope,
                on_exceed=row.on_exceed,
                whom=row.binds,
                roles=tuple(row.roles),
                contact=row.contact_id,
                alert_percents=tuple(row.alert_percents),
            )
        if (row.counter__period, row.counter__period_start) == (row.period, start):
            found[row.pk] = replace(
                found[row.pk], reserved=row.counter__reserved, used=row.counter__used
            )
    return tuple(found.values())


def read_rules(company: int, path: Path) -> tuple[RuleState, ...]:
    """Rules that reach the company, each with its steps; a query if there are any."""
    if not any(on_path.has_rules for on_path in path):
        return ()
    names = {on_path.id: on_path.name for on_path in path}
    rows = (
        ApprovalRule.objects.reaching(company)
        .order_by("pk", "steps__position")
        .values_list(
            "pk",
            "name",
            "company_id",
            "amount_from",
            "currency",
            "roles",
            "kinds",
            "steps__quorum",
            "steps__approval_group_id",
            "steps__approval_group__company_id",
            "steps__role",
            named=True,
        )
    )
    steps: Mapping[int, list[RuleStep]] = defaultdict(list)
    rules = {}
    for row in rows:
        rules[row.pk] = row
        if row.steps__quorum is None:  # no step, which only the shell can make
            continue
        steps[row.pk].append(
            RuleStep(
                quorum=row.steps__quorum,
                group=row.steps__approval_group_id,
                group_company=row.steps__approval_group__company_id,
                role=row.steps__role,
            )
        )
    return tuple(
        RuleState(
            id=pk,
            name=row.name,
            company=row.company_id,
            company_name=names[row.company_id],
            amount_from=row.amount_from,
            currency=row.currency,
            roles=tuple(row.roles),
            kinds=tuple(row.kinds),
            steps=tuple(steps[pk]),
        )
        for pk, row in rules.items()
    )


def _assignments(
    companies: list[int], paths: list[int], day: date, also: int | None
) -> QuerySet:
    """Roles that could count in one of the companies, from anywhere on their paths."""
    counting = Q(company__in=companies) | Q(covers_subsidiaries=True)
    wanted = Q(role=Role.ADMIN) | Q(role=Role.BUYER) & counting | Q(contact=also)
    return (
        ContactAssignment.objects.in_force(day)
        .filter(wanted, company__in=paths)
        .order_by("pk")
        .values_list(
            "pk", "company_id", "role", "covers_subsidiaries", "contact_id", *OF_CONTACT
        )
    )


_assignments_on_path = compiled(_assignments)


def read_holdings(
    path: Path, *, day: date | None = None, also: int | None = None
) -> tuple[Holding, ...]:
    """Who could buy or approve by a role on the path; `also`: a person of any role."""
    companies = [on_path.id for on_path in path]
    day = day or timezone.localdate()
    rows = _assignments_on_path(companies[-1:], companies, day, also)
    return tuple(held for _company, held in _holdings(rows))


def _holdings(rows: Iterable[Any]) -> Iterator[tuple[int, Holding]]:
    for pk, company, role, covers, contact, *name in rows:
        yield (
            company,
            Holding(
                assignment=pk,
                company=company,
                role=role,
                covers_subsidiaries=covers,
                person=_person(contact, *name),
            ),
        )


def read_people(
    path: Path,
    *,
    day: date | None = None,
    holdings: tuple[Holding, ...] | None = None,
) -> People:
    """Who holds a role on the path, who is in its groups, who stands in for them."""
    if holdings is None:
        holdings = read_holdings(path, day=day)
    return People(
        holdings=holdings,
        memberships=tuple(member for _group, member in _memberships([path], day)),
        deputies=tuple(deputy for _company, deputy in _deputies([path], day)),
    )


def read_people_of(paths: Mapping[int, Path]) -> dict[int, People]:
    """The same for each of these companies now; at most three queries for all."""
    day = timezone.localdate()
    on_paths = sorted({place.id for path in paths.values() for place in path})
    holdings = _Placed(_holdings(_assignments(list(paths), on_paths, day, None)))
    memberships = _Placed(_memberships(paths.values(), day))
    deputies = _Placed(_deputies(paths.values(), day))
    people = {}
    for company, path in paths.items():
        places = [place.id for place in path]
        groups = [group.id for place in path for group in place.groups]
        people[company] = People(
            holdings=tuple(
                held
                for held in holdings.at(places)
                if held.role == Role.ADMIN or counts_in(held, company)
            ),
            memberships=tuple(memberships.at(groups)),
            deputies=tuple(deputies.at(places)),
        )
    return people


class _Placed[T]:
    """What was read for many companies, by the company or group that it belongs to."""

    def __init__(self, rows: Iterable[tuple[int, T]]) -> None:
        self._rows: Mapping[int, list[tuple[int, T]]] = defaultdict(list)
        for number, (place, row) in enumerate(rows):
            self._rows[place].append((number, row))

    def at(self, places: Iterable[int]) -> list[T]:
        """Those of these places, in the order in which they were read."""
        found = [pair for place in places for pair in self._rows.get(place, ())]
        return [row for _number, row in sorted(found, key=itemgetter(0))]


def _memberships(
    paths: Iterable[Path], day: date | None
) -> Iterator[tuple[int, Membership]]:
    """Members who are active and still assigned somewhere in the hierarchy."""
    groups = {group.id for path in paths for place in path for group in place.groups}
    if not groups:
        return
    assigned = ContactAssignment.objects.in_force(day).in_hierarchy_of_row(
        contact="contact", company="group__company"
    )
    found = (
        ApprovalGroupMember.objects.filter(Exists(assigned), group__in=groups)
        .order_by("group_id", "pk")
        .values_list("group_id", "contact_id", *OF_CONTACT)
    )
    for group, contact, *name in found:
        yield group, Membership(group=group, person=_person(contact, *name))


def _deputies(paths: Iterable[Path], day: date | None) -> Iterator[tuple[int, Deputy]]:
    """Stand-ins for purchases of these companies, who are active themselves."""
    places = {place.id for path in paths for place in path if place.has_stand_ins}
    if not places:
        return
    assigned = ContactAssignment.objects.in_force(day).in_hierarchy_of_row(
        contact="stand_in", company="company"
    )
    found = (
        StandIn.objects.in_force(day)
        .filter(Exists(assigned), company__in=places)
        .order_by("pk")
        .values_list(
            "company_id",
            "pk",
            "contact_id",
            "amount",
            "currency",
            "stand_in_id",
            *OF_STAND_IN,
        )
    )
    for company, pk, contact, most, currency, stand_in, *name in found:
        yield (
            company,
            Deputy(
                id=pk,
                stands_in_for=contact,
                person=_person(stand_in, *name),
                most=most,
                currency=currency,
            ),
        )


def _person(pk: int, first_name: str, last_name: str, email: str) -> Person:
    contact = Contact(first_name=first_name, last_name=last_name, email=email)
    return Person(id=pk, name=contact.name)


def out_of_the_decision(
    path: Path, requester: int, decided: Iterable[int] = ()
) -> set[int]:
    """Who must not decide: whoever has, and the requester, unless staff allow it."""
    out = set(decided)
    if not path[-1].allows_self_approval:
        out.add(requester)
    return out
