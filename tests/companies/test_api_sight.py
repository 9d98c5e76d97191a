"""Who sees and may do what: scopes, and clients of some hierarchies only."""

import json
import re
import urllib.parse
from contextlib import closing
from http.client import HTTPConnection

import pytest
from rest_framework.test import APIClient

from companies.models import Company, CompanyLink, Contact, ContactAssignment, Location
from config.api_router import router
from integrations.clients import create_api_client
from tests.companies.conftest import SCOPES
from tests.factories import (
    make_assignment,
    make_chain,
    make_client,
    make_contact,
    make_link,
    make_location,
)

pytestmark = pytest.mark.django_db
MODELS = (Company, Contact, ContactAssignment, CompanyLink, Location)
CANARY = "canary"
ABSENT = 99_999_999


def history_of_all():
    return [model.history.count() for model in MODELS]


@pytest.fixture
def world(db):
    """Two hierarchies of three levels; everything in the foreign one has a canary."""

    def populate(name):
        head, middle, low = make_chain(3, name=name, website=f"https://{name}.example")
        contact = make_contact(last_name=name, email=f"{name}@example.com")
        return {
            "head": head,
            "middle": middle,
            "low": low,
            "contact": contact,
            "assignment": make_assignment(
                contact=contact, company=head, covers_subsidiaries=True
            ),
            "location": make_location(company=head, name=name, is_shared=True),
            "link": make_link(company=head, other=low),
        }

    own, foreign = populate("own"), populate(CANARY)
    Company.objects.filter(pk=foreign["head"].pk).update(
        code=CANARY, lei="529900T8BM49AURSDO55", registration_id="1", country="DE"
    )
    Company.objects.filter(pk=own["head"].pk).update(registration_id="1", country="DE")
    return {"own": own, "foreign": foreign}


@pytest.fixture
def http(world, call_as):
    """A client that may do everything, but only in its own hierarchy."""
    return call_as(make_client(scopes=SCOPES, hierarchies=(world["own"]["head"],)))


# method, path with {id}, the kind of object, body that would do
BY_PATH = [
    ("get", "companies/{id}/", "low", None),
    ("get", "companies/{id}/ancestors/", "low", None),
    ("get", "companies/{id}/children/", "low", None),
    ("get", "companies/{id}/descendants/", "low", None),
    ("get", "companies/{id}/tree/", "low", None),
    ("get", "companies/{id}/locations/", "low", None),
    ("get", "companies/{id}/people/", "low", None),
    ("get", "companies/{id}/history/", "low", None),
    ("put", "companies/{id}/", "low", {"name": "x"}),
    ("patch", "companies/{id}/", "low", {"name": "x"}),
    ("delete", "companies/{id}/", "low", None),
    ("post", "companies/{id}/move/", "low", {"parent": None}),
    ("get", "companies/{id}/quality/", "low", None),
    ("post", "companies/{id}/merge/", "low", {"into": 1}),
    ("post", "companies/{id}/merge/preview/", "low", {"into": 1}),
    ("post", "companies/{id}/unmerge/", "low", {}),
    ("post", "companies/{id}/move/preview/", "low", {"parent": None}),
    ("post", "companies/{id}/status/preview/", "low", {"status": "ON_HOLD"}),
    ("post", "companies/{id}/activate/", "low", {"reason": "x"}),
    ("post", "companies/{id}/hold/", "low", {"reason": "x"}),
    ("post", "companies/{id}/close/", "low", {"reason": "x"}),
    ("get", "locations/{id}/", "location", None),
    ("patch", "locations/{id}/", "location", {"name": "x"}),
    ("put", "locations/{id}/", "location", {}),
    ("delete", "locations/{id}/", "location", None),
    ("get", "contacts/{id}/", "contact", None),
    ("get", "contacts/{id}/companies/", "contact", None),
    ("patch", "contacts/{id}/", "contact", {"last_name": "x"}),
    ("put", "contacts/{id}/", "contact", {"email": "x@example.com"}),
    ("delete", "contacts/{id}/", "contact", None),
    ("post", "contacts/{id}/erase/", "contact", {}),
    ("get", "contact-assignments/{id}/", "assignment", None),
    ("patch", "contact-assignments/{id}/", "assignment", {"role": "ADMIN"}),
    ("put", "contact-assignments/{id}/", "assignment", {"role": "ADMIN"}),
    ("delete", "contact-assignments/{id}/", "assignment", None),
    ("get", "company-links/{id}/", "link", None),
    ("patch", "company-links/{id}/", "link", {"percent": "1"}),
    ("put", "company-links/{id}/", "link", {"kind": "OWNS"}),
    ("delete", "company-links/{id}/", "link", None),
]


