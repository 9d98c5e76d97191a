"""Whether a purchase is allowed, and who has to agree. No queries, no writes.

One engine for check, submit, decisions, admin and commands. The values it decides from
are read by `approvals.situation`; each case is a row of a test.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from companies.models import Company, ContactAssignment

from .models import PurchaseLimit

Role = ContactAssignment.Role
OnExceed = PurchaseLimit.OnExceed
Scope = PurchaseLimit.Scope
Binds = PurchaseLimit.Binds
ACTIVE = Company.Status.ACTIVE
NOTHING = Decimal(0)


class Outcome(StrEnum):
    """The answer to "may I buy this?"."""

    ALLOWED = "ALLOWED"
    APPROVAL_REQUIRED = "APPROVAL_REQUIRED"
    BLOCKED = "BLOCKED"


class Code(StrEnum):
    """Why: stable codes of the API. What weighs most comes first."""

    COMPANY_NOT_ACTIVE = "company_not_active"
    CONTACT_NOT_ACTIVE = "contact_not_active"
    NOT_ASSIGNED = "not_assigned"
    NO_BUYING_ROLE = "no_buying_role"
    LIMIT_EXCEEDED = "limit_exceeded"
    CURRENCY_WITHOUT_LIMIT = "currency_without_limit"
    REQUESTER_NEEDS_APPROVAL = "requester_needs_approval"
    LIMIT_WARNING = "limit_warning"
    WITHIN_LIMITS = "within_limits"
    ADMIN_UNLIMITED = "admin_unlimited"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOnPath:
    """An approval group of a company on the path."""

    id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyOnPath:
    """A company on the way from the head company to the one that buys."""

    id: int
    name: str
    status: str = ACTIVE
    groups: tuple[GroupOnPath, ...] = ()


type Path = tuple[CompanyOnPath, ...]  # the head company first, the buying one last


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    id: int
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A role that a person holds by an assignment that is in force."""

    assignment: int
    person: Person
    company: int
    role: str
    covers_subsidiaries: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """An active person, still assigned in the hierarchy, in an approval group."""

    group: int
    person: Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Through:
    """What gives a person a right: an assignment, or an approval group."""

    kind: str  # "assignment", "approval_group" or "staff"
    id: int
    company: int
    company_name: str

    def __str__(self) -> str:
        match self.kind:
            case "staff":
                return "the seller's staff"
            case "approval_group":
                return f"approval group {self.id} of {self.company_name}"
        return f"assignment {self.id} of {self.company_name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState:
    """A limit under which the purchase falls, and what of it is left."""

    id: int
    company: int
    company_name: str
    cap: Decimal | None  # None: the explicit "unlimited"
    currency: str
    name: str = ""
    period: str = PurchaseLimit.Period.PURCHASE
    scope: str = Scope.HIERARCHY
    on_exceed: str = OnExceed.APPROVE
    whom: str = Binds.ALL
    roles: tuple[str, ...] = ()
    contact: int | None = None
    used: Decimal = NOTHING
    reserved: Decimal = NOTHING
    applies: bool = False  # binds the person who buys
    bites: bool = False

    @property
    def remaining(self) -> Decimal | None:
        return None if self.cap is None else self.cap - self.used - self.reserved

    def binds_person(self, person: int, role: str) -> bool:
        """Whether it binds this person in this role; admins only if it names them."""
        match self.whom:
            case Binds.CONTACT:
                return self.contact == person
            case Binds.ROLES:
                return role in self.roles
        return role != Role.ADMIN

    def facing(self, purchase: "Purchase", person: int, role: str) -> "LimitState":
        """The limit, knowing whether it binds the person and whether it bites."""
        applies = self.binds_person(person, role)
        exceeded = self.remaining is not None and purchase.amount > self.remaining
        bites = applies and exceeded and self.currency == purchase.currency
        return replace(self, applies=applies, bites=bites)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What somebody wants to buy."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that is known of company, person and limits when the question is asked."""

    path: Path
    person: Person
    person_is_active: bool = True
    holdings: tuple[Holding, ...] = ()  # the person's own, in force, on the path
    limits: tuple[LimitState, ...] = ()  # under which the company's purchases fall

    @property
    def company(self) -> CompanyOnPath:
        return self.path[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRole:
    """The role in which somebody buys, and through what."""

    role: str
    company: int
    through: Through


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    code: Code
    limit: LimitState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approver:
    person: Person
    through: Through


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How many have to agree, and whom it asks: approval groups, or roles.

    `approvers` could decide now; `staff`: too few could, the seller's staff steps in.
    """

    position: int = 1
    quorum: int = 1
    company: int
    approval_groups: tuple[int, ...] = ()
    roles: tuple[str, ...] = ()
    approvers: tuple[Approver, ...] = ()
    staff: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer, why, everything that was considered, and what is to follow."""

    outcome: Outcome
    reasons: tuple[Reason, ...]
    limits: tuple[LimitState, ...] = ()
    role: HeldRole | None = None
    steps: tuple[Step, ...] = ()

    def naming(self, steps: Iterable[Step]) -> "Decision":
        """The same answer, with these steps, in which people are named."""
        return replace(self, steps=tuple(steps))


def decide(purchase: Purchase, situation: Situation) -> Decision:
    """May this person buy this for this company?

    The role matrix: an admin orders alone; a buyer orders alone within the limits and
    needs an admin above them; a requester needs a buyer or admin within and an admin
    above. Limits bind admins only if they name them.
    """
    role = role_of(situation)
    limits = tuple(
        limit.facing(purchase, situation.person.id, role.role if role else "")
        for limit in situation.limits
    )
    obstacles = _obstacles(situation, role)
    if obstacles or role is None:
        reasons = tuple(Reason(code=code) for code in obstacles)
        return Decision(
            outcome=Outcome.BLOCKED, reasons=reasons, limits=limits, role=role
        )

    biting = sorted((limit for limit in limits if limit.bites), key=_tightest_first)
    hard = [limit for limit in biting if limit.on_exceed == OnExceed.BLOCK]
    soft = [limit for limit in biting if limit.on_exceed == OnExceed.APPROVE]
    unknown_currency = _is_currency_without_limit(limits, purchase.currency)
    asks = role.role == Role.REQUESTER

    reasons = [Reason(code=Code.LIMIT_EXCEEDED, limit=limit) for limit in hard + soft]
    if unknown_currency:
        reasons.append(Reason(code=Code.CURRENCY_WITHOUT_LIMIT))
    if asks:
        reasons.append(Reason(code=Code.REQUESTER_NEEDS_APPROVAL))
    reasons += [
        Reason(code=Code.LIMIT_WARNING, limit=limit)
        for limit in biting
        if limit.on_exceed == OnExceed.WARN
    ]
    steps: tuple[Step, ...] = ()
    if hard:
        outcome = Outcome.BLOCKED
    elif soft or unknown_currency or asks:
        outcome = Outcome.APPROVAL_REQUIRED
        within = not soft and not unknown_currency
        steps = (first_step(situation.path, buyers_may=within),)
    else:
        outcome = Outcome.ALLOWED
        if not reasons:
            reasons = [Reason(code=_why_allowed(role, limits))]
    return Decision(
        outcome=outcome, reasons=tuple(reasons), limits=limits, role=role, steps=steps
    )


def role_of(situation: Situation) -> HeldRole | None:
    """The strongest role that counts in the company: its own, or one that reaches down.

    None: not assigned. The role "": assigned, but without a role.
    """
    strength = {role: number for number, role in enumerate([*Role, ""])}
    nearest = [company.id for company in reversed(situation.path)]
    counting = sorted(
        (held for held in situation.holdings if counts_in(held, situation.company.id)),
        key=lambda held: (strength[held.role], nearest.index(held.company)),
    )
    if not counting:
        return None
    held = counting[0]
    through = _through_assignment(held, situation.path)
    return HeldRole(role=held.role, company=held.company, through=through)


def counts_in(held: Holding, company: int) -> bool:
    """Rights flow down only, and only where the assignment covers subsidiaries.

    For holdings on the path of the company.
    """
    return held.company == company or held.covers_subsidiaries


def first_step(path: Path, *, buyers_may: bool) -> Step:
    """Who has to agree where no rule says otherwise.

    An approval group of the company, or of the nearest company above that has one,
    takes the place of buyers and admins.
    """
    for company in reversed(path):
        if company.groups:
            groups = tuple(group.id for group in company.groups)
            return Step(company=company.id, approval_groups=groups)
    roles = (Role.ADMIN, Role.BUYER) if buyers_may else (Role.ADMIN,)
    return Step(company=path[-1].id, roles=tuple(str(role) for role in roles))


def with_approvers(
    step: Step,
    path: Path,
    holdings: Sequence[Holding],
    memberships: Sequence[Membership],
    *,
    without: Collection[int],
    missing: int | None = None,
) -> Step:
    """The step with the people who could decide now; `without`: who must not.

    Where too few are left, the nearest company above with somebody eligible steps in;
    at the top, the seller's staff. `missing`: how many have to agree yet.
    """
    needed = step.quorum if missing is None else missing
    found: dict[int, Approver] = {}
    for approvers in _levels(step, path, holdings, memberships):
        for approver in approvers:
            if approver.person.id not in without:
                found.setdefault(approver.person.id, approver)
        if len(found) >= needed:
            break
    return replace(step, approvers=tuple(found.values()), staff=len(found) < needed)


def _levels(
    step: Step,
    path: Path,
    holdings: Sequence[Holding],
    memberships: Sequence[Membership],
) -> Iterable[list[Approver]]:
    """Who may decide at the step's company, then at each company above it."""
    places = [company.id for company in path]
    groups = set(step.approval_groups)
    if step.company in places:
        start = places.index(step.company)
        if step.approval_groups:
            yield _members(path[start], groups, path, memberships)
        else:
            yield _holders(path[start], step.roles, path, holdings)
    else:  # moved away from it meanwhile: begin anew where the company is now
        start = len(path)
    for company in reversed(path[:start]):
        if company.groups:
            ids = {group.id for group in company.groups}
            yield _members(company, ids, path, memberships)
        else:
            yield _holders(company, (Role.ADMIN,), path, holdings)


def _members(
    company: CompanyOnPath,
    groups: Collection[int],
    path: Path,
    memberships: Sequence[Membership],
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
        for member in memberships
        if member.group in of_company
    ]


def _holders(
    company: CompanyOnPath,
    roles: Collection[str],
    path: Path,
    holdings: Sequence[Holding],
) -> list[Approver]:
    places = [on_path.id for on_path in path]
    reaching = set(places[: places.index(company.id) + 1])
    return [
        Approver(person=held.person, through=_through_assignment(held, path))
        for held in holdings
        if held.role in roles
        and held.company in reaching
        and counts_in(held, company.id)
    ]


def _through_assignment(held: Holding, path: Path) -> Through:
    (name,) = [company.name for company in path if company.id == held.company]
    return Through(
        kind="assignment",
        id=held.assignment,
        company=held.company,
        company_name=name,
    )


def _obstacles(situation: Situation, role: HeldRole | None) -> list[Code]:
    """What keeps this person from buying anything at all for this company."""
    codes = []
    if any(company.status != ACTIVE for company in situation.path):
        codes.append(Code.COMPANY_NOT_ACTIVE)
    if not situation.person_is_active:
        codes.append(Code.CONTACT_NOT_ACTIVE)
    elif role is None:
        codes.append(Code.NOT_ASSIGNED)
    elif not role.role:
        codes.append(Code.NO_BUYING_ROLE)
    return codes


def _is_currency_without_limit(limits: Iterable[LimitState], currency: str) -> bool:
    """Limited, but not in this currency: never silently allowed."""
    currencies = {limit.currency for limit in limits if limit.applies}
    return bool(currencies) and currency not in currencies


def _why_allowed(role: HeldRole, limits: Iterable[LimitState]) -> Code:
    if role.role == Role.ADMIN and not any(limit.applies for limit in limits):
        return Code.ADMIN_UNLIMITED
    return Code.WITHIN_LIMITS


def _tightest_first(limit: LimitState) -> tuple[Decimal, int]:
    return (limit.remaining or NOTHING, limit.id)
