"""Files to companies: all or nothing, repeatable, and each bad record is named."""

import gzip
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from companies.imports import FileRefused, ImportRefused, company_plan
from companies.merging import merge_companies
from companies.models import Company, Location
from companies.tree.check import find_tree_faults
from config.actors import SYSTEM
from groups.models import CustomerGroup
from integrations.models import Event
from tests.factories import make_chain, make_company, make_location
from tests.imports import MESSY as SAMPLES
from tests.imports import counts, load, plan_of
from tests.races import run_at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path: Path):
    """Make a CSV file of lines."""

    def make(*lines: str, name: str = "file.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return make


def faults_of(*files: Path, **options) -> list[tuple]:
    """Record, column and code of all that is wrong; nothing may have been stored."""
    before = stored()
    with pytest.raises((ImportRefused, FileRefused)) as refusal:
        load(*files, **options)
    assert stored() == before
    return [(f.record, f.column, f.code) for f in refusal.value.faults]


def stored() -> list[tuple]:
    return [
        *Company.objects.order_by("pk").values_list("pk", "name", "parent", "version"),
        *Location.objects.order_by("pk").values_list("pk", "version"),
        *Event.objects.order_by("pk").values_list("pk", "type"),
    ]


def assert_sound() -> None:
    assert find_tree_faults() == []
    assert CustomerGroup.objects.count() == 4 * Company.objects.count()


def test_the_rest_of_the_changes_is_applied(tmp_path: Path):
    # given the file without its bad record
    load(SAMPLES / "import_1_base.csv")
    versions = dict(Company.objects.values_list("code", "version"))
    lines = (SAMPLES / "import_2_changes.csv").read_text().splitlines()
    good = tmp_path / "good.csv"
    good.write_text("\n".join([lines[0], *lines[2:]]))
    planned = plan_of(good)
    # when
    result = load(good)
    # then
    assert counts(result) == counts(planned) == (3, 3, 1, 36, 0)
    assert result.fingerprint() == planned.fingerprint()
    changed = {
        code
        for code, version in Company.objects.values_list("code", "version")
        if version != versions.get(code, 1)
    }
    assert len(changed) == 2  # one renamed, one moved; of the third only the address
    renamed = Company.objects.get(name__endswith="(RENAMED)")
    assert renamed.version == 2
    assert renamed.history.first().history_change_reason == "import"
    kinds = Event.objects.values_list("type", flat=True)
    assert kinds.filter(type="company.updated").count() == 1
    assert kinds.filter(type="company.moved").count() == 1
    assert kinds.filter(type="location.updated").count() == 1
    assert_sound()
    # when the same once more
    before = stored()
    assert counts(load(good)) == (0, 0, 0, 42, 0)
    assert stored() == before


def test_files_may_need_each_other(file):
    # given
    low = file("code,name,parent_code", "low,Low,MID", name="low.csv")
    top = file("parent_code,name,code", ",Top,top", "top,Mid,mid", name="top.csv")
    make_company(code="stored")
    # when
    load(low, top)
    # then
    chain = Company.objects.above(Company.objects.get(code="low")).head_first()
    assert [company.code for company in chain] == ["top", "mid", "low"]
    # when the top goes below a company that only the database knows
    result = load(file("code,name,parent_code", "top,Top,STORED"))
    # then
    assert counts(result) == (0, 1, 1, 0, 0)
    assert Company.objects.under(Company.objects.get(code="stored")).count() == 4
    assert_sound()


def test_a_hierarchy_can_be_turned_upside_down(file):
    # given
    chain = make_chain(3)
    codes = [company.code for company in chain]
    turned = [f"{codes[2]},C,", f"{codes[0]},A,{codes[1]}", f"{codes[1]},B,{codes[2]}"]
    # when
    result = load(file("code,name,parent_code", *turned))
    # then
    assert result.totals["moved"] == 3
    head = Company.objects.heads().get()
    assert head.code == codes[2]
    path = Company.objects.above(chain[0]).head_first()
    assert [company.code for company in path] == codes[::-1]
    assert_sound()


def test_cycles_through_stored_companies_are_named(file):
    # given
    head, middle, low = make_chain(3)
    # then
    lines = [f"{head.code},{head.name},new", f"new,New,{low.code}"]
    faults = faults_of(file("code,name,parent_code", *lines))
    assert faults == [
        (1, "parent_code", "would_close_cycle"),
        (2, "parent_code", "would_close_cycle"),
    ]
    assert middle.parent == head


def test_the_depth_limit_names_the_record(file, settings):
    # given
    settings.COMPANY_MAX_DEPTH = 3
    chain = make_chain(2)
    other = make_chain(2)
    # then for new companies
    lines = [f"a,A,{chain[1].code}", "b,B,a"]
    assert faults_of(file("code,name,parent_code", *lines)) == [
        (2, "parent_code", "too_deep")
    ]
    # and for a move of a company with others below it, of which the file is silent
    line = f"{other[0].code},{other[0].name},{chain[1].code}"
    assert faults_of(file("code,name,parent_code", line)) == [
        (1, "parent_code", "too_deep")
    ]


def test_nothing_is_placed_below_a_closed_company(file):
    # given
    make_company(code="closed", status=Company.Status.CLOSED)
    # then
    assert faults_of(file("code,name,parent_code", "new,New,closed")) == [
        (1, "parent_code", "parent_closed")
    ]


def test_the_lei_of_another_company_is_refused(file):
    # given
    make_company(lei="5493001KJTIIGC8Y1R12")
    # then
    assert faults_of(file("code,name,lei", "new,New,5493001KJTIIGC8Y1R12")) == [
        (1, "lei", "duplicate_lei")
    ]


def test_what_the_file_has_no_column_for_stays(file):
    # given
    head = make_company(code="head", name="Head", website="https://example.com")
    low = make_company(code="low", name="Low", parent=head, attributes={"own": 1})
    # when
    result = load(file("code,name,source", "low,Lower,nic"))
    # then
    low.refresh_from_db()
    assert (low.name, low.parent) == ("Lower", head)
    assert low.attributes == {"own": 1, "source": "nic"}
    assert counts(result) == (0, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("'=1+1", "=1+1"),
        ("''=1+1", "'=1+1"),
        ("'+49 30", "+49 30"),
        ("'-5", "-5"),
        ("'@home", "@home"),
        ("'\t=x", "=x"),
        ("'＝x", "＝x"),  # noqa: RUF001
        ("'s-Hertogenbosch", "'s-Hertogenbosch"),
        ("''tis", "''tis"),
        ("=1+1", "=1+1"),
        ("'", "'"),
    ],
)
def test_what_exports_put_before_formulas_is_taken_back(file, cell: str, name: str):
    load(file("code,name", f'a,"{cell}"'))
    assert Company.objects.get().name == name


