"""Parameters of lists (B7)."""

from urllib.parse import parse_qs, quote, urlsplit

import pytest

from companies.models import Company
from tests.factories import make_client

pytestmark = pytest.mark.django_db

BAD = {
    "unknown": ("companies/?unknown=1", "unknown_parameter"),
    "unknown, long": (f"companies/?{'x' * 5_000}=1", "unknown_parameter"),
    "of a field that is hidden": ("companies/?lft=1", "unknown_parameter"),
    "lookup": ("contacts/?email__startswith=a", "unknown_parameter"),
    "lookup across": (
        "companies/?contacts__email__startswith=a",
        "unknown_parameter",
    ),
    "into JSON": ("companies/?attributes__a=1", "unknown_parameter"),
    "format": ("companies/?format=api", "unknown_parameter"),
    "twice": ("companies/?status=ACTIVE&status=CLOSED", "repeated_parameter"),
    "word": ("companies/?status=active", "invalid_choice"),
    "NaN": ("companies/?level_max=NaN", "invalid"),
    "letters": ("companies/?level_max=abc", "invalid"),
    "fraction": ("companies/?level_max=1.5", "invalid"),
    "1e400000": ("companies/?level_max=1e400000", "invalid"),
    "negative": ("companies/?level_max=-1", "min_value"),
    "40 digits": (f"companies/?level_max={'9' * 40}", "invalid"),
    "5,000 digits": (f"companies/?level_max={'9' * 5_000}", "invalid"),
    "Arabic digits": ("companies/?level_max=%D9%A1", "invalid"),
    "id of letters": ("companies/?under=abc", "does_not_exist"),
    "id of nothing": ("companies/?under=99999999", "does_not_exist"),
    "id of 40 digits": (f"companies/?above={'9' * 40}", "does_not_exist"),
    "id of a company that is no head": (
        "companies/?parent=0",
        "does_not_exist",
    ),
    "no id": ("companies/?under=", "required"),
    "no text": ("companies/?code=", "required"),
    "no moment": ("companies/?updated_after=", "required"),
    "no score": ("companies/duplicates/?name=x&min_score=", "required"),
    "two ids": ("companies/?under=1,2", "does_not_exist"),
    "country": ("companies/?country=XX", "invalid_choice"),
    "boolean": ("contacts/?is_active=1", "invalid"),
    "NUL": ("companies/?code=a%00", "unstorable_text"),
    "text of 10 kB": (f"companies/?code={'x' * 10_000}", "max_length"),
    "2,000 words": (f"companies/?q={'a+' * 2_000}", "too_many_words"),
    "six words": ("companies/?q=a+b+c+d+e+f", "too_many_words"),
    "10 kB": (f"companies/?q={'x' * 10_000}", "max_length"),
    "only combining marks": ("companies/?q=%CC%81%CC%81", "no_word"),
    "order by a secret": ("companies/?ordering=password", None),
    "order by a number of the tree": ("companies/?ordering=lft", None),
    "order into JSON": ("companies/?ordering=attributes__a", None),
    "order across": ("contact-assignments/?ordering=contact__email", None),
    "order at random": ("companies/?ordering=?", None),
    "order twice": ("companies/?ordering=name,-name", None),
    "order by 50": (f"companies/?ordering={','.join(['id'] * 50)}", None),
    "order by nothing": ("companies/?ordering=", None),
    "garbage": ("companies/?cursor=abc", None),
    "base64 of nonsense": ("companies/?cursor=AAAAAAAAAAAAAAAAAAAAAA%3D%3D", None),
    "cursor with NUL": ("companies/?cursor=a%00", None),
    "cursor of 10 kB": (f"companies/?cursor={'x' * 10_000}", None),
    "offset": ("companies/?offset=10", "unknown_parameter"),
    "page of 0": ("companies/?page_size=0", None),
    "page of -1": ("companies/?page_size=-1", None),
    "page of a million": ("companies/?page_size=1000000", None),
    "page of 40 digits": (f"companies/?page_size={'9' * 40}", None),
    "page of 1e2": ("companies/?page_size=1e2", None),
    "count": ("companies/?count=maybe", None),
    "field": ("companies/?fields=password", "unknown_field"),
    "field, hidden": ("companies/?fields=id,search_text", "unknown_field"),
    "field, inside": ("companies/?fields=legal_info.lei", "unknown_field"),
    "no field": ("companies/?fields=", "unknown_field"),
    "expand": ("companies/?expand=attributes", "unknown_field"),
    "expand twice deep": ("companies/?expand=parent.parent", "unknown_field"),
    "expand on one object": ("companies/<head>/?expand=subsidiaries", "unknown_field"),
    "on one object": ("companies/<head>/?status=ACTIVE", "unknown_parameter"),
    "depth": ("companies/<head>/tree/?depth=-1", "invalid"),
    "depth of 40 digits": (f"companies/<head>/tree/?depth={'9' * 40}", "invalid"),
    "depth of Arabic digits": ("companies/<head>/tree/?depth=%D9%A1", "invalid"),
    "own": ("companies/<head>/locations/?own=1", "invalid"),
    "of an action": ("companies/<head>/children/?status=ACTIVE", "unknown_parameter"),
    "duplicates of nothing": ("companies/duplicates/?company=", "required"),
    "duplicates of no company": ("companies/duplicates/?company=0", "does_not_exist"),
    "duplicates of two": ("companies/duplicates/?company=<head>&name=x", "invalid"),
    "duplicates, score 0": ("companies/duplicates/?min_score=0", None),
    "duplicates, score 101": ("companies/duplicates/?min_score=101", None),
    "duplicates, long name": (f"companies/duplicates/?name={'x' * 251}", None),
    "duplicates, paged": ("companies/duplicates/?name=x&after=1", "invalid"),
}


