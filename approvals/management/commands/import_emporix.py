import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from approvals.emporix import EmporixRefused, Report, import_emporix
from companies.imports import Caller, FileRefused, Progress
from config.commands import KonzernCommand

MOST_SAID = 1_000
REASON = "import from Emporix"


class Command(KonzernCommand):
    help = (
        "Create and change what the JSON of Emporix' API says: legal entities, "
        "locations, contact assignments, customers and groups. All or nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be done, do nothing"
        )
        parser.add_argument(
            "--language", default="en", help="of the names of groups (default: en)"
        )
        parser.add_argument(
            "--keep-tax-ids",
            action="store_true",
            help="keep tax numbers that are wrong for their country as attributes",
        )
        parser.add_argument(
            "--confirm",
            action="store_true",
            help="also what leaves open requests without an approver",
        )

    def handle(self, *, files: list[Path], **options: Any) -> None:
        started = time.perf_counter()
        try:
            report = import_emporix(
                files,
                Caller(reason=REASON, confirm=options["confirm"]),
                Progress(),
                language=options["language"],
                keep_tax_ids=options["keep_tax_ids"],
                dry_run=options["dry_run"],
            )
        except FileRefused as error:
            raise CommandError(f"{error}\nNothing was stored.") from error
        except EmporixRefused as error:
            lines = _first(list(map(str, error.refusals)))
            raise CommandError("\n".join([*lines, "Nothing was stored."])) from error
        self._say(report)
        seconds = time.perf_counter() - started
        end = "Dry run: nothing was stored" if options["dry_run"] else "Stored"
        self.stdout.write(f"{end}; {seconds:.1f} s")

    def _say(self, report: Report) -> None:
        read = [f"{count} x {what}" for what, count in report.read.items() if count]
        self.stdout.write(f"Read: {', '.join(read)}")
        for what, totals in report.totals.items():
            said = ", ".join(f"{count} {done}" for done, count in totals.items())
            self.stdout.write(f"{what}: {said}")
        if report.left_out:
            self.stdout.write("Not taken over:")
        for (what, path), count in sorted(report.left_out.items()):
            self.stdout.write(f"  {count:>6} x {what}, {path}")
        if report.notes:
            self.stdout.write("Worth a look:")
        for note in _first(report.notes):
            self.stdout.write(f"  {note}")


def _first(lines: list[str]) -> list[str]:
    rest = len(lines) - MOST_SAID
    return [*lines[:MOST_SAID], *([f"and {rest} more"] if rest > 0 else [])]
