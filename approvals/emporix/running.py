"""The import as a whole: one transaction, in which everything is stored or nothing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction

from approvals.imports import LIMITS
from companies.imports import (
    COMPANIES,
    Caller,
    ImportRefused,
    Kind,
    Plan,
    Progress,
    kind_of,
)
from companies.imports.upserts import Given
from config.db import allow_long_work, in_transaction

from .companies import company_records, limit_records, location_records
from .files import Objects, read_files
from .findings import EmporixRefused, Findings
from .groups import approvers, read_groups
from .objects import Kind as Of
from .people import People
from .records import Records
from .storing import Storing

PLANNED = ("created", "updated", "unchanged")


@dataclass(slots=True)
class Report:
    """What was done with what was read, what has no place here, and what to look at."""

    read: Counter[str] = field(default_factory=Counter)
    totals: dict[str, dict[str, int]] = field(default_factory=dict)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


@in_transaction
def import_emporix(
    paths: Sequence[Path],
    caller: Caller,
    progress: Progress,
    *,
    language: str = "en",
    keep_tax_ids: bool = False,
    dry_run: bool = False,
) -> Report:
    """Store what the files say, or nothing; `dry_run`: store it, and take it back.

    What is there already is found by the ids of Emporix, and changed where it is
    different. `language` is that of the names of groups. Raises EmporixRefused with
    all that is wrong, FileRefused.
    """
    allow_long_work()
    findings = Findings()
    run = _Run(read_files(paths, findings), caller, progress, findings)
    # Behind the closed gate: nobody changes the tree or buys while we are at it.
    with COMPANIES.locking():
        run.store(language, keep_tax_ids=keep_tax_ids)
    if findings.refusals:
        raise EmporixRefused(findings.refusals)
    if dry_run:
        transaction.set_rollback(True)
    return run.report


class _Run:
    """All steps go on when something is refused, so that one run tells all of it."""

    def __init__(
        self, objects: Objects, caller: Caller, progress: Progress, findings: Findings
    ) -> None:
        self.objects, self.caller, self.progress = objects, caller, progress
        self.findings = findings
        self.report = Report(left_out=findings.left_out, notes=findings.notes)
        self.report.read.update({str(kind): len(objects[kind]) for kind in Of})

    def store(self, language: str, *, keep_tax_ids: bool) -> None:
        objects, findings = self.objects, self.findings
        entities = list(objects[Of.ENTITY].values())
        people = People(objects[Of.ASSIGNMENT], objects[Of.CUSTOMER], findings)
        groups = read_groups(
            objects[Of.GROUP],
            objects[Of.MEMBER].values(),
            entities,
            people,
            findings,
            language=language,
        )
        approving = approvers(entities, people)
        self._apply(COMPANIES, company_records(entities, keep_tax_ids=keep_tax_ids))
        # Of what is refused nothing else is said: it would only be a consequence.
        refused = {entity.name for entity in entities if entity.is_refused}
        places = location_records(entities, objects[Of.LOCATION], findings, refused)
        self._apply(kind_of("locations"), places)
        self._apply(kind_of("contacts"), people.records(groups.roles, refused))
        self._apply(LIMITS, limit_records(entities, refused))
        if not findings.refusals:  # of people that are stored
            storing = Storing(self.caller)
            storing.custom_groups(groups.custom)
            storing.approval_groups(approving)
            self.report.totals |= storing.totals
        self._note_unread(people)

    def _apply(self, kind: Kind, records: Records) -> None:
        plan: Plan = kind.plan(Given(records.records), self.caller, self.progress)
        records.refuse(plan.refused)
        try:
            kind.apply(plan, self.caller, self.progress)
        except ImportRefused as error:
            records.refuse_late(error.faults)
            raise EmporixRefused(self.findings.refusals) from error
        totals = plan.totals
        self.report.totals[str(kind.label)] = {n: totals[n] for n in PLANNED}
        for outcome in plan.outcomes:
            for note in outcome.notes:
                node = records.node_of(outcome)
                where = f"{node.kind} {node.name}"
                self.report.notes.append(f"{where}: {note.message} [{note.code}]")

    def _note_unread(self, people: People) -> None:
        """Count the fields that nobody has read, of all that is stored."""
        for kind in Of:
            for node in self.objects[kind].values():
                if kind != Of.CUSTOMER or node.name in people.persons:
                    for of_kind, path in node.unread():
                        self.findings.leave_out(of_kind, path)
