"""Files to companies: all or nothing, repeatable, and each bad record is named."""

import gzip
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from companies.imports import ImportRefused, ImportResult, import_companies
from companies.imports.plan import Plan, Planner
from companies.models import Company, Location
from companies.tree.check import find_tree_faults
from config.actors import SYSTEM
from groups.models import CustomerGroup
from integrations.models import Event
from tests.factories import make_chain, make_company, make_location
from tests.races import run_at_once

pytestmark = pytest.mark.django_db

SAMPLES = Path(__file__).parent.parent / "data" / "imports"
STARTER = Path(__file__).parents[2] / "approvals" / "demo" / "data"


@pytest.fixture
def file(tmp_path: Path):
    """Make a CSV file of lines."""

    def make(*lines: str, name: str = "file.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return make


def load(*files: Path, **options) -> ImportResult:
    return import_companies(files, actor=SYSTEM, **options)


def faults_of(*files: Path, **options) -> list[tuple]:
    """Record, column and code of all that is wrong; nothing may have been stored."""
    before = stored()
    with pytest.raises(ImportRefused) as refusal:
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


@pytest.mark.parametrize(
    ("name", "companies", "hierarchies"),
    [
        ("deep_chain_children_first", 17, 1),
        ("header_case", 20, None),
        ("header_only", 0, 0),
        ("mixed_line_endings", 30, None),
        ("quoted_newlines", 40, None),
        ("trailing_delimiter", 15, None),
        ("utf8_bom", 80, None),
    ],
)
def test_good_files_are_imported_once(
    name: str, companies: int, hierarchies: int | None
):
    # when
    result = load(SAMPLES / f"{name}.csv")
    # then
    assert (result.created, result.updated, result.moved) == (companies, 0, 0)
    assert Company.objects.count() == companies
    if hierarchies is not None:
        assert Company.objects.heads().count() == hierarchies
    assert_sound()
    # when the same once more
    before = stored()
    again = load(SAMPLES / f"{name}.csv")
    # then
    assert again == ImportResult(0, 0, 0, companies, 0)
    assert stored() == before


BAD_COUNTRIES = [1, 4, 7, 10, 16, 19, 25, 28]
SECOND_PARENTS = [4, 7, 10, 12, 15, 18, 20, 22, 24, 27, 29, 31]


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("bad_countries", [(n, "country", "invalid_choice") for n in BAD_COUNTRIES]),
        (
            "cycles",
            [
                (n, "parent_code", "would_close_cycle")
                for n in (2, 5, 6, 10, 11, 12, 13)
            ],
        ),
        (
            "missing_parents",
            [(n, "parent_code", "unknown_parent") for n in (2, 12, 19)],
        ),
        ("two_parents", [(n, "parent_code", "second_parent") for n in SECOND_PARENTS]),
        (
            "duplicate_codes",  # 26, 28 and 29 say the same as before
            [
                (27, "code", "duplicate_code"),
                (30, "code", "required"),
                (31, "code", "code"),
            ],
        ),
        (
            "bad_identifiers",
            [
                (1, "lei", "lei_checksum"),
                (2, "lei", "lei_checksum"),
                (3, "lei", "lei_length"),
                (4, "lei", "lei_length"),
                (8, "lei", "duplicate_lei"),
                (9, "lei", "lei_characters"),
                (10, "lei", "lei_checksum"),
                (13, "tax_id", "tax_id_checksum"),
                (15, "tax_id", "tax_id_checksum"),
                (18, "tax_id", "tax_id_checksum"),
            ],
        ),
        (
            "ragged_rows",
            [(n, None, "wrong_number_of_cells") for n in (4, 9, 15)],
        ),
        ("unterminated_quote", [(7, None, "open_quote")]),
        ("duplicate_headers", [(None, "address_line1", "duplicate_column")]),
    ],
)
def test_every_bad_record_is_named(name: str, bad: list[tuple]):
    assert sorted(faults_of(SAMPLES / f"{name}.csv"), key=str) == sorted(bad, key=str)


@pytest.mark.parametrize(
    ("name", "code", "records"),
    [
        ("mixed_encoding", "not_utf8", [5, 10, 15, 20, 25, 30, 35, 40]),
        ("nul_bytes", "nul", [5, 11, 17]),
    ],
)
def test_bytes_that_are_no_text_are_named(name: str, code: str, records: list[int]):
    faults = faults_of(SAMPLES / f"{name}.csv")
    assert [(record, why) for record, _column, why in faults] == [
        (record, code) for record in records
    ]


def test_foreign_headers_are_refused_by_name():
    faults = faults_of(SAMPLES / "foreign_headers.csv")
    assert (None, "code", "missing_column") in faults
    assert (None, "name", "missing_column") in faults


def test_changes_are_found_and_only_these():
    # given
    load(SAMPLES / "import_1_base.csv")
    changes = SAMPLES / "import_2_changes.csv"
    # then the head company below its own child is refused, and all with it
    assert faults_of(changes) == [(1, "parent_code", "would_close_cycle")]


