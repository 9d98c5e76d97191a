"""Who may do what: every route, every caller, every place in which an id can stand.

The cells are made from the tables in `general.py` and `acting.py`. Of each refusal:
the status, nothing changed, and nothing of others (canaries) in body or headers.
"""

import copy
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.db import transaction
from rest_framework.test import APIClient

from config.api_router import router
from tests import figures
from tests.http import KeyedClient
from tests.matrix.acting import DEEDS, Deed
from tests.matrix.general import OPERATIONS, Operation
from tests.matrix.world import (
    ABSENT,
    ALL,
    CANARY,
    INSIDE,
    MALFORMED,
    OUTSIDE,
    World,
    fingerprint,
    make_world,
)

pytestmark = pytest.mark.django_db
CELLS: Counter[str] = Counter()


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture(autouse=True, scope="module")
def _tell() -> Iterator[None]:
    yield
    figures.show(f"permission matrix: {dict(CELLS)}, {CELLS.total()} cells")


# --- Filling in


def filled(value: Any, ids: dict[str, Any]) -> Any:
    """`value` with each "<kind>" replaced by the id of such a thing."""
    match value:
        case dict():
            return {name: filled(inner, ids) for name, inner in value.items()}
        case list():
            return [filled(inner, ids) for inner in value]
        case str() if match := re.fullmatch("<([a-z_]+)>", value):
            return ids[match[1]]
        case str():
            return re.sub("<([a-z_]+)>", lambda match: str(ids[match[1]]), value)
    return value


def path_of(path: str, ids: dict[str, Any], pk: Any = "") -> str:
    return "/api/v1/" + filled(path, ids).replace("{id}", str(pk))


def call(http: APIClient, method: str, path: str, body: Any = None) -> Any:
    headers = {} if "/by-code/" in path else {"If-Match": '"1"'}
    if method in ("get", "delete"):
        return getattr(http, method)(path, headers=headers)
    if body == {} and path.endswith("/imports/"):
        return http.post(path, {}, format="multipart", headers=headers)
    return getattr(http, method)(path, body, headers=headers)


class Undo(Exception):
    pass


@contextmanager
def undone() -> Iterator[None]:
    """Whatever is done in here is taken back."""
    with suppress(Undo), transaction.atomic():
        yield
        raise Undo


def cell(
    kind: str,
    http: APIClient,
    method: str,
    path: str,
    body: Any,
    status: int,
    *,
    code: str = "",
) -> Any:
    """One cell: asked, compared, and undone."""
    CELLS[kind] += 1
    with undone():
        before = fingerprint() if status >= 400 else ""
        answer = call(http, method, path, copy.deepcopy(body))
        after = fingerprint() if status >= 400 else ""
    told = (method, path, body, answer.status_code, answer.content[:500])
    assert answer.status_code == status, told
    if status >= 400:
        assert answer.json().get("code") == (code or answer.json()["code"]), told
        assert after == before, told
        shown = answer.content.decode() + str(dict(answer.headers))
        sent = json.dumps(body) + path
        if CANARY not in sent:
            assert CANARY not in shown.lower(), told
    return answer


def same(one: Any, other: Any) -> None:
    """Byte for byte but for the request's id: nobody can tell them apart."""

    def plain(answer: Any) -> tuple[Any, ...]:
        body = json.loads(answer.content)
        body.pop("request_id")
        headers = {
            name: value
            for name, value in answer.headers.items()
            if name not in ("X-Request-ID", "Content-Length")
        }
        return answer.status_code, json.dumps(body), headers

    assert plain(one) == plain(other)


