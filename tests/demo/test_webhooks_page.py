"""The calls of docs/webhooks.md, with the receiver of the page, and how it verifies."""

import re
import runpy
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings

from integrations.webhooks.messages import Message, headers_of, secret_of, secrets_of

from .conftest import free_port
from .pages import blocks_of, run

EXAMPLE = Path(settings.BASE_DIR) / "docs" / "examples" / "webhook_receiver.py"
BODY = b'{"type":"company.updated","data":{}}'


def test_the_five_calls_and_the_receiver_do_what_is_shown(server):
    assert run("webhooks.md", server, _8001=str(free_port())) == {}


def test_the_calls_are_five():
    commands = [text for kind, text in blocks_of("webhooks.md") if kind == "bash"]

    numbers = [re.match(r"# call (\d) of 5\n", text) for text in commands]

    assert [int(found[1]) for found in numbers if found] == [1, 2, 3, 4, 5]


@pytest.fixture(scope="module")
def example():
    return runpy.run_path(str(EXAMPLE))


def signed(*seeds: str) -> dict[str, str]:
    """The headers of a message as we send it now."""
    message = Message("evt_1", BODY)
    return headers_of(message, secrets_of(seeds), datetime.now(UTC))


def test_a_genuine_message_is_taken_by_either_secret(example):
    headers = signed("new", "former")

    for seed in ("new", "former"):
        secrets = [secret_of(seed)]
        assert example["verify"](headers, BODY, secrets, time.time()) == "evt_1"


@pytest.mark.parametrize(
    ("changed", "body", "later"),
    [
        ({}, BODY + b" ", 0),
        ({"webhook-id": "evt_2"}, BODY, 0),
        ({"webhook-signature": ""}, BODY, 0),
        ({"webhook-signature": "v1,é"}, BODY, 0),
        ({"webhook-timestamp": "soon"}, BODY, 0),
        ({}, BODY, 301),
        ({}, BODY, -301),
    ],
)
def test_whatever_is_not_as_it_was_signed_is_refused(example, changed, body, later):
    headers, secrets = signed("new") | changed, [secret_of("new")]

    with pytest.raises(example["NotGenuine"]):
        example["verify"](headers, body, secrets, time.time() + later)


def test_a_message_signed_by_another_secret_is_refused(example):
    with pytest.raises(example["NotGenuine"]):
        example["verify"](signed("new"), BODY, [secret_of("other")], time.time())