def test_the_rest_of_the_changes_is_applied(tmp_path: Path):
    # given the file without its bad record
    load(SAMPLES / "import_1_base.csv")
    versions = dict(Company.objects.values_list("code", "version"))
    lines = (SAMPLES / "import_2_changes.csv").read_text().splitlines()
    good = tmp_path / "good.csv"
    good.write_text("\n".join([lines[0], *lines[2:]]))
    dry = load(good, dry_run=True)
    # when
    result = load(good)
    # then
    assert result == dry == ImportResult(3, 2, 1, 36, 4)
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
    assert load(good) == ImportResult(0, 0, 0, 42, 0)
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
    assert result == ImportResult(0, 0, 1, 0, 0)
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
    assert result.moved == 3
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
    assert faults_of(file("code,name,parent_code", line)) == [(1, None, "too_deep")]


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
    assert result == ImportResult(0, 1, 0, 0, 0)


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
    assert result == ImportResult(0, 1, 0, 0, 1)
    assert company.locations.get(is_default_billing=True) == own
    assert company.locations.get(city="Berlin").code == "registered"


def test_locations_come_from_their_own_file():
    # given
    companies = STARTER / "starter_companies.csv"
    locations = STARTER / "starter_locations.csv"
    # when
    result = load(companies, locations=[locations])
    # then
    assert (result.created, result.unchanged) == (242, 0)
    assert Location.objects.filter(type="HEADQUARTERS").exists()
    assert Location.objects.count() == result.locations
    assert_sound()
    # when the same once more
    assert load(companies, locations=[locations]) == ImportResult(0, 0, 0, 242, 0)


def test_bad_locations_are_named(file):
    # given
    companies = file("code,name", "a,A")
    locations = file(
        "company_code,type,city,country",
        "a,registered,Berlin,DE",
        "a,registered,Bonn,DE",
        "a,office,Bonn,DE",
        "b,headquarters,Bonn,DE",
        "a,headquarters,Bonn,Germany",
        name="locations.csv",
    )
    # then
    assert faults_of(companies, locations=[locations]) == [
        (2, "type", "duplicate_location"),
        (3, "type", "unknown_type"),
        (5, "country", "invalid_choice"),
        (4, "company_code", "unknown_company"),
    ]


def test_a_huge_cell_is_refused_without_repeating_it(file):
    # given
    path = file("code,name", "a,A", "b," + "x" * 1_000_000)
    # then
    with pytest.raises(CommandError) as refusal:
        call_command("import_companies", path)
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
    assert load(whole).created == 17


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "no_header"),
        (b"\n\r\n,,\n", "no_header"),
        ("code,name\na,A\n".encode("utf-16"), "no_csv"),
        (b"PK\x03\x04 workbook", "no_csv"),
        (b'code,name\na,"A" B\n', "bad_csv"),
        (b"code,name,\na,A,left over\n", "unnamed_column"),
        (b"code,name,limit\na,A,5\n", "unknown_column"),
        (b"code,name\na,\n", "blank"),
        (b"code,name\na b,A\n", "code"),
    ],
)
def test_no_content_ends_in_a_traceback(tmp_path: Path, content: bytes, code: str):
    # given
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    # then
    assert [why for _record, _column, why in faults_of(path)] == [code]


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path):
    assert faults_of(tmp_path / "none.csv") == [(None, None, "unreadable")]


def test_lines_are_those_of_an_editor(file):
    # given a record of two lines before the bad one
    path = file("code,name", 'a,"A', 'B"', "", "b,")
    # then
    with pytest.raises(CommandError) as refusal:
        call_command("import_companies", path)
    sentence = str(refusal.value).splitlines()[0]
    assert sentence.startswith("file.csv, record 2, line 5, column name: ")
    assert sentence.endswith(" [blank]")


def test_the_command_says_what_it_did(file):
    # given
    path, out = file("code,name,city", "a,A,Berlin", "b,B,"), StringIO()
    # when
    call_command("import_companies", path, dry_run=True, stdout=out)
    # then
    assert not Company.objects.exists()
    # when
    call_command("import_companies", path, stdout=out)
    # then
    said = "2 created, 0 updated, 0 moved, 0 unchanged; 1 locations; "
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
    call_command("import_companies", file("code,name", "a,A", "b,B"), stdout=StringIO())
    # then
    assert ("2/2" in screen.getvalue()) is terminal


def test_the_command_names_a_hundred_faults_and_counts_the_rest(file):
    # given
    path = file("code,name", *[f"code {number},A" for number in range(103)])
    # then
    with pytest.raises(CommandError) as refusal:
        call_command("import_companies", path)
    sentences = str(refusal.value).splitlines()
    assert len(sentences) == 100 + 2
    assert sentences[-2:] == ["and 3 more", "Nothing was stored."]


def test_a_code_that_others_take_meanwhile_refuses_the_import(file, monkeypatch):
    # given somebody who changes a code between plan and load, without the gate
    other = make_company(code="other")

    def plan_and_lose(planner: Planner) -> Plan:
        plan = make_plan(planner)
        Company.objects.filter(pk=other.pk).update(code="NEW")
        return plan

    make_plan = Planner.plan
    monkeypatch.setattr(Planner, "plan", plan_and_lose)
    # then
    faults = faults_of(file("code,name", "new,New"))
    assert faults == [(None, None, "changed_meanwhile")]


@pytest.mark.django_db(transaction=True)
def test_of_the_same_import_twice_at_once_one_changes_nothing():
    # when
    results = run_at_once(lambda _: load(SAMPLES / "import_1_base.csv"), threads=3)
    # then
    assert sorted(result.created for result in results) == [0, 0, 40]
    assert sorted(result.unchanged for result in results) == [0, 40, 40]
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
