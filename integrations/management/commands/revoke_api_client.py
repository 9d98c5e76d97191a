from typing import Any

from django.core.management.base import CommandParser

from config.actors import SYSTEM
from config.commands import KonzernCommand
from integrations.clients import revoke_api_client
from integrations.management.clients import named_client


class Command(KonzernCommand):
    help = "End an API client at once: no token any more, and those it has end."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("client", help="its name or client_id")

    def handle(self, *, client: str, **options: Any) -> None:
        found = named_client(client)
        revoke_api_client(found, actor=SYSTEM)
        self.stdout.write(f"{found.name} ({found.client_id}) is revoked.")
