"""Receivers of webhooks: real servers on this machine, as bad as a test wants."""

import datetime
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

type Reply = Callable[[BaseHTTPRequestHandler], None]


@dataclass(slots=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes
    connection: tuple[str, int]


@dataclass(slots=True)
class Receiver:
    """What it was sent, and how it answers: a status, or a function that writes."""

    url: str
    port: int
    reply: Any = 204
    received: list[Received] = field(default_factory=list)

    def ids(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.received]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        receiver: Receiver = self.server.receiver
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        receiver.received.append(
            Received(self.path, headers, body, self.client_address)
        )
        reply = receiver.reply
        if not isinstance(reply, int):
            reply = reply(self)
        if isinstance(reply, int):
            self.send_response(reply)
            self.send_header("Content-Length", "0")
            self.end_headers()

    do_GET = do_POST  # noqa: N815

    def log_message(self, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args: Any) -> None:
        pass  # a sender that hangs up


@contextmanager
def receiving(
    reply: Any = 204,
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    name: str = "",
) -> Iterator[Receiver]:
    server = _Server((host, 0), _Handler)
    port = server.server_address[1]
    scheme = "http"
    if tls is not None:
        # In the handler's thread: a client that refuses us must not stop the server.
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        scheme = "https"
    receiver = Receiver(f"{scheme}://{name or host}:{port}/hooks?a=1", port, reply)
    server.receiver = receiver
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def answering(status: int, body: bytes = b"", **headers: str) -> Reply:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return reply


def hanging(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(30)


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """A byte each moment: no pause is ever long enough to be a timeout."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(500):
        handler.wfile.write(b"x")
        time.sleep(0.05)


def dripping_headers(handler: BaseHTTPRequestHandler) -> None:
    for letter in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 500:
        handler.wfile.write(bytes([letter]))
        time.sleep(0.05)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """10 MB: more than anybody reads."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(10_000_000))
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b"x" * 100_000)


def hanging_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def talking_nonsense(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x00\xff nonsense\r\n\r\n")
    handler.close_connection = True


# --- certificates


def make_certificate(folder: Path, name: str, *, days: int = 1) -> ssl.SSLContext:
    """A server's context with a certificate for `name`; the issuer is in ca.pem."""
    key, ca_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = _name("Test CA")
    now = datetime.datetime.now(datetime.UTC)
    start, end = now - datetime.timedelta(days=2), now + datetime.timedelta(days=days)
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=True,
        crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    authority = (
        _builder(issuer, issuer, ca_key, start, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
    try:
        alternative: Any = x509.IPAddress(ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    certificate = (
        _builder(_name(name), issuer, key, start, end)
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(authority.public_bytes(pem))
    (folder / "server.pem").write_bytes(
        certificate.public_bytes(pem)
        + key.private_bytes(
            pem,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject: Any, issuer: Any, key: Any, start: Any, end: Any) -> Any:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
