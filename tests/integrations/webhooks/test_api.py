"""Endpoints and deliveries over the API: a client's own, and nobody else's."""

from datetime import timedelta

import pytest
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from integrations.api.webhook_serializers import (
    DELIVERY,
    ENDPOINT,
    WebhookDeliverySerializer,
    WebhookEndpointSerializer,
)
from integrations.models import (
    Event,
    IdempotencyRecord,
    WebhookDelivery,
    WebhookEndpoint,
)
from integrations.webhooks.deliverer import Deliverer
from tests.api_shapes import assert_same_shape
from tests.factories import make_client, make_company, make_location

from .makers import SCOPES, make_endpoint, statuses, told, types_told
from .receivers import answering, receiving

pytestmark = pytest.mark.django_db

URL = "/api/v1/webhook-endpoints/"
DELIVERIES = "/api/v1/webhook-deliveries/"
PUBLIC = "https://hooks.example.com/konzern"


@pytest.fixture
def client():
    return make_client(scopes=SCOPES, sees_all=True)


@pytest.fixture
def api(client, call_as):
    return call_as(client)


def errors_of(response) -> dict[str, str]:
    assert response["Content-Type"] == "application/problem+json"
    return {e["pointer"]: e["code"] for e in response.json().get("errors", [])}


def stored() -> list:
    rows = WebhookEndpoint.objects.order_by("pk").values()
    return [*rows, WebhookEndpoint.history.count(), WebhookDelivery.objects.count()]


def test_the_serializers_describe_the_shapes():
    assert_same_shape(WebhookEndpointSerializer, ENDPOINT)
    assert_same_shape(WebhookDeliverySerializer, DELIVERY)


def test_a_new_endpoint_shows_its_secret_once_and_waits_for_its_test(api):
    # when
    response = api.post(URL, {"url": PUBLIC, "types": ["company.created"]})

    # then
    assert response.status_code == 201
    made = response.json()
    assert made.pop("secret").startswith("whsec_")
    assert response["Cache-Control"] == "no-store"
    endpoint = WebhookEndpoint.objects.get()
    assert made == {
        "id": endpoint.pk,
        "url": PUBLIC,
        "description": "",
        "types": ["company.created"],
        "hierarchies": [],
        "status": "PENDING",
        "reason": "",
        "position": None,
        "tested_at": None,
        "test_result": "",
        "version": 1,
        "created_at": made["created_at"],
        "updated_at": made["updated_at"],
    }
    assert api.get(f"{URL}{endpoint.pk}/").json() == made
    assert api.get(URL).json()["results"] == [made]
    assert response["ETag"] == '"1"'
    assert endpoint.history.get().history_user_id == f"client:{endpoint.client_id}"


def test_it_is_sent_nothing_until_it_has_answered_a_signed_test(api, local):
    with receiving(500) as receiver:
        # given
        made = api.post(URL, {"url": receiver.url}).json()
        make_company()

        # when
        deliverer = Deliverer()
        deliverer.round()

        # then
        assert types_told(receiver) == ["webhook.test"]
        (test,) = receiver.received
        Webhook(made["secret"]).verify(test.body, test.headers)
        seen = api.get(f"{URL}{made['id']}/").json()
        assert (seen["status"], seen["test_result"]) == ("PENDING", "500")
        deliverer.round()
        assert len(receiver.received) == 1

        # when it is asked for again
        receiver.reply = 204
        assert api.post(f"{URL}{made['id']}/test/").status_code == 200
        make_company()
        deliverer.round()
        later = make_company()
        deliverer.round()
        deliverer.finish()

        # then
        seen = api.get(f"{URL}{made['id']}/").json()
        assert (seen["status"], seen["test_result"]) == ("ACTIVE", "204")
        assert told(receiver)[-1] == (later.pk, 1)


