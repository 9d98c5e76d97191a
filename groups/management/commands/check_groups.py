from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from companies.models import Company
from config.commands import KonzernCommand
from groups.check import find_group_faults, repair_groups


class Command(KonzernCommand):
    help = "Compares what is stored of customer groups with what has to be stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--fix",
            action="store_true",
            help="Create missing groups, delete rows that do not count.",
        )

    def handle(self, *, fix: bool, **options: Any) -> None:
        repaired = repair_groups() if fix else None
        faults = find_group_faults()
        for fault in faults:
            self.stdout.write(str(fault))
        summary = f"{Company.objects.count()} companies, {len(faults)} faults"
        if repaired is not None:
            summary += f", {repaired} rows repaired"
        if faults:
            raise CommandError(f"{summary}.")
        self.stdout.write(f"{summary}.")
