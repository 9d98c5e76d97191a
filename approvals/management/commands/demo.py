"""The whole of Konzern on one machine, with real companies and invented people."""

import json
import shlex
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from approvals.demo import story


class Command(BaseCommand):
    help = "Make the database, load real companies, walk through purchases, and serve."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--no-server", action="store_true", help="Stop before serving."
        )
        parser.add_argument(
            "--reset", action="store_true", help="Begin with an empty database."
        )

    def handle(
        self, *, port: int, no_server: bool, reset: bool, **options: Any
    ) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo's password is public: not in production.")
        if reset:
            self._reset()
        call_command("migrate", verbosity=0)
        cast, credentials = story.tell()
        self._print(cast, credentials, f"http://127.0.0.1:{port}")
        if not no_server:
            call_command("runserver", f"127.0.0.1:{port}", use_reloader=False)

    def _reset(self) -> None:
        if connection.vendor != "sqlite":
            raise CommandError("--reset deletes the SQLite file; empty yours yourself.")
        connection.close()
        file = str(connection.settings_dict["NAME"])
        for end in ("", "-wal", "-shm"):
            Path(file + end).unlink(missing_ok=True)

    def _print(
        self, cast: story.Cast, credentials: story.Credentials, address: str
    ) -> None:
        api = f"{address}/api/v1"
        client = shlex.quote(f"{credentials.client_id}:{credentials.client_secret}")
        purchase = json.dumps(
            {
                "company": cast.subsidiary.pk,
                "requester": cast.buyer.pk,
                "money": {"amount": "7500.00", "currency": story.CURRENCY},
            }
        )
        token = (
            f"TOKEN=$(curl -s -u {client} -d grant_type=client_credentials"
            f" -d 'scope=companies:read purchases:read' {address}/oauth/token/"
            ' | sed \'s/.*"access_token": *"\\([^"]*\\)".*/\\1/\')'
        )
        head = '-H "Authorization: Bearer $TOKEN"'
        self.stdout.write(
            f"""
{cast.head.name}: a hierarchy with people, limits and purchases.

Console   {address}/admin/
User      {credentials.username}
Password  {credentials.password}
API pages {address}/api/docs/

A token, the top of the company's tree, and whether a person may buy:

{token}
curl -s {head} '{api}/companies/{cast.head.pk}/tree/?depth=2'
curl -s {head} -H 'Content-Type: application/json' \
-d {shlex.quote(purchase)} {api}/purchase-requests/check/
"""
        )
