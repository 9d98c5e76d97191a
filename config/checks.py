"""System checks of settings that contradict each other or what we rely on."""

import re
from typing import Any, NamedTuple

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004
from django.db import connections

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]", "::1", "testserver"})
INSECURE_KEY = "insecure-development-key"


class Rule(NamedTuple):
    id: str
    setting: str
    value: str
    reason: str


TRANSACTIONS = Rule(
    "konzern.E001",
    "transaction_mode IMMEDIATE",
    "IMMEDIATE",
    "it is the lock that makes us the only writer.",
)
PRAGMAS = {
    "foreign_keys": Rule(
        "konzern.E002",
        "PRAGMA foreign_keys=ON",
        "ON",
        "else references to nothing are stored.",
    ),
    "journal_mode": Rule(
        "konzern.E003",
        "PRAGMA journal_mode=WAL",
        "WAL",
        "else readers and the writer block each other.",
    ),
    "synchronous": Rule(
        "konzern.E004",
        "PRAGMA synchronous=FULL",
        "FULL",
        "else a power cut takes back what was acknowledged.",
    ),
}


def check_database(**kwargs: Any) -> list[CheckMessage]:
    """On SQLite our locks, references and durability depend on its options."""
    errors: list[CheckMessage] = []
    for alias in connections:
        database = connections.settings[alias]
        if database["ENGINE"] != "django.db.backends.sqlite3":
            continue
        options = database.get("OPTIONS", {})
        command = options.get("init_command", "")
        pragmas = {
            name.lower(): value.upper()
            for name, value in re.findall(r"(?i)PRAGMA\s+(\w+)\s*=\s*(\w+)", command)
        }
        immediate = options.get("transaction_mode") == "IMMEDIATE"
        broken = [] if immediate else [TRANSACTIONS]
        broken += [
            rule for name, rule in PRAGMAS.items() if pragmas.get(name) != rule.value
        ]
        errors += [
            Error(
                f"SQLite needs {rule.setting}: {rule.reason}",
                hint=f"Set it in DATABASES[{alias!r}]['OPTIONS'].",
                id=rule.id,
            )
            for rule in broken
        ]
    return errors


def check_exposure(**kwargs: Any) -> list[CheckMessage]:
    """What is fine on one's own machine must not be reachable by others."""
    errors: list[CheckMessage] = []
    public = set(settings.ALLOWED_HOSTS) - LOCAL_HOSTS
    if settings.DEBUG and public:
        errors.append(
            Error(
                f"Debug pages would be shown on {', '.join(sorted(public))}.",
                hint="Set DJANGO_DEBUG=0, or allow local hosts only.",
                id="konzern.E005",
            )
        )
    if settings.SECRET_KEY == INSECURE_KEY and (public or not settings.DEBUG):
        errors.append(
            Error(
                "The development key is known to everybody.",
                hint="Set DJANGO_SECRET_KEY to 50 random characters.",
                id="konzern.E006",
            )
        )
    return errors


def check_webhooks(**kwargs: Any) -> list[CheckMessage]:
    """In production nobody makes us call our own network."""
    if not settings.WEBHOOK_ALLOW_PRIVATE:
        return []
    return [
        Error(
            "Webhooks may be sent to private networks, and without TLS.",
            hint="Unset WEBHOOK_ALLOW_PRIVATE.",
            id="konzern.E008",
        )
    ]


def check_second_factor(**kwargs: Any) -> list[CheckMessage]:
    """In production a password alone opens no console."""
    if settings.SECOND_FACTOR_REQUIRED:
        return []
    return [
        Warning(
            "Staff may log in with a password alone.",
            hint="Unset SECOND_FACTOR_REQUIRED.",
            id="konzern.W009",
        )
    ]


def check_links(**kwargs: Any) -> list[CheckMessage]:
    """Links in mails lead to the request that the mail is about."""
    url = settings.SHOP_REQUEST_URL
    if not url or (url.startswith(("https://", "http://")) and "{id}" in url):
        return []
    return [
        Error(
            "SHOP_REQUEST_URL is not the address of a request in the shop.",
            hint="Such as https://shop.example/approvals/{id}; empty: no links.",
            id="konzern.E007",
        )
    ]
