import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from approvals.ledger_check import find_ledger_faults, rebuild_counters
from approvals.models import LedgerEntry


class Command(BaseCommand):
    help = "Proves from the ledger what limits hold and have used, and what allowed it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--fix",
            action="store_true",
            help="Set the counters to what the ledger says; the ledger stays.",
        )
        parser.add_argument(
            "--json",
            action="store_true",
            dest="as_json",
            help="Print each fault as a JSON object, one a line.",
        )

    def handle(self, *, fix: bool, as_json: bool, **options: Any) -> None:
        rebuilt = rebuild_counters() if fix else None
        faults = 0
        for fault in find_ledger_faults():
            faults += 1
            self.stdout.write(json.dumps(asdict(fault)) if as_json else str(fault))
        summary = f"{LedgerEntry.objects.count()} ledger entries, {faults} faults"
        if rebuilt is not None:
            summary += f", {rebuilt} counters rebuilt"
        if faults:
            raise CommandError(f"{summary}.")
        if not as_json:
            self.stdout.write(f"{summary}.")
