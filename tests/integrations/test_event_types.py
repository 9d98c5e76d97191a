"""Each type that any code tells is in the catalogue, and each that is there is told."""

import ast
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator, ValidationError

from approvals.models import RequestHistory
from companies.models import KeyAccount
from groups.models import GroupMember
from integrations.event_types import EVENT_SCHEMA, EVENT_TYPES, message_schema
from integrations.models import ApiClient, Event
from integrations.recording import Recorded, event_noun
from tests.factories import make_client, make_company, make_contact

ROOT = Path(settings.BASE_DIR)
APPS = ("integrations", "companies", "groups", "approvals")


def recorded() -> set[str]:
    """What `save()` and `delete()` tell."""
    # Told as the group's; nobody else's business.
    silent = {GroupMember, ApiClient, KeyAccount}
    models = {m for m in apps.get_models() if issubclass(m, Recorded)} - silent
    return {
        f"{event_noun(model)}.{change}"
        for model in models
        for change in ("created", "updated", "deleted")
    }


def written() -> set[str]:
    """Whole types in the code: "purchase_limit.alert", wherever they are named."""
    found = set()
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            if "migrations" in path.parts or path.name == "event_types.py":
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Call(
                        func=ast.Name(id="record_event" | "record_events"),
                        args=[ast.Constant(value=name), *_],
                    ):
                        found.add(name)
    return found


def changes_of_requests() -> set[str]:
    return {f"purchase_request.{name.lower()}" for name in RequestHistory.Change}


def test_the_catalogue_has_what_the_code_tells_and_nothing_else():
    told = recorded() | written() | changes_of_requests()
    by_hand = {
        "company.moved",  # TreeModel
        "customer_group.member_added",  # GroupMember
        "customer_group.member_removed",
        "purchase_limit.alert",  # ledger.ALERT
    }

    assert set(EVENT_TYPES) == told | by_hand
    assert written()
    assert len(recorded()) >= 39


def test_every_type_is_a_webhook_of_the_openapi_document():
    # when
    with GENERATOR_STATS.silence():
        document = SchemaGenerator().get_schema(request=None, public=True)

    # then
    assert set(document["webhooks"]) == set(EVENT_TYPES)
    for name, sentence in EVENT_TYPES.items():
        operation = document["webhooks"][name]["post"]
        assert operation["summary"] == sentence
        assert sentence.endswith(".")
        body = operation["requestBody"]["content"]["application/json"]
        assert body["schema"] == message_schema(name)
        Draft202012Validator(body["schema"]).validate(body["example"])
        assert (body["example"]["data"]["company"] is None) == (
            name.startswith("contact.")
        )


@pytest.mark.django_db
def test_what_is_read_has_the_form_of_the_catalogue_and_no_data_of_people(call_as):
    # given
    api = call_as(make_client(scopes="events:read", sees_all=True))
    make_company(name="Canary Ltd", email="canary@example.com")
    make_contact(first_name="Canary", email="canary2@example.com")

    # when
    response = api.get("/api/v1/events/")

    # then
    check = Draft202012Validator(EVENT_SCHEMA)
    events = response.json()["results"]
    assert len(events) == Event.objects.count() > 1
    for event in events:
        check.validate(event)
        with pytest.raises(ValidationError):
            check.validate(event | {"name": "x"})
    assert "canary" not in response.content.decode().lower()
