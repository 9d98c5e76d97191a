import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.db import connections

from config.checks import (
    check_database,
    check_exposure,
    check_links,
    check_second_factor,
)
from config.env import SQLITE_PRAGMAS

GOOD = {"transaction_mode": "IMMEDIATE", "init_command": SQLITE_PRAGMAS}


def without(name: str) -> dict[str, str]:
    kept = [part for part in SQLITE_PRAGMAS.split(";") if name not in part]
    return GOOD | {"init_command": ";".join(kept)}


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (GOOD, []),
        (GOOD | {"transaction_mode": "DEFERRED"}, ["konzern.E001"]),
        (without("foreign_keys"), ["konzern.E002"]),
        (
            GOOD | {"init_command": SQLITE_PRAGMAS.replace("keys=ON", "keys=OFF")},
            ["konzern.E002"],
        ),
        (without("journal_mode"), ["konzern.E003"]),
        (without("synchronous"), ["konzern.E004"]),
        ({}, ["konzern.E001", "konzern.E002", "konzern.E003", "konzern.E004"]),
    ],
)
def test_sqlite_options(monkeypatch, options: dict[str, str], ids: list[str]):
    # given
    sqlite = {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": options}
    monkeypatch.setitem(connections.settings, "default", sqlite)

    # then
    assert [error.id for error in check_database()] == ids


def test_postgresql_has_no_such_options(monkeypatch):
    postgresql = {"ENGINE": "django.db.backends.postgresql", "OPTIONS": {}}
    monkeypatch.setitem(connections.settings, "default", postgresql)

    assert check_database() == []


@pytest.mark.parametrize(
    ("debug", "hosts", "key", "ids"),
    [
        (True, ["localhost", "127.0.0.1"], "insecure-development-key", []),
        (False, ["example.com"], "x" * 50, []),
        (True, ["example.com"], "x" * 50, ["konzern.E005"]),
        (True, ["*"], "x" * 50, ["konzern.E005"]),
        (False, ["localhost"], "insecure-development-key", ["konzern.E006"]),
        (
            True,
            ["example.com"],
            "insecure-development-key",
            ["konzern.E005", "konzern.E006"],
        ),
    ],
)
def test_exposure(settings, debug: bool, hosts: list[str], key: str, ids: list[str]):
    settings.DEBUG, settings.ALLOWED_HOSTS, settings.SECRET_KEY = debug, hosts, key

    assert [error.id for error in check_exposure()] == ids


@pytest.mark.parametrize(
    ("url", "ids"),
    [
        ("", []),
        ("https://shop.example/approvals/{id}", []),
        ("https://shop.example/approvals/", ["konzern.E007"]),
        ("javascript:{id}", ["konzern.E007"]),
    ],
)
def test_links_in_mails(settings, url: str, ids: list[str]):
    settings.SHOP_REQUEST_URL = url

    assert [error.id for error in check_links()] == ids


def test_the_checks_are_registered(monkeypatch, settings):
    settings.DEBUG, settings.ALLOWED_HOSTS = True, ["example.com"]
    settings.SHOP_REQUEST_URL = "shop"

    found = {message.id for message in run_checks()}

    assert {"konzern.E005", "konzern.E007"} <= found


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("DJANGO_", "DATABASE_"))
    }
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, *command],
        cwd=settings.BASE_DIR,
        env=kept | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("variables", [{}, {"DJANGO_DEBUG": "1"}])
def test_the_server_does_not_start_without_a_secret_key(variables: dict[str, str]):
    ran = run("-c", "import config.wsgi", **variables)

    assert ran.returncode == 1
    assert "Set the DJANGO_SECRET_KEY environment variable." in ran.stderr


@pytest.mark.parametrize(
    ("start", "variables", "seconds"),
    [
        ("import config.wsgi", {}, 5),
        ("import config.wsgi", {"DATABASE_STATEMENT_TIMEOUT": "7"}, 7),
        ("import django; django.setup()", {}, 60),
    ],
)
def test_a_request_has_less_time_than_a_command(
    start: str, variables: dict[str, str], seconds: int
):
    tell = (
        "from django.db import connection; print(connection.settings_dict['OPTIONS'])"
    )
    ran = run(
        "-c",
        f"{start}; {tell}",
        DJANGO_SETTINGS_MODULE="config.settings",
        DJANGO_SECRET_KEY="x" * 50,
        DATABASE_URL="postgres://db/konzern",
        **variables,
    )

    assert f"-c statement_timeout={seconds}s " in ran.stdout, ran.stderr


def test_settings_of_production_are_clean():
    ran = run(
        "manage.py",
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        DJANGO_SECRET_KEY="kR7" * 20 + "!x_9",
        DJANGO_ALLOWED_HOSTS="example.com",
    )

    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_console_that_a_password_alone_opens_is_warned_of(settings):
    # given
    settings.SECOND_FACTOR_REQUIRED = False

    # then
    assert [warning.id for warning in check_second_factor()] == ["konzern.W009"]
    settings.SECOND_FACTOR_REQUIRED = True
    assert check_second_factor() == []
