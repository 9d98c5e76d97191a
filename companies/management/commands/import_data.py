import time
from argparse import ArgumentTypeError
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from companies.imports import (
    Caller,
    FileRefused,
    FileToRead,
    ImportRefused,
    Outcome,
    Plan,
    Progress,
    all_kinds,
    apply_import,
    kind_of,
    plan_import,
)
from config.commands import KonzernCommand
from config.tables import Caps

MOST_SAID = 1_000
STEPS = {"read": "reading", "compare": "comparing"}


class Bars(Progress):
    """A bar for each step, on terminals only."""

    def __init__(self) -> None:
        self.bar: tqdm | None = None

    def begin(self, step: str, total: int | None = None) -> None:
        self.close()
        # disable=None: on a terminal only
        self.bar = tqdm(
            desc=STEPS.get(step, step), total=total, unit=" records", disable=None
        )

    def report(self, done: int) -> None:
        if self.bar is not None:
            self.bar.update(done + 1 - self.bar.n)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def pair(text: str) -> tuple[str, str]:
    header, sign, column = text.rpartition("=")
    if not sign or not header:
        raise ArgumentTypeError("Write HEADER=COLUMN.")
    return header, column


class Command(KonzernCommand):
    help = (
        "Create and change what files have records of: CSV (commas, semicolons or "
        "tabs), JSON lines or XLSX, gzipped or not. All or nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        kinds = [kind.name for kind in all_kinds()]
        parser.add_argument("kind", choices=kinds, metavar="KIND", help=str(kinds))
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be done, do nothing"
        )
        parser.add_argument(
            "--partial", action="store_true", help="leave bad records out"
        )
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            type=pair,
            metavar="HEADER=COLUMN",
            help="import this column of the file to that one; to nothing: leave it out",
        )
        parser.add_argument("--encoding", default="", help="of text, if not guessed")
        parser.add_argument(
            "--confirm",
            action="store_true",
            help="also what leaves open requests without an approver",
        )
        parser.add_argument(
            "--details", action="store_true", help="name each record that changes"
        )

    def handle(self, *, kind: str, files: list[Path], **options: Any) -> None:
        started = time.perf_counter()
        mapping = dict(options["map"]) or None
        asked = [
            FileToRead(path, mapping=mapping, encoding=options["encoding"])
            for path in files
        ]
        # Whoever may run commands here may take as long as it takes; a file that
        # becomes far larger than it looks is refused to them, too.
        caps = replace(Caps.from_settings(), size=None, records=None, seconds=None)
        caller, bars = Caller(confirm=options["confirm"], caps=caps), Bars()
        try:
            if options["dry_run"]:
                plan = plan_import(kind_of(kind), asked, caller, bars)
            else:
                plan = apply_import(
                    kind_of(kind), asked, caller, bars, partial=options["partial"]
                )
        except (FileRefused, ImportRefused) as error:
            text = "\n".join([*_first(error.faults), "Nothing was stored."])
            raise CommandError(text) from error
        finally:
            bars.close()
        self._say(plan, details=options["details"])
        seconds = time.perf_counter() - started
        dry = "Dry run: " if options["dry_run"] else ""
        self.stdout.write(f"{dry}{_counted(plan)}; {seconds:.1f} s")

    def _say(self, plan: Plan, *, details: bool) -> None:
        for source in plan.sources:
            if source.left_out:
                names = ", ".join(source.left_out)
                self.stdout.write(f"{source.file}: not imported: {names}")
        if details:
            changed = (o for o in plan.outcomes if o.changes or o.action == "create")
            for outcome in changed:
                self.stdout.write(_change(outcome))
        for outcome in plan.outcomes:
            for note in outcome.notes if details else ():
                where = f"{outcome.file}, record {outcome.number}"
                self.stdout.write(f"{where}, column {note.column}: {note.message}")
        if plan.refused:
            self.stdout.write("\n".join(_first(plan.faults)))


def _first(faults: Sequence[Any]) -> Iterable[str]:
    yield from map(str, faults[:MOST_SAID])
    if len(faults) > MOST_SAID:
        yield f"and {len(faults) - MOST_SAID} more"


def _change(outcome: Outcome) -> str:
    changes = ", ".join(f"{c.field}: {c.old!r} → {c.new!r}" for c in outcome.changes)
    where = f"{outcome.file}, record {outcome.number}: {outcome.action} {outcome.key}"
    return f"{where}: {changes}" if changes else where


def _counted(plan: Plan) -> str:
    totals = plan.totals
    names = ("created", "updated", "moved", "unchanged", "refused")
    said = ", ".join(f"{totals[name]} {name}" for name in names)
    return f"{said}, {totals['noted']} with notes"
