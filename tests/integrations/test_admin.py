import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.hashers import check_password
from oauth2_provider.models import AccessToken

from config.actors import SYSTEM
from integrations.clients import rotate_api_client
from integrations.models import ApiClient
from tests.factories import make_client, make_company, make_token
from tests.staff import (
    act,
    every_permission_but,
    fields_of,
    page_of,
    said,
    save,
    staff,
    superuser,
)

pytestmark = pytest.mark.django_db

ADD = "/admin/integrations/apiclient/add/"


def test_the_secret_of_a_new_client_is_shown_once():
    # given
    head = make_company()
    client = superuser()

    # when
    fields = {"allowed_scopes": ["companies:read"], "allowed_hierarchies": [head.pk]}
    response = save(client, ADD, name="Shop", **fields)

    # then
    made = ApiClient.objects.get()
    (text,) = [message for message in said(response) if "secret" in message]
    secret = re.search(r"secret (\S+)\.", text)[1]
    assert check_password(secret, made.client_secret)
    assert made.allowed_scopes == "companies:read"
    assert list(made.allowed_hierarchies.all()) == [head]
    assert secret not in client.get(page_of(made)).content.decode().replace(text, "")


def test_scopes_of_a_client_are_changed_and_unknown_ones_refused():
    # given
    made = make_client(scopes="companies:read")
    client = superuser()

    # when
    refused = save(client, page_of(made), allowed_scopes=["companies:rule"])
    save(client, page_of(made), allowed_scopes=["companies:write", "groups:read"])

    # then
    assert refused.status_code == 200
    made.refresh_from_db()
    assert made.allowed_scopes == "companies:write groups:read"


def test_a_client_is_switched_off():
    # given
    made = make_client(scopes="companies:read")
    client = superuser()

    # when
    values = {"allowed_scopes": ["companies:read"], "is_active": ""}
    save(client, page_of(made), **values)

    # then
    made.refresh_from_db()
    assert not made.is_active


def test_the_history_says_which_hierarchies_a_client_was_given():
    # given
    client = superuser()
    one, other = make_company(code="one"), make_company(code="other")
    fields = {"allowed_scopes": ["companies:read"]}
    save(client, ADD, name="Shop", allowed_hierarchies=[one.pk], **fields)
    made = ApiClient.objects.get()

    # when
    save(client, page_of(made), allowed_hierarchies=[one.pk, other.pk], **fields)

    # then
    entries = made.history.values_list("history_change_reason", "history_user_id")
    actor = f"staff:{client.user.pk}"
    assert list(entries) == [
        ("hierarchies: one, other", actor),
        ("hierarchies: one", actor),
    ]


def test_scopes_that_exclude_each_other_are_refused():
    # given
    made = make_client(scopes="companies:read")
    client = superuser()

    # when
    scopes = ["act", "companies:write"]
    changed = save(client, page_of(made), allowed_scopes=scopes)
    added = save(client, ADD, name="Shop", allowed_scopes=scopes)

    # then
    for response in (changed, added):
        assert response.status_code == 200
        assert "never both" in response.content.decode()
    assert ApiClient.objects.get().allowed_scopes == "companies:read"


def test_a_client_ends_at_a_date_and_has_a_limit_of_its_own():
    # given
    client = superuser()
    fields = {
        "allowed_scopes": ["act"],
        "expires_at_0": "2027-01-31",
        "expires_at_1": "12:00:00",
        "calls_per_minute": "900",
    }

    # when
    save(client, ADD, name="Shop", **fields)

    # then
    made = ApiClient.objects.get()
    assert made.expires_at == datetime(2027, 1, 31, 12, tzinfo=UTC)
    assert made.calls_per_minute == 900
    values = {"allowed_scopes": ["act"], "calls_per_minute": "0"}
    assert save(client, page_of(made), **values).status_code == 200
    made.refresh_from_db()
    assert made.calls_per_minute == 900


