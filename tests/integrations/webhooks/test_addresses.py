"""Where messages may be sent to: every address that is not public is refused."""

import socket
from ipaddress import ip_address

import pytest
from django.core.exceptions import ValidationError

from integrations.webhooks.addresses import is_public, parse_target
from integrations.webhooks.sending import Line

from .receivers import answering, receiving

# reliability.md, B17: what shows in the address itself.
WRITTEN = {
    "http://hooks.example.com/": "webhook_url",
    "ftp://hooks.example.com/": "webhook_url",
    "file:///etc/passwd": "webhook_url",
    "gopher://hooks.example.com/": "webhook_url",
    "https://user:password@hooks.example.com/": "webhook_url",
    "https://hooks.example.com:22/": "webhook_url",
    "https://127.0.0.1/": "private_address",
    "https://127.1/": "private_address",
    "https://0/": "private_address",
    "https://0x7f000001/": "private_address",
    "https://2130706433/": "private_address",
    "https://017700000001/": "private_address",
    "https://[::1]/": "private_address",
    "https://[::ffff:127.0.0.1]/": "private_address",
    "https://[fe80::1]/": "private_address",
    "https://[fd00::1]/": "private_address",
    "https://[64:ff9b::7f00:1]/": "private_address",
    "https://10.1.2.3/": "private_address",
    "https://172.16.0.1/": "private_address",
    "https://192.168.1.1/": "private_address",
    "https://169.254.169.254/latest/meta-data/": "private_address",
    "https://100.64.0.1/": "private_address",
    "https://localhost/": "private_address",
    "https://localhost./": "private_address",
}
# The other four of them show when the name is looked up; see below.
MORE = {
    "": "webhook_url",
    "hooks.example.com": "webhook_url",
    "https:///": "webhook_url",
    "https://hooks.example.com:0x1bb/": "webhook_url",
    "https://hooks.example.com:99999/": "webhook_url",
    "https://hooks.example.com/a b": "webhook_url",
    "https://hooks.example.com/\r\nX: y": "webhook_url",
    "https://hooks.example.com/#part": "webhook_url",
    "https://hooks.example.com\\@127.0.0.1/": "webhook_url",
    "https://hooks.exämple.com/": "webhook_url",
    "https://hooks.example.com/" + "x" * 500: "webhook_url",
    "https://@hooks.example.com/": "webhook_url",
    "https://0177.0.0.1/": "private_address",
    "https://127.0.0.0x1/": "private_address",
    "https://0.0.0.0/": "private_address",
    "https://[::]/": "private_address",
    "https://[::7f00:1]/": "private_address",
    "https://[fe80::1%25eth0]/": "private_address",
    "https://[fec0::1]/": "private_address",
    "https://[ff02::1]/": "private_address",
    "https://[2002:7f00:1::1]/": "private_address",
    "https://[2001:0:7f00:1::1]/": "private_address",
    "https://[::ffff:0:127.0.0.1]/": "private_address",
    "https://[64:ff9b:1::1]/": "private_address",
    "https://[3fff::1]/": "private_address",
    "https://224.0.0.1/": "private_address",
    "https://255.255.255.255/": "private_address",
    "https://printer/": "private_address",
    "https://a.localhost/": "private_address",
}
GOOD = {
    "https://hooks.example.com": ("hooks.example.com", 443, "/"),
    "https://hooks.example.com:443/x": ("hooks.example.com", 443, "/x"),
    "https://Hooks.Example.com:8443/x?y=1": ("hooks.example.com", 8443, "/x?y=1"),
    "https://xn--exmple-cua.example/": ("xn--exmple-cua.example", 443, "/"),
    "https://hooks.example.com./": ("hooks.example.com", 443, "/"),
    "https://9.9.9.9/": ("9.9.9.9", 443, "/"),
    "https://[2620:fe::fe]/": ("2620:fe::fe", 443, "/"),
}


@pytest.mark.parametrize(("url", "code"), {**WRITTEN, **MORE}.items())
def test_an_address_is_refused_as_it_is_written(url: str, code: str):
    with pytest.raises(ValidationError) as refused:
        parse_target(url)

    assert refused.value.code == code