def ask(http, method, path, body=None, version=1):
    options = {"headers": {"If-Match": f'"{version}"'}}
    url = f"/api/v1/{path}"
    if method in ("get", "delete"):
        return getattr(http, method)(url, **options)
    return getattr(http, method)(url, body, **options)


def without_request_id(answer):
    body = json.loads(answer.content)
    body.pop("request_id", None)
    headers = {
        name: value for name, value in answer.headers.items() if name != "X-Request-ID"
    }
    headers.pop("Content-Length", None)
    return answer.status_code, body, headers


@pytest.mark.parametrize(
    ("method", "path", "kind", "body"), BY_PATH, ids=lambda value: str(value)[:40]
)
def test_what_is_out_of_sight_does_not_exist(http, world, method, path, kind, body):
    # given
    foreign = world["foreign"]
    before = history_of_all()
    # when
    absent = ask(http, method, path.format(id=ABSENT), body)
    hidden = [
        ask(http, method, path.format(id=foreign[name].pk), body)
        for name in ({"head", "middle", "low"} if kind == "low" else {kind})
    ]
    # then
    assert absent.status_code == 404
    for answer in hidden:
        assert without_request_id(answer) == without_request_id(absent)
    assert history_of_all() == before
    seen = ask(http, method, path.format(id=world["own"][kind].pk), body)
    assert seen.status_code != 404


# resource, field of the body, kind of object, the rest of the body
BY_BODY = [
    ("companies", "parent", "head", {"name": "x"}),
    ("locations", "company", "head", {}),
    ("contact-assignments", "company", "low", {"contact": "contact"}),
    ("contact-assignments", "contact", "contact", {"company": "low"}),
    ("company-links", "company", "head", {"other": "low", "kind": "OWNS"}),
    ("company-links", "other", "head", {"company": "low", "kind": "OWNS"}),
    ("companies/{low}/move", "parent", "head", {}),
    ("companies/{low}/move/preview", "parent", "head", {}),
]


@pytest.mark.parametrize(("resource", "field", "kind", "rest"), BY_BODY)
def test_an_id_out_of_sight_cannot_be_named(http, world, resource, field, kind, rest):
    # given
    own, foreign = world["own"], world["foreign"]
    others = {
        name: own[value].pk if value in own else value for name, value in rest.items()
    }
    path = resource.format(low=own["low"].pk) + "/"
    before = history_of_all()
    # when
    hidden, absent = (
        http.post(f"/api/v1/{path}", others | {field: pk})
        for pk in (foreign[kind].pk, ABSENT)
    )
    # then
    assert hidden.status_code == absent.status_code == 400
    shown = hidden.json()["errors"][0]
    assert (shown["pointer"], shown["code"]) == (f"/{field}", "does_not_exist")
    message = re.sub(rf"\b{foreign[kind].pk}\b", str(ABSENT), shown["message"])
    assert message == absent.json()["errors"][0]["message"]
    assert history_of_all() == before


@pytest.mark.parametrize(
    "query",
    [
        "companies/?parent={head}",
        "companies/?head={head}",
        "companies/?under={head}",
        "companies/?above={low}",
        "companies/duplicates/?company={head}",
        "locations/?company={head}",
        "contacts/?company={head}",
        "contact-assignments/?company={head}",
        "contact-assignments/?contact={contact}",
        "company-links/?company={head}",
        "company-links/?other={low}",
        "company-links/?of={low}",
    ],
)
def test_a_filter_cannot_name_what_is_out_of_sight(http, world, query):
    # given
    ids = {name: found.pk for name, found in world["foreign"].items()}
    # when
    hidden = http.get("/api/v1/" + query.format(**ids))
    absent = http.get("/api/v1/" + query.format(**dict.fromkeys(ids, ABSENT)))
    # then
    assert hidden.status_code == 400
    assert without_request_id(hidden) == without_request_id(absent)