def test_a_test_whose_worker_died_is_sent_again(api, local, work):
    with receiving() as receiver:
        made = api.post(URL, {"url": receiver.url}).json()
        # taken, and then nothing was heard
        late = timezone.now() + timedelta(seconds=60)
        WebhookEndpoint.objects.update(test_due_at=late)
        work()
        assert receiver.received == []

        WebhookEndpoint.objects.update(test_due_at=timezone.now())
        work()

        assert api.get(f"{URL}{made['id']}/").json()["status"] == "ACTIVE"


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"url": "http://hooks.example.com/"}, {"/url": "webhook_url"}),
        ({"url": "https://10.0.0.1/"}, {"/url": "private_address"}),
        ({"url": "https://localhost/"}, {"/url": "private_address"}),
        ({"url": ""}, {"/url": "blank"}),
        ({"url": "https://a.example/" + "x" * 500}, {"/url": "max_length"}),
        ({"types": ["company.exploded"]}, {"/types/0": "invalid_choice"}),
        ({"types": "company.created"}, {"/types": "not_a_list"}),
        ({"hierarchies": ["1"]}, {"/hierarchies/0": "invalid"}),
        ({"hierarchies": [True]}, {"/hierarchies/0": "invalid"}),
        ({"hierarchies": [999999]}, {"/hierarchies": "does_not_exist"}),
        ({"hierarchies": [-1]}, {"/hierarchies": "does_not_exist"}),
        ({"hierarchies": [10**30]}, {"/hierarchies": "does_not_exist"}),
        ({"status": "ACTIVE"}, {"/status": "read_only"}),
        ({"seed": "x"}, {"/seed": "unknown_field"}),
        ({"secret": "whsec_x"}, {"/secret": "unknown_field"}),
        ({"client": 1}, {"/client": "unknown_field"}),
    ],
)
def test_wrong_input_is_refused_by_place(api, change, errors):
    # given
    made = api.post(URL, {"url": PUBLIC}).json()
    before = stored()

    # when
    created = api.post(URL, {"url": PUBLIC} | change)
    changed = api.patch(f"{URL}{made['id']}/", change, headers={"If-Match": '"1"'})

    # then
    for response in (created, changed):
        assert response.status_code == 400, response.content
        assert errors_of(response) == errors
    assert stored() == before


def test_a_company_that_the_client_does_not_see_does_not_exist(call_as):
    mine, foreign = make_company(), make_company()
    api = call_as(make_client(scopes=SCOPES, hierarchies=(mine,)))

    refused = api.post(URL, {"url": PUBLIC, "hierarchies": [mine.pk, foreign.pk]})
    taken = api.post(URL, {"url": PUBLIC, "hierarchies": [mine.pk]})

    assert errors_of(refused) == {"/hierarchies": "does_not_exist"}
    assert taken.json()["hierarchies"] == [mine.pk]
    assert WebhookEndpoint.objects.count() == 1


def test_a_hierarchy_that_was_deleted_since_can_be_sent_back(api):
    company = make_company()
    body = {"url": PUBLIC, "hierarchies": [company.pk]}
    made = api.post(URL, body).json()
    pk = company.pk
    company.delete()

    change = {"hierarchies": [pk], "description": "x"}
    response = api.patch(f"{URL}{made['id']}/", change, headers={"If-Match": '"1"'})

    assert response.status_code == 200
    assert response.json()["hierarchies"] == [pk]


def test_a_change_needs_the_version_and_another_address_a_test(api, client, local):
    with receiving() as receiver:
        # given
        endpoint = make_endpoint(receiver.url, client=client)
        url = f"{URL}{endpoint.pk}/"

        # then
        assert api.patch(url, {"description": "x"}).status_code == 428
        stale = api.patch(url, {"description": "x"}, headers={"If-Match": '"1"'})
        assert stale.status_code == 412

        # when
        same = api.patch(url, {"description": "x"}, headers={"If-Match": '"2"'})
        nothing = api.patch(url, {"description": "x"}, headers={"If-Match": '"3"'})
        other = api.patch(url, {"url": PUBLIC}, headers={"If-Match": '"3"'})

        # then
        assert (same.json()["status"], same["ETag"]) == ("ACTIVE", '"3"')
        assert nothing["ETag"] == '"3"'
        assert (other.json()["status"], other["ETag"]) == ("PENDING", '"4"')
        assert WebhookEndpoint.history.count() == 4


def test_ten_endpoints_and_no_more(api, call_as):
    # given
    for _ in range(10):
        assert api.post(URL, {"url": PUBLIC}).status_code == 201

    # when
    refused = api.post(URL, {"url": PUBLIC})

    # then
    assert refused.status_code == 409
    assert refused.json()["code"] == "too_many_endpoints"
    assert WebhookEndpoint.objects.count() == 10
    other = call_as(make_client(scopes=SCOPES, sees_all=True))
    assert other.post(URL, {"url": PUBLIC}).status_code == 201


