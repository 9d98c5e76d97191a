"""Rotating and revoking API clients by command."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from oauth2_provider.models import AccessToken

from integrations.clients import create_api_client
from integrations.models import ApiClient
from tests.factories import make_client, make_token

pytestmark = pytest.mark.django_db


def run(*args: str) -> str:
    out = StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


def printed_secret(text: str) -> str:
    return text.split("client_secret: ")[1].split()[0]


def test_a_new_secret_is_printed_and_the_old_one_works_for_a_day():
    # given
    client, old = create_api_client("shop", scopes="companies:read")

    # when
    text = run("rotate_api_client", "shop")

    # then
    stored = ApiClient.objects.get()
    assert client.client_id in text
    assert stored.has_secret(printed_secret(text))
    assert stored.has_secret(old)
    assert (stored.old_secret_until - stored.secret_since).total_seconds() == 24 * 3600


def test_the_old_secret_ends_at_once_if_told_so():
    # given
    client, old = create_api_client("shop", scopes="companies:read")
    make_token(client)

    # when
    text = run("rotate_api_client", client.client_id, "--old-valid-for", "0")

    # then
    stored = ApiClient.objects.get()
    assert stored.has_secret(printed_secret(text))
    assert not stored.has_secret(old)
    assert not AccessToken.objects.exists()


def test_a_client_is_revoked():
    # given
    client, other = make_client(), make_client()
    token = make_token(other)
    make_token(client)

    # when
    run("revoke_api_client", client.client_id)

    # then
    client.refresh_from_db()
    other.refresh_from_db()
    assert (client.is_active, other.is_active) == (False, True)
    assert AccessToken.objects.get().application_id == other.pk
    assert token
    assert client.history.first().history_user_id == "system"


def test_revoking_twice_changes_nothing_more():
    client = make_client()

    run("revoke_api_client", client.name)
    run("revoke_api_client", client.name)

    client.refresh_from_db()
    assert client.version == 2


@pytest.mark.parametrize("command", ["rotate_api_client", "revoke_api_client"])
@pytest.mark.parametrize(
    "args", [("nobody",), ("twin",), ("shop", "--old-valid-for", "-1")]
)
def test_who_is_not_meant_keeps_all(command: str, args: tuple[str, ...]):
    # given
    for name in ("shop", "twin", "twin"):
        create_api_client(name, scopes="companies:read")
    before = list(ApiClient.objects.order_by("pk").values())

    # then
    with pytest.raises(CommandError):
        run(command, *args)
    assert list(ApiClient.objects.order_by("pk").values()) == before
