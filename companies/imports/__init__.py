"""Companies, locations and people from files: planned record by record, then applied.

A file is refused, or each of its records is judged; nothing is cut, shifted or guessed.
What is new goes in by bulk loads, and so do changes of companies; what else has changed
goes through `save()`, one by one. Either way versions, history, events and locks hold.
What is the same is left alone.
"""

from pathlib import Path

from django.utils.translation import gettext_lazy as _

from config.actors import Actor
from config.tables import FileRefused

from .applying import (
    ImportRefused,
    apply_companies,
    closed_gate,
    state_of_companies,
)
from .company_plan import plan_companies
from .company_records import COLUMNS
from .kinds import Caller, Column, Kind, all_kinds, kind_of, register
from .people import COLUMNS as PEOPLE_COLUMNS
from .people import apply_contacts, plan_contacts
from .places import COLUMNS as PLACE_COLUMNS
from .places import apply_locations, plan_locations
from .plans import Action, Outcome, Plan
from .progress import Progress, Stopped
from .records import FileToRead
from .running import PlanOutdated, apply_import, plan_import

COMPANIES = Kind(
    name="companies",
    label=_("companies"),
    columns=COLUMNS,
    needed=(("code", "name"),),
    plan=plan_companies,
    apply=apply_companies,
    scope="companies:write",
    permissions=("companies.add_company", "companies.change_company"),
    moving=("companies:move", "companies.move_company"),
    locking=closed_gate,
    state=state_of_companies,
)
LOCATIONS = Kind(
    name="locations",
    label=_("locations"),
    columns=PLACE_COLUMNS,
    needed=(("company_code",), ("code", "type")),
    plan=plan_locations,
    apply=apply_locations,
    scope="companies:write",
    permissions=("companies.add_location", "companies.change_location"),
)
CONTACTS = Kind(
    name="contacts",
    label=_("contacts and assignments"),
    columns=PEOPLE_COLUMNS,
    needed=(("email", "external_id"),),
    plan=plan_contacts,
    apply=apply_contacts,
    scope="contacts:write",
    permissions=(
        "companies.add_contact",
        "companies.change_contact",
        "companies.add_contactassignment",
        "companies.change_contactassignment",
    ),
    personal=True,
)
register(COMPANIES, LOCATIONS, CONTACTS)


def import_files(kind: str, *paths: Path, actor: Actor, partial: bool = False) -> Plan:
    """Import files at once, with no one to look at the plan; what was done.

    Raises FileRefused or ImportRefused, and then has stored nothing.
    """
    files = [FileToRead(path) for path in paths]
    caller = Caller(actor=actor)
    return apply_import(kind_of(kind), files, caller, Progress(), partial=partial)


__all__ = [
    "COMPANIES",
    "Action",
    "Caller",
    "Column",
    "FileRefused",
    "FileToRead",
    "ImportRefused",
    "Kind",
    "Outcome",
    "Plan",
    "PlanOutdated",
    "Progress",
    "Stopped",
    "all_kinds",
    "apply_import",
    "import_files",
    "kind_of",
    "plan_import",
    "register",
]
