"""The whole of Konzern on one machine, with real companies and invented people."""

import json
import shlex
import socket
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from approvals.demo import story
from companies.models import Company
from config.commands import KonzernCommand


class Command(KonzernCommand):
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
        if not no_server:
            _refuse_port_in_use(port)
        if reset:
            self._reset()
        self._say("Making the database: about half a minute the first time.")
        call_command("migrate", verbosity=0)
        if Company.objects.exists() and not story.is_told():
            raise CommandError("Other companies are here: give it an empty database.")
        self._say("Loading companies and walking through purchases.")
        cast, credentials = story.tell()
        self._print(cast, credentials, f"http://127.0.0.1:{port}")
        if not no_server:
            call_command("runserver", f"127.0.0.1:{port}", use_reloader=False)

    def _say(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()

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
        told = {
            "CLIENT": credentials.client_id,
            "SECRET": credentials.client_secret,
            "SHOP": credentials.shop_id,
            "SHOP_SECRET": credentials.shop_secret,
        }
        login = " ".join(f"{name}={shlex.quote(text)}" for name, text in told.items())
        purchase = json.dumps(
            {
                "company": cast.subsidiary.pk,
                "requester": cast.buyer.pk,
                "money": {"amount": "7500.00", "currency": story.CURRENCY},
            }
        )
        token = (
            'TOKEN=$(curl -s -u "$CLIENT:$SECRET" -d grant_type=client_credentials'
            f" -d 'scope=companies:read purchases:read' {address}/oauth/token/"
            ' | sed \'s/.*"access_token": *"\\([^"]*\\)".*/\\1/\')'
        )
        head = '-H "Authorization: Bearer $TOKEN"'
        self._say(
            f"""
{cast.head.name}: a hierarchy with people, limits and purchases.

Console   {address}/admin/
User      {credentials.username}
Password  {credentials.password}
Others    {", ".join(story.COLLEAGUES)}, with the same password: one of each role
API pages {address}/api/docs/

A token, the top of the company's tree, and whether a person may buy:

{login}
{token}
curl -s {head} '{api}/companies/{cast.head.pk}/tree/?depth=2'
curl -s {head} -H 'Content-Type: application/json' \
-d {shlex.quote(purchase)} {api}/purchase-requests/check/

A shop that acts for that person, from prices to the order:

python3 docs/examples/webshop.py {address} "$SHOP" "$SHOP_SECRET" \\
  --buyer {cast.buyer.pk}@{cast.subsidiary.pk} \\
  --approver {cast.approver.pk}@{cast.head.pk}

"""
        )


def _refuse_port_in_use(port: int) -> None:
    """Before anything is made: the server itself would find it out last."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            text = f"Port {port} is in use or not to be had: choose another by --port."
            raise CommandError(text) from error
