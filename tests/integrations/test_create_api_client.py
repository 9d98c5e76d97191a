import re
import shlex
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client

from companies.models import Company
from integrations.clients import create_api_client
from integrations.models import ApiClient
from tests.factories import make_company
from tests.integrations.test_oauth import basic

pytestmark = pytest.mark.django_db


def run(*args: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("create_api_client", *args, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_prints_a_curl_line_that_works():
    # when
    scopes = "companies:read limits:read"
    out, _err = run("shop", "--scopes", scopes, "--all-hierarchies")

    # then
    words = shlex.split(out[out.index("curl") :])
    client_id, secret = words[words.index("-u") + 1].split(":")
    form = dict(word.split("=", 1) for word in words if re.match(r"\w+=", word))
    assert words[-1] == "http://127.0.0.1:8000/oauth/token/"
    response = Client().post("/oauth/token/", form, headers=basic(client_id, secret))
    assert response.json()["scope"] == "companies:read limits:read"
    assert ApiClient.objects.get().sees_all_hierarchies


def test_sees_the_hierarchies_of_the_codes():
    # given
    head, other = make_company(code="acme"), make_company()
    below = make_company(parent=head)

    # when
    run("shop", "--scopes", "companies:read", "--hierarchy", "ACME")

    # then
    client = ApiClient.objects.get()
    assert set(Company.objects.visible_to(client)) == {head, below}
    assert other.pk


def test_sees_nothing_unless_told_and_says_so():
    make_company()

    _out, err = run("shop", "--scopes", "companies:read")

    assert "no company" in err
    assert not Company.objects.visible_to(ApiClient.objects.get()).exists()


@pytest.mark.parametrize(
    "args",
    [
        ("--scopes", "companies:fly"),
        ("--scopes", "act companies:write"),
        ("--scopes", "companies:read", "--expires", "tomorrow"),
        ("--scopes", "companies:read", "--calls-per-minute", "0"),
        ("--scopes", "companies:read", "--hierarchy", "nowhere"),
        ("--scopes", "companies:read", "--hierarchy", "a", "--all-hierarchies"),
    ],
)
def test_refuses_what_is_not_there_and_makes_nothing(args: tuple[str, ...]):
    with pytest.raises(CommandError):
        run("shop", *args)
    assert not ApiClient.objects.exists()


def test_ends_at_a_date_and_has_a_limit_of_its_own():
    limits = ("--expires", "2027-01-31", "--calls-per-minute", "900")
    run("shop", "--scopes", "act", *limits)

    made = ApiClient.objects.get()
    assert made.expires_at == datetime(2027, 1, 31, tzinfo=UTC)
    assert made.calls_per_minute == 900


def test_an_unknown_scope_is_named():
    with pytest.raises(ValidationError) as refused:
        create_api_client("shop", scopes="companies:read companies:fly")
    (error,) = refused.value.error_dict["allowed_scopes"]
    assert error.code == "unknown_scope"
    assert "companies:fly" in error.messages[0]
