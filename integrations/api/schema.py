"""Describes our authentication in the OpenAPI document; drf-spectacular finds it."""

import json
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.contrib.django_oauth_toolkit import DjangoOAuthToolkitScheme

from integrations.event_types import EVENT_TYPES, message_schema
from integrations.webhooks.messages import event_body

from .permissions import READING

# Headers of Standard Webhooks 1.0, which every message has.
HEADERS = {
    "webhook-id": "Of the event; the same in every try. Keep it, to know repetitions.",
    "webhook-timestamp": "Seconds since 1970 of this try.",
    "webhook-signature": "`v1,` and the HMAC-SHA256 of `id.timestamp.body` in Base64; "
    "two of them, apart by a blank, while the secret is rotated.",
}


class BearerScheme(DjangoOAuthToolkitScheme):
    target_class = "integrations.api.authentication.BearerAuthentication"
    name = "oauth2"
    priority = 1

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:
        """Any of these will do."""
        view = auto_schema.view
        reads = auto_schema.method in READING
        scopes = [view.read_scope if reads else view.write_scope]
        if view.action in getattr(view, "for_readers", ()):
            scopes.append(view.read_scope)
        return [{self.name: [scope]} for scope in dict.fromkeys(scopes)]


def describe_webhooks(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Adds a webhook for each type of event (OpenAPI 3.1, `webhooks`)."""
    result["webhooks"] = {
        name: {
            "post": {
                "operationId": f"webhook_{name.replace('.', '_')}",
                "summary": sentence,
                "tags": ["webhooks"],
                "parameters": [
                    {
                        "name": header,
                        "in": "header",
                        "required": True,
                        "schema": {"type": "string"},
                        "description": text,
                    }
                    for header, text in HEADERS.items()
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": message_schema(name),
                            "example": _example(name),
                        }
                    },
                },
                "responses": {
                    "2XX": {"description": "Received."},
                    "410": {"description": "Send nothing more: pauses the endpoint."},
                    "default": {"description": "Tried again later."},
                },
            }
        }
        for name, sentence in sorted(EVENT_TYPES.items())
    }
    return result


def _example(event_type: str) -> dict[str, Any]:
    """A message as it is sent: of company 7, its 12th event; a contact is of none."""
    noun, _dot, _change = event_type.partition(".")
    body = event_body(
        event_type,
        datetime(2026, 11, 24, 10, tzinfo=UTC),
        position=4711,
        stream=0 if noun == "contact" else 7,
        number=12,
        subject=7 if noun == "company" else 31,
    )
    return json.loads(body)
