"""Purchase limits from files: the kind `limits` of imports."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import batched
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from approvals.models import PurchaseLimit
from companies.imports import Action, Caller, Column, Kind, Outcome, Plan, Progress
from companies.imports.applying import placing, save
from companies.imports.filling import (
    check_together,
    columns_of,
    company_in,
    fill,
    refuse_all,
    visible_companies,
)
from companies.imports.plans import Change
from companies.imports.records import Reading, Record
from companies.models import Company, Contact
from companies.models.contact import email_key
from config.money import Money, plain

BATCH = 500
# What makes two limits of a company the same limit; the rest can be changed.
SAME = ("currency", "period", "scope", "binds", "on_exceed")
TEXTS = ("name", "unlimited", "time_zone", "is_active", "note")
COLUMNS = (
    Column("company_code", gettext_lazy("company"), identifier=True),
    *columns_of(PurchaseLimit, ("amount", *SAME, *TEXTS)),
    Column("roles", gettext_lazy("roles"), gettext_lazy("Separated by blanks.")),
    Column("contact_email", gettext_lazy("contact"), gettext_lazy("The e-mail.")),
    Column("alert_percents", gettext_lazy("alerts"), gettext_lazy("By blanks.")),
)

type Key = tuple[Any, ...]


@dataclass(slots=True)
class Work:
    created: list[tuple[Outcome, PurchaseLimit]] = field(default_factory=list)
    saved: list[tuple[Outcome, PurchaseLimit, list[str]]] = field(default_factory=list)


def plan_limits(reading: Reading, caller: Caller, progress: Progress) -> Plan:
    """A limit is known by its company, currency, period, reach, and whom it binds."""
    planner = _Planner(caller)
    for batch in batched(progress.over(reading.records(), "read"), BATCH):
        planner.read(batch)
    return Plan(planner.outcomes, work=planner.work)


class _Planner:
    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.outcomes: list[Outcome] = []
        self.work = Work()
        self.first: dict[Key, tuple[int, int]] = {}  # record, digest

    def read(self, records: Sequence[Record]) -> None:
        said = [record.values for record in records]
        codes = [values.get("company_code", "") for values in said]
        companies = visible_companies(codes, self.caller)
        emails = {email_key(values.get("contact_email", "")) for values in said}
        people = self.caller.sees(Contact.objects.filter(email_key__in=emails - {""}))
        self.people = {contact.email_key: contact for contact in people}
        rows = PurchaseLimit.objects.filter(
            company__in=[company.pk for company in companies.values()]
        ).select_related("contact")
        # Of those that are inactive the newest; an active one is before all of them.
        self.stored = {_key(limit): limit for limit in rows.order_by("is_active", "pk")}
        for record, values in zip(records, said, strict=True):
            outcome = Outcome(record.file, record.number, record.line)
            outcome.notes = record.notes
            self.outcomes.append(outcome)
            for problem in record.problems:
                outcome.refuse(problem.code, problem.message, problem.column)
            if not record.problems:
                company = company_in(values, companies, outcome)
                if company is not None:
                    self._judge(values, company, outcome)

    def _judge(
        self, values: dict[str, str], company: Company, outcome: Outcome
    ) -> None:
        outcome.key, outcome.label = company.code, company.name
        read = self._read(values, company, outcome)
        if outcome.is_refused or self._came_before(_key(read), values, outcome):
            return
        limit = self.stored.get(_key(read))
        if limit is None:
            outcome.action = Action.CREATE
            outcome.changes = [Change("amount", "", read.cap_text)]
            self.work.created.append((outcome, read))
            return
        told = [
            name
            for name in ("amount", "alert_percents", *TEXTS)
            if name in values or (name == "unlimited" and "amount" in values)
        ]
        changes = [
            Change(name, _text(limit, name), _text(read, name))
            for name in told
            if getattr(limit, name) != getattr(read, name)
        ]
        if changes:
            for change in changes:
                setattr(limit, change.field, getattr(read, change.field))
            outcome.action, outcome.changes = Action.UPDATE, changes
            fields = [change.field for change in changes]
            self.work.saved.append((outcome, limit, fields))

    def _read(
        self, values: dict[str, str], company: Company, outcome: Outcome
    ) -> PurchaseLimit:
        """The limit as the record says it; what it leaves out is as for a new one."""
        limit = PurchaseLimit(company=company)
        limit.roles = _words(values.get("roles", "").upper())
        limit.contact = self._contact(values, outcome)
        limit.alert_percents = [
            int(word) if word.isascii() and word.isdigit() else word
            for word in _words(values.get("alert_percents", ""))
        ]
        limit.amount = _amount(values, outcome)
        if outcome.is_refused:
            return limit
        told = {name: values[name] for name in (*SAME, *TEXTS) if values.get(name)}
        told = {"currency": values.get("currency", "")} | told
        fill(limit, told, outcome, beside={"roles", "amount", "alert_percents"})
        if not outcome.is_refused:
            check_together(limit, values, outcome)
        return limit

    def _contact(self, values: dict[str, str], outcome: Outcome) -> Contact | None:
        email = values.get("contact_email", "")
        found = self.people.get(email_key(email))
        if email and found is None:
            message = _("There is no contact of this e-mail.")
            outcome.refuse("unknown_contact", message, "contact_email")
        return found

    def _came_before(self, key: Key, values: dict[str, str], outcome: Outcome) -> bool:
        digest = hash(frozenset(values.items()))
        number, first = self.first.setdefault(key, (outcome.number, digest))
        if number == outcome.number:
            return False
        if first == digest:
            outcome.note("same_record", _("It says the same as record %s.") % number)
        else:
            message = _("A limit like this is in record %s already.") % number
            outcome.refuse("equal_limit", message)
        return True


def _key(limit: PurchaseLimit) -> Key:
    roles = tuple(limit.roles)
    same = tuple(getattr(limit, name) for name in SAME)
    return (limit.company_id, limit.contact_id, roles, *same)


def _words(text: str) -> list[str]:
    """A list as people write it, or as exports do: as JSON."""
    if text.startswith("["):
        try:
            return [str(one) for one in json.loads(text)]
        except (ValueError, RecursionError):
            return [text]
    return [word for word in re.split(r"[\s,;]+", text) if word]


def _amount(values: dict[str, str], outcome: Outcome) -> Decimal | None:
    if not values.get("amount"):
        return None
    try:
        return Money.parse(values["amount"], values.get("currency", "").upper()).amount
    except ValidationError as error:
        wrong = "currency" if error.code == "unknown_currency" else "amount"
        refuse_all(ValidationError({wrong: error}), values, outcome)
        return None


def _text(limit: PurchaseLimit, name: str) -> str:
    value = getattr(limit, name)
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return plain(value, limit.currency)
        case list():
            return " ".join(map(str, value))
    return str(value)


def apply_limits(plan: Plan, caller: Caller, progress: Progress) -> None:
    """One by one: each waits for the purchases of its hierarchy."""
    work: Work = plan.work
    for outcome, limit, fields in progress.over(work.saved, "update"):
        with placing(plan, outcome):
            save(limit, caller, fields)
    for outcome, limit in progress.over(work.created, "create"):
        with placing(plan, outcome):
            save(limit, caller)


LIMITS = Kind(
    name="limits",
    label=gettext_lazy("purchase limits"),
    columns=COLUMNS,
    needed=(("company_code",), ("currency",), ("amount", "unlimited")),
    plan=plan_limits,
    apply=apply_limits,
    scope="limits:write",
    permissions=("approvals.add_purchaselimit", "approvals.change_purchaselimit"),
)