# --- The general family


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: f"{o.method}-{o.path}")
def test_general(world: World, operation: Operation) -> None:
    own = world.own.ids | {"code": "own-sub"}
    foreign = world.foreign.ids | {"code": f"{CANARY}-sub"}
    method, body = operation.method, filled(operation.body, own)
    mine = path_of(operation.path, own, own.get(operation.kind, ""))
    theirs = path_of(operation.path, foreign, foreign.get(operation.kind, ""))
    absent_ids = dict.fromkeys(own, ABSENT) | {"code": "absent"}
    absent = path_of(operation.path, absent_ids, ABSENT)
    sufficient = {operation.scope, operation.also} - {""}
    every = {*ALL.split(), "act"}
    needed = operation.scope
    if operation.path == "imports/{id}/" or operation.path.startswith("imports/{id}/"):
        needed = f"{needed} companies:write"  # of what the file holds
    right = world.caller(needed)

    # Who has no right to it hears nothing of it, whatever the id.
    for path in {mine, theirs, absent}:
        anonymous = APIClient(raise_request_exception=False)
        cell("AN", anonymous, method, path, body, 401)
        others = sorted(every - sufficient)
        for scope in others if path == mine else ("act", others[-1]):
            kind = "ACT" if scope == "act" else "other scope"
            caller = world.caller(scope)
            cell(kind, caller, method, path, body, 403, code="insufficient_scope")

    cell("own", right, method, mine, body, operation.status)
    if theirs != mine and operation.kind and "by-code" not in operation.path:
        hidden = cell("foreign id", right, method, theirs, body, 404)
        same(hidden, cell("absent id", right, method, absent, body, 404))
        other = world.caller(needed, sees="foreign")
        cell("other client", other, method, mine, filled(operation.body, foreign), 404)
        for malformed in MALFORMED:
            path = path_of(operation.path, own, malformed)
            cell("malformed id", right, method, path, body, 404)
    for place, kind in operation.refs.items():
        reference(right, operation, place, kind, world)


def reference(
    http: APIClient, operation: Operation, place: str, kind: str, world: World
) -> None:
    """An id in the body or the query that the caller cannot see does not exist."""
    own, foreign = world.own.ids, world.foreign.ids
    in_list = kind.startswith("[")
    kind = kind.strip("[]")
    answers = []
    for what, pk in (("foreign", foreign[kind]), ("absent", ABSENT)):
        path = path_of(operation.path, own, own.get(operation.kind, ""))
        body = filled(operation.body, own)
        status = 400
        if place.startswith("?"):
            name = place[1:]
            bare, _sign, query = path.partition("?")
            parts = [p for p in query.split("&") if p and not p.startswith(f"{name}=")]
            path = f"{bare}?{'&'.join([*parts, f'{name}={pk}'])}"
            if "pricing-context" in path:
                status = 404
        else:
            body = body | {place[1:]: [pk] if in_list else pk}
        kind_of_cell = f"{what} id in {'query' if place[0] == '?' else 'body'}"
        answers.append(cell(kind_of_cell, http, operation.method, path, body, status))
    hidden, absent = (answer.content.decode() for answer in answers)
    hidden = re.sub(rf"\b{foreign[kind]}\b", str(ABSENT), hidden)
    first, second = json.loads(hidden), json.loads(absent)
    assert first | {"request_id": ""} == second | {"request_id": ""}


def test_the_code_of_another_hierarchy_is_taken_and_nothing_more(world: World) -> None:
    http = world.caller("companies:read companies:write")
    path = f"/api/v1/companies/by-code/{CANARY}-sub/"
    absent = "/api/v1/companies/by-code/absent/"
    same(
        cell("foreign id", http, "get", path, None, 404),
        cell("absent id", http, "get", absent, None, 404),
    )
    body = {"name": "x", "parent": world.own.ids["head"]}
    cell("foreign id", http, "put", path, body, 400)


# --- The acting family


def acting_path(world: World, who: int, where: int, path: str, pk: Any = "") -> str:
    return path_of(f"as/{who}/in/{where}/{path}", world.own.ids, pk)


@pytest.mark.parametrize("deed", DEEDS, ids=lambda d: f"{d.method}-{d.path}")
def test_acting(world: World, deed: Deed) -> None:
    http = world.caller("act")
    ids, sub = world.own.ids, world.own.sub.pk
    body = filled(deed.body, ids)
    mine = ids.get(deed.kind, "")
    method = deed.method

    # Other callers
    path = acting_path(world, world.people["AD"].pk, sub, deed.path, mine)
    cell("AN", APIClient(raise_request_exception=False), method, path, body, 401)
    for scope in ALL.split():
        caller = world.caller(scope)
        cell("other scope", caller, method, path, body, 403, code="insufficient_scope")
    shop = world.caller("act", sees="foreign")
    hidden = cell("other client", shop, method, path, body, 404)

    # People outside, and places where people inside are nobody
    for name in OUTSIDE:
        who = world.people[name].pk
        path = acting_path(world, who, sub, deed.path, mine)
        same(cell(name, http, method, path, body, 404), hidden)
    for who, where in placed(world):
        path = acting_path(world, who, where, deed.path, mine)
        same(cell("not there", http, method, path, body, 404), hidden)
    for malformed in MALFORMED:
        path = acting_path(world, malformed, sub, deed.path, mine)
        cell("malformed contact", http, method, path, body, 404)
        path = acting_path(world, world.people["AD"].pk, malformed, deed.path, mine)
        cell("malformed company", http, method, path, body, 404)

    # People inside
    for name, status in zip(INSIDE, deed.statuses, strict=True):
        who = world.people[name].pk
        path = acting_path(world, who, sub, deed.path, mine)
        cell(name, http, method, path, body, status)
        for pk in elsewhere(world, deed):
            path = acting_path(world, who, sub, deed.path, pk)
            same(cell(f"{name} elsewhere", http, method, path, body, 404), hidden)
    for place, kind in deed.refs.items():
        named(http, world, deed, place, kind)


