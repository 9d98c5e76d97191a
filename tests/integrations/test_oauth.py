"""Getting, using and ending tokens, through HTTP."""

import base64
import time
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import AccessToken
from pytest_django.asserts import assertNumQueries
from rest_framework.test import APIClient

from integrations.clients import create_api_client
from integrations.models import ApiClient
from tests.factories import make_client, make_location, make_token

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integrations.places")]
TOKEN = "/oauth/token/"
URL = "/api/v1/places/"
SCOPES = "companies:read companies:write"


@pytest.fixture
def credentials() -> tuple[str, str]:
    client, secret = create_api_client("shop", scopes=SCOPES, sees_all_hierarchies=True)
    return client.client_id, secret


def basic(client_id: str, secret: str) -> dict[str, str]:
    pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def ask(headers: dict[str, str] | None = None, **form: str):
    http = Client(raise_request_exception=False)
    return http.post(
        TOKEN, {"grant_type": "client_credentials"} | form, headers=headers or {}
    )


def test_a_token_for_some_of_the_allowed_scopes(credentials):
    # when
    response = ask(basic(*credentials), scope="companies:read")

    # then
    assert response.status_code == 200
    answer = response.json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 900)
    assert answer["scope"] == "companies:read"
    http = APIClient(HTTP_AUTHORIZATION=f"Bearer {answer['access_token']}")
    assert http.get(URL).status_code == 200
    assert http.post(URL, {}).status_code == 403


def test_the_token_itself_is_not_stored(credentials):
    token = ask(basic(*credentials), scope=SCOPES).json()["access_token"]

    stored = AccessToken.objects.get()
    assert stored.token == ""
    assert token not in str(AccessToken.objects.values())


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"scope": "limits:read"}, 400, "invalid_scope"),
        ({"scope": "nonsense"}, 400, "invalid_scope"),
        ({"scope": "companies:read\0"}, 400, "invalid_scope"),
        ({"grant_type": ""}, 400, "unsupported_grant_type"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, 400, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, 400, "unsupported_grant_type"),
        ({"grant_type": "implicit"}, 400, "unsupported_grant_type"),
        (
            {"grant_type": "urn:ietf:params:oauth:grant-type:device_code"},
            400,
            "unsupported_grant_type",
        ),
    ],
)
def test_what_is_not_allowed_gives_no_token(credentials, form, status, error):
    response = ask(basic(*credentials), **form)

    assert (response.status_code, response.json()["error"]) == (status, error)
    assert response["Content-Type"] == "application/json"
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("shop", "secret"),
        basic("a\0b", "secret"),
        basic("ä", "\udc80".encode("utf-8", "surrogatepass").decode("latin-1")),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic"},
        {"Authorization": "Bearer abc"},
    ],
)
def test_who_does_not_prove_who_they_are_gets_401(headers):
    response = ask(headers)

    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


def test_a_wrong_secret_gets_401(credentials):
    client_id, secret = credentials

    for wrong in (secret[:-1], secret + "a", "", secret.swapcase()):
        assert ask(basic(client_id, wrong)).status_code == 401


def test_the_stored_hash_is_no_secret(credentials):
    client_id, _secret = credentials
    stored = ApiClient.objects.get().client_secret

    assert ask(basic(client_id, stored)).status_code == 401


def test_an_inactive_client_gets_no_token(credentials):
    ApiClient.objects.update(is_active=False)

    assert ask(basic(*credentials)).status_code == 401


@pytest.mark.parametrize("method", ["get", "put", "delete", "options"])
@pytest.mark.parametrize("path", [TOKEN, "/oauth/revoke/"])
def test_other_methods_are_problems(method: str, path: str):
    response = getattr(APIClient(), method)(path)

    assert (response.status_code, response["Allow"]) == (405, "POST")
    assert response.json()["code"] == "method_not_allowed"


def test_no_other_endpoint_of_the_toolkit_is_there():
    for path in ("authorize", "introspect", "applications", "userinfo", "device"):
        assert APIClient().get(f"/oauth/{path}/").status_code == 404


