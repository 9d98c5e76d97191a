import re

import pytest
from django.contrib.auth.hashers import check_password

from integrations.models import ApiClient
from tests.factories import make_client, make_company
from tests.staff import every_permission_but, page_of, said, save, staff, superuser

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
