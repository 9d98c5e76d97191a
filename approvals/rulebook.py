"""Approval rules with their steps: written as one, so that no purchase sees half."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from companies.models import Company
from config.actors import Actor
from config.clean import clean_changes

from .drafts import Draft
from .locks import in_locked_hierarchy, lock_hierarchy_of, lock_row
from .models import ApprovalGroup, ApprovalRule, ApprovalRuleStep
from .rules import Path
from .situation import read_path, read_people

MOST_STEPS = 20
MOST_RULES = 200  # active ones of a company: each purchase looks at all of them
MOST_OF_A_ROLE = 100

# One step: {"approval_group": a group or its id, or None; "role": "" or ADMIN or BUYER;
# "quorum": how many of them, 1 if not given}.
type Step = Mapping[str, Any]


@in_locked_hierarchy
def create_rule(
    *, company: Company, actor: Actor, steps: Sequence[Step], **fields: Any
) -> ApprovalRule:
    """A new rule with its steps, in their order. Raises ValidationError."""
    lock_hierarchy_of(company.pk, alone=True)
    rule = ApprovalRule(company=company, **fields)
    rule.by(actor).full_clean()
    _refuse_too_many(rule)
    wanted = _checked(steps, read_path(company.pk))
    rule.save()
    _set_steps(rule, wanted, actor)
    return rule


@in_locked_hierarchy
def update_rule(
    rule: ApprovalRule,
    *,
    actor: Actor,
    expected_version: int,
    steps: Sequence[Step] | None = None,
    **fields: Any,
) -> ApprovalRule:
    """Change fields, and the steps if given: the whole list.

    What was submitted keeps the steps it has. Steps that stay as they are, are not
    checked again: a group may have lost people since. Raises ValidationError,
    StaleVersion.
    """
    lock_hierarchy_of(rule.company_id, alone=True)
    rule = lock_row(rule, expected_version)
    changed = {name for name, value in fields.items() if getattr(rule, name) != value}
    for name in changed:
        setattr(rule, name, fields[name])
    clean_changes(rule, changed)
    if "is_active" in changed:
        _refuse_too_many(rule)
    moved = steps is not None and _plain(steps) != _stored(rule)
    if steps is not None and moved:
        _set_steps(rule, _checked(steps, read_path(rule.company_id)), actor)
    if changed or moved:
        rule.by(actor).save()
    return rule


def draft_rule(rule: ApprovalRule, steps: Sequence[Step]) -> Draft:
    """The rule as it stands in a form, checked as saving it would; nothing is stored.

    `rule` has what was typed, and was validated. Raises ValidationError.
    """
    stored = ApprovalRule.objects.filter(pk=rule.pk).values_list("is_active", flat=True)
    if rule.is_active not in stored:  # a new one, or another answer than the stored
        _refuse_too_many(rule)
    wanted = _plain(steps)
    if rule.pk is None or wanted != _stored(rule):
        wanted = _checked(steps, read_path(rule.company_id))
    named = {step["approval_group_id"] for step in wanted}
    groups = ApprovalGroup.objects.select_related("company").in_bulk(named - {None})
    rows = [
        ApprovalRuleStep(
            position=position,
            approval_group=groups.get(step["approval_group_id"]),
            role=step["role"],
            quorum=step["quorum"],
        )
        for position, step in enumerate(wanted, 1)
    ]
    return Draft(rule, tuple(rows))


@in_locked_hierarchy
def delete_rule(rule: ApprovalRule, *, actor: Actor, expected_version: int) -> None:
    """Delete the rule. What was submitted keeps its steps. Raises StaleVersion."""
    lock_hierarchy_of(rule.company_id, alone=True)
    rule = lock_row(rule, expected_version)
    _set_steps(rule, [], actor)
    rule.by(actor).delete()


def _refuse_too_many(rule: ApprovalRule) -> None:
    others = ApprovalRule.objects.filter(company=rule.company_id, is_active=True)
    if rule.is_active and others.exclude(pk=rule.pk).count() >= MOST_RULES:
        raise ValidationError(
            _("A company has at most %(most)s active rules."),
            code="too_many_rules",
            params={"most": MOST_RULES},
        )


def _plain(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """The steps as columns of their rows."""
    plain = []
    for step in steps:
        group = step.get("approval_group")
        plain.append(
            {
                "approval_group_id": getattr(group, "pk", group),
                "role": step.get("role") or "",
                "quorum": step.get("quorum", 1),
            }
        )
    return plain


def _stored(rule: ApprovalRule) -> list[dict[str, Any]]:
    columns = ("approval_group_id", "role", "quorum")
    return list(rule.steps.order_by("position").values(*columns))


def _checked(steps: Sequence[Step], path: Path) -> list[dict[str, Any]]:
    """The steps as columns. Raises ValidationError at `steps`, one for each wrong one.

    `params["step"]` of an error is the place of the step in the list, from 0.
    """
    plain = _plain(steps)
    if not plain:
        text = _("A rule needs at least one step.")
        raise ValidationError({"steps": ValidationError(text, code="required")})
    if len(plain) > MOST_STEPS:
        error = ValidationError(
            _("A rule has at most %(most)s steps."),
            code="max_length",
            params={"most": MOST_STEPS},
        )
        raise ValidationError({"steps": error})
    members = {group.id: 0 for company in path for group in company.groups}
    for member in read_people(path, holdings=()).memberships:
        members[member.group] += 1
    errors = []
    for place, step in enumerate(plain):
        if wrong := _wrong(step, members):
            code, text = wrong
            params = {"step": place, "number": place + 1, "why": text}
            text = _("Step %(number)s: %(why)s")
            errors.append(ValidationError(text, code=code, params=params))
    if errors:
        raise ValidationError({"steps": errors})
    return plain


def _wrong(step: Step, members: Mapping[int, int]) -> tuple[str, Any] | None:
    """The code and the words of what is wrong; `members`: how many there are now."""
    group, role, quorum = step["approval_group_id"], step["role"], step["quorum"]
    if (group is None) == (not role):
        return "group_or_role", _("Name an approval group or a role: one of the two.")
    if role and role not in ApprovalRuleStep.ByRole.values:
        return "invalid_choice", _("The role is ADMIN or BUYER.")
    if group is not None and group not in members:
        return "group_not_on_path", _(
            "The approval group is not of the company, nor of one above it."
        )
    if quorum < 1:
        return "quorum_too_low", _("At least one person has to agree.")
    if quorum > (MOST_OF_A_ROLE if group is None else members[group]):
        return "quorum_too_high", _("More have to agree than there are.")
    return None


def _set_steps(rule: ApprovalRule, wanted: list[dict[str, Any]], actor: Actor) -> None:
    """Make these the steps of the rule, each row with its history."""
    rows = {row.position: row for row in rule.steps.all()}
    for position, values in enumerate(wanted, 1):
        row = rows.pop(position, None) or ApprovalRuleStep(rule=rule, position=position)
        if any(getattr(row, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(row, name, value)
        elif row.pk:
            continue
        row._history_user = actor
        row.save()
    for row in rows.values():
        row._history_user = actor
        row.delete()
