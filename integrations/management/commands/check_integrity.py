import json
from argparse import ArgumentParser
from collections.abc import Collection
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError

from config.commands import KonzernCommand
from config.integrity import checks, find_broken

MOST_NAMED = 10


class Command(KonzernCommand):
    help = (
        "Proves all that is stored: tree, groups, clients, money, approvals, "
        "versions, events and history. Repairs nothing. Exit 1: something does not "
        "hold; 2: it could not finish."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--only", default="", help="Checks or areas: tree,money.counters"
        )
        parser.add_argument(
            "--json",
            action="store_true",
            dest="as_json",
            help="Print what breaks each check as a JSON object.",
        )

    def handle(self, *, only: str, as_json: bool, **options: Any) -> None:
        names = _named(only)
        try:
            found = find_broken(names)
        except DatabaseError as error:
            raise CommandError(f"Not finished: {error}", returncode=2) from error
        broken = {name: keys for name, keys in found.items() if keys}
        if as_json:
            self.stdout.write(json.dumps(found))
        else:
            for name, keys in broken.items():
                self.stdout.write(_line(name, keys))
        if broken:
            raise CommandError(f"{len(broken)} of {len(found)} checks do not hold.")
        if not as_json:
            self.stdout.write(f"All {len(found)} checks hold.")


def _named(only: str) -> Collection[str]:
    """The checks that are meant, each by its name or by its area."""
    known = checks()
    wanted = [part.strip() for part in only.split(",") if part.strip()]
    names = {
        name: part
        for name in known
        for part in wanted
        if part in (name, name.partition(".")[0])
    }
    unknown = sorted(set(wanted) - set(names.values()))
    if unknown:
        text = f"There is no check {', '.join(unknown)}. There are: {', '.join(known)}."
        raise CommandError(text, returncode=2)
    return names.keys() if wanted else known.keys()


def _line(name: str, keys: list[Any]) -> str:
    told = ", ".join(map(str, keys[:MOST_NAMED]))
    more = f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
    return f"{name}: {len(keys)} {checks()[name]}: {told}{more}"
