"""Texts of all kinds, in fields that people read (B3)."""

import pytest

from tests.api.asking import GOOD

pytestmark = pytest.mark.django_db

REFUSED = {
    "empty": ("", "blank"),
    "blanks": ("   ", "blank"),
    "tab": ("\t", "blank"),
    "only U+200B": ("\u200b", "blank"),
    "only no-break spaces": ("\u00a0\u00a0", "blank"),
    "only U+FFFF": ("\uffff", "blank"),
    "only U+202E": ("\u202e", "blank"),
    "one character more": ("x" * 251, "max_length"),
    "10 kB": ("x" * 10_000, "max_length"),
    "1,000 combining marks": ("e" + "\u0301" * 1_000, "max_length"),
}
KEPT = {
    "length 1": ("x", "x"),
    "at the limit": ("y" * 250, "y" * 250),
    "at the limit, not of ASCII": ("\U0001f692" * 250, "\U0001f692" * 250),
    "blanks around": ("  Acme \t", "Acme"),
    "line break": ("Ac\r\nme", "Ac me"),
    "U+2028": ("Ac\u2028me", "Ac me"),
    "U+202E inside": ("Ac\u202eme", "Acme"),
    "NFD": ("A\u030arhus", "\u00c5rhus"),
    "I with and without dot": ("\u0130\u0131", "\u0130\u0131"),
    "sharp s": ("Stra\u00dfe", "Stra\u00dfe"),
    "emoji with joiners": ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
    "U+FDFA": ("\ufdfa", "\ufdfa"),
    "right to left": ("شركة", "شركة"),
    "markup": ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    "template": ("{{7*7}} {% load x %}", "{{7*7}} {% load x %}"),
    "SQL": ("' OR 1=1--", "' OR 1=1--"),
    "path": ("../../etc/passwd", "../../etc/passwd"),
    "percent": ("100 % %s %(a)s {0}", "100 % %s %(a)s {0}"),
    "formula": ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
}
# resource, how the text is placed in its body
PLACES = {
    "name of a company": ("companies", lambda text: {"name": text}),
    "legal name": ("companies", lambda text: {"legal_info": {"legal_name": text}}),
    "name of a location": ("locations", lambda text: {"name": text}),
    "last name": ("contacts", lambda text: {"last_name": text}),
}
LIMITS = {"last name": 100}


@pytest.mark.parametrize(("text", "code"), REFUSED.values(), ids=REFUSED)
def test_a_name_that_is_none_is_refused(world, text, code):
    world.refuses(400, code, "POST", "companies/", {"name": text})


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("text", "kept"), KEPT.values(), ids=KEPT)
def test_text_is_kept_in_one_form(world, place, text, kept):
    # given
    resource, put = PLACES[place]
    limit = LIMITS.get(place, 250)
    # when
    answer = world.create(resource, **put(text[:limit]))
    # then
    assert answer.status_code == 201, answer.content
    expected = put(kept[:limit])
    shown = answer.json()
    for name, value in expected.items():
        if isinstance(value, dict):
            assert value.items() <= shown[name].items()
        else:
            assert shown[name] == value
    world.reads_everything()


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("Straße", "STRASSE"),
        ("A\u030arhus", "\u00e5RHUS"),
        ("İstanbul", "istanbul"),
        ("\ufdfa", "\ufdfa"),
        ("100 %", "%"),
        ("under_score", "_"),
        ("back\\slash", "\\"),
        ("' OR 1=1--", "1=1--"),
    ],
)
def test_what_was_stored_is_found_again_and_nothing_else(world, stored, asked):
    # given
    company = world.create("companies", name=stored, code="found").json()
    # when
    found = world.http.get("/api/v1/companies/", {"q": asked}).json()["results"]
    # then
    assert [row["id"] for row in found] == [company["id"]]


@pytest.mark.parametrize(
    ("resource", "field", "pointer"),
    [
        ("companies", "website", "/website"),
        ("companies", "phone", "/phone"),
        ("companies", "email", "/email"),
        ("companies", "language", "/language"),
        ("companies", "currency", "/currency"),
        ("companies", "code", "/code"),
        ("contacts", "first_name", "/first_name"),
        ("contacts", "job_title", "/job_title"),
        ("contacts", "external_id", "/external_id"),
        ("contacts", "email", "/email"),
        ("locations", "name", "/name"),
        ("locations", "code", "/code"),
    ],
)
def test_no_field_takes_10_kb(world, resource, field, pointer):
    body = GOOD[resource] | {field: "x" * 10_000}
    answer = world.refuses(400, None, "POST", f"{resource}/", body)
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