def placed(world: World) -> list[tuple[int, int]]:
    """Contact and company, of which the contact is nobody there."""
    own = world.own
    buyer, admin = world.people["BY"].pk, world.people["AD"].pk
    return [
        (ABSENT, own.sub.pk),
        (admin, ABSENT),
        (admin, own.head.pk),
        (admin, own.sister.pk),
        (admin, own.leaf.pk),  # covers no subsidiaries
        (buyer, own.head.pk),
        (admin, world.foreign.sub.pk),
        (world.foreign.ids["admin"], world.foreign.sub.pk),
        (world.own.ids["above_contact"], own.sub.pk),
    ]


def elsewhere(world: World, deed: Deed) -> list[int]:
    """Ids of such things above, beside, in another hierarchy, and nowhere."""
    if not deed.kind:
        return []
    kind = {"requester": "contact", "own_stand_in": "stand_in"}.get(
        deed.kind, deed.kind
    )
    there = [world.own.ids[f"{place}_{kind}"] for place in ("above", "sister")]
    return [*there, world.foreign.ids[kind], ABSENT]


def named(http: APIClient, world: World, deed: Deed, place: str, kind: str) -> None:
    """An id in the body that the person may not know does not exist."""
    who = world.people[deed.who_names].pk
    mine = world.own.ids.get(deed.kind, "")
    path = acting_path(world, who, world.own.sub.pk, deed.path, mine)
    body, field = filled(deed.body, world.own.ids), place[1:]
    unknown = {"foreign": world.foreign.ids[kind], "absent": ABSENT}
    if kind == "location":
        unknown |= {
            name: world.own.ids[f"{name}_location"] for name in ("above", "sister")
        }
    for what, pk in unknown.items():
        sent = body | {field: pk}
        answer = cell(f"{what} id in body", http, deed.method, path, sent, 400)
        (error,) = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == (place, "does_not_exist")


# --- Nothing is forgotten


def routes() -> set[tuple[str, str]]:
    found = set()
    for prefix, view, _basename in router.registry:
        for route in router.get_routes(view):
            for method in router.get_method_map(view, route.mapping):
                if method not in view.http_method_names:
                    continue
                path = route.url.strip("^$").replace("{prefix}", prefix)
                path = path.replace("{lookup}", "{id}").replace("{trailing_slash}", "/")
                path = re.sub(r"\(\?P<(\w+)>(\[\^/\]|\[[^\]]*\])[^)]*\)", r"<\1>", path)
                found.add((method, path))
    return found


def test_every_route_has_a_row() -> None:
    general = {(o.method, o.path.partition("?")[0]) for o in OPERATIONS}
    acting = {(d.method, f"as/<contact>/in/<company>/{d.path}") for d in DEEDS}
    assert routes() == general | acting


@pytest.mark.parametrize("method", ["head", "options", "trace"])
def test_other_methods_do_nothing(world: World, method: str) -> None:
    http = KeyedClient(token="none")
    before = fingerprint()
    for _method, path in sorted(routes()):
        url = path_of(
            path, dict.fromkeys(world.own.ids, 1) | {"code": "x", "company": 1}, 1
        )
        answer = getattr(http, method)(url)
        CELLS[method] += 1
        assert answer.status_code in (401, 405), (url, answer.status_code)
        assert CANARY not in answer.content.decode()
    assert fingerprint() == before


@pytest.mark.parametrize("suffix", [".json", ".api", "?format=json"])
def test_there_are_no_other_formats(world: World, suffix: str) -> None:
    http = world.caller(f"{ALL}")
    path = f"/api/v1/companies/{world.own.sub.pk}"
    url = f"{path}/{suffix}" if suffix.startswith("?") else f"{path}{suffix}"
    assert http.get(url).status_code == (400 if suffix.startswith("?") else 404)
