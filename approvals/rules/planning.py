"""The steps a purchase has to go through: of the rules, and of the role matrix."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .values import Path, Role, RuleState, RuleStep, Step

# A role in a rule means whoever holds it or a stronger one.
OR_STRONGER = {Role.ADMIN: (Role.ADMIN,), Role.BUYER: (Role.ADMIN, Role.BUYER)}


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


def plan_steps(
    path: Path, rules: Sequence[RuleState], by_matrix: Step | None
) -> tuple[Step, ...]:
    """One plan out of all matching rules, and of what the role matrix asks for.

    The matrix first, then the rules of the company that buys, then those of the
    companies above it, each in its own order. Steps that ask the same people are one,
    at the earlier place, with the greater quorum.
    """
    nearest = [company.id for company in reversed(path)]
    ordered = sorted(rules, key=lambda rule: (nearest.index(rule.company), rule.id))
    asked = [] if by_matrix is None else [by_matrix]
    asked += [step for rule in ordered for step in steps_of(rule, path[-1].id)]
    return tuple(
        replace(step, position=number) for number, step in enumerate(_merged(asked), 1)
    )


def steps_of(rule: RuleState, company: int) -> list[Step]:
    """What the rule alone asks for where the company buys, one step after the other."""
    return [_asked(company, rule, step) for step in rule.steps]


def _asked(company: int, rule: RuleState, step: RuleStep) -> Step:
    if step.group is not None and step.group_company is not None:
        return Step(
            quorum=step.quorum,
            company=step.group_company,
            approval_groups=(step.group,),
            rules=(rule.id,),
        )
    roles = tuple(str(role) for role in OR_STRONGER[Role(step.role)])
    return Step(quorum=step.quorum, company=company, roles=roles, rules=(rule.id,))


def _merged(steps: Iterable[Step]) -> Iterable[Step]:
    plan: dict[object, Step] = {}
    for step in steps:
        earlier = plan.get(step.asked)
        if earlier is None:
            plan[step.asked] = step
        else:
            plan[step.asked] = replace(
                earlier,
                quorum=max(earlier.quorum, step.quorum),
                rules=tuple(dict.fromkeys(earlier.rules + step.rules)),
            )
    return plan.values()
