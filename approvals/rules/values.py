"""The values that purchases are decided from, and what comes of it. No queries."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from approvals.models import PurchaseLimit, PurchaseRequest
from companies.models import Company, ContactAssignment

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
    RULE_MATCHED = "rule_matched"
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
    allows_self_approval: bool = False
    # Whether there may be rules and stand-ins of its own: else nobody looks for them.
    has_rules: bool = True
    has_stand_ins: bool = True


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
class Deputy:
    """Somebody active who may stand in for a person, up to an amount."""

    id: int  # of the StandIn
    stands_in_for: int  # a person
    person: Person
    most: Decimal | None = None  # None: any amount, in any currency
    currency: str = ""

    @property
    def pair(self) -> tuple[int, int]:
        return self.stands_in_for, self.person.id

    def may_decide(self, purchase: "Purchase") -> bool:
        """Whether the amount allows it; amounts are compared in one currency only."""
        if self.most is None:
            return True
        return self.currency == purchase.currency and purchase.amount <= self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who could approve something for a company on the path, before any choice."""

    holdings: tuple[Holding, ...] = ()
    memberships: tuple[Membership, ...] = ()
    deputies: tuple[Deputy, ...] = ()

    def able_to_decide(self, purchase: "Purchase") -> "People":
        """Without the stand-ins for whom the purchase is too large."""
        able = tuple(one for one in self.deputies if one.may_decide(purchase))
        return replace(self, deputies=able)


@dataclass(frozen=True, slots=True, kw_only=True)
class Through:
    """What gives a person a right: an assignment, or an approval group.

    Of a stand-in: what gives it to the person for whom they stand in.
    """

    kind: str  # "assignment", "approval_group" or "staff"
    id: int
    company: int
    company_name: str
    instead_of: Person | None = None

    def __str__(self) -> str:
        match self.kind:
            case "staff":
                text = "the seller's staff"
            case "approval_group":
                text = f"approval group {self.id} of {self.company_name}"
            case _:
                text = f"assignment {self.id} of {self.company_name}"
        if self.instead_of is not None:
            return f"standing in for contact {self.instead_of.id}, {text}"
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState:
    """A limit under which the purchase falls, and what of it is left in the period."""

    id: int
    company: int
    company_name: str
    cap: Decimal | None  # None: the explicit "unlimited"
    currency: str
    name: str = ""
    period: str = PurchaseLimit.Period.PURCHASE
    period_start: date | None = None  # None: of each purchase, not of a period
    period_end: date | None = None  # the last day
    scope: str = Scope.HIERARCHY
    on_exceed: str = OnExceed.APPROVE
    whom: str = Binds.ALL
    roles: tuple[str, ...] = ()
    contact: int | None = None
    alert_percents: tuple[int, ...] = ()
    used: Decimal = NOTHING
    reserved: Decimal = NOTHING
    applies: bool = False  # binds the person who buys
    bites: bool = False

    @property
    def remaining(self) -> Decimal | None:
        return None if self.cap is None else self.cap - self.used - self.reserved

    @property
    def counts(self) -> bool:
        """Whether purchases of a period are counted on it."""
        return self.period_start is not None

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
class RuleStep:
    """One step of a rule: people of an approval group of a company, or of a role."""

    quorum: int = 1
    group: int | None = None
    group_company: int | None = None
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleState:
    """A rule that reaches the company, and whether a purchase meets its conditions."""

    id: int
    name: str
    company: int
    company_name: str
    amount_from: Decimal | None = None
    currency: str = ""
    roles: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    steps: tuple[RuleStep, ...] = ()
    unmet: str = (
        ""  # the condition that is not met: "currency", "amount", "role", "kind"
    )

    @property
    def matched(self) -> bool:
        return not self.unmet

    def facing(self, purchase: "Purchase", role: str) -> "RuleState":
        """The rule, knowing which of its conditions the purchase does not meet.

        Amounts are compared in the rule's currency only.
        """
        other_currency = self.currency and self.currency != purchase.currency
        smaller = self.amount_from is not None and purchase.amount < self.amount_from
        unmet = ""
        if other_currency:
            unmet = "currency"
        elif smaller:
            unmet = "amount"
        elif self.roles and role not in self.roles:
            unmet = "role"
        elif self.kinds and purchase.kind not in self.kinds:
            unmet = "kind"
        return replace(self, unmet=unmet)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What somebody wants to buy."""

    amount: Decimal
    currency: str
    kind: str = PurchaseRequest.Kind.CART


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that is known of company, person and limits when the question is asked."""

    path: Path
    person: Person
    person_is_active: bool = True
    holdings: tuple[
        Holding, ...
    ] = ()  # in force, on the path; the person's and others'
    limits: tuple[LimitState, ...] = ()  # under which the company's purchases fall
    rules: tuple[RuleState, ...] = ()  # that reach the company

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
    rule: RuleState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approver:
    """Who could decide, and through what; a stand-in by the right of somebody else."""

    person: Person
    through: Through

    @property
    def right_of(self) -> int:
        instead_of = self.through.instead_of
        return self.person.id if instead_of is None else instead_of.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How many have to agree, and whom it asks: approval groups, or roles.

    `approvers` could decide now; `staff`: too few could, the seller's staff steps in.
    `rules` are those that ask for it; none: the role matrix does.
    """

    position: int = 1
    quorum: int = 1
    company: int
    approval_groups: tuple[int, ...] = ()
    roles: tuple[str, ...] = ()
    rules: tuple[int, ...] = ()
    approvers: tuple[Approver, ...] = ()
    staff: bool = False

    @property
    def asked(self) -> tuple[int, tuple[int, ...], tuple[str, ...]]:
        """Whom it asks: two steps that ask the same are equal."""
        return (self.company, self.approval_groups, self.roles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer, why, everything that was considered, and what is to follow."""

    outcome: Outcome
    reasons: tuple[Reason, ...]
    limits: tuple[LimitState, ...] = ()
    rules: tuple[RuleState, ...] = ()
    role: HeldRole | None = None
    steps: tuple[Step, ...] = ()

    def naming(self, steps: Iterable[Step]) -> "Decision":
        """The same answer, with these steps, in which people are named."""
        return replace(self, steps=tuple(steps))
