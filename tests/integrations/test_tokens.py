"""Who gets a token, for how long, and how often it may be tried (B18)."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oauth2_provider.models import AccessToken
from rest_framework.test import APIClient

from config.actors import SYSTEM
from integrations import rates
from integrations.clients import (
    create_api_client,
    delete_expired_tokens,
    note_use,
    revoke_api_client,
    rotate_api_client,
)
from integrations.models import ApiClient, CallCount, Event
from tests import figures
from tests.clock import Clock
from tests.factories import make_client, make_company, make_location, make_token
from tests.integrations.test_oauth import SCOPES, TOKEN, URL, basic
from tests.waiting import somebody_else

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integrations.places")]


@pytest.fixture(autouse=True)
def clock(settings) -> Iterator[Clock]:
    settings.TOKEN_CALLS_PER_MINUTE, settings.WRONG_SECRETS = 10, 5
    rates.forget_portions()
    with Clock(datetime(2026, 11, 26, 12, 0, 18, tzinfo=UTC)).stopped() as clock:
        yield clock


class Shop(NamedTuple):
    """An API client with its secret, as it asks for tokens and uses them."""

    client: ApiClient
    secret: str

    def ask(
        self, secret: str | None = None, *, address: str = "192.0.2.1", **form: str
    ) -> HttpResponse:
        secret = self.secret if secret is None else secret
        return ask(basic(self.client.client_id, secret), address=address, **form)

    def token(self) -> str:
        return self.ask().json()["access_token"]


def ask(
    headers: dict[str, str], *, address: str = "192.0.2.1", **form: str
) -> HttpResponse:
    form = {"grant_type": "client_credentials", "scope": "companies:read"} | form
    http = Client(raise_request_exception=False, REMOTE_ADDR=address)
    return http.post(TOKEN, form, headers=headers)


def use(token: str, path: str = URL) -> HttpResponse:
    http = APIClient(HTTP_AUTHORIZATION=f"Bearer {token}")
    return http.get(path)


@pytest.fixture
def shop() -> Shop:
    return Shop(*create_api_client("shop", scopes=SCOPES, sees_all_hierarchies=True))


def expire(shop: Shop) -> None:
    ApiClient.objects.update(expires_at=timezone.now())


def switch_off(shop: Shop) -> None:
    ApiClient.objects.update(is_active=False)


def rotate(shop: Shop) -> None:
    rotate_api_client(shop.client, actor=SYSTEM, old_valid_for=timedelta(hours=1))
    ApiClient.objects.update(old_secret_until=timezone.now())


@pytest.mark.parametrize(
    ("asking", "status", "error"),
    [
        (lambda shop: shop.ask("x" * 43), 401, "invalid_client"),
        (lambda shop: shop.ask(""), 401, "invalid_client"),
        (lambda shop: shop.ask(scope="limits:read"), 400, "invalid_scope"),
        (lambda shop: shop.ask(scope="nonsense"), 400, "invalid_scope"),
        (lambda shop: shop.ask(scope=""), 400, "invalid_scope"),
        *(
            (lambda shop, g=g: shop.ask(grant_type=g), 400, "unsupported_grant_type")
            for g in ("password", "implicit", "authorization_code", "refresh_token")
        ),
        (lambda shop: switch_off(shop) or shop.ask(), 401, "invalid_client"),
        (lambda shop: expire(shop) or shop.ask(), 401, "invalid_client"),
        (lambda shop: rotate(shop) or shop.ask(), 401, "invalid_client"),
    ],
    ids=[
        "wrong secret",
        "no secret",
        "scope not allowed",
        "unknown scope",
        "empty scope",
        "grant password",
        "grant implicit",
        "grant authorization code",
        "grant refresh",
        "disabled client",
        "expired client",
        "secret after rotation's end",
    ],
)
def test_who_gets_no_token(
    shop: Shop, asking: Callable[[Shop], HttpResponse], status: int, error: str
):
    response = asking(shop)

    assert (response.status_code, response.json()["error"]) == (status, error)
    assert not AccessToken.objects.exists()
    assert ApiClient.objects.get().last_used_at is None or status == 400


def test_the_token_of_a_deleted_client_ends(shop: Shop):
    # given
    token = shop.token()
    assert use(token).status_code == 200

    # when
    shop.client.delete()

    # then
    assert use(token).json()["code"] == "invalid_token"


def test_a_thousand_tries_a_minute_end_after_five(shop: Shop, clock: Clock):
    # given
    token = shop.token()
    started = time.process_time()

    # when
    statuses, wait = [], 0
    for number in range(1_000):
        response = shop.ask(f"{number:043}", address="203.0.113.5")
        statuses.append(response.status_code)
        wait = response.get("Retry-After")

    # then
    spent = (time.process_time() - started) / 1_000
    figures.show(f"a try with a wrong secret: {spent * 1_000:.2f} ms of CPU in all")
    assert statuses == [401] * 5 + [429] * 995
    assert wait == "900"
    assert AccessToken.objects.count() == 1
    assert use(token).status_code == 200
    assert shop.ask(address="203.0.113.5").status_code == 429  # the right one as well
    clock.move(minutes=15)
    assert shop.ask(address="203.0.113.5").status_code == 200


@pytest.mark.parametrize(
    "scopes",
    [
        "act companies:write",
        "companies:write act",
        "companies:read act groups:write",
        "act companies:move",
        "act approvals:decide",
        "act imports:write",
    ],
)
def test_a_client_acts_or_writes_but_never_both(scopes: str):
    # when
    with pytest.raises(ValidationError) as refused:
        create_api_client("shop", scopes=scopes)

    # then
    (error,) = refused.value.error_dict["__all__"]
    assert error.code == "act_or_write"
    assert not ApiClient.objects.exists()
    client = make_client(scopes="act")
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiClient.objects.update(allowed_scopes=scopes)
    client.refresh_from_db()
    assert client.allowed_scopes == "act"


@pytest.mark.parametrize(
    "scopes",
    ["act", "act companies:read", "companies:read act limits:read", "", SCOPES],
)
def test_a_client_that_acts_may_read(scopes: str):
    client, _secret = create_api_client("shop", scopes=scopes)

    assert client.allowed_scopes == scopes
    assert client.acts_for_people == ("act" in scopes)


def test_scopes_are_stored_as_the_constraint_reads_them():
    client = make_client()

    client.allowed_scopes = " act\tcompanies:write\n"
    with pytest.raises(IntegrityError), transaction.atomic():
        client.save()

    client.refresh_from_db()
    assert client.allowed_scopes == ""


def test_the_token_of_a_client_without_the_hierarchy():
    # given
    place = make_location(company=make_company())
    token = make_token(make_client(scopes=SCOPES, hierarchies=(make_company(),)))

    # then
    assert use(token, f"{URL}{place.pk}/").status_code == 404
    assert use(token).json()["results"] == []


# --- how often


def test_a_stranger_cannot_lock_the_shop_out(shop: Shop):
    # when
    for address in ("203.0.113.5", "203.0.113.6"):
        for _ in range(20):
            shop.ask("wrong", address=address)

    # then
    assert shop.ask().status_code == 200


def test_ten_token_calls_a_minute(shop: Shop, clock: Clock):
    # given
    assert [shop.ask().status_code for _ in range(10)] == [200] * 10

    # when
    refused = shop.ask()

    # then
    assert (refused.status_code, refused["Retry-After"]) == (429, "42")
    assert refused.json()["error"] == "rate_limited"
    assert refused["Cache-Control"] == "no-store"
    assert AccessToken.objects.count() == 10
    assert shop.ask(address="192.0.2.2").status_code == 200
    clock.move(seconds=42)
    assert shop.ask().status_code == 200


def test_a_wrong_secret_is_tried_neither_in_the_form_nor_at_the_revocation(shop: Shop):
    # given
    token = shop.token()
    pair = {"client_id": shop.client.client_id, "client_secret": "wrong"}
    assert [ask({}, **pair).status_code for _ in range(3)] == [401] * 3

    # when
    http = Client(REMOTE_ADDR="192.0.2.1")
    statuses = [
        http.post("/oauth/revoke/", pair | {"token": token}).status_code
        for _ in range(4)
    ]

    # then
    assert statuses == [401, 401, 429, 429]
    assert shop.ask().status_code == 429
    assert use(token).status_code == 200


def test_ids_that_no_client_has_cost_a_query_and_are_limited(clock: Clock):
    # given
    stranger = basic("nobody", "secret")
    assert ask(stranger).status_code == 401

    # when
    with CaptureQueriesContext(connection) as queries:
        statuses = [ask(basic(f"nobody {n}", "x")).status_code for n in range(9)]

    # then
    assert statuses == [401] * 9
    assert len(queries) == 9
    refused = ask(stranger)
    assert (refused.status_code, refused["Retry-After"]) == (429, "42")
    assert ask(stranger, address="192.0.2.9").status_code == 401
    assert CallCount.objects.count() == 2


def test_a_shop_beside_a_stranger_still_gets_its_token(shop: Shop):
    for _ in range(11):
        response = ask(basic("nobody", "secret"))

    assert response.status_code == 429
    assert shop.ask().status_code == 200


def test_a_wrong_secret_costs_no_more_than_the_right_one(shop: Shop):
    with CaptureQueriesContext(connection) as right:
        assert shop.ask().status_code == 200
    with CaptureQueriesContext(connection) as wrong:
        assert shop.ask("wrong").status_code == 401

    asked = [q for q in wrong.captured_queries if "PRAGMA" not in q["sql"]]
    assert len(asked) == 4  # client, wrong secrets until now, and one more of both
    assert len(wrong) < len(right)


# --- how long


def test_an_expired_client_has_no_token_from_that_moment(shop: Shop, clock: Clock):
    # given
    ApiClient.objects.update(expires_at=clock.now + timedelta(minutes=5))
    token = shop.token()
    assert use(token).status_code == 200

    # when
    clock.move(minutes=5)

    # then
    assert use(token).json()["code"] == "invalid_token"
    assert shop.ask().status_code == 401


def test_a_token_ends_after_fifteen_minutes_and_is_deleted(shop: Shop, clock: Clock):
    # given
    first = shop.token()
    clock.move(minutes=15)
    second = shop.token()

    # then
    assert use(first).status_code == 401
    assert delete_expired_tokens(most=1) == 0
    clock.move(seconds=1)
    assert delete_expired_tokens() == 1
    assert use(second).status_code == 200
    clock.move(minutes=15)
    assert delete_expired_tokens() == 1
    assert not AccessToken.objects.exists()


def test_expired_tokens_are_deleted_in_batches(clock: Clock):
    client = make_client(scopes=SCOPES)
    for _ in range(5):
        make_token(client)
    clock.move(minutes=16)

    assert [delete_expired_tokens(most=2) for _ in range(4)] == [2, 2, 1, 0]


# --- last use


def last_use() -> Any:
    return ApiClient.objects.values_list("last_used_at", flat=True).get()


def test_the_last_use_is_noted_every_five_minutes(shop: Shop, clock: Clock):
    # given
    began = clock.now
    token = shop.token()
    assert last_use() == began

    # then
    clock.move(minutes=5)
    use(token)
    assert last_use() == began
    clock.move(seconds=1)
    use(token)
    assert last_use() == clock.now
    shop.client.refresh_from_db()
    assert shop.client.version == 1


def test_between_notes_a_call_costs_one_query(
    shop: Shop, clock: Clock, django_assert_num_queries
):
    token = shop.token()
    clock.move(minutes=4)

    with django_assert_num_queries(1):
        assert use(token, f"{URL}?nonsense=1").status_code == 400


def test_a_refused_token_is_no_use(shop: Shop):
    shop.ask("wrong")
    use("unknown")

    assert last_use() is None


@pytest.mark.django_db(transaction=True)
def test_a_last_use_that_cannot_be_noted_holds_nothing_up(shop: Shop, clock: Clock):
    # given
    token = shop.token()
    noted = last_use()
    clock.move(minutes=6)

    # when
    with somebody_else() as cursor:
        cursor.execute("UPDATE integrations_apiclient SET name = 'held'")
        started = time.monotonic()
        response = use(token)
        waited = time.monotonic() - started

    # then
    assert response.status_code == 200
    assert waited < 2
    assert last_use() == noted
    assert use(token).status_code == 200
    assert last_use() == clock.now


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_database_to_be_read_only_still_answers(shop: Shop, clock: Clock):
    # given
    token = shop.token()
    clock.move(minutes=6)

    # when
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
        response = use(token)
        note_use(shop.client.pk)
        cursor.execute("RESET default_transaction_read_only")

    # then
    assert response.status_code == 200
    assert last_use() != clock.now


# --- two secrets, and none


def test_two_secrets_work_while_one_takes_the_others_place(shop: Shop, clock: Clock):
    # when
    new = rotate_api_client(shop.client, actor=SYSTEM)

    # then
    assert new != shop.secret
    assert [shop.ask(secret).status_code for secret in (new, shop.secret)] == [200] * 2
    clock.move(hours=24)
    assert [shop.ask(s).status_code for s in (new, shop.secret)] == [200, 401]


def test_a_third_secret_ends_the_first(shop: Shop):
    # when
    second = rotate_api_client(shop.client, actor=SYSTEM)
    third = rotate_api_client(shop.client, actor=SYSTEM)

    # then
    statuses = [shop.ask(s).status_code for s in (shop.secret, second, third)]
    assert statuses == [401, 200, 200]


def test_a_secret_that_others_know_ends_at_once_with_its_tokens(shop: Shop):
    # given
    token = shop.token()

    # when
    new = rotate_api_client(shop.client, actor=SYSTEM, old_valid_for=timedelta(0))

    # then
    assert use(token).status_code == 401
    assert [shop.ask(s).status_code for s in (shop.secret, new)] == [401, 200]


def test_no_secret_is_stored(shop: Shop):
    new = rotate_api_client(shop.client, actor=SYSTEM)

    stored = str(ApiClient.objects.values()) + str(ApiClient.history.values())
    assert shop.secret not in stored
    assert new not in stored
    hashed = ApiClient.objects.get()
    assert shop.ask(hashed.old_secret).status_code == 401
    assert hashed.client_secret not in str(ApiClient.history.values())


def test_a_revoked_client_ends_at_once_and_for_good(shop: Shop):
    # given
    token = shop.token()
    rotate_api_client(shop.client, actor=SYSTEM)

    # when
    revoke_api_client(shop.client, actor=SYSTEM)

    # then
    assert use(token).status_code == 401
    assert shop.ask().status_code == 401
    ApiClient.objects.update(is_active=True)
    assert use(token).status_code == 401
    assert shop.ask().status_code == 401
    entries = ApiClient.history.order_by("history_id")
    assert [entry.history_change_reason for entry in entries] == [
        "",
        "new secret",
        "revoked",
    ]


def test_other_systems_are_not_told_who_may_call(shop: Shop):
    rotate_api_client(shop.client, actor=SYSTEM)
    revoke_api_client(shop.client, actor=SYSTEM)

    assert ApiClient.history.count() == 3
    assert not Event.objects.exists()
