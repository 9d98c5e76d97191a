"""A database of a benchmark's own, beside the one that DATABASE_URL names."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import django
import psycopg

ROOT = Path(__file__).resolve().parents[1]
SERVER = os.environ.get("DATABASE_URL", "postgres://postgres@127.0.0.1/postgres")
SERVER_HELP = "any database of a server where one may be created (DATABASE_URL)"
SETTINGS = {
    "DJANGO_DEBUG": "false",  # would keep every statement
    "DJANGO_HTTPS": "false",
    "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
    "DJANGO_SECRET_KEY": "benchmark " * 5,
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "DATABASE_IDLE_TIMEOUT": "0",  # rows are made while they are copied
    "CALLS_PER_MINUTE": "0",  # no limit
    "TOKEN_CALLS_PER_MINUTE": "0",
    "SECOND_FACTOR_REQUIRED": "false",
}


@contextmanager
def own_database(url: str, name: str, *, keep: bool = False) -> Iterator[bool]:
    """Konzern set up on a new, empty database, which is dropped in the end.

    `keep` leaves it there, and takes the one that was left. Gives whether it is new.
    """
    os.environ |= SETTINGS | {
        "DATABASE_URL": urlsplit(url)._replace(path=name).geturl()
    }
    sys.path.insert(0, str(ROOT))
    with psycopg.connect(url, autocommit=True) as server:
        exists = "SELECT 1 FROM pg_database WHERE datname = %s"
        new = not (keep and server.execute(exists, [name]).fetchone())
        if new:
            server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            server.execute(f"CREATE DATABASE {name}")
        try:
            django.setup()
            if new:
                from django.core.management import call_command

                call_command("migrate", verbosity=0)
            print(
                server.execute("SELECT version()").fetchone()[0].split(" on ")[0],
                flush=True,
            )
            yield new
        finally:
            if not keep:
                server.execute(f"DROP DATABASE {name} WITH (FORCE)")