def test_those_of_others_do_not_exist(api, call_as, local, work):
    with receiving() as receiver:
        # given
        endpoint = make_endpoint(receiver.url)
        make_company()
        work()
        delivery = WebhookDelivery.objects.first()
        before = stored()
        sent = len(receiver.received)

        # then
        assert api.get(URL).json()["results"] == []
        assert api.get(DELIVERIES).json()["results"] == []
        theirs = f"{URL}{endpoint.pk}/"
        match = {"headers": {"If-Match": '"2"'}}
        span = {"first": 1, "last": 9}
        answers = [
            api.get(theirs),
            api.patch(theirs, {"description": "x"}, **match),
            api.put(theirs, {"url": PUBLIC}, **match),
            api.delete(theirs, **match),
            api.post(f"{theirs}test/"),
            api.post(f"{theirs}pause/"),
            api.post(f"{theirs}resume/"),
            api.post(f"{theirs}rotate-secret/"),
            api.post(f"{theirs}replay/", span),
            api.get(f"{DELIVERIES}{delivery.pk}/"),
            api.post(f"{DELIVERIES}{delivery.pk}/replay/"),
        ]
        assert {answer.status_code for answer in answers} == {404}
        filtered = api.get(f"{DELIVERIES}?endpoint={endpoint.pk}")
        assert filtered.status_code == 400
        assert stored() == before
        work()
        assert len(receiver.received) == sent


@pytest.mark.parametrize("path", [URL, DELIVERIES])
def test_they_need_their_scope(call_as, path):
    api = call_as(make_client(scopes="events:read companies:write", sees_all=True))

    for response in (api.get(path), api.post(path, {"url": PUBLIC})):
        assert response.status_code in (403, 405)
        if response.status_code == 403:
            assert response.json()["details"] == {"scope": "webhooks:write"}
    assert not WebhookEndpoint.objects.exists()


def test_pause_and_resume(api, client, local, work):
    with receiving() as receiver:
        # given
        endpoint = make_endpoint(receiver.url, client=client)
        url = f"{URL}{endpoint.pk}/"

        # when
        paused = api.post(f"{url}pause/", headers={"If-Match": '"2"'})
        make_company()
        work()

        # then
        assert (paused.json()["status"], paused.json()["reason"]) == ("PAUSED", "ASKED")
        assert receiver.received == []
        assert api.post(f"{url}pause/").json()["version"] == 3
        stale = api.post(f"{url}resume/", headers={"If-Match": '"2"'})
        assert stale.status_code == 412

        # when
        resumed = api.post(f"{url}resume/")
        work()

        # then
        assert (resumed.json()["status"], resumed.json()["reason"]) == ("PENDING", "")
        assert api.get(url).json()["status"] == "ACTIVE"
        assert len(receiver.received) == 1 + Event.objects.count()


def test_a_rotated_secret_is_shown_once(api, client, local):
    endpoint = make_endpoint("https://hooks.example.com/", client=client)
    url = f"{URL}{endpoint.pk}/"

    response = api.post(f"{url}rotate-secret/")

    assert response.status_code == 200
    assert response.json()["secret"].startswith("whsec_")
    assert "secret" not in api.get(url).json()
    assert response.json()["version"] == 3


def test_deleted_endpoints_are_gone_with_their_deliveries(api, client, local, work):
    with receiving() as receiver:
        endpoint = make_endpoint(receiver.url, client=client)
        make_company()
        work()

        response = api.delete(f"{URL}{endpoint.pk}/", headers={"If-Match": '"2"'})

        assert response.status_code == 204
        assert not WebhookDelivery.objects.exists()
        make_company()
        work()
        assert len(receiver.received) == 1


# --- deliveries


def test_deliveries_say_when_and_how_but_nothing_that_the_receiver_wrote(
    api, client, local, work
):
    with receiving(answering(500, b"internal secret")) as receiver:
        # given
        endpoint = make_endpoint(receiver.url, client=client)
        company = make_company()
        location = make_location(company=company)

        # when
        work()

        # then
        response = api.get(f"{DELIVERIES}?status=FAILING")
        (seen,) = response.json()["results"]
        delivery = WebhookDelivery.objects.get(status="FAILING")
        assert delivery.response_text == "internal secret"
        assert seen == {
            "id": delivery.pk,
            "endpoint": endpoint.pk,
            "position": delivery.position,
            "company": company.pk,
            "type": "company.created",
            "subject": company.pk,
            "status": "FAILING",
            "attempts": 1,
            "tried_at": seen["tried_at"],
            "next_try_at": seen["next_try_at"],
            "response_status": 500,
            "error": "",
        }
        assert "secret" not in response.content.decode()
        (waiting,) = api.get(f"{DELIVERIES}?type=location.created").json()["results"]
        assert (waiting["status"], waiting["subject"]) == ("PENDING", location.pk)
        assert len(api.get(f"{DELIVERIES}?company={company.pk}").json()["results"]) == 2
        by_endpoint = api.get(f"{DELIVERIES}?endpoint={endpoint.pk}&count=true")
        assert by_endpoint.json()["count"] == 2
        at = f"{DELIVERIES}?position={waiting['position']}"
        assert api.get(at).json()["results"] == [waiting]
        assert api.get(f"{DELIVERIES}{waiting['id']}/").json() == waiting


