"""Many companies in one call: all or nothing, planned by the rules of imports."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from companies import services
from companies.api.bulk import LEGAL, OWN, CompanyRecordSerializer
from companies.imports import upserts
from companies.merging import merge_companies
from companies.models import Company
from companies.tree.check import find_tree_faults
from config.actors import SYSTEM
from groups.models import CustomerGroup
from integrations.models import Event
from tests.companies.conftest import SCOPES
from tests.factories import make_chain, make_client, make_company

pytestmark = pytest.mark.django_db

URL = "/api/v1/companies/bulk/"
FRAMES = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")
LEI = "529900T8BM49AURSDO55"


def state() -> list:
    return [
        *Company.objects.order_by("pk").values("pk", "name", "parent", "version"),
        Company.history.count(),
        Event.objects.count(),
    ]


def send(api, *records: dict, status: int = 200, query: str = "") -> dict:
    before = state()
    answer = api.post(URL + query, {"companies": list(records)})
    assert answer.status_code == status, answer.content
    if status != 200 or query:
        assert state() == before
    assert find_tree_faults() == []
    return answer.json()


def refused(api, *records: dict) -> list[tuple[str, str]]:
    """Pointer and code of all that is wrong, the same with and without a dry run."""
    dry, wet = (send(api, *records, status=400, query=q) for q in ("?dry_run=true", ""))
    assert dry["errors"] == wet["errors"]
    return [(error["pointer"], error["code"]) for error in wet["errors"]]


def actions(body: dict) -> list[tuple]:
    return [(one["index"], one["action"], one["code"]) for one in body["results"]]


def test_companies_are_created_changed_moved_and_left_alone(api):
    # given
    head, low = make_chain(2)
    other = make_company(code="Other", name="Other", language="de", website="")
    same = make_company(code="same", name="Same", parent=other)
    records = [
        {"code": "new-low", "name": "New low", "parent_code": "NEW"},
        {"code": low.code, "parent_code": "new-low", "name": "Renamed"},
        {"code": "New", "name": "New", "attributes": {"a": [1.5, None]}},
        {"code": "other", "language": None, "legal_info": {"country": "de"}},
        {"code": "same", "name": "Same", "parent_code": "other"},
        {"code": "below", "name": "Below", "parent_code": low.code},
    ]
    # when
    planned = send(api, *records, query="?dry_run=true")
    done = send(api, *records)
    # then
    assert actions(done) == [
        (0, "create", "new-low"),
        (1, "move", low.code),
        (2, "create", "New"),
        (3, "update", "Other"),
        (4, "unchanged", "same"),
        (5, "create", "below"),
    ]
    assert done["results"][1]["changes"] == [
        {"field": "name", "old": low.name, "new": "Renamed"},
        {"field": "parent_code", "old": head.code, "new": "new-low"},
    ]
    assert done["results"][3]["changes"] == [
        {"field": "legal_info.country", "old": "", "new": "DE"},
        {"field": "language", "old": "de", "new": ""},
    ]
    assert done["totals"] == planned["totals"]
    assert (done["totals"]["created"], done["totals"]["moved"]) == (3, 1)
    assert (done["dry_run"], planned["dry_run"]) == (False, True)
    by_code = {company.code: company for company in Company.objects.all()}
    for one, dry in zip(done["results"], planned["results"], strict=True):
        assert one["id"] == by_code[one["code"]].pk
        assert dry == one | {"id": None if one["action"] == "create" else one["id"]}
    assert by_code["below"].parent == by_code[low.code]
    assert by_code[low.code].parent == by_code["new-low"]
    assert by_code["new-low"].parent == by_code["New"]
    assert by_code["New"].attributes == {"a": [1.5, None]}
    assert by_code["same"].version == same.version
    # when the same once more
    again = send(api, *records)
    # then
    assert {one["action"] for one in again["results"]} == {"unchanged"}


def test_what_is_stored_is_what_single_calls_would_store(api):
    # given two pairs of companies that look alike
    for name in ("a", "b"):
        make_company(code=f"to-{name}", name="To")
        make_company(code=name, name="Old", legal_name="Älter GmbH")
    # when
    send(
        api,
        {"code": "a", "name": "New", "legal_info": {"legal_name": "Neu"}},
        {"code": "new-a", "name": "Fresh", "parent_code": "to-a"},
    )
    send(api, {"code": "a", "parent_code": "to-a"})
    one = Company.objects.get(code="b")
    patch = {"name": "New", "legal_info": {"legal_name": "Neu"}}
    api.patch(f"/api/v1/companies/{one.pk}/", patch, HTTP_IF_MATCH='"1"')
    to = Company.objects.get(code="to-b").pk
    api.post("/api/v1/companies/", {"code": "new-b", "name": "Fresh", "parent": to})
    api.post(f"/api/v1/companies/{one.pk}/move/", {"parent": to})
    # then
    for pair in (("a", "b"), ("new-a", "new-b"), ("to-a", "to-b")):
        rows = [Company.objects.filter(code=code) for code in pair]
        stored = [
            {
                "row": found.values("name", "version", "name_sketch", "legal_sketch"),
                "history": Company.history.filter(id=found[0].pk).values(
                    "history_type", "history_user_id", "history_change_reason", "name"
                ),
                "events": Event.objects.filter(stream=found[0].pk)
                .order_by("number")
                .values("type", "number"),
                "groups": CustomerGroup.objects.filter(company=found[0].pk)
                .order_by("kind")
                .values("kind", "name"),
            }
            for found in rows
        ]
        for part, rows_of_one in stored[0].items():
            assert list(rows_of_one) == list(stored[1][part]), (pair, part)
    request_ids = Company.history.filter(code="a").values_list("request_id", flat=True)
    assert len(set(request_ids)) == 3


def test_every_bad_record_is_named_and_nothing_is_stored(api):
    # given
    _head, low = make_chain(2)
    make_company(code="closed", status=Company.Status.CLOSED)
    make_company(code="holder", lei=LEI)
    gone, stays = make_company(code="gone"), make_company()
    merge_companies(gone, stays, actor=SYSTEM)
    # then
    assert refused(
        api,
        {"code": "good", "name": "Good"},
        {"name": "No code"},
        {"code": "no-name"},
        {"code": "a b", "name": "A"},
        {"code": "n", "name": 7, "id": 1, "legal_info": {"lei": 1, "x/y": ""}},
        {"code": "o", "name": "O", "legal_info": []},
        {"code": "l", "name": "L", "legal_info": {"lei": LEI, "country": "XX"}},
        {"code": "m", "name": "M", "legal_info": {"lei": LEI}},
        "text",
        {"code": "p", "name": "P", "parent_code": "nobody"},
        {"code": "q", "name": "Q", "parent_code": "closed"},
        {"code": "r", "name": "R", "parent_code": "no-name"},
        {"code": _head.code, "parent_code": low.code},
        {"code": "gone", "name": "G"},
        {"code": "s", "name": "S", "attributes": "x"},
        {"code": "good", "name": "Other"},
        {"code": "t", "name": "T", "legal_info": {"registered_on": "20260101"}},
        {"code": "u", "name": "U", "phone": "what"},
        {"code": "v", "name": None},
    ) == [
        ("/companies/1/code", "required"),
        ("/companies/2/name", "required"),
        ("/companies/3/code", "code"),
        ("/companies/4/name", "invalid"),
        ("/companies/4/id", "unknown_field"),
        ("/companies/4/legal_info/lei", "invalid"),
        ("/companies/4/legal_info/x~1y", "unknown_field"),
        ("/companies/5/legal_info", "not_an_object"),
        ("/companies/6/legal_info/country", "invalid_choice"),
        ("/companies/7/legal_info/lei", "duplicate_lei"),
        ("/companies/8", "not_an_object"),
        ("/companies/9/parent_code", "unknown_parent"),
        ("/companies/10/parent_code", "parent_closed"),
        ("/companies/11/parent_code", "parent_refused"),
        ("/companies/12/parent_code", "would_close_cycle"),
        ("/companies/13/code", "merged_company"),
        ("/companies/14/attributes", "not_an_object"),
        ("/companies/15/code", "duplicate_code"),
        ("/companies/16/legal_info/registered_on", "invalid"),
        ("/companies/17/phone", "phone"),
        ("/companies/18/name", "blank"),
    ]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/companies", "required"),
        ({"companies": None}, "/companies", "null"),
        ({"companies": {"code": "a"}}, "/companies", "not_a_list"),
        ({"companies": [], "x": 1}, "/x", "unknown_field"),
    ],
)
def test_a_body_of_another_form_is_refused(api, body, pointer, code):
    answer = api.post(URL, body)
    assert answer.status_code == 400
    errors = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert errors == [(pointer, code)]


def test_more_than_a_thousand_are_refused(api):
    answer = api.post(URL, {"companies": [{"code": f"c{n}"} for n in range(1_001)]})
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")
    assert send(api)["results"] == []


def test_moving_needs_its_own_scope(call_as):
    # given
    _head, low = make_chain(2)
    other = make_company(code="other")
    scopes = " ".join(set(SCOPES.split()) - {"companies:move"})
    api = call_as(make_client(scopes=SCOPES, sees_all=True), scopes=scopes)
    # then
    for parent in ("other", None):
        records = {"code": low.code, "parent_code": parent}, {"code": "bad"}
        body = send(api, *records, status=403)
        assert body["code"] == "insufficient_scope"
        assert body["details"] == {"scope": "companies:move"}
    # but new ones are placed, and the same place is none
    new = {"code": "new", "name": "New", "parent_code": low.code}
    stays = {"code": low.code, "parent_code": low.parent.code, "name": "Low"}
    assert [a for _, a, _ in actions(send(api, new, stays))] == ["create", "update"]
    assert other.subsidiaries.count() == 0


def test_a_client_reaches_only_what_it_sees(call_as):
    # given a client below the head company, and a foreign hierarchy
    _head, own, low = make_chain(3)
    make_company(code="foreign", name="Secret", lei=LEI)
    api = call_as(make_client(scopes=SCOPES, hierarchies=(own,)))
    # then
    records = [
        {"code": "foreign", "name": "Mine", "parent_code": own.code},
        {"code": "new", "name": "New", "parent_code": "foreign"},
        {"code": "top", "name": "Top"},
        {"code": low.code, "parent_code": None},
        {"code": own.code, "parent_code": low.code},
        {
            "code": "lei",
            "name": "L",
            "parent_code": own.code,
            "legal_info": {"lei": LEI},
        },
    ]
    assert refused(api, *records) == [
        ("/companies/0/code", "duplicate_code"),
        ("/companies/1/parent_code", "parent_refused"),
        ("/companies/2/parent_code", "out_of_sight"),
        ("/companies/3/parent_code", "out_of_sight"),
        ("/companies/4/parent_code", "out_of_sight"),
        ("/companies/5/legal_info/lei", "duplicate_lei"),
    ]
    assert "Secret" not in api.post(URL, {"companies": records}).content.decode()
    # when what it may
    new = {"code": "new", "name": "New", "parent_code": own.code}
    stays = {"code": own.code, "name": "Own", "parent_code": None}
    done = send(api, new, stays)
    # then its own place is not told, nor changed
    assert actions(done) == [(0, "create", "new"), (1, "update", own.code)]
    assert [c["field"] for c in done["results"][1]["changes"]] == ["name"]


def test_companies_change_places(api):
    # given
    top, middle, low = make_chain(3)
    # when
    send(
        api,
        {"code": top.code, "parent_code": low.code},
        {"code": low.code, "parent_code": None},
        {"code": middle.code, "parent_code": top.code},
    )
    # then
    path = Company.objects.above(middle).head_first()
    assert list(path) == [low, top, middle]


def test_the_depth_counts_as_it_will_be(api, settings):
    # given a hierarchy of as many levels as there may be
    settings.COMPANY_MAX_DEPTH = 4
    _one, two, _three, four = make_chain(4)
    # then
    assert refused(api, {"code": "x", "name": "X", "parent_code": four.code}) == [
        ("/companies/0/parent_code", "too_deep")
    ]
    # when there is room by the same call
    send(
        api,
        {"code": "x", "name": "X", "parent_code": four.code},
        {"code": two.code, "parent_code": None},
    )
    # then
    assert Company.objects.get(code="x").parent == four


def test_who_was_overtaken_is_told_so(api, monkeypatch):
    # given somebody who renames one of them after the plan was made
    company, other = make_company(code="a", name="A"), make_company(code="b", name="B")
    plan = upserts.plan_upserts

    def overtaken(*args):
        made = plan(*args)
        services.set_status(other, "ON_HOLD", actor=SYSTEM, reason="x")
        return made

    monkeypatch.setattr(upserts, "plan_upserts", overtaken)
    # when
    records = [{"code": "a", "name": "New"}, {"code": "b", "name": "New"}]
    answer = api.post(URL, {"companies": records})
    # then
    assert (answer.status_code, answer.json()["code"]) == (409, "changed_meanwhile")
    company.refresh_from_db()
    assert (company.name, company.version) == ("A", 1)


def mixed(count: int) -> tuple[list[dict], int]:
    """Records of every sort, in many hierarchies; how many companies there will be."""
    heads = [make_company(code=f"h{n}") for n in range(max(2, count // 20))]
    for number in range(count):
        parent = heads[number % len(heads)]
        if number % 4:
            make_company(code=f"c{number}", name="Same", parent=parent)
    records = []
    for number in range(count):
        here, there = (f"h{(number + n) % len(heads)}" for n in (0, 1))
        record = {"code": f"c{number}", "name": "Same", "parent_code": here}
        records.append(
            record
            | (
                {"name": "New"},
                {"name": "Other", "legal_info": {"legal_name": f"Other {number}"}},
                {"parent_code": there},
                {},
            )[number % 4]
        )
    records[0]["legal_info"] = {"lei": LEI}
    return records, len(heads) + count


@pytest.mark.parametrize("sees_all", [True, False])
@pytest.mark.parametrize("count", [1, 100, 1_000])
def test_statements_do_not_grow_with_the_records(call_as, count, sees_all):
    # given
    records, companies = mixed(count)
    heads = () if sees_all else Company.objects.heads()
    client = make_client(scopes=SCOPES, sees_all=sees_all, hierarchies=heads)
    api = call_as(client)
    # when
    with CaptureQueriesContext(connection) as queries:
        answer = api.post(URL, {"companies": records})
    # then
    assert answer.status_code == 200, answer.content
    found = [q["sql"] for q in queries if not q["sql"].startswith(FRAMES)]
    assert len(found) <= 20, "\n".join(sql[:150] for sql in found)
    assert Company.objects.count() == companies
    assert find_tree_faults() == []
    totals = answer.json()["totals"]
    if count >= 100:
        quarter = count // 4
        assert (totals["created"], totals["moved"]) == (quarter, quarter)
        assert (totals["updated"], totals["unchanged"]) == (2 * quarter, quarter)
    # when only planned
    with CaptureQueriesContext(connection) as queries:
        api.post(URL + "?dry_run=true", {"companies": records})
    # then
    assert len(queries) <= 6


def test_the_document_names_what_a_record_may_have():
    fields = CompanyRecordSerializer().fields
    assert set(fields) == OWN | {"legal_info"}
    assert set(fields["legal_info"].fields) == LEGAL
