import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from companies.errors import TreeNotRepairable
from companies.models import Company
from companies.tree.check import find_tree_faults, repair_tree
from config.commands import KonzernCommand


class Command(KonzernCommand):
    help = "Compares the tree numbers of all companies with their parents."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--fix", action="store_true", help="Number the tree anew from the parents."
        )
        parser.add_argument(
            "--json",
            action="store_true",
            dest="as_json",
            help="Print the faults as a JSON array.",
        )

    def handle(self, *, fix: bool, as_json: bool, **options: Any) -> None:
        repaired = self._repair() if fix else None
        faults = find_tree_faults()
        if as_json:
            self.stdout.write(json.dumps([fault.as_dict() for fault in faults]))
        else:
            for fault in faults:
                self.stdout.write(str(fault))
        summary = f"{Company.objects.count()} companies, {len(faults)} faults"
        if repaired is not None:
            summary += f", {repaired} companies numbered anew"
        if faults:
            raise CommandError(f"{summary}.")
        if not as_json:
            self.stdout.write(f"{summary}.")

    def _repair(self) -> int:
        try:
            return repair_tree()
        except TreeNotRepairable as error:
            raise CommandError(
                "\n".join([str(error), *error.details["faults"]])
            ) from error