def test_a_list_of_deliveries_costs_two_queries(
    api, client, local, work, django_assert_num_queries
):
    with receiving() as receiver:
        make_endpoint(receiver.url, client=client)
        for _ in range(10):
            make_company()
        work()

        for path in (DELIVERIES, URL):
            with django_assert_num_queries(2):
                assert api.get(path).status_code == 200


def test_one_delivery_is_replayed_under_its_id(api, client, local, work):
    with receiving() as receiver:
        # given
        endpoint = make_endpoint(receiver.url, client=client)
        for _ in range(3):
            make_company()
        work()
        delivery = WebhookDelivery.objects.order_by("position")[1]
        url = f"{DELIVERIES}{delivery.pk}/replay/"

        # when
        response = api.post(url)
        twice = api.post(url)
        work()

        # then
        assert (response.status_code, response.json()["status"]) == (200, "PENDING")
        assert twice.json()["code"] == "not_delivered"
        assert len(receiver.received) == 4
        assert receiver.ids()[3] == receiver.ids()[1]
        assert receiver.received[3].body == receiver.received[1].body
        assert set(statuses()) == {"DELIVERED"}

        # when nothing is sent there
        api.post(f"{URL}{endpoint.pk}/pause/")
        refused = api.post(url)

        # then
        assert refused.status_code == 409
        assert refused.json()["code"] == "endpoint_not_active"
        assert set(statuses()) == {"DELIVERED"}


def test_a_range_is_replayed_in_order_also_of_what_came_before(
    api, client, local, work
):
    with receiving() as receiver:
        # given
        company = make_company()
        for _ in range(3):
            make_location(company=company)
        endpoint = make_endpoint(receiver.url, client=client)
        make_location(company=company)
        work()
        assert told(receiver) == [(company.pk, 5)]

        # when
        span = {"first": 2, "last": 5}
        response = api.post(f"{URL}{endpoint.pk}/replay/", span)
        work()

        # then
        assert (response.status_code, response.json()) == (202, {"waiting": 4})
        assert told(receiver)[1:] == [(company.pk, number) for number in (2, 3, 4, 5)]
        assert set(statuses()) == {"DELIVERED"}


@pytest.mark.parametrize(
    ("span", "errors"),
    [
        ({"first": 5, "last": 4}, {"/last": "min_value"}),
        ({"first": 0, "last": 4}, {"/first": "min_value"}),
        ({"first": 1, "last": 10_001}, {"/last": "range_too_long"}),
        ({"first": 1}, {"/last": "required"}),
        ({"first": "1", "last": 2}, {"/first": "invalid"}),
        ({"first": 1, "last": 10**30}, {"/last": "max_value"}),
        ({"first": 1, "last": 2, "types": []}, {"/types": "unknown_field"}),
    ],
)
def test_a_wrong_range_is_refused(api, client, local, span, errors):
    endpoint = make_endpoint(PUBLIC, client=client)
    before = stored()

    response = api.post(f"{URL}{endpoint.pk}/replay/", span)

    assert response.status_code == 400
    assert errors_of(response) == errors
    assert stored() == before


def test_a_replay_of_what_is_too_late_or_not_there_does_nothing(api, client, local):
    endpoint = make_endpoint(PUBLIC, client=client)
    make_company()

    span = {"first": 1000, "last": 2000}
    response = api.post(f"{URL}{endpoint.pk}/replay/", span)

    assert response.json() == {"waiting": 0}
    assert not WebhookDelivery.objects.exists()


def test_the_secret_is_in_no_history_and_no_page(api):
    made = api.post(URL, {"url": PUBLIC}).json()
    endpoint = WebhookEndpoint.objects.get()

    names = {field.name for field in WebhookEndpoint.history.model._meta.fields}

    assert not names & {"seed", "former_seed", "former_until"}
    row = str(WebhookEndpoint.history.values().get())
    assert endpoint.seed not in row
    assert made["secret"] not in str(WebhookEndpoint.objects.values().get())


def test_a_repeated_call_shows_the_secret_again_but_it_is_not_kept(api):
    headers = {"Idempotency-Key": "one"}
    first = api.post(URL, {"url": PUBLIC}, headers=headers)
    again = api.post(URL, {"url": PUBLIC}, headers=headers)

    assert again["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    assert WebhookEndpoint.objects.count() == 1
    kept = IdempotencyRecord.objects.get().answer
    assert first.json()["secret"] not in kept
    assert "whsec" not in kept
