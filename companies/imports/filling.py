"""Give rows the values of records, by the models' own rules."""

import re
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from companies.models import Company
from config.tables.faults import shortened
from config.text import DATE

from .kinds import Caller, Column
from .plans import Change, Outcome

DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)
TRUE = frozenset(("true", "yes", "1", "x"))
FALSE = frozenset(("false", "no", "0", ""))


def columns_of(
    model: type[models.Model], names: Iterable[str], identifiers: Collection[str] = ()
) -> tuple[Column, ...]:
    fields = [model._meta.get_field(name) for name in names]
    return tuple(
        Column(f.name, f.verbose_name, f.help_text, identifier=f.name in identifiers)
        for f in fields
    )


def fill(
    instance: models.Model,
    values: Mapping[str, str],
    outcome: Outcome,
    *,
    beside: Collection[str] = (),
) -> list[Change]:
    """Set the fields that `values` names; what has changed. Refuses what is wrong.

    `beside`: columns of the record that were set before and are named in refusals, too.
    Codes of lists (types, roles, countries) are taken in any case. The instance of a
    refused record is as it was: another record may be about it.
    """
    before = {name: getattr(instance, name) for name in values}
    for name, text in values.items():
        try:
            setattr(instance, name, _value(instance._meta.get_field(name), text))
        except ValidationError as error:
            outcome.refuse(error.code or "invalid", " ".join(error.messages), name)
    if not outcome.is_refused:
        clean(instance, {*values, *beside}, outcome)
    if outcome.is_refused:
        for name, value in before.items():
            setattr(instance, name, value)
    return [
        Change(name, said(before[name]), said(getattr(instance, name)))
        for name in values
        if before[name] != getattr(instance, name)
    ]


def _value(field: Any, text: str) -> Any:
    match field:
        case models.BooleanField():
            if text.lower() in TRUE:
                return True
            if text.lower() in FALSE:
                return False
            raise ValidationError(_("Give true or false."), code="invalid")
        case models.DateField():
            if text and not DATE.fullmatch(text):
                message = _("“%s” is no date such as 2026-11-24.")
                raise ValidationError(message % shortened(text), code="invalid")
            return field.to_python(text) if text else None
        case models.DecimalField():
            if text and not DECIMAL.fullmatch(text):
                message = _("“%s” is no number such as 52.520008.")
                raise ValidationError(message % shortened(text), code="invalid")
            return Decimal(text) if text else None
        case models.CharField() if field.choices:
            return _listed(field).get(text.lower(), text)
    return text


@cache
def _listed(field: Any) -> dict[str, str]:
    """The codes of a list, by the same in lower case."""
    return {str(code).lower(): str(code) for code, _label in field.flatchoices}


def clean(instance: models.Model, told: Collection[str], outcome: Outcome) -> None:
    """The model's own rules for the fields that the record tells."""
    others = {field.name for field in instance._meta.fields if field.name not in told}
    try:
        instance.clean_fields(exclude=others)
        instance.clean()
    except ValidationError as error:
        refuse_all(error, told, outcome)


def check_together(
    instance: models.Model, told: Collection[str], outcome: Outcome
) -> None:
    """The model's constraints on the row itself, which the database would refuse."""
    for model, constraints in instance.get_constraints():
        for constraint in constraints:
            if isinstance(constraint, models.CheckConstraint):
                try:
                    constraint.validate(model, instance)
                except ValidationError as error:
                    refuse_all(error, told, outcome)


def refuse_all(error: ValidationError, told: Collection[str], outcome: Outcome) -> None:
    for column, errors in error.update_error_dict({}).items():
        for one in errors:
            text = " ".join(one.messages)
            place = column if column in told else None
            outcome.refuse(one.code or "invalid", text, place)


def said(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
    return str(value)


def visible_companies(codes: Iterable[str], caller: Caller) -> dict[str, Company]:
    """The companies of these codes that the caller sees, by code in lower case."""
    wanted = {code.lower() for code in codes if 0 < len(code) <= 64}
    if not wanted:
        return {}
    rows = Company.objects.annotate(_code=Lower("code")).order_by()
    found = caller.sees(rows.filter(_code__in=wanted)).only("code", "name", "parent")
    return {company.code.lower(): company for company in found}


def company_in(
    values: Mapping[str, str], companies: Mapping[str, Company], outcome: Outcome
) -> Company | None:
    company = companies.get(values["company_code"].lower())
    if company is None:
        message = _("There is no company of this code.")
        outcome.refuse("unknown_company", message, "company_code")
    return company