@pytest.mark.parametrize(
    "path",
    [
        "companies/?expand=parent,head&count=true",
        f"companies/?q={CANARY}",
        "companies/{head}/descendants/",
        "companies/{head}/tree/",
        "companies/{low}/locations/",
        "companies/{low}/people/",
        "companies/{head}/history/",
        "companies/duplicates/?company={head}",
        "locations/?expand=company",
        "contacts/",
        f"contacts/?q={CANARY}",
        "contacts/{contact}/companies/",
        "contact-assignments/?expand=contact,company",
        "company-links/?expand=company,other",
    ],
)
def test_no_list_tells_of_other_hierarchies(http, world, path):
    # given
    ids = {name: found.pk for name, found in world["own"].items()}
    make_link(company=world["own"]["head"], other=world["foreign"]["head"])
    make_assignment(contact=world["own"]["contact"], company=world["foreign"]["low"])
    # when
    answer = http.get("/api/v1/" + path.format(**ids))
    # then
    assert answer.status_code == 200
    assert CANARY not in answer.content.decode()
    if "count" in answer.json():
        assert answer.json()["count"] == 3


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("companies/", {"name": "x", "code": CANARY.upper()}),
        ("companies/", {"name": "x", "legal_info": {"lei": "529900T8BM49AURSDO55"}}),
        ("contacts/", {"email": f"{CANARY}@EXAMPLE.com"}),
    ],
)
def test_what_others_have_taken_is_not_named(http, world, path, body):
    # given
    body = body | ({"parent": world["own"]["head"].pk} if "name" in body else {})
    before = history_of_all()
    # when
    answer = http.post(f"/api/v1/{path}", body)
    # then
    assert answer.status_code == 400
    assert CANARY not in answer.content.decode().lower()
    assert str(world["foreign"]["head"].pk) not in answer.json()["errors"][0]["message"]
    assert history_of_all() == before


def test_an_upsert_does_not_reach_into_other_hierarchies(http, world):
    # given
    before = history_of_all()
    # when
    read = http.get(f"/api/v1/companies/by-code/{CANARY}/")
    absent = http.get("/api/v1/companies/by-code/none/")
    written = http.put(
        f"/api/v1/companies/by-code/{CANARY}/",
        {"name": "x", "parent": world["own"]["head"].pk},
    )
    # then
    assert without_request_id(read) == without_request_id(absent)
    assert written.status_code == 400
    assert written.json()["errors"][0]["code"] == "duplicate_code"
    assert history_of_all() == before


def test_a_client_of_some_hierarchies_makes_no_head_company(http, world):
    # given
    before = history_of_all()
    # when
    created = http.post("/api/v1/companies/", {"name": "x"})
    upserted = http.put("/api/v1/companies/by-code/mine/", {"name": "x"})
    low = world["own"]["low"].pk
    moved = http.post(f"/api/v1/companies/{low}/move/", {"parent": None})
    previewed = http.post(f"/api/v1/companies/{low}/move/preview/", {"parent": None})
    # then
    for answer in (created, upserted, moved, previewed):
        assert (answer.status_code, answer.json()["code"]) == (403, "out_of_sight")
    assert history_of_all() == before


def test_a_client_of_a_part_does_not_take_it_out_of_the_whole(world, call_as):
    # given
    own = world["own"]
    http = call_as(make_client(scopes=SCOPES, hierarchies=(own["middle"],)))
    # when
    answer = http.post(f"/api/v1/companies/{own['middle'].pk}/move/", {"parent": None})
    # then
    assert (answer.status_code, answer.json()["code"]) == (403, "out_of_sight")
    assert http.get(f"/api/v1/companies/{own['head'].pk}/").status_code == 404
    shown = http.get(f"/api/v1/companies/{own['low'].pk}/ancestors/").json()["results"]
    assert [row["id"] for row in shown] == [own["middle"].pk]


