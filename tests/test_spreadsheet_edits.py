"""An export, changed in a spreadsheet and imported: a preview of just these changes."""

import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from companies.exports import COMPANIES, LOCATIONS
from companies.imports import Plan, import_files
from companies.models import Company, Location
from companies.tree.check import find_tree_faults
from config.actors import SYSTEM
from config.spreadsheets import rows_of, write_xlsx
from tests import figures
from tests.imports import MESSY, load, plan_of

pytestmark = pytest.mark.django_db

DATA = Path(__file__).parents[1] / "approvals" / "demo" / "data"


def export(model: Any, columns: dict[str, str], path: Path) -> Path:
    content = io.BytesIO()
    write_xlsx(rows_of(model.objects.order_by("pk"), columns), content)
    path.write_bytes(content.getvalue())
    return path


def cells_of(path: Path) -> list[tuple]:
    return list(openpyxl.load_workbook(path).active.iter_rows(values_only=True))


def edit(path: Path, changes: dict[str, dict[str, str]], *, key: str = "code") -> None:
    """Type into cells of the rows with these keys, and save, as people do."""
    book = openpyxl.load_workbook(path)
    sheet = book.active
    places = {cell.value: cell.column for cell in sheet[1]}
    for row in range(2, sheet.max_row + 1):
        typed = changes.get(sheet.cell(row, places[key]).value, {})
        for column, text in typed.items():
            sheet.cell(row, places[column]).value = text
    book.save(path)


def told(plan: Plan) -> dict[str, dict[str, tuple[str, str]]]:
    """Old and new of each field that changes, by the keys of the records."""
    return {
        outcome.key: {c.field: (c.old, c.new) for c in outcome.changes}
        for outcome in plan.outcomes
        if outcome.action != "unchanged"
    }


def test_forty_companies_are_changed_in_a_spreadsheet(tmp_path: Path):
    # given real companies in hierarchies, and what 40 of them shall be
    import_files("companies", DATA / "starter_companies.csv", actor=SYSTEM)
    import_files("companies", MESSY / "import_1_base.csv", actor=SYSTEM)
    path = export(Company, COMPANIES, tmp_path / "companies.xlsx")
    heads = list(Company.objects.heads().order_by("pk"))
    target = heads[-1]
    rows = Company.objects.order_by("pk").exclude(pk=target.pk)
    leaves = [c for c in rows if c.subsidiaries.count() == 0 and c.parent_id]
    renamed, moved = leaves[:20], leaves[20:30]
    topped, corrected = leaves[30:34], leaves[34:40]
    assert len(corrected) == 6
    wanted: dict[str, dict[str, tuple[str, str]]] = {}
    for number, company in enumerate(renamed):
        wanted[company.code] = {"name": (company.name, f"=Neuer Name {number} & Söhne")}
    for company in moved:
        wanted[company.code] = {"parent_code": (company.parent.code, target.code)}
    for company in topped:
        wanted[company.code] = {"parent_code": (company.parent.code, "")}
    for number, company in enumerate(corrected):
        wanted[company.code] = {
            "website": (company.website, f"https://{number}.example"),
            "phone": (company.phone, "+49 30 123456"),
        }
    assert len(wanted) == 40
    # when they are typed in
    typed = {
        code: {field: new for field, (_old, new) in changes.items()}
        for code, changes in wanted.items()
    }
    for changes in typed.values():
        if changes.get("phone"):
            changes["phone"] = "'" + changes["phone"]  # as a text, like the export
        if changes.get("name"):
            changes["name"] = "'" + changes["name"]
    edit(path, typed)
    # then the preview says exactly these
    plan = plan_of(path)
    assert told(plan) == wanted
    assert plan.totals["updated"] == 40
    assert plan.totals["moved"] == 14
    assert plan.totals["unchanged"] == Company.objects.count() - 40
    figures.show(f"40 of {plan.totals['records']} companies edited: {plan.totals}")
    # when it is applied
    load(path, planned=plan.fingerprint())
    # then an export is what was edited, and there is nothing left to do
    again = export(Company, COMPANIES, tmp_path / "again.xlsx")
    assert cells_of(again) == cells_of(path)
    for file in (path, again):
        plan = plan_of(file)
        assert not plan.changes_anything
        assert plan.totals["refused"] == 0
    figures.show(f"the same file again: {plan.totals}")
    assert find_tree_faults() == []
    assert Company.objects.filter(version=2).count() == 40


def test_addresses_are_changed_in_a_spreadsheet(tmp_path: Path):
    # given
    import_files("companies", DATA / "starter_companies.csv", actor=SYSTEM)
    path = export(Location, LOCATIONS, tmp_path / "locations.xlsx")
    places = list(Location.objects.select_related("company").order_by("pk")[:40])
    wanted = {
        f"{place.company.code}/{place.code}": {
            "address_line1": (place.address_line1, f"Neue Straße {number}"),
            "city": (place.city, "Zürich"),
        }
        for number, place in enumerate(places)
    }
    # when
    edit(
        path,
        {
            key.partition("/")[0]: {field: new for field, (_old, new) in one.items()}
            for key, one in wanted.items()
        },
        key="company_code",
    )
    plan = plan_of(path, kind="locations")
    # then
    assert told(plan) == wanted
    assert plan.totals["updated"] == 40
    figures.show(f"40 of {plan.totals['records']} addresses edited: {plan.totals}")
    # when
    load(path, kind="locations", planned=plan.fingerprint())
    # then
    again = export(Location, LOCATIONS, tmp_path / "again.xlsx")
    assert cells_of(again) == cells_of(path)
    assert not plan_of(again, kind="locations").changes_anything