@pytest.mark.parametrize("country", ["Nowhere", "N/A", "Unknown", "xx", "Deutschland"])
def test_what_is_no_country_is_named_as_it_was_given(file, country: str):
    # when
    with pytest.raises(ImportRefused) as refusal:
        load(file("code,name,country", f"a,A,{country}", "b,B,de"))
    # then
    (fault,) = refusal.value.faults
    assert (fault.record, fault.column, fault.code) == (1, "country", "invalid_choice")
    assert str(fault.message).startswith(f"“{country}” is no country. ")


def test_messages_and_plans_have_the_codes_of_the_file(file):
    # given
    make_company(code="Top-1", name="Top")
    lines = ["A-1,A,,B-2", "B-2,B,,A-1", "C-3,C,,Gone-9", "D-4,,,", "E-5,E,,D-4"]
    lines += ["TOP-1,Top,,F-6", "F-6,F,,"]
    # when
    plan = load(file("code,name,country,parent_code", *lines), partial=True)
    # then
    said = [" ".join(str(p.message) for p in o.problems) for o in plan.outcomes]
    assert "A-1 → B-2" in said[0] or "B-2 → A-1" in said[0]
    assert said[2] == "There is no company Gone-9."
    assert said[4] == "Its parent D-4, record 4, is refused."
    assert [o.key for o in plan.outcomes[4:]] == ["E-5", "Top-1", "F-6"]
    (change,) = plan.outcomes[5].changes
    assert (change.old, change.new) == ("", "F-6")


def test_the_same_texts_in_json_stay_as_they_are(file):
    load(file('{"code": "a", "name": "\'=1+1"}', name="x.jsonl"))
    assert Company.objects.get().name == "'=1+1"


@pytest.mark.parametrize(
    ("numbers", "noted"),
    [
        (("00189434", "00191408", "00196353", "189435"), [4]),
        # registers of several countries in one column
        (("0018943423", "0019140823", "0019635323", "1234567", "HRB 7", *"789"), []),
        # too few to tell
        (("00189434", "00191408", "189435"), []),
    ],
)
def test_lost_zeros_are_noted_where_numbers_have_one_length(file, numbers, noted):
    # given
    rows = [f"c{place},C,{number}" for place, number in enumerate(numbers)]
    # when
    outcomes = plan_of(file("code,name,registration_id", *rows)).outcomes
    # then
    assert [
        number
        for number, outcome in enumerate(outcomes, 1)
        if "zeros_lost" in [note.code for note in outcome.notes]
    ] == noted


