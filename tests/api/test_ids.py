"""Ids and codes in paths (B6); those in bodies are beside their fields."""

import pytest

from tests.api.asking import RECORDED

pytestmark = pytest.mark.django_db

NO_IDS = {
    "0": "0",
    "negative": "-1",
    "2^63": str(2**63),
    "40 digits": "9" * 40,
    "5,000 digits": "9" * 5_000,
    "Arabic digits": "\u0661",
    "fraction": "1.0",
    "exponent": "1e3",
    "plus": "+1",
    "leading zero": "01",
    "blank": "%201",
    "UUID": "7f1b2c9e-0b6e-4d8c-9d55-0c4b7f0f2a11",
    "NUL": "1%00",
    "line break": "1%0A",
    "dots": "%2e%2e",
    "word": "abc",
    "format suffix": "1.json",
    "never given": "99999999",
}
RESOURCES = (
    "companies",
    "contacts",
    "contact-assignments",
    "locations",
    "company-links",
)


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize("pk", NO_IDS.values(), ids=NO_IDS)
def test_what_is_no_id_does_not_exist(world, resource, pk):
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        body = None if method in ("GET", "DELETE") else {"name": "x"}
        path = f"{resource}/{pk}/"
        world.refuses(404, "not_found", method, path, body, If_Match='"1"')


ACTIONS = [
    ("GET", "companies/{}/ancestors/"),
    ("GET", "companies/{}/children/"),
    ("GET", "companies/{}/descendants/"),
    ("GET", "companies/{}/tree/"),
    ("GET", "companies/{}/locations/"),
    ("GET", "companies/{}/people/"),
    ("GET", "companies/{}/history/"),
    ("POST", "companies/{}/move/"),
    ("POST", "companies/{}/move/preview/"),
    ("POST", "companies/{}/activate/"),
    ("POST", "companies/{}/hold/"),
    ("POST", "companies/{}/close/"),
    ("GET", "contacts/{}/companies/"),
    ("POST", "contacts/{}/erase/"),
]


@pytest.mark.parametrize(("method", "path"), ACTIONS)
@pytest.mark.parametrize("pk", ["0", "abc", "9" * 19, "1%00", "99999999"])
def test_nothing_is_done_with_what_does_not_exist(world, method, path, pk):
    body = {"reason": "x"} if method == "POST" else None
    world.refuses(404, "not_found", method, path.format(pk), body)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        "companies/<head>",
        "companies//",
        "companies/<head>/nothing/",
        "companies/<head>/move/it/",
        "nothing/",
        "../../admin/",
        "%2e%2e/%2e%2e/admin/",
    ],
)
def test_other_paths_are_not_there(world, method, path):
    world.refuses(404, "not_found", method, path)


def test_an_id_is_one_of_its_own_kind(world):
    # given: an id that companies have and locations do not
    pk = max(world.ids[name] for name in ("head", "sub", "low", "other", "closed"))
    assert pk not in (world.ids["location"], world.ids["elsewhere"])
    # then
    world.refuses(404, "not_found", "GET", f"locations/{pk}/")


def test_what_was_deleted_does_not_exist(world):
    # given
    path = "companies/<low>/"
    world.accepts("DELETE", path, If_Match='"1"')
    # then
    for method in ("GET", "DELETE"):
        world.refuses(404, "not_found", method, path, If_Match='"1"')
    body = {"name": "Below", "parent": "<low>"}
    world.refuses(400, "does_not_exist", "POST", "companies/", world.filled(body))


NO_CODES = {
    "blank": "a%20b",
    "of other letters": "%C3%A4",
    "65 characters": "y" * 65,
    "NUL": "a%00",
    "line break": "a%0A",
    "quote": "a'b",
}


@pytest.mark.parametrize("code", NO_CODES.values(), ids=NO_CODES)
def test_what_is_no_code_is_neither_found_nor_made(world, code):
    path = f"companies/by-code/{code}/"
    world.refuses(404, "not_found", "GET", path)
    world.refuses(400, "code", "PUT", path, {"name": "New"})


@pytest.mark.parametrize(
    "path",
    ["companies/by-code//", "companies/by-code/a/b/", "companies/by-code/a%2Fb/"],
)
def test_a_code_is_one_step_of_a_path(world, path):
    for method, body in (("GET", None), ("PUT", {"name": "New"})):
        world.refuses(404, "not_found", method, path, body)


@pytest.mark.parametrize("code", ["TAKEN", "Taken", "taken"])
def test_a_code_is_found_in_any_case(world, code):
    found = world.ask("GET", f"companies/by-code/{code}/").json()
    assert (found["id"], found["code"]) == (world.ids["head"], "taken")
    again = world.accepts("PUT", f"companies/by-code/{code}/", {"name": "Again"})
    assert (again["id"], again["code"]) == (world.ids["head"], "taken")


def test_a_code_that_looks_like_an_id_is_none(world):
    # given
    code = str(world.ids["head"])
    # when
    made = world.accepts("PUT", f"companies/by-code/{code}/", {"name": "Number"})
    # then
    assert (made["code"], made["id"]) == (code, int(made["id"]))
    assert made["id"] != world.ids["head"]
    by_code = world.ask("GET", f"companies/by-code/{code}/").json()
    by_id = world.ask("GET", f"companies/{code}/").json()
    assert (by_code["name"], by_id["id"]) == ("Number", world.ids["head"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "x", "code": "other-code"}, "read_only"),
        ({"name": "x", "code": 5}, "read_only"),
        ({"name": "x", "code": None}, "read_only"),
        ({"name": "x", "parent": "<other>"}, "read_only"),
        ({"name": ""}, "blank"),
        ({}, "required"),
    ],
)
def test_an_upsert_changes_no_key_and_no_place(world, body, code):
    world.refuses(400, code, "PUT", "companies/by-code/taken/", body)


def test_objects_of_all_kinds_were_asked_for():
    assert len(RESOURCES) == len(RECORDED)
