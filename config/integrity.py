"""What must hold of all that is stored: checks with names, for `check_integrity`.

Each app proves its own part in its `integrity.py`; a proof tells all that breaks a
check, and nothing of what holds.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from config.db import allow_long_work, one_snapshot

# The name of the check, and what breaks it: a key, or a sentence.
type Broken = tuple[str, Any]


class Proof(NamedTuple):
    """Checks that are proved together: their names, and what each would find."""

    checks: Mapping[str, str]
    find: Callable[[], Iterable[Broken]]


_proofs: list[Proof] = []


def proves(checks: Mapping[str, str]) -> Callable[[Any], Any]:
    """The function tells what breaks these checks: {"tree.cycle": "companies"}.

    A name is "area.check" and never renamed; beside it, what is found by it.
    """

    def register(find: Callable[[], Iterable[Broken]]) -> Callable[..., Any]:
        _proofs.append(Proof(checks, find))
        return find

    return register


def checks() -> dict[str, str]:
    """All there are, and what each finds."""
    return {name: noun for proof in _proofs for name, noun in proof.checks.items()}


def find_broken(names: Collection[str]) -> dict[str, list[Any]]:
    """What breaks each of these checks, by name; an empty list where one holds.

    In one snapshot, so that it is right while others write. Repairs nothing.
    """
    found: dict[str, list[Any]] = {name: [] for name in checks() if name in names}
    with one_snapshot():
        allow_long_work()
        for proof in _proofs:
            if found.keys() & proof.checks.keys():
                for name, broken in proof.find():
                    if name in found:
                        found[name].append(broken)
    return found
