"""Whether a purchase is allowed, and who has to agree. No queries, no writes.

One engine for check, submit, decisions, admin and commands. The values it decides from
are read by `approvals.situation`; each case is a row of a test.
"""

from collections.abc import Iterable
from decimal import Decimal

from .planning import first_step, plan_steps
from .values import (
    ACTIVE,
    NOTHING,
    Code,
    Decision,
    HeldRole,
    Holding,
    LimitState,
    OnExceed,
    Outcome,
    Path,
    Purchase,
    Reason,
    Role,
    Situation,
    Step,
    Through,
)


def decide(purchase: Purchase, situation: Situation) -> Decision:
    """May this person buy this for this company?

    The role matrix: an admin orders alone; a buyer orders alone within the limits and
    needs an admin above them; a requester needs a buyer or admin within and an admin
    above. Limits bind admins only if they name them. Rules that match ask for steps of
    their own: they take the place of what a requester needs within the limits, and come
    on top of what a limit that is exceeded asks for.
    """
    role = role_of(situation)
    name = role.role if role else ""
    limits = tuple(
        limit.facing(purchase, situation.person.id, name) for limit in situation.limits
    )
    rules = tuple(rule.facing(purchase, name) for rule in situation.rules)
    obstacles = _obstacles(situation, role)
    if obstacles or role is None:
        reasons = tuple(Reason(code=code) for code in obstacles)
        return Decision(
            outcome=Outcome.BLOCKED,
            reasons=reasons,
            limits=limits,
            rules=rules,
            role=role,
        )

    biting = sorted((limit for limit in limits if limit.bites), key=_tightest_first)
    hard = [limit for limit in biting if limit.on_exceed == OnExceed.BLOCK]
    soft = [limit for limit in biting if limit.on_exceed == OnExceed.APPROVE]
    unknown_currency = _is_currency_without_limit(limits, purchase.currency)
    matching = [rule for rule in rules if rule.matched]
    asks = role.role == Role.REQUESTER

    reasons = [Reason(code=Code.LIMIT_EXCEEDED, limit=limit) for limit in hard + soft]
    if unknown_currency:
        reasons.append(Reason(code=Code.CURRENCY_WITHOUT_LIMIT))
    reasons += [Reason(code=Code.RULE_MATCHED, rule=rule) for rule in matching]
    if asks:
        reasons.append(Reason(code=Code.REQUESTER_NEEDS_APPROVAL))
    reasons += [
        Reason(code=Code.LIMIT_WARNING, limit=limit)
        for limit in biting
        if limit.on_exceed == OnExceed.WARN
    ]
    steps: tuple[Step, ...] = ()
    above = bool(soft) or unknown_currency
    if hard:
        outcome = Outcome.BLOCKED
    elif above or matching or asks:
        outcome = Outcome.APPROVAL_REQUIRED
        by_matrix = None
        if above or not any(rule.steps for rule in matching):
            by_matrix = first_step(situation.path, buyers_may=not above)
        steps = plan_steps(situation.path, matching, by_matrix)
    else:
        outcome = Outcome.ALLOWED
        if not reasons:
            reasons = [Reason(code=_why_allowed(role, limits))]
    return Decision(
        outcome=outcome,
        reasons=tuple(reasons),
        limits=limits,
        rules=rules,
        role=role,
        steps=steps,
    )


def role_of(situation: Situation) -> HeldRole | None:
    """The strongest role that counts in the company: its own, or one that reaches down.

    None: not assigned. The role "": assigned, but without a role.
    """
    strength = {role: number for number, role in enumerate([*Role, ""])}
    nearest = [company.id for company in reversed(situation.path)]
    counting = sorted(
        (
            held
            for held in situation.holdings
            if held.person.id == situation.person.id
            and counts_in(held, situation.company.id)
        ),
        key=lambda held: (strength[held.role], nearest.index(held.company)),
    )
    if not counting:
        return None
    held = counting[0]
    through = through_assignment(held, situation.path)
    return HeldRole(role=held.role, company=held.company, through=through)


def counts_in(held: Holding, company: int) -> bool:
    """Rights flow down only, and only where the assignment covers subsidiaries.

    For holdings on the path of the company.
    """
    return held.company == company or held.covers_subsidiaries


def through_assignment(held: Holding, path: Path) -> Through:
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