@pytest.mark.parametrize("url", [u for u, code in {**WRITTEN, **MORE}.items() if u])
def test_nothing_is_sent_to_a_refused_address_even_if_it_was_stored(
    url: str, monkeypatch
):
    # given
    asked = []
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: asked.append(a))

    # when
    answer = Line(url).post(b"{}", {})

    # then
    assert answer.error in ("webhook_url", "private_address")
    assert asked == []


@pytest.mark.parametrize(("url", "parts"), GOOD.items())
def test_public_addresses_are_taken(url: str, parts: tuple[str, int, str]):
    target = parse_target(url)

    assert (target.host, target.port, target.path) == parts


def test_the_host_header_has_the_port_if_it_is_not_the_usual_one():
    assert parse_target("https://a.example/").host_header == "a.example"
    assert parse_target("https://a.example:8443/").host_header == "a.example:8443"
    six = parse_target("https://[2620:fe::fe]/")
    assert six.host_header == "[2620:fe::fe]"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("9.9.9.9", True),
        ("2620:fe::fe", True),
        ("64:ff9b::909:909", True),  # NAT64 of 9.9.9.9
        ("64:ff9b::a00:1", False),  # of 10.0.0.1
        ("::ffff:9.9.9.9", False),
        ("192.88.99.1", False),
        ("198.18.0.1", False),
        ("203.0.113.7", False),
        ("2001:db8::1", False),
        ("100.127.255.255", False),
        ("100.128.0.1", True),
        ("172.32.0.1", True),
    ],
)
def test_what_is_public(address: str, public: bool):
    assert is_public(ip_address(address)) is public


# --- what a name stands for, at each connection


def names(monkeypatch, *answers: list[str]) -> list[str]:
    """The look-ups of names answer so, one after the other; what was asked for."""
    asked: list[str] = []
    original = socket.getaddrinfo
    left = list(answers)

    def getaddrinfo(host, port, *args, **kwargs):
        if host[0].isdigit() or ":" in host:
            return original(host, port, *args, **kwargs)
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        kinds = [socket.AF_INET6 if ":" in a else socket.AF_INET for a in found]
        return [
            (kind, socket.SOCK_STREAM, 6, "", (address, port))
            for kind, address in zip(kinds, found, strict=True)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.5"],  # a name with a private A record
        ["9.9.9.9", "fd00::5"],  # public A and private AAAA
        ["9.9.9.9", "::ffff:10.0.0.5"],
        ["127.0.0.1"],
    ],
)
def test_a_name_that_stands_for_a_private_address_is_refused(addresses, monkeypatch):
    # given
    names(monkeypatch, addresses)
    asked = []
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: asked.append(a))

    # when
    answer = Line("https://hooks.example.com/").post(b"{}", {})

    # then
    assert (answer.status, answer.error) == (None, "private_address")
    assert asked == []


def test_another_answer_on_the_second_look_up_is_never_asked_for(monkeypatch, settings):
    """Rebinding: the first answer is the receiver, each later one somebody else."""
    # given
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with receiving() as receiver, receiving(host="127.0.0.2") as inside:
        asked = names(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
        line = Line(f"http://hooks.example.com:{receiver.port}/")

        # when
        answers = [line.post(b"{}", {}) for _ in range(3)]
        line.close()

        # then: one look-up for the connection, and all messages went through it
        assert [answer.status for answer in answers] == [204, 204, 204]
        assert asked == ["hooks.example.com"]
        assert len(receiver.received) == 3
        host = f"hooks.example.com:{receiver.port}"
        assert {one.headers["host"] for one in receiver.received} == {host}
        assert inside.received == []


def test_a_new_connection_is_judged_anew(monkeypatch, settings):
    """An address that was public when the endpoint was made, and now is not."""
    names(monkeypatch, ["10.0.0.5"])
    first = Line("https://hooks.example.com/").post(b"{}", {})

    assert first.error == "private_address"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_inward_is_a_failure_and_not_followed(status: int, settings):
    # given
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with receiving() as inside:
        reply = answering(status, Location=inside.url)
        with receiving(reply) as receiver:
            # when
            line = Line(receiver.url)
            answer = line.post(b"{}", {})
            line.close()

        # then
        assert (answer.status, answer.is_good) == (status, False)
        assert len(receiver.received) == 1
        assert inside.received == []


def test_all_28_cases_are_here():
    looked_up = ("private A", "public A, private AAAA", "second look-up", "redirect")

    assert len(WRITTEN) + len(looked_up) == 28