def test_a_possible_duplicate_is_noted_and_not_refused(file):
    # given
    make_company(code="old", name="Old", country="GB", registration_id="00189434")
    # when
    header = "code,name,country,registration_id"
    plan = load(file(header, "new,New,GB,00189434", "b,B,DE,00189434"))
    # then
    assert [[note.code for note in o.notes] for o in plan.outcomes] == [
        ["possible_duplicate"],
        [],
    ]
    assert "Old (old)" in str(plan.outcomes[0].notes[0].message)


def test_the_old_code_of_a_merged_company_is_refused(file):
    # given
    old, stays = make_company(code="old", name="Old"), make_company(name="Stays")
    merge_companies(old, stays, actor=SYSTEM)
    # when
    plan = load(file("code,name", "old,Newer", "b,B"), partial=True)
    # then
    assert [[p.code for p in o.problems] for o in plan.outcomes] == [
        ["merged_company"],
        [],
    ]
    old.refresh_from_db()
    assert old.name == "Old"


def test_many_new_companies_are_stored_in_parts(file, monkeypatch):
    # given hierarchies that lie across the parts
    for module in ("company_plan", "applying"):
        monkeypatch.setattr(f"companies.imports.{module}.PART", 7)
    make_company(code="stored")
    parents = ["", "stored", "n0", "n1", "n2", "n4"]
    lines = [f"n{n},N,{parents[n % 6] if n > 4 else ''}" for n in range(40)]
    # when
    plan = load(file("code,name,parent_code", *lines))
    # then
    assert plan.totals["created"] == 40
    for line in lines:
        code, _name, parent = line.split(",")
        found = Company.objects.get(code=code).parent
        assert (found.code if found else "") == parent
    assert_sound()


def test_an_address_becomes_the_registered_office(file):
    # when
    header = "code,name,address_line1,city,region,country"
    load(file(header, "a,A,Street 1,Berlin,DE-BE,de", "b,B,,,DE-BE,DE"))
    # then
    location = Location.objects.get()
    assert (location.company.code, location.type) == ("a", "REGISTERED_OFFICE")
    assert (location.address_line1, location.city) == ("Street 1", "Berlin")
    assert location.country == "DE"
    assert location.is_default_billing
    assert location.history.count() == 1
    told = Event.objects.filter(stream=location.company_id).order_by("number")
    assert list(told.values_list("type", flat=True)) == [
        "company.created",
        "location.created",
    ]


def test_a_default_billing_address_is_not_taken_over(file):
    # given
    company = make_company(code="a", name="A")
    own = make_location(company=company, is_billing=True, is_default_billing=True)
    # when
    result = load(file("code,name,city", "a,A,Berlin"))
    # then
    assert counts(result) == (0, 1, 0, 0, 0)
    assert company.locations.get(is_default_billing=True) == own
    assert company.locations.get(city="Berlin").code == "registered"


def test_a_huge_cell_is_refused_without_repeating_it(file):
    # given
    path = file("code,name", "a,A", "b," + "x" * 1_000_000)
    # then
    with pytest.raises(CommandError) as refusal:
        call_command("import_data", "companies", path)
    assert "file.csv, record 2, line 3" in str(refusal.value)
    assert len(str(refusal.value)) < 500


def test_gzip_is_read_and_a_cut_one_refused(tmp_path: Path):
    # given
    whole, cut = tmp_path / "whole.csv.gz", tmp_path / "cut.csv.gz"
    data = gzip.compress((SAMPLES / "deep_chain_children_first.csv").read_bytes())
    whole.write_bytes(data)
    cut.write_bytes(data[:-20])
    # then
    assert faults_of(cut) == [(None, None, "bad_gzip")]
    assert counts(load(whole)) == (17, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        (b"", ["no_header"]),
        (b"\n\r\n,,\n", ["no_header"]),
        (b"PK\x03\x04 workbook", ["bad_workbook"]),
        (b'code,name\na,"A" B\n', ["bad_csv"]),
        (b"code,name,\na,A,left over\n", ["unnamed_column"]),
        (b"code,name,parent\na,A,b\n", ["unknown_column"]),
        (b"code,code\na,A\n", ["duplicate_column"]),
        (b"a,b\n1,2\n", ["missing_column", "missing_column"]),
        (b"code,name\na,\n", ["blank"]),
        (b"code\na\n", ["required"]),
        (b"name,country\n,DE\n", ["required"]),
        (b"code,name\na b,A\n", ["code"]),
        (b"code,name,registered_on\na,A,1 May\n", ["invalid"]),
    ],
)
def test_no_content_ends_in_a_traceback(
    tmp_path: Path, content: bytes, codes: list[str]
):
    # given
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    # then
    assert [why for _record, _column, why in faults_of(path)] == codes


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path):
    assert faults_of(tmp_path / "none.csv") == [(None, None, "unreadable")]