def needed_scope(method, path):
    if path.startswith("imports"):
        return "imports:write"
    if any(f"/{change}/" in path for change in ("move", "merge", "unmerge")):
        return "companies:move"
    area = (
        "contacts" if path.startswith("contact") or "/people/" in path else "companies"
    )
    return f"{area}:{'read' if method == 'get' else 'write'}"


LISTS = ["companies", "locations", "contacts", "contact-assignments", "company-links"]
SCOPED = [
    *BY_PATH,
    *[("get", f"{path}/", None, None) for path in LISTS],
    *[("post", f"{path}/", None, {}) for path in LISTS],
    ("get", "companies/by-code/x/", None, None),
    ("put", "companies/by-code/x/", None, {}),
    ("get", "companies/duplicates/", None, None),
    # What a client of some hierarchies may do there: test_api_bulk.py
    ("post", "companies/bulk/", None, {"companies": []}),
    # Whose imports are shown to whom: tests/companies/test_api_imports.py
    ("get", "imports/", None, None),
    ("post", "imports/", None, {}),
    ("get", "imports/{id}/", "head", None),
    ("get", "imports/{id}/records/", "head", None),
    ("post", "imports/{id}/plan/", "head", {}),
    ("post", "imports/{id}/apply/", "head", {}),
    ("post", "imports/{id}/cancel/", "head", {}),
]


@pytest.mark.parametrize(
    ("method", "path", "kind", "body"), SCOPED, ids=lambda value: str(value)[:40]
)
def test_each_operation_needs_its_scope(world, call_as, method, path, kind, body):
    # given
    scope = needed_scope(method, path)
    client = make_client(scopes=SCOPES, sees_all=True)
    path = path.format(id=world["own"][kind].pk) if kind else path
    without = " ".join(set(SCOPES.split()) - {scope})
    before = history_of_all()
    # when
    denied = ask(call_as(client, scopes=without), method, path, body)
    nobody = ask(APIClient(), method, path, body)
    # then
    assert (denied.status_code, denied.json()["code"]) == (403, "insufficient_scope")
    assert denied.json()["details"] == {"scope": scope}
    assert (nobody.status_code, nobody.json()["code"]) == (401, "not_authenticated")
    assert history_of_all() == before
    allowed = ask(call_as(client, scopes=scope), method, path, body)
    assert allowed.status_code not in (401, 403)


def test_every_operation_is_in_the_table_of_scopes():
    # given
    tabled = {(method, path) for method, path, _kind, _body in SCOPED}
    # then
    found = set()
    for prefix, view, _basename in router.registry:
        if not view.__module__.startswith("companies.") or prefix.startswith("as/"):
            continue  # acting for people: tests/matrix
        for route in router.get_routes(view):
            for method in router.get_method_map(view, route.mapping):
                path = route.url.strip("^$").replace("{prefix}", prefix)
                path = path.replace("{lookup}", "{id}").replace("{trailing_slash}", "/")
                found.add((method, re.sub(r"\(\?P<code>[^)]*\)", "x", path)))
    assert found == tabled


def test_from_token_to_company_to_tree_over_real_http(live_server):
    # given
    head, sub = make_chain(2)
    client, secret = create_api_client(
        "shop", scopes="companies:read", hierarchies=(head,)
    )
    address = urllib.parse.urlsplit(live_server.url).netloc
    form = urllib.parse.urlencode(
        {
            "grant_type": "client_credentials",
            "client_id": client.client_id,
            "client_secret": secret,
            "scope": "companies:read",
        }
    )

    def call(method, path, body=None, **headers):
        connection = HTTPConnection(address, timeout=10)
        connection.request(method, path, body, headers)
        with closing(connection):
            return json.load(connection.getresponse())

    # when
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    token = call("POST", "/oauth/token/", form, **kind)["access_token"]
    sent = {"Authorization": f"Bearer {token}"}
    company = call("GET", f"/api/v1/companies/by-code/{sub.code}/", **sent)
    tree = call("GET", f"/api/v1/companies/{company['head']}/tree/", **sent)
    # then
    assert company["id"] == sub.pk
    assert [node["id"] for node in tree["children"]] == [sub.pk]
