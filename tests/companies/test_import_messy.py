"""The 42 faulty files end as `expected.json` says."""

import json
from typing import Any

import pytest

from companies.imports import FileRefused, Plan
from companies.models import Company, Location
from companies.tree.check import find_tree_faults
from groups.models import CustomerGroup
from tests.imports import MESSY, counts, load, plan_of

pytestmark = pytest.mark.django_db

EXPECTED = json.loads((MESSY / "expected.json").read_text(encoding="utf-8"))
# Of what may be refused or accepted "by rule": our rule is to refuse.
REFUSED_BY_RULE = {
    ("duplicate_codes.csv", 31),  # a hyphen that is none: no character of codes
    ("invisible_characters.csv", 15),  # the LEI of record 2: there is one of each
    ("length_and_form.csv", 7),  # characters that need escaping in URLs
}
# Hints that nobody needs: the value is taken as it was certainly meant.
WITHOUT_NOTE = {
    ("bad_countries.csv", 13),  # empty, and no company needs a country
    ("bad_countries.csv", 22),  # " gb "
    ("bad_identifiers.csv", 5),  # lower case
    ("bad_identifiers.csv", 6),  # blanks
    ("bad_identifiers.csv", 19),  # dots
    ("bad_identifiers.csv", 20),  # the VAT number of another country is one
    ("duplicate_codes.csv", 28),  # says the same as before, and so it is told
}
MAPPINGS = {
    "foreign_headers.csv": {"Kundennr.": "code", "Firma": "name"},
    "real_employers.csv": {"EmployerName": "name", "CompanyNumber": "registration_id"},
}


def named(entries: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(entry, id=entry["file"]) for entry in entries]


def refused_in(plan: Plan) -> set[tuple[int, str]]:
    """Records and columns; without those that only wait for a refused parent."""
    return {
        (outcome.number, problem.column or "*")
        for outcome in plan.refused
        for problem in outcome.problems
        if problem.code != "parent_refused"
    }


def before(entry: dict[str, Any]) -> None:
    if entry["file"] == "import_2_changes.csv":
        load(MESSY / "import_1_base.csv")


def rejected(entry: dict[str, Any]) -> bool:
    mapped = entry["outcome"] == "reject or map"
    return entry["outcome"] == "reject" or mapped or entry["file"] == "array.json"


def test_all_files_are_here():
    files = {path.name for path in MESSY.iterdir()} - {"expected.json"}
    assert files == {entry["file"] for entry in EXPECTED}
    assert len(files) == 42


@pytest.mark.parametrize("entry", named([e for e in EXPECTED if rejected(e)]))
def test_a_file_is_rejected_as_a_whole(entry: dict[str, Any]):
    # when
    with pytest.raises(FileRefused) as refusal:
        plan_of(MESSY / entry["file"])
    # then the message says why, and which record broke the file
    for fault in refusal.value.faults:
        assert len(str(fault)) < 1_000
    expected = {bad["record"] for bad in entry["bad_records"]}
    assert expected <= {fault.record for fault in refusal.value.faults}


@pytest.mark.parametrize("entry", named([e for e in EXPECTED if not rejected(e)]))
def test_every_record_is_judged(entry: dict[str, Any]):
    # given
    before(entry)
    # when
    plan = plan_of(MESSY / entry["file"])
    # then
    by_rule = {n for file, n in REFUSED_BY_RULE if file == entry["file"]}
    expected = {(bad["record"], bad["column"]) for bad in entry["bad_records"]}
    found = {bad for bad in refused_in(plan) if bad[0] not in by_rule}
    assert plan.totals["records"] == entry["records"]
    assert found == expected
    noted = {outcome.number for outcome in plan.outcomes if outcome.notes}
    for hint in entry["warnings"]:
        number = hint["record"]
        if (entry["file"], number) not in WITHOUT_NOTE:
            assert number in noted | by_rule, hint


@pytest.mark.parametrize("entry", named([e for e in EXPECTED if not rejected(e)]))
def test_what_is_good_is_imported_and_only_once(entry: dict[str, Any]):
    # given
    before(entry)
    here = Company.objects.count()
    # when
    plan = load(MESSY / entry["file"], partial=True)
    # then
    created, _updated, _moved, _unchanged, refused = counts(plan)
    assert Company.objects.count() == here + created
    assert find_tree_faults() == []
    assert CustomerGroup.objects.count() == 4 * Company.objects.count()
    # when the same once more
    again = load(MESSY / entry["file"], partial=True)
    # then
    assert not again.changes_anything
    assert again.totals["refused"] == refused


@pytest.mark.parametrize("file", MAPPINGS)
def test_foreign_headers_can_be_mapped(file: str):
    # when
    plan = load(MESSY / file, mapping=MAPPINGS[file], partial=True)
    # then
    entry = next(entry for entry in EXPECTED if entry["file"] == file)
    assert plan.totals["records"] == entry["records"]
    assert plan.totals["created"] > 0.9 * entry["records"]
    # when the same once more
    assert not load(MESSY / file, mapping=MAPPINGS[file], partial=True).changes_anything


def test_the_changes_are_counted_as_expected():
    # given
    load(MESSY / "import_1_base.csv")
    # when
    plan = plan_of(MESSY / "import_2_changes.csv")
    # then
    assert counts(plan) == (3, 3, 1, 36, 1)
    changes = {o.number: [c.field for c in o.changes] for o in plan.outcomes}
    assert changes[2] == ["name"]
    assert changes[40] == ["parent_code"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("cp1252_semicolon.csv", "ä"),
        ("utf16le_tab.txt", ""),
        ("mixed_encoding.csv", ""),
    ],
)
def test_no_mojibake_is_stored(file: str, text: str):
    # when
    load(MESSY / file, partial=True)
    # then
    stored = [
        *Company.objects.values_list("search_text", flat=True),
        *Company.objects.values_list("name", flat=True),
        *Location.objects.values_list("city", flat=True),
    ]
    assert any(text in value for value in stored)
    assert not any("\ufffd" in value or "Ã" in value for value in stored)
