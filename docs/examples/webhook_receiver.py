"""The receiving end of Konzern's webhooks: verify, acknowledge, do not do twice.

    python3 docs/examples/webhook_receiver.py 8001 whsec_…

Standard library only: take what you need of it. Prints a line for each message. While a
secret is rotated, give both or either.
"""

import base64
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer

TOLERANCE = 5 * 60  # seconds: an old message that somebody sends again is refused
MOST_BYTES = 64 * 1024


class NotGenuine(Exception):
    """Nobody who has the secret has just sent this."""


def verify(
    headers: Mapping[str, str], body: bytes, secrets: Iterable[str], now: float
) -> str:
    """The id of a genuine message (Standard Webhooks 1.0). Raises NotGenuine."""
    name = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(now - int(timestamp)) > TOLERANCE:
        raise NotGenuine("too old")
    signed = b".".join([name.encode(), timestamp.encode(), body])
    given = headers.get("webhook-signature", "").split()
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        digest = hmac.digest(key, signed, hashlib.sha256)
        right = "v1," + base64.b64encode(digest).decode()
        # Compared in constant time: how long it takes says nothing of the signature.
        if any(hmac.compare_digest(one.encode(), right.encode()) for one in given):
            return name
    raise NotGenuine("wrong signature")


class Receiver(BaseHTTPRequestHandler):
    """Answers at once: 204, also to what it has had already, and 401 to others."""

    secrets: tuple[str, ...] = ()
    handled: set[str] = set()  # in a shop: a table with a unique index

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(min(length, MOST_BYTES))
        try:
            name = verify(self.headers, body, self.secrets, time.time())
        except NotGenuine as error:
            say(f"refused: {error}")
            self._answer(401)
            return
        message = json.loads(body)
        again = " again" if name in self.handled else ""
        self.handled.add(name)
        say(f"{name} {message['type']} {message['data']}{again}")
        self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing but our own lines."""


def say(sentence: str) -> None:
    print(sentence, flush=True)  # noqa: T201


if __name__ == "__main__":
    port, *Receiver.secrets = sys.argv[1:]
    HTTPServer(("127.0.0.1", int(port)), Receiver).serve_forever()
