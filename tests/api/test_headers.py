"""Headers: who asks, on which version, in which form (B8); tokens (B18)."""

import base64

import pytest
from oauth2_provider.models import AccessToken
from rest_framework.test import APIClient

from integrations.clients import create_api_client
from integrations.models import ApiClient
from tests.factories import make_client, make_token

pytestmark = pytest.mark.django_db

ACTED_ON = {
    "companies/<sub>/": {"name": "New"},
    "contacts/<free>/": {"email": "new@example.com"},
    "contact-assignments/<assignment>/": {"role": "BUYER"},
    "locations/<location>/": {"name": "New"},
    "company-links/<link>/": {"kind": "PARTNER_OF"},
}
VERSIONS = [
    (None, 428, "if_match_required"),
    ("", 428, "if_match_required"),
    ("*", 428, "if_match_required"),
    ('W/"1"', 428, "if_match_required"),
    ("1", 428, "if_match_required"),
    ("'1'", 428, "if_match_required"),
    ('"1", "2"', 428, "if_match_required"),
    ('"1"\x00', 428, "if_match_required"),
    ('"\u0661"', 428, "if_match_required"),
    ('"-1"', 428, "if_match_required"),
    (f'"{"9" * 40}"', 428, "if_match_required"),
    ("x" * 60_000, 428, "if_match_required"),
    ('"0"', 412, "stale_version"),
    ('"7"', 412, "stale_version"),
]


@pytest.mark.parametrize("path", ACTED_ON)
@pytest.mark.parametrize(
    ("version", "status", "code"), VERSIONS, ids=range(len(VERSIONS))
)
def test_a_change_names_the_version_that_was_read(world, path, version, status, code):
    headers = {} if version is None else {"If_Match": version}
    for method in ("PUT", "PATCH", "DELETE"):
        body = None if method == "DELETE" else ACTED_ON[path]
        world.refuses(status, code, method, path, body, **headers)


def test_the_version_of_another_object_is_stale(world):
    world.accepts("PATCH", "companies/<sub>/", {"name": "Two"}, If_Match='"1"')
    etag = world.ask("GET", "companies/<sub>/")["ETag"]
    body = {"name": "New"}
    world.refuses(
        412, "stale_version", "PATCH", "companies/<head>/", body, If_Match=etag
    )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("companies/<sub>/move/", {"parent": None}),
        ("companies/<sub>/hold/", {"reason": "Unpaid"}),
        ("contacts/<free>/erase/", {}),
        ("companies/by-code/taken/", {"name": "New"}),
        ("companies/by-code/new/", {"name": "New"}),
    ],
)
def test_what_needs_no_version_honours_one(world, path, body):
    method = "PUT" if "by-code" in path else "POST"
    for version, status in (('"9"', 412), ("*", 428), ('W/"1"', 428)):
        world.refuses(status, None, method, path, body, If_Match=version)


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Accept", "application/xml", 406),
        ("Accept", "text/html", 406),
        ("Accept", "nonsense", 406),
        ("X_HTTP_Method_Override", "DELETE", 200),
        ("X_Forwarded_Host", "evil.example", 200),
        ("X_Forwarded_For", "127.0.0.1", 200),
        ("Cookie", "sessionid=abc", 200),
        ("Range", "bytes=0-10", 200),
        ("Accept_Language", "x" * 5_000, 200),
        ("X_Request_ID", "x" * 5_000, 200),
        ("X_Request_ID", "a\r\nSet-Cookie: a=b", 200),
    ],
)
def test_other_headers_change_nothing(world, header, value, status):
    if status == 406:
        world.refuses(406, "not_acceptable", "GET", "companies/", **{header: value})
        return
    answer = world.ask("GET", "companies/<head>/", **{header: value})
    assert answer.status_code == 200
    assert answer.json()["id"] == world.ids["head"]
    assert "evil" not in answer.content.decode()
    assert len(answer["X-Request-ID"]) <= 64
    assert "Set-Cookie" not in answer.headers


def test_links_to_other_pages_name_no_forwarded_host(world):
    page = world.ask(
        "GET", "companies/?page_size=1", X_Forwarded_Host="evil.example"
    ).json()
    assert page["next"].startswith("http://testserver/api/v1/")


NO_TOKENS = {
    "none": None,
    "empty": "",
    "Basic": "Basic " + base64.b64encode(b"a:b").decode(),
    "scheme alone": "Bearer",
    "unknown": "Bearer unknown",
    "two": "Bearer {token}, Bearer {token}",
    "two in one": "Bearer {token} {token}",
    "with NUL": "Bearer {token}\0",
    "with a line break": "Bearer {token}\n",
    "64 kB": "Bearer " + "x" * 65_536,
    "of other letters": "Bearer \u00e4",
    "cut": "Bearer {cut}",
    "in quotes": 'Bearer "{token}"',
}


@pytest.mark.parametrize("given", NO_TOKENS.values(), ids=NO_TOKENS)
def test_without_a_good_token_nothing_is_told_or_done(world, given):
    # given
    token = make_token(make_client(scopes="companies:write", sees_all=True))
    world.http = APIClient(raise_request_exception=False)
    if given is not None:
        header = given.format(token=token, cut=token[:-1])
        world.http.credentials(HTTP_AUTHORIZATION=header)
    # then
    for method, path in (
        ("GET", "companies/"),
        ("POST", "companies/"),
        ("GET", "companies/<head>/"),
        ("DELETE", "companies/<low>/"),
        ("GET", "companies/99999999/"),
    ):
        body = {"name": "New"} if method == "POST" else None
        answer = world.refuses(401, None, method, path, body, If_Match='"1"')
        assert answer["WWW-Authenticate"].startswith("Bearer")


