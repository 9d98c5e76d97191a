"""Purchases in plain Python: what docs/approvals.md says, in the fewest words.

An oracle for the state machine. It shares no code with the rules, knows no database and
counts in whole minor units.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

STRENGTH = ["ADMIN", "BUYER", "REQUESTER", ""]
DECIMALS = {"EUR": 2, "JPY": 0}
PENDING_DAYS, APPROVED_DAYS, REMIND_DAYS, ESCALATE_DAYS = 14, 30, 3, 7

type Refusal = tuple[int, str] | None  # HTTP status and code
type Period = tuple[int, str, str]  # a limit, the kind of period, its first day


@dataclass
class Company:
    parent: int | None
    status: str = "ACTIVE"


@dataclass
class Job:
    person: int
    company: int
    role: str
    covers: bool


@dataclass
class Limit:
    company: int
    cap: int | None  # None: unlimited
    currency: str
    period: str
    scope: str
    binds: str
    on_exceed: str
    roles: tuple[str, ...] = ()
    contact: int | None = None
    active: bool = True
    was_used: bool = False

    @property
    def likeness(self) -> tuple[object, ...]:
        """Two active limits that are alike in this are equal: the second is refused."""
        whom = self.contact or (self.binds, self.roles)
        return (
            self.company,
            self.currency,
            self.period,
            self.scope,
            whom,
            self.on_exceed,
        )


@dataclass
class Rule:
    company: int
    covers: bool
    amount_from: int | None
    currency: str
    roles: tuple[str, ...]
    kinds: tuple[str, ...]
    steps: list[tuple[int | None, str, int]]  # a group or a role, and how many
    active: bool = True


@dataclass
class Step:
    company: int
    groups: tuple[int, ...] = ()
    roles: tuple[str, ...] = ()
    quorum: int = 1
    agreed: set[int] = field(default_factory=set)

    @property
    def whom(self) -> tuple[object, ...]:
        return (self.company, self.groups, self.roles)

    @property
    def missing(self) -> int:
        return self.quorum - len(self.agreed)


@dataclass
class Answer:
    outcome: str
    reasons: list[tuple[str, int | None]]  # a code, and the limit or rule
    counting: list[int] = field(default_factory=list)  # limits on which it counts
    steps: list[Step] = field(default_factory=list)


@dataclass
class Request:
    company: int
    requester: int
    kind: str
    reference: str
    amount: int
    currency: str
    status: str
    steps: list[Step]
    moved_at: datetime
    expires_at: datetime
    version: int = 1
    decided: set[int] = field(default_factory=set)
    escalated: bool = False
    reminded: bool = False
    ordered: int | None = None
    refunded: int = 0
    holds: dict[Period, int] = field(default_factory=dict)
    uses: list[Period] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.status in ("PENDING", "APPROVED")

    @property
    def step(self) -> Step:
        return next(step for step in self.steps if step.missing > 0)


class Purchases:
    """Everything there is, by id."""

    def __init__(self) -> None:
        self.companies: dict[int, Company] = {}
        self.active: dict[int, bool] = {}  # people
        self.jobs: dict[int, Job] = {}
        self.limits: dict[int, Limit] = {}
        self.groups: dict[int, tuple[int, set[int]]] = {}  # company and members
        self.rules: dict[int, Rule] = {}
        self.requests: dict[int, Request] = {}
        self.reserved: dict[Period, int] = defaultdict(int)
        self.used: dict[Period, int] = defaultdict(int)

    # Companies and people

    def path(self, company: int) -> list[int]:
        """From the head company to this one."""
        parent = self.companies[company].parent
        return [*(self.path(parent) if parent else []), company]

    def hierarchy(self, company: int) -> set[int]:
        head = self.path(company)[0]
        return {each for each in self.companies if self.path(each)[0] == head}

    def works(self, company: int) -> bool:
        return all(
            self.companies[each].status == "ACTIVE" for each in self.path(company)
        )

    def holding(self, company: int, roles: Iterable[str]) -> set[int]:
        """Active people who hold one of the roles in the company."""
        path = self.path(company)
        return {
            job.person
            for job in self.jobs.values()
            if self.active[job.person] and job.role in roles
            if job.company == company or (job.covers and job.company in path)
        }

    def role(self, person: int, company: int) -> str | None:
        return next(
            (role for role in STRENGTH if person in self.holding(company, [role])), None
        )

    def is_in_hierarchy(self, person: int, company: int) -> bool:
        places = self.hierarchy(company)
        jobs = self.jobs.values()
        return any(job.person == person and job.company in places for job in jobs)

    def lacks_admin(self, company: int) -> bool:
        """Somebody active is assigned to the company, and no admin counts there."""
        somebody = any(
            job.company == company and self.active[job.person]
            for job in self.jobs.values()
        )
        return somebody and not self.holding(company, ["ADMIN"])

    # May they buy?

    def reaching(self, company: int) -> list[int]:
        """Limits under which purchases of the company fall, by id."""
        path = self.path(company)
        return [
            pk
            for pk, limit in sorted(self.limits.items())
            if limit.active
            if limit.company == company
            or (limit.company in path and limit.scope == "HIERARCHY")
        ]

    def period(self, limit: int, now: datetime) -> Period | None:
        """In which a purchase counts now; None: in none."""
        kind = self.limits[limit].period
        starts = {"DAY": f"{now:%Y-%m-%d}", "MONTH": f"{now:%Y-%m-01}"}
        return (limit, kind, starts[kind]) if kind in starts else None

    def left(
        self, pk: int, now: datetime, without: Request | None = None
    ) -> int | None:
        limit, period = self.limits[pk], self.period(pk, now)
        if limit.cap is None or period is None:
            return limit.cap
        own = without.holds.get(period, 0) if without else 0
        return limit.cap - self.reserved[period] - self.used[period] + own

    def answer(
        self,
        company: int,
        person: int,
        amount: int,
        currency: str,
        kind: str,
        now: datetime,
        without: Request | None = None,
    ) -> Answer:
        role = self.role(person, company)
        obstacles = [] if self.works(company) else ["company_not_active"]
        if not self.active[person]:
            obstacles.append("contact_not_active")
        elif not role:
            obstacles.append("not_assigned" if role is None else "no_buying_role")
        if obstacles:
            return Answer("BLOCKED", [(code, None) for code in obstacles])

        binding = [pk for pk in self.reaching(company) if self._binds(pk, person, role)]
        same = [pk for pk in binding if self.limits[pk].currency == currency]
        left = {pk: self.left(pk, now, without) for pk in same}
        over = [pk for pk in same if left[pk] is not None and amount > left[pk]]
        over.sort(key=lambda pk: (left[pk], pk))
        by_consequence = {
            what: [pk for pk in over if self.limits[pk].on_exceed == what]
            for what in ("BLOCK", "APPROVE", "WARN")
        }
        matching = self._matching(company, role, amount, currency, kind)
        foreign = bool(binding) and not same

        reasons: list[tuple[str, int | None]] = [
            ("limit_exceeded", pk)
            for what in ("BLOCK", "APPROVE")
            for pk in by_consequence[what]
        ]
        reasons += [("currency_without_limit", None)] if foreign else []
        reasons += [("rule_matched", pk) for pk in matching]
        reasons += [("requester_needs_approval", None)] if role == "REQUESTER" else []
        needs_somebody = bool(reasons)
        reasons += [("limit_warning", pk) for pk in by_consequence["WARN"]]
        if by_consequence["BLOCK"]:
            return Answer("BLOCKED", reasons)
        counting = [pk for pk in same if self.period(pk, now)]
        if not needs_somebody:
            alone = role == "ADMIN" and not binding
            why = "admin_unlimited" if alone else "within_limits"
            return Answer("ALLOWED", reasons or [(why, None)], counting)
        above = bool(by_consequence["APPROVE"]) or foreign
        steps = self._plan(company, matching, above)
        return Answer("APPROVAL_REQUIRED", reasons, counting, steps)

    def _binds(self, pk: int, person: int, role: str) -> bool:
        limit = self.limits[pk]
        if limit.binds == "CONTACT":
            return limit.contact == person
        return role in (limit.roles or ("BUYER", "REQUESTER"))

    def _matching(
        self, company: int, role: str, amount: int, currency: str, kind: str
    ) -> list[int]:
        path = self.path(company)
        return [
            pk
            for pk, rule in sorted(self.rules.items())
            if rule.active
            and (rule.company == company or (rule.covers and rule.company in path))
            and rule.currency in ("", currency)
            and (rule.amount_from is None or amount >= rule.amount_from)
            and (not rule.roles or role in rule.roles)
            and (not rule.kinds or kind in rule.kinds)
        ]

    def _plan(self, company: int, matching: list[int], above: bool) -> list[Step]:
        """What the role matrix asks for, then the rules, the nearest company first."""
        path = self.path(company)
        asked = []
        if above or not matching:
            asked.append(self._by_matrix(company, above))
        for pk in sorted(
            matching, key=lambda pk: (-path.index(self.rules[pk].company), pk)
        ):
            for group, role, quorum in self.rules[pk].steps:
                if group is not None:
                    step = Step(self.groups[group][0], groups=(group,), quorum=quorum)
                else:
                    roles = ("ADMIN",) if role == "ADMIN" else ("ADMIN", "BUYER")
                    step = Step(company, roles=roles, quorum=quorum)
                asked.append(step)
        plan: list[Step] = []
        for step in asked:
            equal = [one for one in plan if one.whom == step.whom]
            if equal:
                equal[0].quorum = max(equal[0].quorum, step.quorum)
            else:
                plan.append(step)
        return plan

    def _by_matrix(self, company: int, above: bool) -> Step:
        for place in reversed(self.path(company)):
            if groups := self._groups_of(place):
                return Step(place, groups=groups)
        return Step(company, roles=("ADMIN",) if above else ("ADMIN", "BUYER"))

    def _groups_of(self, company: int) -> tuple[int, ...]:
        groups = sorted(self.groups.items())
        return tuple(pk for pk, (place, _members) in groups if place == company)

    # Who has to agree?

    def deciders(
        self,
        company: int,
        step: Step,
        out: set[int],
        *,
        escalated: bool = False,
    ) -> tuple[set[int], bool]:
        """Who can decide in the step now, and whether the staff can, too."""
        asked: set[int] = set()
        for people in self._levels(company, step):
            enough = len(asked) >= step.missing
            newcomers = people - out - asked
            asked |= newcomers
            if enough and newcomers:  # the one company more of an escalation
                return asked, False
            if len(asked) >= step.missing and not escalated:
                return asked, False
        return asked, True

    def _levels(self, company: int, step: Step) -> Iterable[set[int]]:
        path = self.path(company)
        above = path
        if step.company in path:
            above = path[: path.index(step.company)]
            if step.groups:
                still = [pk for pk in step.groups if pk in self.groups]
                yield self.members(still, company)
            else:
                yield self.holding(step.company, step.roles)
        for place in reversed(above):
            groups = self._groups_of(place)
            if groups:
                yield self.members(groups, company)
            else:
                yield self.holding(place, ["ADMIN"])

    def members(self, groups: Iterable[int], company: int) -> set[int]:
        return {
            person
            for group in groups
            for person in self.groups[group][1]
            if self.active[person] and self.is_in_hierarchy(person, company)
        }

    # What happens to requests; each says how it is refused, else it has happened

    def submit(
        self,
        pk: int,
        wish: dict[str, object],
        answer: Answer,
        now: datetime,
    ) -> None:
        allowed = answer.outcome == "ALLOWED"
        days = APPROVED_DAYS if allowed else PENDING_DAYS
        request = self.requests[pk] = Request(
            **wish,  # type: ignore[arg-type]
            status="APPROVED" if allowed else "PENDING",
            steps=answer.steps,
            moved_at=now,
            expires_at=now + timedelta(days=days),
        )
        self._hold(request, answer, now)

    def change(self, pk: int, amount: int, answer: Answer, now: datetime) -> None:
        request = self.requests[pk]
        if amount <= request.amount:  # the same steps, less held where it was held
            for period in request.holds:
                self.reserved[period] += amount - request.holds[period]
                request.holds[period] = amount
            request.amount = amount
        else:
            self._release(request)
            request.amount, request.steps = amount, answer.steps
            request.decided = set()
            self._hold(request, answer, now)
        allowed = answer.outcome == "ALLOWED"
        self._moved(request, "APPROVED" if allowed else "PENDING", now)
        days = APPROVED_DAYS if allowed else PENDING_DAYS
        request.expires_at = now + timedelta(days=days)
        request.escalated = request.reminded = False

    def refusal_of_decision(self, pk: int, person: int) -> Refusal:
        request = self.requests[pk]
        if request.status != "PENDING":
            return 409, "purchase_request_not_pending"
        if not self.works(request.company):
            return 409, "company_not_active"
        if person == request.requester:
            return 403, "self_approval"
        if not self.active[person]:
            return 403, "not_eligible"
        if person in request.decided:
            return 409, "already_decided"
        if person not in self.asked_now(pk)[0]:
            return 403, "not_eligible"
        return None

    def asked_now(self, pk: int) -> tuple[set[int], bool]:
        request = self.requests[pk]
        out = {request.requester, *request.decided}
        return self.deciders(
            request.company, request.step, out, escalated=request.escalated
        )

    def approve(self, pk: int, person: int, now: datetime) -> None:
        request = self.requests[pk]
        step = request.step
        step.agreed.add(person)
        request.decided.add(person)
        if all(one.missing <= 0 for one in request.steps):
            self._moved(request, "APPROVED", now)
            request.expires_at = now + timedelta(days=APPROVED_DAYS)
            return
        self._moved(request, "PENDING", now)
        if step.missing <= 0:
            request.escalated = request.reminded = False

    def end(self, pk: int, status: str, now: datetime) -> None:
        """Declined, withdrawn, cancelled, expired: all that was held is given back."""
        request = self.requests[pk]
        self._release(request)
        self._moved(request, status, now)

    def refusal_of_withdrawal(self, pk: int, person: int) -> Refusal:
        request = self.requests[pk]
        if request.status != "PENDING":
            return 409, "purchase_request_not_pending"
        if person != request.requester or not self.active[person]:
            return 403, "not_requester"
        return None

    def refusal_of_order(self, pk: int, amount: int) -> Refusal:
        request = self.requests[pk]
        if request.status != "APPROVED":
            return 409, "purchase_request_not_approved"
        if not self.works(request.company):
            return 409, "company_not_active"
        if amount > request.amount:
            return 409, "more_than_approved"
        return None

    def order(self, pk: int, amount: int, now: datetime) -> None:
        request = self.requests[pk]
        request.uses = list(request.holds)
        self._release(request)
        for period in request.uses:
            self.used[period] += amount
        request.ordered = amount
        self._moved(request, "ORDERED", now)

    def refusal_of_refund(self, pk: int, amount: int) -> Refusal:
        request = self.requests[pk]
        if request.ordered is None:
            return 409, "purchase_request_not_ordered"
        if request.refunded + amount > request.ordered:
            return 409, "more_than_ordered"
        return None

    def refund(self, pk: int, amount: int, now: datetime) -> None:
        request = self.requests[pk]
        for period in request.uses:
            self.used[period] -= amount
        request.refunded += amount
        self._moved(request, "ORDERED", now)

    def pass_time(self, now: datetime) -> tuple[int, int, int]:
        """What becomes due: how many expire, are escalated, are reminded of."""
        expired = escalated = reminded = 0
        for pk, request in self.requests.items():
            if request.is_open and request.expires_at <= now:
                self.end(pk, "EXPIRED", now)
                expired += 1
        waiting = [
            request
            for request in self.requests.values()
            if request.status == "PENDING" and self.works(request.company)
        ]
        for request in waiting:
            unmoved = now - request.moved_at
            if not request.escalated and unmoved >= timedelta(days=ESCALATE_DAYS):
                request.escalated = True
                self._moved(request, "PENDING", now)
                escalated += 1
            elif not request.reminded and unmoved >= timedelta(days=REMIND_DAYS):
                request.reminded = True
                reminded += 1
        return expired, escalated, reminded

    def _moved(self, request: Request, status: str, now: datetime) -> None:
        request.status, request.moved_at = status, now
        request.version += 1

    def _hold(self, request: Request, answer: Answer, now: datetime) -> None:
        for pk in answer.counting:
            period = self.period(pk, now)
            if period is not None:
                request.holds[period] = request.amount
                self.reserved[period] += request.amount
                self.limits[pk].was_used = True

    def _release(self, request: Request) -> None:
        for period, amount in request.holds.items():
            self.reserved[period] -= amount
        request.holds = {}