def test_lines_are_those_of_an_editor(file):
    # given a record of two lines before the bad one
    path = file("code,name", 'a,"A', 'B"', "", "b,")
    # then
    with pytest.raises(CommandError) as refusal:
        call_command("import_data", "companies", path)
    sentence = str(refusal.value).splitlines()[0]
    assert sentence.startswith("file.csv, record 2, line 5, column name: ")
    assert sentence.endswith(" [blank]")


def test_the_command_says_what_it_did(file):
    # given
    path, out = file("code,name,city", "a,A,Berlin", "b,B,"), StringIO()
    # when
    call_command("import_data", "companies", path, dry_run=True, stdout=out)
    # then
    assert not Company.objects.exists()
    # when
    call_command("import_data", "companies", path, stdout=out)
    # then
    said = "2 created, 0 updated, 0 moved, 0 unchanged, 0 refused, 0 with notes; "
    dry, done = out.getvalue().splitlines()
    assert dry.startswith("Dry run: " + said)
    assert done.startswith(said)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_shows_progress_on_a_terminal_only(file, monkeypatch, terminal: bool):
    # given
    screen = StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(sys, "stderr", screen)
    # when
    call_command(
        "import_data", "companies", file("code,name", "a,A", "b,B"), stdout=StringIO()
    )
    # then
    assert ("2 records" in screen.getvalue()) is terminal


def test_the_command_names_a_thousand_faults_and_counts_the_rest(file):
    # given
    path = file("code,name", *[f"code {number},A" for number in range(1_003)])
    # then
    with pytest.raises(CommandError) as refusal:
        call_command("import_data", "companies", path)
    sentences = str(refusal.value).splitlines()
    assert len(sentences) == 1_000 + 2
    assert sentences[-2:] == ["and 3 more", "Nothing was stored."]


def in_between(monkeypatch, change: Callable[[], Any]) -> list[int]:
    """Do something once, after a plan was made; how often one is made is counted."""
    made: list[int] = []

    def plan_and_change(*args: Any) -> Any:
        work = make_plan(*args)
        made.append(1)
        if len(made) == 1:
            change()
        return work

    make_plan = company_plan._Planner.plan
    monkeypatch.setattr(company_plan._Planner, "plan", plan_and_change)
    return made


def test_a_code_that_others_take_meanwhile_refuses_the_import(file, monkeypatch):
    # given somebody who changes a code between plan and load, unseen by all
    other = make_company(code="other")
    rows = Company.objects.filter(pk=other.pk)
    in_between(monkeypatch, lambda: rows.update(code="NEW"))
    # then
    faults = faults_of(file("code,name", "new,New"))
    assert faults == [(None, None, "changed_meanwhile")]


@pytest.mark.django_db(transaction=True)
def test_others_go_on_while_an_import_is_planned(file, monkeypatch):
    # given somebody who creates one of the companies while it is planned
    def create() -> None:
        run_at_once(lambda _: make_company(code="NEW", name="Theirs"), threads=1)

    made = in_between(monkeypatch, create)
    # when
    plan = load(file("code,name", "new,Ours", "b,B"))
    # then it was planned again behind the gate, and is right
    assert len(made) == 2
    assert counts(plan) == (1, 1, 0, 0, 0)
    assert Company.objects.get(code="NEW").name == "Ours"
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_of_the_same_import_twice_at_once_one_changes_nothing():
    # when
    results = run_at_once(lambda _: load(SAMPLES / "import_1_base.csv"), threads=3)
    # then
    assert sorted(result.totals["created"] for result in results) == [0, 0, 40]
    assert sorted(result.totals["unchanged"] for result in results) == [0, 40, 40]
    assert Event.objects.filter(type="company.created").count() == 40
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_an_import_and_ordinary_inserts_at_once_leave_a_sound_tree(file):
    # given a hierarchy that both let grow
    head = make_company(code="head", name="Head")
    lines = [
        f"i{n},I,{'head' if n % 3 else f'i{n - 1}' if n else ''}" for n in range(60)
    ]
    path = file("code,name,parent_code", *lines)

    def work(number: int) -> None:
        if number == 0:
            load(path)
            return
        for _ in range(5):
            make_company(parent=head)

    # when
    run_at_once(work, threads=4)
    # then
    assert Company.objects.count() == 1 + 60 + 15
    assert_sound()
