import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from companies.imports import ImportRefused, import_companies
from config.actors import SYSTEM
from config.commands import KonzernCommand

MOST_FAULTS = 100


class Command(KonzernCommand):
    help = "Create, change and move companies until they are as CSV files say."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "files", nargs="+", type=Path, metavar="FILE", help="CSV or CSV.gz in UTF-8"
        )
        parser.add_argument(
            "--locations",
            action="append",
            default=[],
            type=Path,
            metavar="FILE",
            help="registered and headquarters addresses of companies",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be done, do nothing"
        )

    def handle(
        self,
        *,
        files: list[Path],
        locations: list[Path],
        dry_run: bool,
        **options: Any,
    ) -> None:
        started = time.perf_counter()
        try:
            result = import_companies(
                files,
                locations=locations,
                actor=SYSTEM,
                dry_run=dry_run,
                # None: a bar on a terminal only
                progress=lambda records: tqdm(records, unit=" records", disable=None),
            )
        except ImportRefused as error:
            sentences = [str(fault) for fault in error.faults[:MOST_FAULTS]]
            if len(error.faults) > MOST_FAULTS:
                sentences.append(f"and {len(error.faults) - MOST_FAULTS} more")
            sentences.append("Nothing was stored.")
            raise CommandError("\n".join(sentences)) from error
        seconds = time.perf_counter() - started
        self.stdout.write(
            f"{'Dry run: ' if dry_run else ''}"
            f"{result.created} created, {result.updated} updated, "
            f"{result.moved} moved, {result.unchanged} unchanged; "
            f"{result.locations} locations; {seconds:.1f} s"
        )
