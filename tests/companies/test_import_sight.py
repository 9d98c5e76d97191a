"""Nobody imports more than they see and write; partial imports leave sound trees."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from companies.imports import Caller, ImportRefused, PlanOutdated
from companies.models import Company
from companies.tree.check import find_tree_faults
from integrations.models import Event
from tests.factories import make_chain, make_client, make_company
from tests.imports import counts, load, plan_of

pytestmark = pytest.mark.django_db

HEAD = "code,name,parent_code"


@pytest.fixture
def file(tmp_path: Path):
    def make(*lines: str) -> Path:
        path = tmp_path / "file.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return make


def codes_of(path: Path, caller: Caller) -> list[tuple]:
    before = list(Company.objects.order_by("pk").values("pk", "version"))
    with pytest.raises(ImportRefused) as refusal:
        load(path, caller=caller)
    assert list(Company.objects.order_by("pk").values("pk", "version")) == before
    return [(fault.record, fault.code) for fault in refusal.value.faults]


def test_a_foreign_company_is_a_code_that_is_taken(file):
    # given
    own = make_company(code="own", name="Own")
    make_company(code="foreign", lei="5493001KJTIIGC8Y1R12", name="Secret")
    caller = Caller(client=make_client(hierarchies=(own,)), may_move=True)
    # when
    path = file(
        "code,name,parent_code,lei",
        "foreign,Mine,own,",
        "new,New,foreign,",
        "other,Other,own,5493001KJTIIGC8Y1R12",
        "head,Head,,",
        "own,Own,foreign,",
    )
    faults = codes_of(path, caller)
    # then
    assert faults == [
        (1, "duplicate_code"),
        (2, "parent_refused"),
        (3, "duplicate_lei"),
        (4, "out_of_sight"),
        (5, "parent_refused"),
    ]
    with pytest.raises(ImportRefused) as refusal:
        load(path, caller=caller)
    assert "Secret" not in str(refusal.value)
    assert codes_of(file(HEAD, "new,New,foreign"), caller) == [(1, "unknown_parent")]


def test_a_client_below_the_head_leaves_its_place_alone(file):
    # given a client that does not see the parent of its company
    head, own, low = make_chain(3)
    caller = Caller(client=make_client(hierarchies=(own,)), may_move=True)
    lines = [f"{own.code},New name,", f"{low.code},{low.name},{own.code}"]
    # when
    plan = load(file(HEAD, *lines), caller=caller)
    # then
    assert counts(plan) == (0, 1, 0, 1, 0)
    own.refresh_from_db()
    assert (own.name, own.parent) == ("New name", head)
    # and a company below cannot be taken to the top
    assert codes_of(file(HEAD, f"{low.code},{low.name},"), caller) == [
        (1, "out_of_sight")
    ]


def test_who_does_not_see_where_a_company_is_does_not_move_it(file):
    # given
    _head, own, low = make_chain(3)
    other = make_company(code="other")
    caller = Caller(client=make_client(hierarchies=(own, other)), may_move=True)
    # then
    path = file(HEAD, f"{own.code},Own,other")
    assert codes_of(path, caller) == [(1, "out_of_sight")]
    # but a company whose parent it sees
    assert counts(load(file(HEAD, f"{low.code},Low,other"), caller=caller))[2] == 1


def test_without_the_right_nothing_is_moved(file):
    # given
    _head, low = make_chain(2)
    other = make_company(code="other")
    caller = Caller(may_move=False)
    # then
    path = file(HEAD, f"{low.code},{low.name},{other.code}")
    assert codes_of(path, caller) == [(1, "forbidden")]
    path = file(HEAD, f"{low.code},{low.name},")
    assert codes_of(path, caller) == [(1, "forbidden")]
    # but new ones are placed
    assert counts(load(file(HEAD, f"new,New,{low.code}"), caller=caller))[0] == 1


def test_a_plan_that_is_no_longer_true_is_refused(file):
    # given
    company = make_company(code="a", name="A")
    path = file("code,name", "a,New", "b,B")
    planned = plan_of(path).fingerprint()
    assert plan_of(path).fingerprint() == planned
    # when somebody else changes what the plan would change
    company.name = "Other"
    company.save()
    events = Event.objects.count()
    # then
    with pytest.raises(PlanOutdated):
        load(path, planned=planned)
    assert not Company.objects.filter(code="b").exists()
    assert Event.objects.count() == events
    # when it is planned again
    load(path, planned=plan_of(path).fingerprint())
    # then
    assert Company.objects.get(code="a").name == "New"


def test_a_refused_move_is_not_counted_upon(file):
    # given a stored company below another; both are to change places
    top, low = make_chain(2)
    lines = [
        f"{low.code},{low.name},,",
        f"{top.code},{top.name},{low.code},Nowhere",  # refused, so it stays
        f"new,New,{top.code},",
    ]
    # when
    plan = load(file(f"{HEAD},country", *lines), partial=True)
    # then
    assert [o.action for o in plan.outcomes] == ["move", "refused", "create"]
    assert Company.objects.get(code="new").parent == top
    assert find_tree_faults() == []


def test_a_move_that_needs_a_refused_one_is_refused_too(file):
    # given
    top, low = make_chain(2)
    lines = [
        f"{low.code},{low.name},,Nowhere",  # refused, so it stays below
        f"{top.code},{top.name},{low.code},",
    ]
    # when
    plan = load(file(f"{HEAD},country", *lines), partial=True)
    # then
    assert [o.action for o in plan.outcomes] == ["refused", "refused"]
    assert plan.outcomes[1].problems[0].code == "would_close_cycle"
    assert find_tree_faults() == []


def test_what_stands_below_a_refused_record_is_told_so(file):
    # when
    plan = load(
        file(HEAD, "c,C,b", "b,B,a", "a,,", "d,D,"),
        partial=True,
    )
    # then
    assert [(o.action, [p.code for p in o.problems]) for o in plan.outcomes] == [
        ("refused", ["parent_refused"]),
        ("refused", ["parent_refused"]),
        ("refused", ["blank"]),
        ("create", []),
    ]
    assert Company.objects.get().code == "d"


CODES = "abcdef"


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    before=st.dictionaries(st.sampled_from(CODES), st.sampled_from(["", *CODES])),
    after=st.lists(
        st.tuples(
            st.sampled_from(CODES),
            st.sampled_from(["", *CODES, "nobody"]),
            st.sampled_from(["", "DE", "Nowhere"]),
        ),
        max_size=8,
    ),
)
def test_whatever_is_imported_the_tree_is_sound_and_as_the_plan_says(
    tmp_path_factory, before, after
):
    folder = tmp_path_factory.mktemp("files")

    def written(lines: list[str]) -> Path:
        path = folder / "file.csv"
        path.write_text("\n".join([f"{HEAD},country", *lines]) + "\n")
        return path

    # given what is good of a first file
    Company.objects.all().delete()
    load(written([f"{c},{c},{p}," for c, p in before.items()]), partial=True)
    was = dict(Company.objects.values_list("code", "parent__code"))
    # when
    path = written([f"{c},{c},{p},{country}" for c, p, country in after])
    plan = load(path, partial=True)
    # then every record is as its outcome says
    assert find_tree_faults() == []
    now = dict(Company.objects.values_list("code", "parent__code"))
    expected = dict(was)
    for outcome, (code, parent, _country) in zip(plan.outcomes, after, strict=True):
        if outcome.action in ("create", "move"):
            expected[code] = parent or None
    assert now == expected
    # and a second time there is nothing to do
    assert not load(path, partial=True).changes_anything
