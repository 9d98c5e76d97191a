"""Validate what a change touches, and no more: each needless check is a query."""

from collections.abc import Collection, Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q


def clean_changes(instance: models.Model, changed: Collection[str]) -> None:
    """full_clean() for the fields in `changed`, and the constraints that name them.

    With `exclude=` of all unchanged fields, Django would leave out a constraint over a
    changed and an unchanged one. Raises ValidationError like full_clean().
    """
    fields = {f.name for f in instance._meta.fields if not f.primary_key}
    derived = getattr(instance, "DERIVED", {}).items()
    changed = {*changed, *[made for made, source in derived if source in changed]}
    unchanged = fields - set(changed)
    together = set(changed)
    for _model, constraints in instance.get_constraints():
        for constraint in constraints:
            names = constrained_fields(constraint)
            if names & set(changed):
                together |= names
    errors: dict[str, list[ValidationError]] = {}
    for check, options in (
        (instance.clean_fields, {"exclude": unchanged}),
        (instance.clean, {}),
        (instance.validate_unique, {"exclude": unchanged}),
        (instance.validate_constraints, {"exclude": fields - together}),
    ):
        try:
            check(**options)
        except ValidationError as error:
            error.update_error_dict(errors)
        if errors and check == instance.clean:
            break  # the others ask the database, with values that are wrong anyway
    if errors:
        raise ValidationError(errors)


def unique_fields(constraint: models.UniqueConstraint | None) -> list[str]:
    """The names of the fields whose values have to be unique together."""
    if constraint is None:
        return []
    named = [name for part in constraint.expressions for name in _names(part)]
    return [*constraint.fields, *named]


def constrained_fields(constraint: models.BaseConstraint) -> set[str]:
    """The names of the fields that the constraint looks at."""
    names = set(getattr(constraint, "fields", ()))
    for expression in (
        *getattr(constraint, "expressions", ()),
        getattr(constraint, "condition", None),
    ):
        names |= {name.split("__")[0] for name in _names(expression)}
    return names


def _names(expression: Any) -> Iterator[str]:
    """The names in an expression or condition, on both sides of comparisons."""
    match expression:
        case F():
            yield expression.name
        case Q():
            for child in expression.children:
                if isinstance(child, tuple):
                    yield child[0]
                    yield from _names(child[1])
                else:
                    yield from _names(child)
        case _ if hasattr(expression, "get_source_expressions"):
            for source in expression.get_source_expressions():
                yield from _names(source)