@pytest.mark.parametrize(("path", "code"), BAD.values(), ids=BAD)
def test_a_wrong_parameter_is_refused_by_its_name(world, path, code):
    answer = world.refuses(400, code, "GET", path)
    errors = answer.json()["errors"]
    assert len(errors) == 1
    name = errors[0]["parameter"]
    assert name in path
    assert len(name) <= 100


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_write_takes_no_parameters(world, method):
    path = "companies/" if method == "POST" else "companies/<low>/"
    body = {"name": "New"} if method != "DELETE" else None
    for query in ("?fields=id", "?dry_run=true", "?parent=1"):
        world.refuses(
            400, "unknown_parameter", method, path + query, body, If_Match='"1"'
        )


@pytest.mark.parametrize(
    "words",
    ["%", "_", "\\", "'", '"', "*", "a' OR '1'='1", "\U0001f692", "\u202e\u200fx"],
)
def test_signs_in_a_search_mean_themselves(world, words):
    found = world.ask("GET", f"companies/?q={quote(words)}")
    assert (found.status_code, found.json()["results"]) == (200, [])


@pytest.mark.parametrize("text", ["%FF", "%ED%A0%80", "%C0%AF"])
def test_bytes_that_are_no_text_match_nothing(world, text):
    found = world.ask("GET", f"companies/?code={text}")
    assert (found.status_code, found.json()["results"]) == (200, [])


@pytest.mark.parametrize("name", ["under", "above", "head", "parent"])
def test_a_company_of_another_hierarchy_is_no_filter(world, call_as, name):
    # given: a client that sees only one hierarchy
    (head,) = Company.objects.filter(pk=world.ids["head"])
    client = make_client(scopes="companies:read", hierarchies=(head,))
    world.http = call_as(client)
    # then: the other one is as one that does not exist
    texts = []
    for company in (str(world.ids["other"]), "99999999"):
        path = f"companies/?{name}={company}"
        answer = world.refuses(400, "does_not_exist", "GET", path)
        texts.append(answer.json() | {"request_id": ""})
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    "elsewhere",
    [
        "companies/?page_size=1&status=ACTIVE",
        "companies/?page_size=1&ordering=-name",
        "contacts/?page_size=1",
        "companies/<head>/descendants/?page_size=1",
    ],
)
def test_a_cursor_is_good_for_its_own_list_only(world, elsewhere):
    # given
    page = world.ask("GET", "companies/?page_size=1").json()
    (cursor,) = parse_qs(urlsplit(page["next"]).query)["cursor"]
    # then
    world.refuses(400, None, "GET", f"{elsewhere}&cursor={cursor}")
    for broken in (cursor[:-1], cursor[1:], cursor.swapcase(), cursor + cursor):
        world.refuses(400, None, "GET", f"companies/?page_size=1&cursor={broken}")


def test_a_cursor_is_good_for_its_own_client_and_key_only(world, call_as, settings):
    # given
    page = world.ask("GET", "companies/?page_size=1").json()
    path = page["next"].partition("/api/v1/")[2]
    assert world.ask("GET", path).status_code == 200
    # when: the key is another one
    settings.SECRET_KEY = "another key"
    world.refuses(400, None, "GET", path)
    # when: the client is another one
    settings.SECRET_KEY = settings.SECRET_KEY[::-1]
    world.http = call_as(make_client(scopes="companies:read", sees_all=True))
    world.refuses(400, None, "GET", path)
