"""Staff make, test, pause and resume endpoints, and have events sent again."""

import re

import pytest
from standardwebhooks.webhooks import Webhook

from integrations.models import Event, WebhookDelivery, WebhookEndpoint
from tests.factories import make_client, make_company
from tests.staff import act, every_permission_but, page_of, said, save, staff, superuser

from .makers import SCOPES, make_endpoint, statuses, types_told
from .receivers import answering, receiving

pytestmark = pytest.mark.django_db

ADD = "/admin/integrations/webhookendpoint/add/"
URL = "https://hooks.example.com/konzern"


def test_the_secret_of_a_new_endpoint_is_shown_once(local, work):
    with receiving() as receiver:
        # given
        api_client = make_client(scopes=SCOPES, sees_all=True)
        company = make_company()
        browser = superuser()

        # when
        response = save(
            browser,
            ADD,
            client=api_client.pk,
            url=receiver.url,
            types=["company.created", "company.updated"],
            hierarchies=[company.pk],
        )

        # then
        endpoint = WebhookEndpoint.objects.get()
        (text,) = [message for message in said(response) if "Secret" in message]
        secret = re.search(r"Secret (\S+)\.", text)[1]
        assert endpoint.types == ["company.created", "company.updated"]
        assert endpoint.hierarchies == [company.pk]
        page = browser.get(page_of(endpoint)).content.decode().replace(text, "")
        assert secret not in page
        assert endpoint.seed not in page
        actor = endpoint.history.get().history_user_id
        assert actor == f"staff:{browser.user.pk}"
        work()
        Webhook(secret).verify(receiver.received[0].body, receiver.received[0].headers)
        endpoint.refresh_from_db()
        assert endpoint.status == "ACTIVE"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"url": "https://10.0.0.1/"}, "Not an address on the public Internet."),
        ({"url": "http://hooks.example.com/"}, "Only https:// addresses."),
        ({"types": ["company.exploded"]}, "Select a valid choice"),
        ({"hierarchies": [999999]}, "Select a valid choice"),
        ({"client": ""}, "This field is required."),
    ],
)
def test_wrong_input_is_shown_at_its_field(change, text):
    api_client = make_client(scopes=SCOPES, sees_all=True)

    response = save(superuser(), ADD, **{"client": api_client.pk, "url": URL} | change)

    assert response.status_code == 200
    assert text in response.content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_an_endpoint_is_given_only_hierarchies_that_its_client_sees():
    mine, foreign = make_company(), make_company()
    api_client = make_client(scopes=SCOPES, hierarchies=(mine,))

    fields = {"client": api_client.pk, "url": URL}
    refused = save(superuser(), ADD, hierarchies=[foreign.pk], **fields)
    save(superuser(), ADD, hierarchies=[mine.pk], **fields)

    assert refused.status_code == 200
    assert WebhookEndpoint.objects.get().hierarchies == [mine.pk]


def test_a_change_keeps_companies_that_are_gone_and_tests_another_address(local):
    # given
    company, gone = make_company(), make_company()
    endpoint = make_endpoint(URL, hierarchies=[company.pk, gone.pk])
    gone_pk = gone.pk
    gone.delete()
    browser = superuser()

    # when
    nothing = save(browser, page_of(endpoint), hierarchies=[company.pk])
    endpoint.refresh_from_db()
    assert (nothing.status_code, endpoint.version) == (302, 2)
    change = {"description": "x", "hierarchies": [company.pk]}
    save(browser, page_of(endpoint), **change)

    # then
    endpoint.refresh_from_db()
    assert endpoint.hierarchies == sorted([company.pk, gone_pk])
    assert (endpoint.status, endpoint.version) == ("ACTIVE", 3)
    save(browser, page_of(endpoint), url=f"{URL}/2", hierarchies=[company.pk])
    endpoint.refresh_from_db()
    assert (endpoint.status, endpoint.version) == ("PENDING", 4)


