"""Bad input is refused with its place and a stable code, and nothing is stored."""

import json

import pytest
from django.db.models import Sum

from companies.models import Company, CompanyLink, Contact, ContactAssignment, Location
from tests.factories import (
    make_assignment,
    make_chain,
    make_company,
    make_contact,
    make_link,
    make_location,
)

pytestmark = pytest.mark.django_db
MODELS = (Company, Contact, ContactAssignment, CompanyLink, Location)
LONG = "x" * 10_000


def stored():
    """How much there is, and how often it was changed."""
    return [
        (model.objects.count(), model.objects.aggregate(v=Sum("version"))["v"])
        for model in MODELS
    ]


@pytest.fixture
def world(db):
    head, sub = make_chain(2)
    contact, free = make_contact(email="taken@example.com"), make_contact()
    Company.objects.filter(pk=head.pk).update(lei="529900T8BM49AURSDO55", code="taken")
    return {
        "head": head.pk,
        "sub": sub.pk,
        "contact": contact.pk,
        "free": free.pk,
        "assignment": make_assignment(contact=contact, company=head).pk,
        "location": make_location(company=head, code="taken").pk,
        "link": make_link(company=head, other=sub).pk,
    }


def filled(value, world):
    """The value with "<name>" replaced by the id of that name."""
    match value:
        case dict():
            return {name: filled(inner, world) for name, inner in value.items()}
        case str() if value.startswith("<"):
            return world[value[1:-1]]
    return value


GOOD = {
    "companies": {"name": "New"},
    "contacts": {"email": "new@example.com"},
    "contact-assignments": {"contact": "<free>", "company": "<sub>"},
    "locations": {"company": "<head>"},
    "company-links": {"company": "<sub>", "other": "<head>", "kind": "OWNS"},
}