def test_a_revoked_token_ends_at_once(credentials):
    # given
    token = ask(basic(*credentials), scope=SCOPES).json()["access_token"]
    http = APIClient(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert http.get(URL).status_code == 200

    # when
    response = APIClient().post(
        "/oauth/revoke/", {"token": token}, "multipart", headers=basic(*credentials)
    )

    # then
    assert response.status_code == 200
    assert http.get(URL).json()["code"] == "invalid_token"


def test_one_query_finds_token_and_client():
    # given
    token = make_token(make_client(scopes=SCOPES, sees_all=True))
    http = APIClient(HTTP_AUTHORIZATION=f"bearer {token}")

    # then
    with assertNumQueries(1):
        assert http.get(f"{URL}?nonsense=1").status_code == 400


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer unknown",
        "Bearer a b",
        "Bearer ä",
        "Bearer \0",
        "Bearer " + "x" * 65_536,
        "Bearer token-1, Bearer token-2",
        "Basic dXNlcjpwYXNz",
        "Token abc",
    ],
)
def test_without_a_good_token_it_is_401(authorization: str):
    # when
    response = APIClient(raise_request_exception=False).get(
        URL, HTTP_AUTHORIZATION=authorization
    )

    # then
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    missing = "invalid_token" if authorization else "not_authenticated"
    assert response.json()["code"] == missing


def test_expired_tokens_and_inactive_clients_are_401():
    # given
    client = make_client(scopes=SCOPES, sees_all=True)
    good, late = make_token(client), make_token(client, minutes=0)

    def status(token: str) -> int:
        return APIClient().get(URL, HTTP_AUTHORIZATION=f"Bearer {token}").status_code

    # then
    assert (status(good), status(late)) == (200, 401)
    AccessToken.objects.update(expires=timezone.now() + timedelta(minutes=1))
    assert status(good) == 200
    ApiClient.objects.update(is_active=False)
    assert status(good) == 401


@pytest.mark.parametrize(
    ("scopes", "method", "status"),
    [
        ("companies:read", "get", 200),
        ("companies:read", "post", 403),
        ("companies:write", "get", 403),
        ("companies:write", "post", 400),
        ("contacts:read", "get", 403),
        ("", "get", 403),
    ],
)
def test_a_scope_gives_what_it_names(scopes: str, method: str, status: int):
    # given
    make_location()
    token = make_token(make_client(scopes=scopes, sees_all=True))
    http = APIClient(HTTP_AUTHORIZATION=f"Bearer {token}")

    # when
    response = getattr(http, method)(URL, {})

    # then
    assert response.status_code == status
    if status == 403:
        needed = "companies:read" if method == "get" else "companies:write"
        assert response.json()["code"] == "insufficient_scope"
        assert response.json()["details"] == {"scope": needed}
        assert f'scope="{needed}"' in response["WWW-Authenticate"]


def test_a_scope_taken_from_the_client_is_gone_from_its_tokens():
    # given
    client = make_client(scopes=SCOPES, sees_all=True)
    http = APIClient(HTTP_AUTHORIZATION=f"Bearer {make_token(client)}")

    # when
    ApiClient.objects.update(allowed_scopes="companies:write")

    # then
    assert http.get(URL).status_code == 403


def test_a_secret_is_checked_in_two_milliseconds():
    # given
    stored = make_password("x" * 43, hasher="random_secret")
    started = time.process_time()

    # when
    for _ in range(100):
        assert check_password("x" * 43, stored)
        assert not check_password("y" * 43, stored)

    # then
    assert (time.process_time() - started) / 200 < 0.002


def test_a_stored_secret_depends_on_salt_and_key(settings):
    # given
    secret = "x" * 43
    first, second = (make_password(secret, hasher="random_secret") for _ in range(2))

    # then
    assert first != second
    assert secret not in first
    settings.SECRET_KEY = "another"
    assert not check_password(secret, first)