def test_the_scheme_is_written_in_any_case_and_the_token_is_not(world):
    token = make_token(make_client(scopes="companies:read", sees_all=True))
    for header, status in (
        (f"bearer {token}", 200),
        (f"BEARER  {token}", 200),
        (f"Bearer {token.upper()}", 401),
    ):
        world.http.credentials(HTTP_AUTHORIZATION=header)
        assert world.ask("GET", "companies/").status_code == status


def test_a_token_in_the_query_or_the_body_is_none(world):
    token = make_token(make_client(scopes="companies:write", sees_all=True))
    world.http = APIClient(raise_request_exception=False)
    world.refuses(401, None, "GET", f"companies/?access_token={token}")
    body = {"name": "New", "access_token": token}
    world.refuses(401, None, "POST", "companies/", body)


# Tokens


@pytest.fixture
def credentials(db) -> tuple[ApiClient, str]:
    return create_api_client(
        "Shop", scopes="companies:read contacts:read", sees_all_hierarchies=True
    )


def ask_token(client_id: str, secret: str, **form: str):
    pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    http = APIClient(raise_request_exception=False)
    return http.post(
        "/oauth/token/",
        {"grant_type": "client_credentials"} | form,
        "multipart",
        headers={"Authorization": f"Basic {pair}"},
    )


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"scope": "companies:write"}, "invalid_scope"),
        ({"scope": "companies:read companies:write"}, "invalid_scope"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"scope": "companies:read,contacts:read"}, "invalid_scope"),
        ({"scope": "COMPANIES:READ"}, "invalid_scope"),
        ({"scope": "x" * 10_000}, "invalid_scope"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "unsupported_grant_type"),
        ({"grant_type": "implicit"}, "unsupported_grant_type"),
        ({"grant_type": "x" * 10_000}, "unsupported_grant_type"),
    ],
)
def test_what_a_client_is_not_allowed_gives_no_token(credentials, form, error):
    client, secret = credentials

    response = ask_token(client.client_id, secret, **form)

    assert (response.status_code, response.json()["error"]) == (400, error)
    assert not AccessToken.objects.exists()
    assert "x" * 101 not in response.content.decode()


def test_who_asks_for_no_scope_may_do_nothing(world, credentials):
    client, secret = credentials
    # an empty one is an error
    response = ask_token(client.client_id, secret, scope="")
    assert (response.status_code, response.json()["error"]) == (400, "invalid_scope")
    # none at all is a token for nothing: never for all that the client is allowed
    token = ask_token(client.client_id, secret).json()["access_token"]
    world.http.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    world.refuses(403, "insufficient_scope", "GET", "companies/")


@pytest.mark.parametrize(
    "wrong", ["", "secret", "{secret}x", "{cut}", "\0", "ä", "x" * 100_000]
)
def test_a_wrong_secret_gives_no_token(credentials, wrong):
    client, secret = credentials
    given = wrong.format(secret=secret, cut=secret[:-1])

    response = ask_token(client.client_id, given)

    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert not AccessToken.objects.exists()


def test_tokens_end_with_their_client(world, credentials):
    # given
    client, secret = credentials
    token = ask_token(client.client_id, secret, scope="companies:read").json()
    world.http.credentials(HTTP_AUTHORIZATION=f"Bearer {token['access_token']}")
    assert world.ask("GET", "companies/").status_code == 200
    # when it is switched off
    ApiClient.objects.filter(pk=client.pk).update(is_active=False)
    # then
    world.refuses(401, "invalid_token", "GET", "companies/")
    assert ask_token(client.client_id, secret).status_code == 401
    # when it is deleted
    ApiClient.objects.filter(pk=client.pk).update(is_active=True)
    assert world.ask("GET", "companies/").status_code == 200
    client.delete()
    # then
    world.refuses(401, "invalid_token", "GET", "companies/")
    assert ask_token(client.client_id, secret).status_code == 401


def test_a_client_without_a_hierarchy_sees_and_makes_nothing(world, call_as):
    # given
    scopes = "companies:read companies:write contacts:read"
    world.http = call_as(make_client(scopes=scopes))
    # then
    for name in ("companies", "contacts", "contact-assignments", "locations"):
        assert world.ask("GET", f"{name}/").json()["results"] == []
    world.refuses(404, "not_found", "GET", "companies/<head>/")
    world.refuses(404, "not_found", "PATCH", "companies/<head>/", {"name": "x"})
    world.refuses(403, "out_of_sight", "POST", "companies/", {"name": "New"})
    body = {"name": "New", "parent": world.ids["head"]}
    world.refuses(400, "does_not_exist", "POST", "companies/", body)


def test_a_token_lasts_for_its_minutes_and_its_scopes(world):
    client = make_client(scopes="companies:read companies:write", sees_all=True)
    old = make_token(client, minutes=-1)
    world.http.credentials(HTTP_AUTHORIZATION=f"Bearer {old}")
    world.refuses(401, "invalid_token", "GET", "companies/")
    reading = make_token(client, scopes="companies:read")
    world.http.credentials(HTTP_AUTHORIZATION=f"Bearer {reading}")
    world.refuses(403, "insufficient_scope", "POST", "companies/", {"name": "New"})
    world.refuses(403, "insufficient_scope", "GET", "contacts/")
