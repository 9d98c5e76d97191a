"""One message, one answer: the only module of Konzern that opens connections.

A name is looked up once for each connection, every address that it stands for is
judged, and the connection goes to one of these very addresses, while certificate, SNI
and Host are those of the name: a second look-up with another answer finds nobody who
asks (DNS rebinding). Nothing is redirected, no proxy is taken from the environment.
"""

import http.client
import socket
import ssl
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from ipaddress import ip_address
from threading import Timer
from time import monotonic
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from .addresses import Target, is_public, parse_target, private_address

CONNECT = 3.0  # seconds, for each address
IN_ALL = 15.0  # seconds, from the look-up to the last byte of the answer
MOST_READ = 64 * 1024  # bytes of the answer
MOST_SHOWN = 200  # characters of it, to staff
MOST_ADDRESSES = 4  # that are tried of one name
GONE = 410
LATER = (429, 503)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a message. `error` is a word if there was no answer at all."""

    status: int | None = None
    error: str = ""
    text: str = ""  # how the answer begins; for staff only
    retry_after: float = 0.0  # seconds that the receiver asks for

    @property
    def is_good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        return self.status == GONE


class Line:
    """A connection to one address, kept for a few messages one after the other."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Any = None
        self._target: Target | None = None

    def post(self, body: bytes, headers: dict[str, str]) -> Answer:
        """Send; at most 15 s. No exception is the receiver's to cause."""
        kept = self._connection is not None
        with _deadline() as deadline:
            try:
                return self._post(body, headers, deadline)
            except (http.client.RemoteDisconnected, ConnectionError):
                # A kept connection may have been closed since; once more, anew.
                self.close()
                if not kept or deadline.is_over:
                    return Answer(error=deadline.word("connection"))
            except Exception as error:
                self.close()
                return _failure(error, deadline)
            try:
                return self._post(body, headers, deadline)
            except Exception as error:
                self.close()
                return _failure(error, deadline)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()

    def _post(self, body: bytes, headers: dict[str, str], deadline: "_Deadline") -> Any:
        if self._connection is None:
            self._connect(deadline)
        connection, target = self._connection, self._target
        deadline.watch(connection)
        connection.timeout = deadline.left()
        connection.sock.settimeout(connection.timeout)
        named = {"Host": target.host_header} | headers
        connection.request(
            "POST", target.path, body=body, headers=named, preload_content=False
        )
        response = connection.getresponse()
        content = response.read(MOST_READ, decode_content=False)
        whole = response.length_remaining == 0 or not response.read(1)
        deadline.left()  # to whoever reads, an end that we made looks like any other
        if not whole or connection.sock is None:
            self.close()
        return Answer(
            response.status,
            text=_shown(content),
            retry_after=_retry_after(response.status, response.headers),
        )

    def _connect(self, deadline: "_Deadline") -> None:
        target = self._target = parse_target(self._url)
        addresses = look_up(target.host, target.port)
        for place, address in enumerate(addresses, start=1):
            connection = _connection_to(target, address)
            connection.timeout = min(CONNECT, deadline.left())
            deadline.watch(connection)
            try:
                connection.connect()
            except (OSError, HTTPError) as error:
                connection.close()
                last = place == len(addresses) or deadline.is_over
                if last or isinstance(error, ssl.SSLError):
                    raise
            else:
                self._connection = connection
                return


def look_up(host: str, port: int) -> list[str]:
    """The addresses of a name, all of them public. Raises `private_address`, OSError.

    If one is not public all are refused: it would be chance which one is taken.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not settings.WEBHOOK_ALLOW_PRIVATE and not all(
        is_public(ip_address(address)) for address in addresses
    ):
        raise private_address()
    return addresses[:MOST_ADDRESSES]


def _connection_to(target: Target, address: str) -> Any:
    if target.scheme == "http":  # development only: see parse_target
        return HTTPConnection(address, target.port)
    return HTTPSConnection(
        address, target.port, server_hostname=target.host, ssl_context=_tls()
    )


@cache
def _tls() -> ssl.SSLContext:
    """Certificates that the system trusts, TLS 1.2 and newer."""
    return ssl.create_default_context()


class _Deadline:
    """Ends a connection when the time is over: a byte a second is no answer."""

    def __init__(self) -> None:
        self._end = monotonic() + IN_ALL
        self._connection: Any = None
        self._sock: Any = None

    @property
    def is_over(self) -> bool:
        return monotonic() >= self._end

    def left(self) -> float:
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def watch(self, connection: Any) -> None:
        # The socket itself, too: a connection lets go of it before the last byte.
        self._connection, self._sock = connection, connection.sock

    def end(self) -> None:
        sock = self._sock or getattr(self._connection, "sock", None)
        if sock is not None:
            # Below TLS: its own shutdown() is not for other threads.
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def word(self, otherwise: str) -> str:
        return "timeout" if self.is_over else otherwise


@contextmanager
def _deadline() -> Any:
    deadline = _Deadline()
    timer = Timer(IN_ALL, deadline.end)
    timer.daemon = True
    timer.start()
    try:
        yield deadline
    finally:
        timer.cancel()


def _failure(error: Exception, deadline: _Deadline) -> Answer:
    """The word for it; whatever a receiver does, it is an answer and not a crash."""
    seen: BaseException | None = error
    while seen is not None:
        match seen:
            case ValidationError(code=str(code)):
                return Answer(error=code)
            case socket.gaierror() | UnicodeError():
                return Answer(error="unknown_host")
            case TimeoutError():
                return Answer(error="timeout")
            case ssl.SSLError() if not deadline.is_over:
                return Answer(error="certificate" if _is_refused(seen) else "tls")
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, OSError | HTTPError | http.client.HTTPException | ValueError):
        return Answer(error=deadline.word("connection"))
    raise error


def _is_refused(error: BaseException) -> bool:
    return isinstance(error, ssl.SSLCertVerificationError)


def _shown(content: bytes) -> str:
    text = content[: 4 * MOST_SHOWN].decode(errors="replace")
    shown = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(shown.split())[:MOST_SHOWN]


def _retry_after(status: int, headers: Any) -> float:
    """Seconds, or a date (RFC 9110, section 10.2.3)."""
    value = headers.get("Retry-After", "").strip() if status in LATER else ""
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - timezone.now()).total_seconds())
    except (ValueError, TypeError):
        return 0.0
