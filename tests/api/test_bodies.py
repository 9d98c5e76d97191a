"""Bodies that are no JSON, or JSON of a wrong shape (B1, B2)."""

import json

import pytest

from groups.models import CustomerGroup

pytestmark = pytest.mark.django_db
MIB = 1024 * 1024

BYTES = {
    "empty": b"",
    "null": b"null",
    "array": b"[]",
    "string": b'"text"',
    "number": b"1",
    "truncated": b'{"name": "a',
    "trailing comma": b'{"name": "a",}',
    "single quotes": b"{'name': 'a'}",
    "comment": b'{"name": "a" /* b */}',
    "byte order mark": b'\xef\xbb\xbf{"name": "a"}',
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "UTF-32": '{"name": "a"}'.encode("utf-32"),
    "no UTF-8": b'{"name": "\xff"}',
    "overlong": b'{"name": "\xc0\xaf"}',
    "duplicate keys": b'{"name": "a", "name": "b"}',
    "NaN": b'{"name": "a", "attributes": {"a": NaN}}',
    "Infinity": b'{"name": "a", "attributes": {"a": -Infinity}}',
    "1e400": b'{"name": "a", "attributes": {"a": 1e400}}',
    "arrays nested 21": b'{"attributes": {"a": ' + b"[" * 19 + b"]" * 19 + b"}}",
    "arrays nested 900": b'{"attributes": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}",
    "arrays nested 20,000": b'{"name": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "arrays nested 100,000": b'{"name": ' + b"[" * 100_000,
    "objects nested 100,000": b'{"a":' * 100_000,
    "a million elements": b'{"attributes": {"a": [' + b"1," * 400_000 + b"1]}}",
    "5,000 digits": b'{"parent": ' + b"9" * 5_000 + b"}",
    "NUL in a text": b'{"name": "a\\u0000"}',
    "NUL in a value": b'{"name": "a", "attributes": {"a": ["\\u0000"]}}',
    "NUL in a key": b'{"name": "a", "attributes": {"a\\u0000": 1}}',
    "lone surrogate": b'{"name": "\\ud800"}',
    "lone surrogate in a value": b'{"name": "a", "attributes": {"a": "\\udfff"}}',
    "raw NUL": b'{"name": "a\x00"}',
}
METHODS = {
    "POST": "companies/",
    "PUT": "companies/<head>/",
    "PATCH": "companies/<head>/",
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("body", BYTES.values(), ids=BYTES)
def test_what_is_no_strict_json_is_refused(world, method, body):
    world.refuses(400, "parse_error", method, METHODS[method], body, If_Match='"1"')


@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b"{"])
@pytest.mark.parametrize(
    "path",
    [
        "companies/<sub>/move/",
        "companies/<sub>/move/preview/",
        "companies/<sub>/hold/",
        "contacts/<contact>/erase/",
    ],
)
def test_actions_read_as_strictly(world, path, body):
    world.refuses(400, "parse_error", "POST", path, body)


@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b"", b'{"name": "a",}'])
def test_upserts_read_as_strictly(world, body):
    for code in ("taken", "new"):
        world.refuses(400, "parse_error", "PUT", f"companies/by-code/{code}/", body)


@pytest.mark.parametrize(
    "kind",
    [
        "application/json; charset=utf-7",
        "application/json; charset=utf-16",
        "application/json; charset=foo-bar",
        "application/json; charset=",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "nonsense",
    ],
)
def test_bodies_are_json_in_utf_8(world, kind):
    body = b'{"name": "+ADw-script+AD4-"}'
    world.refuses(
        415, "unsupported_media_type", "POST", "companies/", body, Content_Type=kind
    )


def test_a_body_has_at_most_a_mebibyte(world):
    text = "x" * MIB
    world.refuses(413, "body_too_large", "POST", "companies/", {"name": text})
    world.refuses(413, "body_too_large", "POST", "companies/", {text: 1})
    # beside it: too long for the field, no more
    short = {"name": "x" * (MIB - 100)}
    world.refuses(400, "max_length", "POST", "companies/", short)


SHAPES = [
    ({f"key{number}": 1 for number in range(10_000)}, "unknown_field"),
    ({"name": "a", "nmae": "b"}, "unknown_field"),
    ({"name": "a", "x" * 5_000: "b"}, "unknown_field"),
    ({"name": ["a"]}, "invalid"),
    ({"name": {"a": 1}}, "invalid"),
    ({"name": 5}, "invalid"),
    ({"name": True}, "invalid"),
    ({"name": None}, "null"),
    ({}, "required"),
    ({"name": "a", "id": 7}, "read_only"),
    ({"name": "a", "version": 7}, "read_only"),
    ({"name": "a", "created_at": "2026-01-01T00:00:00Z"}, "read_only"),
    ({"name": "a", "legal_info": []}, "invalid"),
    ({"name": "a", "legal_info": {"lft": 1}}, "unknown_field"),
    ({"name": "a", "attributes": [1]}, "not_an_object"),
    ({"name": "a", "attributes": "{}"}, "not_an_object"),
]


@pytest.mark.parametrize(("body", "code"), SHAPES, ids=range(len(SHAPES)))
def test_json_of_a_wrong_shape_is_refused(world, body, code):
    world.refuses(400, code, "POST", "companies/", body)


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("locations/<location>/", {"company": "<other>"}),
        ("contact-assignments/<assignment>/", {"company": "<other>"}),
        ("contact-assignments/<assignment>/", {"contact": "<free>"}),
        ("company-links/<link>/", {"other": "<other>"}),
        ("companies/<sub>/", {"parent": "<other>"}),
        ("companies/<sub>/", {"parent": None}),
        ("companies/<sub>/", {"code": "another"}),
        ("companies/<sub>/", {"status": "CLOSED"}),
    ],
)
def test_what_an_object_is_about_is_not_changed(world, path, change):
    world.refuses(400, "read_only", "PATCH", path, change, If_Match='"1"')


def test_a_put_that_leaves_out_what_the_server_made_loses_nothing(world):
    # given
    groups = list(CustomerGroup.objects.order_by("pk").values())
    # when
    found = world.accepts("PUT", "companies/<sub>/", {"name": "Whole"}, If_Match='"1"')
    # then
    assert (found["name"], found["parent"]) == ("Whole", world.ids["head"])
    assert list(CustomerGroup.objects.order_by("pk").values()) == groups


def test_null_in_a_merge_patch_removes(world):
    def patch(version, **attributes):
        body, match = {"attributes": attributes}, f'"{version}"'
        return world.accepts("PATCH", "companies/<sub>/", body, If_Match=match)

    patch(1, keep=1, drop={"a": 1, "b": 2})
    found = patch(2, drop={"a": None}, missing=None)

    assert found["attributes"] == {"keep": 1, "drop": {"b": 2}}


def test_attributes_have_at_most_16_kib(world):
    frame = len(json.dumps({"a": ""}))
    fits = world.accepts(
        "POST",
        "companies/",
        {"name": "Fits", "attributes": {"a": "y" * (16 * 1024 - frame)}},
    )
    assert len(json.dumps(fits["attributes"])) == 16 * 1024
    too_large = {"name": "More", "attributes": {"a": "y" * (16 * 1024 - frame + 1)}}
    world.refuses(400, "too_large", "POST", "companies/", too_large)
