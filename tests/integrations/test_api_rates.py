"""Too many calls of a client, or purchases of a person: 429 with Retry-After."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from integrations import rates
from integrations.api.rates import (
    RateLimited,
    address_of,
    calls_per_minute,
    count_submit,
)
from integrations.models import ApiClient, CallCount
from tests.clock import Clock
from tests.factories import make_client, make_location

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integrations.places")]
URL = "/api/v1/places/"


@pytest.fixture(autouse=True)
def clock() -> Iterator[Clock]:
    rates.forget_portions()
    with Clock(datetime(2026, 11, 26, 12, 0, 18, tzinfo=UTC)).stopped() as clock:
        yield clock


def test_the_calls_of_a_client_are_limited(call_as, settings, clock):
    # given
    settings.CALLS_PER_MINUTE = 3
    scopes = "companies:read companies:write"
    one, other = (call_as(make_client(scopes=scopes, sees_all=True)) for _ in range(2))
    assert [one.get(URL).status_code for _ in range(3)] == [200] * 3

    # when
    refused = one.get(URL)

    # then
    assert (refused.status_code, refused["Retry-After"]) == (429, "42")
    assert refused["Content-Type"] == "application/problem+json"
    problem = refused.json()
    assert problem["code"] == "rate_limited"
    assert problem["details"] == {"calls_per_minute": 3}
    assert other.get(URL).status_code == 200
    clock.move(seconds=42)
    assert one.get(URL).status_code == 200


def test_a_refused_call_changes_nothing(call_as, settings):
    # given
    place = make_location(city="Bonn")
    client = make_client(scopes="companies:read companies:write", sees_all=True)
    http = call_as(client)
    settings.CALLS_PER_MINUTE = 1
    assert http.get(URL).status_code == 200

    # when
    path, version = f"{URL}{place.pk}/", {"If-Match": '"1"'}
    responses = [
        http.patch(path, {"address": {"city": "Köln"}}, headers=version),
        http.delete(path, headers=version),
        http.post(URL, {"name": "New"}),
    ]

    # then
    assert [response.status_code for response in responses] == [429] * 3
    place.refresh_from_db()
    assert (place.city, place.version) == ("Bonn", 1)
    assert type(place).objects.count() == 1


def test_a_call_without_the_scope_is_not_counted(call_as, settings):
    # given
    settings.CALLS_PER_MINUTE = 1
    http = call_as(make_client(scopes="companies:read", sees_all=True))

    # then
    assert [http.post(URL, {}).status_code for _ in range(3)] == [403] * 3
    assert http.get(URL).status_code == 200
    assert http.post(URL, {}).status_code == 403
    assert http.get(URL).status_code == 429


def test_a_client_has_its_own_limit_or_that_of_its_kind(settings):
    # given
    settings.CALLS_PER_MINUTE, settings.ACTING_CALLS_PER_MINUTE = 600, 12_000

    # then
    assert calls_per_minute(make_client(scopes="companies:write")) == 600
    assert calls_per_minute(make_client(scopes="act companies:read")) == 12_000
    assert calls_per_minute(ApiClient(allowed_scopes="act", calls_per_minute=7)) == 7


def test_the_limit_of_a_client_counts_on_its_next_call(call_as, settings):
    # given
    settings.CALLS_PER_MINUTE = 600
    client = make_client(scopes="companies:read", sees_all=True)
    http = call_as(client)
    assert http.get(URL).status_code == 200

    # when
    ApiClient.objects.filter(pk=client.pk).update(calls_per_minute=1)

    # then
    assert http.get(URL).status_code == 429


def test_a_call_that_was_taken_in_advance_costs_no_query(
    call_as, settings, django_assert_num_queries
):
    # given
    settings.CALLS_PER_MINUTE = 600
    http = call_as(make_client(scopes="companies:read", sees_all=True))
    http.get(f"{URL}?nonsense=1")

    # then: the token's
    for _ in range(11):
        with django_assert_num_queries(1):
            assert http.get(f"{URL}?nonsense=1").status_code == 400


def test_the_purchases_of_a_person_are_limited_for_each_client(settings):
    # given
    settings.SUBMITS_PER_MINUTE = 2
    one, other = make_client(), make_client()
    count_submit(one, 7)
    count_submit(one, 7)

    # then
    with pytest.raises(RateLimited) as refused:
        count_submit(one, 7)
    assert refused.value.wait == 42
    count_submit(one, 8)
    count_submit(other, 7)
    assert CallCount.objects.count() == 3


@pytest.mark.parametrize(
    ("proxies", "remote", "forwarded", "address"),
    [
        (0, "192.0.2.1", "198.51.100.7", "192.0.2.1"),
        (0, "", None, "unknown"),
        (0, "::ffff:192.0.2.1", None, "192.0.2.1"),
        (0, "2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::"),
        (0, "2001:db8:1:2::9", None, "2001:db8:1:2::"),
        (1, "10.0.0.1", "198.51.100.7", "198.51.100.7"),
        (1, "10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        (2, "10.0.0.1", "6.6.6.6, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        (2, "10.0.0.1", "198.51.100.7", "198.51.100.7"),
        (1, "10.0.0.1", None, "unknown"),
        (1, "10.0.0.1", "nonsense", "unknown"),
        (1, "10.0.0.1", "x" * 9_000, "unknown"),
    ],
)
def test_where_a_call_comes_from(settings, proxies, remote, forwarded, address):
    settings.PROXIES = proxies
    meta = {"REMOTE_ADDR": remote}
    if forwarded is not None:
        meta["HTTP_X_FORWARDED_FOR"] = forwarded

    assert address_of(meta) == address
