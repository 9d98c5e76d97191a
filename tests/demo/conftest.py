"""The demo as a person runs it: `manage.py demo` on an empty database, serving."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg import sql

ROOT = Path(settings.BASE_DIR)
OTHERS = {"DJANGO_SECRET_KEY", "DJANGO_DEBUG", "DATABASE_URL"}


@dataclass(frozen=True)
class Server:
    """A demo that serves: where, on which database, and what it printed."""

    address: str
    database: str
    printed: str

    def bash(self, script: str) -> str:
        """What the lines print, run as they are."""
        done = subprocess.run(  # noqa: S603
            ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607
            cwd=ROOT,
            env=_environment(self.database),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def _environment(database: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if name not in OTHERS}
    return kept | {
        "DATABASE_URL": database,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONUNBUFFERED": "1",
        "WEBHOOK_ALLOW_PRIVATE": "1",
    }


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the kind that the tests run on; the SQLite file holds leftovers."""
    if connection.vendor == "sqlite":
        file = tmp_path_factory.mktemp("demo") / "demo.sqlite3"
        with sqlite3.connect(file) as leftovers:
            leftovers.execute("CREATE TABLE leftover (id integer)")
        leftovers.close()
        yield f"sqlite:///{file}"
        return
    url = os.environ["DATABASE_URL"].rpartition("/")[0]
    name = f"test_{settings.DATABASES['default']['NAME'].removeprefix('test_')}_demo"
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    with psycopg.connect(f"{url}/postgres", autocommit=True) as server:
        server.execute(drop.format(sql.Identifier(name)))
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield f"{url}/{name}"
        server.execute(drop.format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def server(
    empty_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One for all tests: an empty database takes its time."""
    if shutil.which("curl") is None or shutil.which("bash") is None:
        if os.environ.get("KONZERN_REQUIRE_E2E"):
            pytest.fail("No curl, or no bash.")
        pytest.skip("needs curl and bash; .ci/run fails without")
    port, log = free_port(), tmp_path_factory.mktemp("server") / "log"
    reset = ["--reset"] if connection.vendor == "sqlite" else []
    with log.open("w") as output:
        serving = subprocess.Popen(  # noqa: S603
            [sys.executable, "manage.py", "demo", "--port", str(port), *reset],
            cwd=ROOT,
            env=_environment(empty_database),
            stdout=output,
            stderr=output,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/api/v1/", serving, log)
        yield Server(address, empty_database, log.read_text())
    finally:
        serving.terminate()
        serving.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(url: str, serving: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + 600
    while time.monotonic() < until:
        assert serving.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=10):  # noqa: S310
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(log.read_text())
