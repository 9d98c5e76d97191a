from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from config.api.contract import contract
from config.api.document import (
    CURRENT,
    RELEASED,
    broken_promises,
    current_document,
    write_document,
)
from config.commands import KonzernCommand

CHANGELOG = settings.BASE_DIR / "CHANGELOG.md"
HEADING = "## Unreleased\n\n"


class Command(KonzernCommand):
    help = "Write the OpenAPI document to docs/, and with --release what we promise."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--release",
            action="store_true",
            help="from now on callers hold this document",
        )
        parser.add_argument(
            "--because",
            default="",
            metavar="LINE",
            help="what breaks for callers and why, for the changelog",
        )

    def handle(self, *, release: bool, because: str, **options: Any) -> None:
        document = current_document()
        write_document(CURRENT, document)
        self.stdout.write(f"Wrote {CURRENT.relative_to(settings.BASE_DIR)}.")
        if not release:
            return
        broken = broken_promises() if RELEASED.exists() else []
        if broken and not because:
            raise CommandError(
                "This would break those who call us; say with --because what they "
                "have to know:\n" + "\n".join(broken)
            )
        if broken:
            _note(because)
        write_document(RELEASED, contract(document))
        self.stdout.write(f"Wrote {RELEASED.relative_to(settings.BASE_DIR)}.")


def _note(line: str) -> None:
    text = CHANGELOG.read_text(encoding="utf-8")
    if HEADING not in text:
        raise CommandError(f"CHANGELOG.md has no heading {HEADING.strip()!r}.")
    noted = text.replace(HEADING, f"{HEADING}- **Breaks callers**: {line}\n", 1)
    CHANGELOG.write_text(noted, encoding="utf-8")