def test_a_new_secret_is_shown_once_and_the_old_one_works_for_hours():
    # given
    made = make_client(scopes="companies:read")
    old = made.client_secret
    client = superuser()
    asked = act(client, made, "rotate")
    assert fields_of(asked)["hours"] == "24"

    # when
    response = act(client, made, "rotate", hours="2", seen_version="1")

    # then
    (text,) = [message for message in said(response) if "secret" in message]
    secret = re.search(r"secret (\S+)\.", text)[1]
    made.refresh_from_db()
    assert check_password(secret, made.client_secret)
    assert made.old_secret == old
    hours = (made.old_secret_until - made.secret_since) / timedelta(hours=1)
    assert hours == 2
    entry = made.history.first()
    assert entry.history_user_id == f"staff:{client.user.pk}"
    assert entry.history_change_reason == "new secret"
    page = client.get(page_of(made)).content.decode().replace(text, "")
    assert secret not in page
    assert made.client_secret not in page
    assert old not in page


@pytest.mark.parametrize("answer", [{"hours": "-1"}, {"hours": "x"}, {"hours": "721"}])
def test_a_new_secret_needs_hours_that_make_sense(answer: dict[str, str]):
    made = make_client()

    response = act(superuser(), made, "rotate", seen_version="1", **answer)

    assert response.status_code == 200
    assert ApiClient.objects.get().client_secret == made.client_secret


def test_two_people_do_not_rotate_one_after_the_other_unseen():
    # given
    made = make_client()
    client = superuser()
    act(client, made, "rotate", hours="2", seen_version="1")
    made.refresh_from_db()

    # when
    response = act(client, made, "rotate", hours="2", seen_version="1")

    # then
    assert "stale_version" in " ".join(said(response))
    assert ApiClient.objects.get().client_secret == made.client_secret


def test_a_client_is_revoked():
    # given
    made = make_client(scopes="companies:read")
    make_token(made)
    client = superuser()
    assert "Revoke" in act(client, made, "revoke").content.decode()
    assert AccessToken.objects.exists()

    # when
    act(client, made, "revoke", seen_version="1")

    # then
    made.refresh_from_db()
    assert not made.is_active
    assert not AccessToken.objects.exists()
    assert made.history.first().history_user_id == f"staff:{client.user.pk}"
    assert 'value="revoke"' not in client.get(page_of(made)).content.decode()


def test_a_page_from_before_the_revocation_revives_nothing():
    # given
    made = make_client(scopes="companies:read")
    client = superuser()
    before = fields_of(client.get(page_of(made)))
    act(client, made, "revoke", seen_version="1")

    # when
    values = {"allowed_scopes": ["companies:read"], "name": "Other", "_save": "Save"}
    client.post(page_of(made), before | values)

    # then
    assert not ApiClient.objects.get().is_active


@pytest.mark.parametrize("action", ["rotate", "revoke"])
def test_who_only_sees_clients_changes_none(action: str):
    # given
    made = make_client(scopes="companies:read")
    make_token(made)
    viewer = staff("view_apiclient")
    assert viewer.get(page_of(made)).status_code == 200

    # when
    act(viewer, made, action, hours="0", seen_version="1")

    # then
    stored = ApiClient.objects.get()
    assert (stored.version, stored.is_active) == (1, True)
    assert stored.client_secret == made.client_secret
    assert AccessToken.objects.exists()


def test_the_page_of_a_client_says_how_it_stands(django_assert_max_num_queries):
    # given
    made = make_client(scopes="companies:read", hierarchies=(make_company(),))
    make_token(made)
    client = superuser()
    client.get(page_of(made))
    for _ in range(5):
        rotate_api_client(made, actor=SYSTEM)

    # when
    with django_assert_max_num_queries(12):
        page = client.get(page_of(made)).content.decode()

    # then
    made.refresh_from_db()
    for moment in (made.last_used_at, made.secret_since, made.old_secret_until):
        assert f"{moment:%Y-%m-%d %H:%M}" in page


def test_the_pages_of_clients_have_rights_of_their_own():
    # given
    made = make_client()
    others = every_permission_but(
        "view_apiclient", "add_apiclient", "change_apiclient", "delete_apiclient"
    )

    # when
    response = staff(*others).get(page_of(made))

    # then
    assert response.status_code == 403


def test_the_sidebar_shows_what_somebody_may_see():
    # given
    browser = staff("view_company")

    # when
    page = browser.get("/admin/").content.decode()

    # then
    assert "/admin/companies/company/" in page
    assert "/admin/integrations/apiclient/" not in page
    assert "/admin/auth/user/" not in page
