"""Contacts and their assignments to stored companies: a record for each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from companies.models import Company, Contact, ContactAssignment
from companies.models.contact import email_key
from companies.services import watching_rights

from .applying import create_rows, placing, save, save_after
from .filling import check_together, columns_of, company_in, fill, visible_companies
from .kinds import Caller, Column
from .plans import Action, Change, Outcome, Plan
from .progress import Progress
from .records import Reading, Record

BATCH = 1_000
PERSON = (
    "email",
    "external_id",
    "first_name",
    "last_name",
    "phone",
    "job_title",
    "language",
    "is_active",
)
WORK = ("type", "role", "covers_subsidiaries", "valid_from", "valid_until")
COLUMNS = (
    *columns_of(Contact, PERSON, ("external_id", "phone")),
    Column(
        "company_code",
        gettext_lazy("company"),
        gettext_lazy("Where the person works; empty: nowhere yet."),
        identifier=True,
    ),
    *columns_of(ContactAssignment, WORK),
)
Type = ContactAssignment.Type


@dataclass(slots=True, eq=False)
class Person:
    """A contact of the files: in its first record, and perhaps in others."""

    contact: Contact
    first: Outcome
    digest: int
    is_new: bool


@dataclass(slots=True)
class Work:
    contacts: list[Person] = field(default_factory=list)  # new ones
    changed: list[tuple[Outcome, Contact, list[str]]] = field(default_factory=list)
    assignments: list[tuple[Outcome, ContactAssignment]] = field(default_factory=list)
    reassigned: list[tuple[Outcome, ContactAssignment, list[str]]] = field(
        default_factory=list
    )


def plan_contacts(reading: Reading, caller: Caller, progress: Progress) -> Plan:
    """A person is known by external id or e-mail, an assignment by person and company.

    Several records of one person differ in the assignment only.
    """
    planner = _Planner(caller)
    for batch in batched(progress.over(reading.records(), "read"), BATCH):
        planner.read(batch)
    return Plan(planner.outcomes, work=planner.work)


class _Planner:
    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.outcomes: list[Outcome] = []
        self.work = Work()
        self.people: dict[str, Person] = {}  # by key of the e-mail, or external id
        self.assigned: dict[tuple[int, int], tuple[int, int]] = {}  # record, digest
        self.primary: dict[int, int] = {}  # record, by company

    def read(self, records: Sequence[Record]) -> None:
        said = [record.values for record in records]
        self._find_people(said)
        codes = [values.get("company_code", "") for values in said]
        companies = visible_companies(codes, self.caller)
        self._find_assignments(companies)
        for record, values in zip(records, said, strict=True):
            outcome = Outcome(record.file, record.number, record.line)
            outcome.notes = record.notes
            self.outcomes.append(outcome)
            for problem in record.problems:
                outcome.refuse(problem.code, problem.message, problem.column)
            if record.problems:
                continue
            person = self._judge_person(values, outcome)
            if person is not None and values.get("company_code"):
                company = company_in(values, companies, outcome)
                if company is not None:
                    self._judge_assignment(person, company, values, outcome)
            if not outcome.is_refused:
                self._add_person(person, outcome)

    # --- what is stored

    def _find_people(self, said: Sequence[dict[str, str]]) -> None:
        keys = {email_key(values.get("email", "")) for values in said} - {""}
        ids = {values.get("external_id", "") for values in said} - {""}
        by_key = Contact.objects.filter(email_key__in=keys).order_by()
        by_id = Contact.objects.filter(external_id__in=ids).order_by()
        found = {contact.pk: contact for rows in (by_key, by_id) for contact in rows}
        visible = set(found)
        if not self.caller.sees_all:
            rows = self.caller.sees(Contact.objects.filter(pk__in=found))
            visible = set(rows.values_list("pk", flat=True))
        self.stored_by_key = {one.email_key: one for one in found.values()}
        self.stored_by_id = {one.external_id: one for one in found.values()}
        self.hidden = found.keys() - visible

    def _find_assignments(self, companies: dict[str, Company]) -> None:
        people = {one.pk for one in self.stored_by_key.values()}
        rows = ContactAssignment.objects.filter(
            company__in=[company.pk for company in companies.values()],
            contact__in=people,
        )
        self.stored_assignments = {(a.contact_id, a.company_id): a for a in rows}

    # --- people

    def _judge_person(self, values: dict[str, str], outcome: Outcome) -> Person | None:
        told = {name: values[name] for name in PERSON if name in values}
        key, external = email_key(told.get("email", "")), told.get("external_id", "")
        outcome.key = key or external
        if not outcome.key:
            column = "email" if "email" in values else "external_id"
            outcome.refuse("required", _("It is empty."), column)
            return None
        digest = hash(frozenset((told | {"email": key}).items()))
        known = self.people.get(key) or self.people.get("#" + external)
        if known is not None:
            outcome.label = known.contact.name
            if known.digest != digest:
                message = _("The person of record %s, with other data.")
                outcome.refuse("duplicate_person", message % known.first.number)
                return None
            return known
        contact = self._stored(key, external, outcome)
        if outcome.is_refused:
            return None
        is_new = contact is None
        if contact is None:
            if not key:
                outcome.refuse("required", _("A new person needs an e-mail."), "email")
                return None
            contact = Contact(registered_by=self.caller.client)
        elif email_key(contact.email) == key:
            told.pop("email", None)  # the same address, perhaps in other case
        outcome.changes = fill(contact, told, outcome)
        outcome.label = contact.name
        if outcome.is_refused:
            return None
        contact.derive()
        return Person(contact, outcome, digest, is_new)

    def _stored(self, key: str, external: str, outcome: Outcome) -> Contact | None:
        by_key = self.stored_by_key.get(key) if key else None
        by_id = self.stored_by_id.get(external) if external else None
        for contact, column in ((by_key, "email"), (by_id, "external_id")):
            if contact is not None and contact.pk in self.hidden:
                message = _("Another contact has it already.")
                outcome.refuse(f"duplicate_{column}", message, column)
                return None
        if by_key is not None and by_id is not None and by_key.pk != by_id.pk:
            message = _("The external id of %s.") % by_id.name
            outcome.refuse("duplicate_external_id", message, "external_id")
            return None
        return by_id or by_key

    def _add_person(self, person: Person | None, outcome: Outcome) -> None:
        if person is None or person.first is not outcome:
            return
        contact = person.contact
        self.people[contact.email_key] = person
        if contact.external_id:
            self.people["#" + contact.external_id] = person
        changed = [c.field for c in outcome.changes if c.field in PERSON]
        if person.is_new:
            outcome.action, outcome.changes = Action.CREATE, ()
            self.work.contacts.append(person)
        elif changed:
            if outcome.action == Action.UNCHANGED:
                outcome.action = Action.UPDATE
            self.work.changed.append((outcome, contact, changed))

    # --- what they are where

    def _judge_assignment(
        self,
        person: Person,
        company: Company,
        values: dict[str, str],
        outcome: Outcome,
    ) -> None:
        told = {name: values[name] for name in WORK if name in values}
        if not told.get("type"):
            told.pop("type", None)
        pair = (id(person.contact), company.pk)
        digest = hash(frozenset(told.items()))
        number, first = self.assigned.get(pair, (0, 0))
        if number and first == digest:
            outcome.note("same_record", _("It says the same as record %s.") % number)
            return
        if number:
            message = _("The person is assigned there in record %s already.") % number
            outcome.refuse("already_assigned", message, "company_code")
            return
        stored = None
        if not person.is_new:
            stored = self.stored_assignments.get((person.contact.pk, company.pk))
        assignment = stored or ContactAssignment(company=company)
        assignment.contact = person.contact
        changes = fill(assignment, told, outcome)
        if assignment.valid_from and assignment.valid_until:
            check_together(assignment, told, outcome)
        self._check_primary(assignment, outcome)
        if outcome.is_refused:
            return
        self.assigned[pair] = (outcome.number, digest)
        self._add_assignment(outcome, assignment, changes, is_new=stored is None)

    def _check_primary(self, assignment: ContactAssignment, outcome: Outcome) -> None:
        if assignment.type != Type.PRIMARY or outcome.is_refused:
            return
        number = self.primary.setdefault(assignment.company_id, outcome.number)
        if number != outcome.number:
            message = _("The company's primary contact is in record %s.") % number
            outcome.refuse("second_primary", message, "type")

    def _add_assignment(
        self,
        outcome: Outcome,
        assignment: ContactAssignment,
        changes: list[Change],
        *,
        is_new: bool,
    ) -> None:
        if is_new:
            outcome.action = Action.CREATE
            here = Change("company_code", "", assignment.company.code)
            outcome.changes = [*outcome.changes, here, *changes]
            self.work.assignments.append((outcome, assignment))
        elif changes:
            outcome.action = Action.UPDATE
            outcome.changes = [*outcome.changes, *changes]
            fields = [change.field for change in changes]
            self.work.reassigned.append((outcome, assignment, fields))


def apply_contacts(plan: Plan, caller: Caller, progress: Progress) -> None:
    work: Work = plan.work
    for outcome, contact, fields in progress.over(work.changed, "update"):
        with placing(plan, outcome), _watching(contact.pk, caller):
            save(contact, caller, fields)
    progress.begin("create", len(work.contacts) + len(work.assignments))
    with placing(plan):
        create_rows(Contact, [person.contact for person in work.contacts], caller)
    for _outcome, assignment in work.assignments:
        assignment.contact_id = assignment.contact.pk
    # A new primary contact takes the mark from the old one: `save()` sees to that.
    primary = [pair for pair in work.assignments if pair[1].type == Type.PRIMARY]
    others = [a for _outcome, a in work.assignments if a.type != Type.PRIMARY]
    with placing(plan):
        create_rows(ContactAssignment, others, caller)
    for outcome, assignment in progress.over(primary, "create"):
        with placing(plan, outcome):
            save(assignment, caller)
    # First who becomes an admin: then others may cease to be one.
    role = ContactAssignment.Role.ADMIN
    ordered = sorted(work.reassigned, key=lambda one: one[1].role != role)
    taken = {assignment.company_id for _outcome, assignment in primary}
    for outcome, assignment, fields in progress.over(ordered, "update"):
        with placing(plan, outcome), _watching(assignment.contact_id, caller):
            save_after(assignment, caller, fields, taken)
        if assignment.type == Type.PRIMARY:
            taken.add(assignment.company_id)


def _watching(contact: int, caller: Caller) -> Any:
    """Refuses what would leave open requests to nobody; see services."""
    return watching_rights(contact=contact, confirm=caller.confirm)
