"""One message and its answer, whatever the receiver does."""

import socket
import time

import pytest

from integrations.webhooks import sending
from integrations.webhooks.sending import Line

from . import receivers
from .receivers import answering, make_certificate, receiving

NAME = "hooks.example.com"


@pytest.fixture(autouse=True)
def _this_machine(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True


@pytest.fixture
def named(monkeypatch):
    """The name of the receiver stands for this machine."""
    original = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        found = "127.0.0.1" if host in (NAME, "other.example.com") else host
        return original(found, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture
def trusting(monkeypatch, tmp_path):
    """The system trusts the issuer of the tests' certificates."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    sending._tls.cache_clear()
    yield tmp_path
    sending._tls.cache_clear()


def post(url: str) -> sending.Answer:
    line = Line(url)
    try:
        return line.post(b'{"a":1}', {"webhook-id": "evt_1"})
    finally:
        line.close()


def test_a_message_is_posted_as_it_is():
    with receiving() as receiver:
        answer = post(receiver.url)

    (got,) = receiver.received
    assert answer.is_good
    assert (got.path, got.body) == ("/hooks?a=1", b'{"a":1}')
    assert got.headers["webhook-id"] == "evt_1"
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_messages_share_a_connection():
    with receiving() as receiver:
        line = Line(receiver.url)
        for _ in range(3):
            assert line.post(b"{}", {}).is_good
        line.close()

    assert len({one.connection for one in receiver.received}) == 1


def test_a_kept_connection_that_was_closed_is_made_anew():
    # given
    def once(handler):
        handler.close_connection = True
        return 204

    with receiving(once) as receiver:
        line = Line(receiver.url)
        # when
        answers = [line.post(b"{}", {}) for _ in range(3)]
        line.close()

    # then
    assert [answer.status for answer in answers] == [204, 204, 204]
    assert len({one.connection for one in receiver.received}) == 3


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_received(status: int):
    with receiving(status) as receiver:
        assert post(receiver.url).is_good


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410, 429, 500, 503])
def test_anything_else_is_not(status: int):
    with receiving(status) as receiver:
        answer = post(receiver.url)

    assert (answer.status, answer.is_good, answer.is_gone) == (
        status,
        False,
        status == 410,
    )


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (receivers.hanging, "timeout"),
        (receivers.dripping, "timeout"),
        (receivers.dripping_headers, "timeout"),
        (receivers.hanging_up, "connection"),
        (receivers.talking_nonsense, "connection"),
    ],
)
def test_a_bad_receiver_costs_its_time_and_no_more(reply, error, monkeypatch):
    # given
    monkeypatch.setattr(sending, "IN_ALL", 0.6)
    with receiving(reply) as receiver:
        # when
        begun = time.monotonic()
        answer = post(receiver.url)

        # then
        assert (answer.status, answer.error) == (None, error)
        assert time.monotonic() - begun < 2


def test_of_a_long_answer_64_kib_are_read():
    with receiving(receivers.endless) as receiver:
        answer = post(receiver.url)

    assert answer.is_good
    assert answer.text == "x" * 200


def test_what_staff_are_shown_of_an_answer_is_short_and_printable():
    body = b"<b>oh</b>\r\n\x00\xff" + "\u202e ".encode() + b"y" * 300
    with receiving(answering(500, body)) as receiver:
        answer = post(receiver.url)

    assert answer.text.startswith("<b>oh</b> \ufffd y")
    assert len(answer.text) == 200


@pytest.mark.parametrize(
    ("status", "value", "seconds"),
    [
        (429, "120", 120),
        (503, "7", 7),
        (500, "120", 0),
        (429, "-5", 0),
        (429, "soon", 0),
        (429, "9" * 30, 0),
        (429, "Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ],
)
def test_a_receiver_may_ask_for_time(status: int, value: str, seconds: int):
    with receiving(answering(status, Retry_After=value)) as receiver:
        assert post(receiver.url).retry_after == seconds


def test_a_receiver_may_name_a_date():
    value = "Fri, 01 Jan 2100 00:00:00 GMT"
    with receiving(answering(503, Retry_After=value)) as receiver:
        assert post(receiver.url).retry_after > 86_400


def test_nobody_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    assert post(f"http://127.0.0.1:{port}/").error == "connection"


def test_a_name_that_nobody_knows():
    assert post("https://hooks.invalid/").error == "unknown_host"


def test_proxies_of_the_environment_are_not_taken(monkeypatch):
    # given
    with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        # when
        answer = post(receiver.url)

    # then
    assert answer.is_good
    assert (len(receiver.received), proxy.received) == (1, [])


# --- TLS


def test_the_certificate_is_that_of_the_name(trusting, named):
    with receiving(tls=make_certificate(trusting, NAME), name=NAME) as receiver:
        answer = post(receiver.url)

    assert answer.is_good
    assert receiver.received[0].headers["host"] == f"{NAME}:{receiver.port}"


def test_the_name_is_said_in_the_handshake(trusting, named):
    # given
    said = []
    context = make_certificate(trusting, NAME)
    context.sni_callback = lambda sock, name, context: said.append(name)

    # when
    with receiving(tls=context, name=NAME) as receiver:
        post(receiver.url)

    # then
    assert said == [NAME]


def test_a_certificate_of_another_name_is_refused(trusting, named):
    tls = make_certificate(trusting, "other.example.com")
    with receiving(tls=tls, name=NAME) as receiver:
        answer = post(receiver.url)

    assert answer.error == "certificate"
    assert receiver.received == []


def test_a_certificate_that_is_over_is_refused(trusting, named):
    tls = make_certificate(trusting, NAME, days=-1)
    with receiving(tls=tls, name=NAME) as receiver:
        answer = post(receiver.url)

    assert answer.error == "certificate"
    assert receiver.received == []


def test_a_certificate_of_an_unknown_issuer_is_refused(tmp_path, named):
    tls = make_certificate(tmp_path, NAME)
    with receiving(tls=tls, name=NAME) as receiver:
        answer = post(receiver.url)

    assert answer.error == "certificate"
    assert receiver.received == []


def test_tls_with_whom_speaks_none():
    with receiving() as receiver:
        answer = post(receiver.url.replace("http:", "https:"))

    assert answer.error in ("tls", "connection")
    assert receiver.received == []