def test_pause_resume_and_test_by_buttons(local, work):
    with receiving() as receiver:
        # given
        endpoint = make_endpoint(receiver.url)
        browser = superuser()

        # when
        act(browser, endpoint, "pause")
        make_company()
        work()

        # then
        endpoint.refresh_from_db()
        assert (endpoint.status, endpoint.reason) == ("PAUSED", "ASKED")
        assert receiver.received == []
        page = browser.get(page_of(endpoint)).content.decode()
        assert "Somebody paused it" in page
        assert 'value="resume"' in page
        assert 'value="pause"' not in page

        # when
        act(browser, endpoint, "resume")
        work()
        act(browser, endpoint, "test")
        work()

        # then
        endpoint.refresh_from_db()
        assert endpoint.status == "ACTIVE"
        assert types_told(receiver) == [
            "webhook.test",
            "company.created",
            "webhook.test",
        ]


def test_the_secret_is_rotated_after_a_question(local):
    # given
    endpoint = make_endpoint(URL)
    browser = superuser()

    # when
    asked = act(browser, endpoint, "rotate")
    endpoint.refresh_from_db()
    before = endpoint.seed
    stale = act(browser, endpoint, "rotate", seen_version="1")
    done = act(browser, endpoint, "rotate", seen_version="2")

    # then
    assert "two signatures" in asked.content.decode()
    assert "stale_version" in " ".join(said(stale))
    endpoint.refresh_from_db()
    assert (endpoint.former_seed, endpoint.version) == (before, 3)
    assert endpoint.seed != before
    assert any("whsec_" in text for text in said(done))


def test_events_are_sent_again(local, work):
    with receiving() as receiver:
        # given
        make_company()
        endpoint = make_endpoint(receiver.url)
        make_company()
        work()
        browser = superuser()

        # when
        wrong = act(browser, endpoint, "replay", seen_version="2", first="3", last="2")
        act(browser, endpoint, "replay", seen_version="2", first="1", last="2")
        work()

        # then
        assert "Not before the first" in wrong.content.decode()
        assert len(receiver.received) == 1 + 2

        # when
        delivery = WebhookDelivery.objects.get(position=2)
        act(browser, delivery, "replay")
        work()

        # then
        assert receiver.ids()[0] == receiver.ids()[3] == "evt_2"
        assert sorted(receiver.ids()[1:3]) == ["evt_1", "evt_2"]
        assert set(statuses()) == {"DELIVERED"}


def test_a_delivery_shows_what_the_receiver_answered(local, work):
    with receiving(answering(500, b"<b>disk full</b>")) as receiver:
        make_endpoint(receiver.url)
        make_company()
        work()

        page = superuser().get(page_of(WebhookDelivery.objects.get())).content.decode()

        assert "&lt;b&gt;disk full&lt;/b&gt;" in page
        assert "<b>disk full</b>" not in page
        assert 'value="replay"' not in page  # it is tried again anyway


def test_the_pages_have_rights_of_their_own(local):
    # given
    endpoint = make_endpoint(URL)
    company = make_company()
    delivery = WebhookDelivery.objects.create(
        endpoint=endpoint,
        event=Event.objects.get(stream=company.pk),
        stream=company.pk,
        position=1,
        status="DELIVERED",
    )
    names = [f"{verb}_webhookendpoint" for verb in ("view", "add", "change", "delete")]
    names += ["view_webhookdelivery", "change_webhookdelivery"]
    browser = staff(*every_permission_but(*names))

    # then
    for row in (endpoint, delivery):
        assert browser.get(page_of(row)).status_code == 403
        assert browser.get(page_of(row, "changelist")).status_code == 403

    # when somebody may look, and no more
    looking = staff("view_webhookendpoint", "view_webhookdelivery")
    for action in ("test", "pause", "rotate", "replay"):
        act(looking, endpoint, action, seen_version="2", first="1", last="1")
    act(looking, delivery, "replay")

    # then
    before = endpoint.seed
    endpoint.refresh_from_db()
    assert (endpoint.status, endpoint.test_due_at, endpoint.version) == (
        "ACTIVE",
        None,
        2,
    )
    assert endpoint.seed == before
    assert statuses() == ["DELIVERED"]
