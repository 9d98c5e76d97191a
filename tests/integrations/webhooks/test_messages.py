"""Signed as Standard Webhooks wants it: their own library verifies what we send."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from jsonschema import Draft202012Validator
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from integrations.event_types import message_schema
from integrations.models.webhooks import make_seed
from integrations.webhooks.messages import (
    Message,
    event_body,
    event_id,
    headers_of,
    secret_of,
    secrets_of,
)
from integrations.webhooks.messages import (
    test_body as body_of_test,
)

AT = datetime(2026, 11, 24, 10, 0, 0, 123456, tzinfo=UTC)


def make_message() -> Message:
    body = event_body("company.updated", AT, position=12, stream=7, number=3, subject=7)
    return Message(event_id(12), body)


def test_their_library_verifies_our_signature():
    # given
    seed, message = make_seed(), make_message()

    # when
    headers = headers_of(message, secrets_of([seed]), timezone.now())

    # then
    verified = Webhook(secret_of(seed)).verify(message.body, headers)
    assert verified == json.loads(message.body)


@pytest.mark.parametrize(
    "change",
    [
        lambda body, headers: (body + b" ", headers),
        lambda body, headers: (body, headers | {"webhook-id": "evt_13"}),
        lambda body, headers: (body, headers | {"webhook-timestamp": "1"}),
        lambda body, headers: (body, headers | {"webhook-signature": "v1,AAAA"}),
    ],
)
def test_their_library_refuses_what_was_changed(change):
    # given
    seed, message = make_seed(), make_message()
    headers = headers_of(message, secrets_of([seed]), timezone.now())

    # when
    body, headers = change(message.body, headers)

    # then
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_of(seed)).verify(body, headers)


def test_an_old_message_is_refused_by_its_time():
    seed, message = make_seed(), make_message()
    old = timezone.now() - timedelta(minutes=6)

    headers = headers_of(message, secrets_of([seed]), old)

    with pytest.raises(WebhookVerificationError):
        Webhook(secret_of(seed)).verify(message.body, headers)


def test_while_a_secret_is_rotated_both_verify():
    # given
    old, new, other = make_seed(), make_seed(), make_seed()
    message = make_message()

    # when
    headers = headers_of(message, secrets_of([new, old]), timezone.now())

    # then
    assert len(headers["webhook-signature"].split()) == 2
    for seed in (old, new):
        Webhook(secret_of(seed)).verify(message.body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_of(other)).verify(message.body, headers)


def test_a_secret_is_32_bytes_and_cannot_be_made_of_the_database_alone(settings):
    # given
    seed = make_seed()
    before = secret_of(seed)

    # then
    assert before.startswith("whsec_")
    assert len(secrets_of([seed])[0]) == 32
    assert seed not in before

    # when the installation's key is changed, with the former one at hand
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another " * 8
    settings.SECRET_KEY_FALLBACKS = [old]
    message = make_message()
    headers = headers_of(message, secrets_of([seed]), timezone.now())

    # then secrets that were given out go on to verify
    assert secret_of(seed) != before
    Webhook(before).verify(message.body, headers)
    Webhook(secret_of(seed)).verify(message.body, headers)


def test_the_body_has_the_form_of_the_catalogue():
    # given
    body = json.loads(make_message().body)

    # then
    Draft202012Validator(message_schema("company.updated")).validate(body)
    assert body == {
        "type": "company.updated",
        "timestamp": "2026-11-24T10:00:00.123456Z",
        "data": {"position": 12, "company": 7, "number": 3, "subject": 7},
    }
    nobody = event_body(
        "contact.created", AT, position=1, stream=0, number=1, subject=5
    )
    assert json.loads(nobody)["data"]["company"] is None
    assert json.loads(body_of_test(4, AT))["data"] == {"endpoint": 4}
