from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from config.actors import SYSTEM
from config.commands import KonzernCommand
from integrations.clients import OLD_SECRET_WORKS, rotate_api_client
from integrations.management.clients import named_client

DAY = OLD_SECRET_WORKS // timedelta(hours=1)


class Command(KonzernCommand):
    help = "Give an API client another secret and print it, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("client", help="its name or client_id")
        parser.add_argument(
            "--old-valid-for",
            type=int,
            default=DAY,
            metavar="HOURS",
            help=f"so long the old secret works (default: {DAY}); "
            "0: it and all tokens end at once",
        )

    def handle(self, *, client: str, old_valid_for: int, **options: Any) -> None:
        if old_valid_for < 0:
            raise CommandError("--old-valid-for: 0 hours or more.")
        found = named_client(client)
        secret = rotate_api_client(
            found, actor=SYSTEM, old_valid_for=timedelta(hours=old_valid_for)
        )
        self.stdout.write(f"client_id:     {found.client_id}")
        self.stdout.write(f"client_secret: {secret}")
        ends = f"works for {old_valid_for} hours more" if old_valid_for else "has ended"
        self.stdout.write(f"The old secret {ends}.")
