"""What tests of imports share."""

from pathlib import Path

from companies.imports import Caller, FileToRead, Plan, Progress, kind_of
from companies.imports import apply_import as apply
from companies.imports import plan_import as plan

MESSY = Path(__file__).parent / "data" / "messy"


def to_read(path: Path, **options) -> FileToRead:
    return FileToRead(path, **options)


def plan_of(
    *paths: Path, kind: str = "companies", caller: Caller | None = None, **options
) -> Plan:
    files = [to_read(path, **options) for path in paths]
    return plan(kind_of(kind), files, caller or Caller(), Progress())


def load(
    *paths: Path,
    kind: str = "companies",
    caller: Caller | None = None,
    mapping: dict[str, str] | None = None,
    **options,
) -> Plan:
    files = [to_read(path, mapping=mapping) for path in paths]
    return apply(kind_of(kind), files, caller or Caller(), Progress(), **options)


def counts(found: Plan) -> tuple[int, ...]:
    """Created, updated (with moved), moved, unchanged, refused."""
    names = ("created", "updated", "moved", "unchanged", "refused")
    return tuple(found.totals[name] for name in names)
