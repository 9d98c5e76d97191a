"""Who could decide in a step now: its own people, those above, stand-ins, staff."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from .deciding import counts_in, through_assignment
from .values import Approver, CompanyOnPath, Path, People, Role, Step, Through


def with_approvers(
    step: Step,
    path: Path,
    people: People,
    *,
    without: Collection[int],
    missing: int | None = None,
    escalated: bool = False,
    taken_over: bool = False,
) -> Step:
    """The step with the people who could decide now; `without`: who must not.

    Neither they nor anybody by their right. Where too few are left, the nearest company
    above with somebody eligible steps in; at the top, the seller's staff. `missing`:
    how many have to agree yet. `escalated`: one company more is asked than needed.
    `taken_over`: the seller's staff decide beside those who are left.
    """
    needed = step.quorum if missing is None else missing
    found: dict[int, Approver] = {}  # by whose right it is
    for level in _levels(step, path, people):
        enough = len(found) >= needed
        new = {
            approver.right_of: approver
            for approver in reversed(level)
            if approver.right_of not in without and approver.right_of not in found
        }
        found |= dict(reversed(new.items()))
        if (enough and new) or (len(found) >= needed and not escalated):
            staff = taken_over
            break
    else:
        staff = True
    approvers = (*found.values(), *_stand_ins(found, people, without))
    return replace(step, approvers=approvers, staff=staff)


def _stand_ins(
    found: dict[int, Approver], people: People, without: Collection[int]
) -> Iterable[Approver]:
    """Who may decide for one of those found; nobody for a stand-in, not who is out."""
    named = set()  # somebody may be named twice: for two companies, or two amounts
    for deputy in people.deputies:
        principal, pair = found.get(deputy.stands_in_for), deputy.pair
        if principal and pair not in named and deputy.person.id not in without:
            named.add(pair)
            through = replace(principal.through, instead_of=principal.person)
            yield Approver(person=deputy.person, through=through)


def _levels(step: Step, path: Path, people: People) -> Iterable[list[Approver]]:
    """Who may decide at the step's company, then at each company above it."""
    places = [company.id for company in path]
    groups = set(step.approval_groups)
    if step.company in places:
        start = places.index(step.company)
        if step.approval_groups:
            yield _members(path[start], groups, people)
        else:
            yield _holders(path[start], step.roles, path, people)
    else:  # moved away from it meanwhile: begin anew where the company is now
        start = len(path)
    for company in reversed(path[:start]):
        if company.groups:
            ids = {group.id for group in company.groups}
            yield _members(company, ids, people)
        else:
            yield _holders(company, (Role.ADMIN,), path, people)


def _members(
    company: CompanyOnPath, groups: Collection[int], people: People
) -> list[Approver]:
    of_company = {group.id for group in company.groups} & set(groups)
    return [
        Approver(
            person=member.person,
            through=Through(
                kind="approval_group",
                id=member.group,
                company=company.id,
                company_name=company.name,
            ),
        )
        for member in people.memberships
        if member.group in of_company
    ]


def _holders(
    company: CompanyOnPath, roles: Collection[str], path: Path, people: People
) -> list[Approver]:
    places = [on_path.id for on_path in path]
    reaching = set(places[: places.index(company.id) + 1])
    return [
        Approver(person=held.person, through=through_assignment(held, path))
        for held in people.holdings
        if held.role in roles
        and held.company in reaching
        and counts_in(held, company.id)
    ]
