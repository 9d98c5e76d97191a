"""What is sent: body, headers and signature (Standard Webhooks 1.0).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

PREFIX = "whsec_"
SALT = b"konzern.webhooks"
TEST = "webhook.test"


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one endpoint; `delivery` is None for a test."""

    id: str
    body: bytes
    delivery: int | None = None
    attempts: int = 0  # tries before this one


def secret_of(seed: str, key: str | None = None) -> str:
    """The secret that an integrator is shown: `whsec_` and 32 bytes in Base64.

    Made of a stored seed and the installation's secret key, so that whoever has the
    database alone cannot sign.
    """
    return PREFIX + b64encode(_secret(seed, key or settings.SECRET_KEY)).decode()


def _secret(seed: str, key: str) -> bytes:
    return hmac.digest(key.encode(), SALT + seed.encode(), hashlib.sha256)


def secrets_of(seeds: Iterable[str]) -> list[bytes]:
    """What to sign with: each seed that counts now, by each key that counts now."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [_secret(seed, key) for seed in seeds for key in keys]


def headers_of(
    message: Message, secrets: Iterable[bytes], at: datetime
) -> dict[str, str]:
    """The signature is over `id.timestamp.body`; one for each secret."""
    timestamp = str(int(at.timestamp()))
    signed = b".".join([message.id.encode(), timestamp.encode(), message.body])
    signatures = [
        "v1," + b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
        for secret in secrets
    ]
    return {
        "content-type": "application/json",
        "user-agent": "Konzern-Webhooks/1",
        "webhook-id": message.id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def event_id(position: int) -> str:
    """The same in every try, at every endpoint and in a replay."""
    return f"evt_{position}"


def event_body(
    event_type: str,
    at: datetime,
    *,
    position: int,
    stream: int,
    number: int,
    subject: int,
) -> bytes:
    """Thin: ids, numbers, type and time. What it is now, the receiver asks the API."""
    data = {
        "position": position,
        "company": stream or None,
        "number": number,
        "subject": subject,
    }
    return _body(event_type, at, data)


def test_body(endpoint: int, at: datetime) -> bytes:
    return _body(TEST, at, {"endpoint": endpoint})


def _body(event_type: str, at: datetime, data: dict[str, Any]) -> bytes:
    moment = at.isoformat().replace("+00:00", "Z")
    body = {"type": event_type, "timestamp": moment, "data": data}
    return json.dumps(body, separators=(",", ":")).encode()
