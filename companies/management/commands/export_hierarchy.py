import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from companies.exports import HIERARCHY_FILES
from companies.models import Company
from config.commands import KonzernCommand


class Command(KonzernCommand):
    help = (
        "Writes a company and all below it, with all that belongs to them: a ZIP with "
        "a CSV for each kind, or one JSON object."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("code", help="Code of the company.")
        parser.add_argument(
            "file", type=Path, help="Where to: a .zip or .json file, - for JSON here."
        )

    def handle(self, *, code: str, file: Path, **options: Any) -> None:
        company = Company.objects.filter(code__iexact=code).first()
        if company is None:
            raise CommandError(f"No company has the code {code}.")
        if str(file) == "-":
            HIERARCHY_FILES["json"](company, sys.stdout.buffer)
            return
        write = HIERARCHY_FILES.get(file.suffix.removeprefix(".").lower())
        if write is None:
            raise CommandError("Name a file that ends with .zip or .json.")
        with file.open("wb") as opened:
            write(company, opened)
        count = Company.objects.under(company).count()
        self.stdout.write(f"{count} companies, {file.stat().st_size} bytes.")