# resource, what is changed in a good body, where the error is, its code
BAD = [
    ("companies", {"name": None}, "/name", "null"),
    ("companies", {"name": ""}, "/name", "blank"),
    ("companies", {"name": " \t "}, "/name", "blank"),
    ("companies", {"name": "\u200b"}, "/name", "blank"),
    ("companies", {"name": 5}, "/name", "invalid"),
    ("companies", {"name": True}, "/name", "invalid"),
    ("companies", {"name": ["a"]}, "/name", "invalid"),
    ("companies", {"name": {"a": 1}}, "/name", "invalid"),
    ("companies", {"name": "x" * 251}, "/name", "max_length"),
    ("companies", {"nmae": "x"}, "/nmae", "unknown_field"),
    ("companies", {"lft": 1}, "/lft", "unknown_field"),
    ("companies", {"tree_id": 1}, "/tree_id", "unknown_field"),
    ("companies", {"id": 7}, "/id", "read_only"),
    ("companies", {"version": 7}, "/version", "read_only"),
    ("companies", {"status": "CLOSED"}, "/status", "read_only"),
    ("companies", {"type": "COMPANY"}, "/type", "read_only"),
    ("companies", {"head": 1}, "/head", "read_only"),
    ("companies", {"depth": 1}, "/depth", "read_only"),
    ("companies", {"effective_status": "ACTIVE"}, "/effective_status", "read_only"),
    ("companies", {"code": "TAKEN"}, "/code", "duplicate_code"),
    ("companies", {"code": "a b"}, "/code", "code"),
    ("companies", {"code": "a/b"}, "/code", "code"),
    ("companies", {"code": "ä"}, "/code", "code"),
    ("companies", {"code": "x" * 65}, "/code", "max_length"),
    ("companies", {"parent": 0}, "/parent", "does_not_exist"),
    ("companies", {"parent": -1}, "/parent", "does_not_exist"),
    ("companies", {"parent": 2**63}, "/parent", "does_not_exist"),
    ("companies", {"parent": 10**40}, "/parent", "does_not_exist"),
    ("companies", {"parent": "1"}, "/parent", "incorrect_type"),
    ("companies", {"parent": True}, "/parent", "incorrect_type"),
    ("companies", {"parent": 1.0}, "/parent", "incorrect_type"),
    ("companies", {"parent": {"id": 1}}, "/parent", "incorrect_type"),
    ("companies", {"legal_info": 5}, "/legal_info", "invalid"),
    ("companies", {"legal_info": {"x": 1}}, "/legal_info/x", "unknown_field"),
    (
        "companies",
        {"legal_info": {"lei": "529900T8BM49AURSDO56"}},
        "/legal_info/lei",
        "lei_checksum",
    ),
    (
        "companies",
        {"legal_info": {"lei": "529900t8bm49aursdo55"}},
        "/legal_info/lei",
        "duplicate_lei",
    ),
    ("companies", {"legal_info": {"lei": LONG}}, "/legal_info/lei", "max_length"),
    ("companies", {"legal_info": {"country": "UK"}}, "/legal_info/country", None),
    ("companies", {"legal_info": {"country": "de"}}, "/legal_info/country", None),
    ("companies", {"legal_info": {"country": "DEU"}}, "/legal_info/country", None),
    ("companies", {"legal_info": {"duns": "12345678A"}}, "/legal_info/duns", None),
    (
        "companies",
        {"legal_info": {"country": "DE", "tax_id": "DE136695977"}},
        "/legal_info/tax_id",
        None,
    ),
    (
        "companies",
        {"legal_info": {"registered_on": "2026-02-30"}},
        "/legal_info/registered_on",
        "invalid",
    ),
    (
        "companies",
        {"legal_info": {"registered_on": 5}},
        "/legal_info/registered_on",
        "invalid",
    ),
    (
        "companies",
        {"legal_info": {"registered_on": "12026-01-01"}},
        "/legal_info/registered_on",
        "invalid",
    ),
    ("companies", {"currency": "EURO"}, "/currency", "max_length"),
    ("companies", {"currency": "eur"}, "/currency", None),
    ("companies", {"language": "xx-YY"}, "/language", "language"),
    ("companies", {"email": "a@@b"}, "/email", "invalid"),
    ("companies", {"email": "a@example.com\nBcc: b@c.de"}, "/email", "invalid"),
    ("companies", {"website": "javascript:alert(1)"}, "/website", "invalid"),
    ("companies", {"phone": "letters"}, "/phone", "phone"),
    ("companies", {"phone": "+"}, "/phone", "phone"),
    ("companies", {"attributes": []}, "/attributes", "not_an_object"),
    ("companies", {"attributes": "{}"}, "/attributes", "not_an_object"),
    ("companies", {"attributes": {"a": "x" * 16_384}}, "/attributes", "too_large"),
    ("contacts", {"email": None}, "/email", "null"),
    ("contacts", {"email": "nobody"}, "/email", "invalid"),
    ("contacts", {"email": "a" * 65 + "@example.com"}, "/email", "invalid"),
    ("contacts", {"email": "a@b." + "c" * 255}, "/email", None),
    ("contacts", {"email": "TAKEN@example.com"}, "/email", "duplicate_email"),
    ("contacts", {"is_active": "yes"}, "/is_active", "invalid"),
    ("contacts", {"is_active": 1}, "/is_active", "invalid"),
    ("contacts", {"phone": "1" * 16}, "/phone", "phone"),
    ("contacts", {"erased_at": "2026-01-01T00:00:00Z"}, "/erased_at", "read_only"),
    ("contacts", {"registered_by": 1}, "/registered_by", "unknown_field"),
    ("contacts", {"search_text": "x"}, "/search_text", "unknown_field"),
    ("contact-assignments", {"contact": 10**6}, "/contact", "does_not_exist"),
    ("contact-assignments", {"company": None}, "/company", "null"),
    ("contact-assignments", {"role": "BOSS"}, "/role", "invalid_choice"),
    ("contact-assignments", {"role": []}, "/role", "invalid_choice"),
    ("contact-assignments", {"type": ""}, "/type", "invalid_choice"),
    (
        "contact-assignments",
        {"contact": "<contact>", "company": "<head>"},
        "",
        "already_assigned",
    ),
    (
        "contact-assignments",
        {"valid_from": "2026-02-01", "valid_until": "2026-01-01"},
        "",
        "dates_not_in_order",
    ),
    ("locations", {"company": "<free>", "type": "MOON"}, "/type", "invalid_choice"),
    ("locations", {"code": "TAKEN"}, "", "duplicate_code"),
    ("locations", {"code": "a b"}, "/code", "code"),
    ("locations", {"is_default_billing": True}, "", "default_not_usable"),
    ("locations", {"address": {"line1": LONG}}, "/address/line1", "max_length"),
    ("locations", {"address": {"country": "ZZ"}}, "/address/country", None),
    ("locations", {"address": {"street": "x"}}, "/address/street", "unknown_field"),
    ("company-links", {"other": "<sub>"}, "/other", "own_link"),
    ("company-links", {"percent": 10}, "/percent", "invalid"),
    ("company-links", {"percent": "1e1"}, "/percent", "invalid"),
    ("company-links", {"percent": "\u0665"}, "/percent", "invalid"),
    ("company-links", {"percent": "0"}, "", "percent"),
    ("company-links", {"percent": "100.01"}, "", "percent"),
    ("company-links", {"kind": "PARTNER_OF", "percent": "1"}, "", "percent"),
    ("company-links", {"kind": "LOVES"}, "/kind", "invalid_choice"),
]


@pytest.mark.parametrize(("resource", "change", "pointer", "code"), BAD)
def test_bad_input_is_refused_with_its_place(
    api, world, resource, change, pointer, code
):
    # given
    body = filled(GOOD[resource] | change, world)
    before = stored()
    # when
    answer = api.post(f"/api/v1/{resource}/", body)
    # then
    assert answer.status_code == 400, answer.content
    problem = answer.json()
    assert problem["code"] == "invalid"
    assert pointer in [error["pointer"] for error in problem["errors"]]
    if code is not None:
        assert code in [error["code"] for error in problem["errors"]]
    assert stored() == before


@pytest.mark.parametrize("resource", GOOD)
def test_the_good_bodies_are_good(api, world, resource):
    answer = api.post(f"/api/v1/{resource}/", filled(GOOD[resource], world))
    assert answer.status_code == 201, answer.content


PATHS = {
    "companies": "head",
    "contacts": "contact",
    "contact-assignments": "assignment",
    "locations": "location",
    "company-links": "link",
}
BYTES = [
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"{",
    b'{"name": "a",}',
    b"{'name': 'a'}",
    b'{"name": "a", "name": "b"}',
    b'\xef\xbb\xbf{"name": "a"}',
    '{"name": "a"}'.encode("utf-16"),
    b'{"name": "\xff"}',
    b'{"name": "\\u0000"}',
    b'{"name": "\\ud800"}',
    b'{"na\\u0000me": "a"}',
    b'{"attributes": NaN}',
    b'{"attributes": {"a": 1e400}}',
    b'{"attributes": ' + b'{"a":' * 30 + b"1" + b"}" * 30 + b"}",
    b'{"name": ' + b"[" * 100_000,
]


@pytest.mark.parametrize("resource", PATHS)
@pytest.mark.parametrize("method", ["post", "put", "patch"])
@pytest.mark.parametrize("body", BYTES, ids=range(len(BYTES)))
def test_what_is_no_strict_json_is_refused(api, world, resource, method, body):
    # given
    path = "" if method == "post" else f"{world[PATHS[resource]]}/"
    before = stored()
    # when
    answer = api.generic(
        method.upper(),
        f"/api/v1/{resource}/{path}",
        body,
        content_type="application/json",
        headers={"If-Match": '"1"'},
    )
    # then
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert stored() == before


@pytest.mark.parametrize("resource", PATHS)
@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (None, 428, "if_match_required"),
        ("*", 428, "if_match_required"),
        ('W/"1"', 428, "if_match_required"),
        ("1", 428, "if_match_required"),
        ('"1", "2"', 428, "if_match_required"),
        ('"7"', 412, "stale_version"),
    ],
)
def test_a_write_needs_the_version_that_was_read(
    api, world, resource, header, status, code
):
    # given
    url = f"/api/v1/{resource}/{world[PATHS[resource]]}/"
    headers = {} if header is None else {"If-Match": header}
    before = stored()
    for method in (api.put, api.patch, api.delete):
        # when
        answer = method(url, {"unknown": 1}, headers=headers)
        # then
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert stored() == before


@pytest.mark.parametrize("resource", PATHS)
@pytest.mark.parametrize(
    "pk",
    ["0", "-1", "1.0", "1e3", "+1", "abc", "1%00", "1.json", "9" * 19, "9" * 40],
)
def test_what_is_no_id_does_not_exist(api, world, resource, pk):
    answer = api.get(f"/api/v1/{resource}/{pk}/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


QUERIES = [
    ("companies", "unknown=1", "unknown"),
    ("companies", "legal_info__lei=x", "legal_info__lei"),
    ("companies", "parent__name=x", "parent__name"),
    ("companies", "status=ACTIVE&status=CLOSED", "status"),
    ("companies", "status=active", "status"),
    ("companies", "effective_status=NONE", "effective_status"),
    ("companies", "type=BRANCH", "type"),
    ("companies", "country=XX", "country"),
    ("companies", "parent=abc", "parent"),
    ("companies", "under=99999999", "under"),
    ("companies", "above=" + "9" * 40, "above"),
    ("companies", "head=-1", "head"),
    ("companies", "level_max=-1", "level_max"),
    ("companies", "level_max=1.5", "level_max"),
    ("companies", "level_max=" + "9" * 40, "level_max"),
    ("companies", "updated_after=yesterday", "updated_after"),
    ("companies", "updated_after=2026-01-01", "updated_after"),
    ("companies", "updated_after=2026-01-01T00:00:00", "updated_after"),
    ("companies", "updated_after=0001-01-01T00:00:00%2B14:00", "updated_after"),
    ("companies", "q=a b c d e f", "q"),
    ("companies", "q=" + "x" * 201, "q"),
    ("companies", "q=%CC%81%CC%81", "q"),
    ("companies", "q=a%00", "q"),
    ("companies", "ordering=password", "ordering"),
    ("companies", "ordering=attributes__a", "ordering"),
    ("companies", "ordering=name,name", "ordering"),
    ("companies", "ordering=lft", "ordering"),
    ("companies", "ordering=" + ",".join(["id"] * 50), "ordering"),
    ("companies", "cursor=abc", "cursor"),
    ("companies", "page_size=0", "page_size"),
    ("companies", "page_size=201", "page_size"),
    ("companies", "count=maybe", "count"),
    ("companies", "fields=password", "fields"),
    ("companies", "expand=attributes", "expand"),
    ("companies", "expand=parent.parent", "expand"),
    ("companies/duplicates", "company=abc", "company"),
    ("contacts", "email__startswith=a", "email__startswith"),
    ("contacts", "is_active=1", "is_active"),
    ("contacts", "company=99999999", "company"),
    ("contact-assignments", "role=BOSS", "role"),
    ("locations", "type=MOON", "type"),
    ("company-links", "of=x", "of"),
]


@pytest.mark.parametrize(("path", "query", "name"), QUERIES)
def test_a_bad_query_is_refused_with_its_name(api, world, path, query, name):
    # when
    answer = api.get(f"/api/v1/{path}/?{query}")
    # then
    assert answer.status_code == 400, answer.content
    assert [error["parameter"] for error in answer.json()["errors"]] == [name]


@pytest.mark.parametrize("query", ["depth=-1", "depth=x", "depth=\u0663", "fields=id"])
def test_a_tree_takes_a_depth_only(api, world, query):
    answer = api.get(f"/api/v1/companies/{world['head']}/tree/?{query}")
    assert answer.status_code == 400


# action on which company, body, status, code
ACTIONS = [
    ("head/move", {"parent": "<sub>"}, 409, "would_close_cycle"),
    ("head/move", {"parent": "<head>"}, 409, "would_close_cycle"),
    ("sub/move", {}, 400, "invalid"),
    ("sub/move", {"parent": 99_999_999}, 400, "invalid"),
    ("sub/move", {"parent": None, "to": 1}, 400, "invalid"),
    ("sub/move/preview", {"parent": "x"}, 400, "invalid"),
    ("head/hold", {}, 400, "invalid"),
    ("head/hold", {"reason": " "}, 400, "invalid"),
    ("head/hold", {"reason": "x" * 501}, 400, "invalid"),
    ("head/hold", {"reason": "x", "status": "ACTIVE"}, 400, "invalid"),
]


@pytest.mark.parametrize(("action", "body", "status", "code"), ACTIONS)
def test_an_action_refuses_what_it_cannot_do(api, world, action, body, status, code):
    # given
    name, rest = action.split("/", 1)
    before = stored()
    # when
    answer = api.post(f"/api/v1/companies/{world[name]}/{rest}/", filled(body, world))
    # then
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert stored() == before


def test_a_stale_action_is_refused(api, world):
    for action, body in (("move", {"parent": None}), ("close", {"reason": "x"})):
        answer = api.post(
            f"/api/v1/companies/{world['sub']}/{action}/",
            body,
            headers={"If-Match": '"9"'},
        )
        assert (answer.status_code, answer.json()["code"]) == (412, "stale_version")


def test_a_hierarchy_has_a_deepest_level(api, settings):
    # given
    settings.COMPANY_MAX_DEPTH = 3
    *_, low = make_chain(3)
    # when
    answer = api.post("/api/v1/companies/", {"name": "Deeper", "parent": low.pk})
    # then
    assert (answer.status_code, answer.json()["code"]) == (409, "too_deep")
    assert Company.objects.count() == 3


def test_nothing_is_placed_below_a_closed_company(api):
    # given
    closed = make_company(status="CLOSED")
    # when
    answer = api.post("/api/v1/companies/", {"name": "New", "parent": closed.pk})
    # then
    assert (answer.status_code, answer.json()["code"]) == (409, "parent_closed")
    assert Company.objects.count() == 1


@pytest.mark.parametrize(
    ("code", "body", "pointer"),
    [
        ("a b", {"name": "x"}, "/code"),
        ("x" * 65, {"name": "x"}, "/code"),
        ("acme", {"name": "x", "code": "other"}, "/code"),
        ("acme", {"name": "x", "code": 5}, "/code"),
        ("acme", {}, "/name"),
        ("taken", {"name": "x", "parent": 1}, "/parent"),
    ],
)
def test_an_upsert_refuses(api, world, code, body, pointer):
    # given
    before = stored()
    # when
    answer = api.put(f"/api/v1/companies/by-code/{code}/", body)
    # then
    assert answer.status_code == 400, answer.content
    assert {error["pointer"] for error in answer.json()["errors"]} == {pointer}
    assert stored() == before


def test_hostile_text_is_kept_as_it_is(api):
    # given
    text = "<script>{{7*7}}{% load %}' OR 1=1--../../etc/passwd 👩‍👩‍👧 ﷺ"
    # when
    answer = api.post(
        "/api/v1/companies/",
        {"name": text, "attributes": json.loads('{"a": [1, 2.5]}')},
    )
    # then
    assert answer.status_code == 201
    assert answer.json()["name"] == text
    assert answer.json()["attributes"] == {"a": [1, 2.5]}
