"""Which addresses messages may be sent to: public ones, by HTTPS.

What is written can be judged at once; what a name stands for only when it is looked up,
so `is_public()` is asked for each connection (OWASP: server side request forgery).
"""

import re
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

PORTS = (443, 8443)
MOST_CHARACTERS = 500
WRITABLE = re.compile(r"[!-~]+", re.ASCII)  # no blanks, no control characters
NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.ASCII | re.IGNORECASE)
# 127.1, 2130706433 and 0x7f000001 are addresses to whoever looks them up.
NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+", re.ASCII | re.IGNORECASE)

GLOBAL_UNICAST = IPv6Network("2000::/3")  # RFC 4291, section 2.4
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in its last 32 bits
# Beside what Python knows as not global, on the versions that we run on.
NOT_PUBLIC = (
    IPv4Network("192.0.0.0/24"),  # RFC 6890: protocol assignments
    IPv4Network("192.88.99.0/24"),  # RFC 7526: former 6to4 relays
    IPv6Network("2001::/23"),  # RFC 2928, with Teredo (RFC 4380)
    IPv6Network("2002::/16"),  # RFC 3056, 6to4: an IPv4 address inside
    IPv6Network("3fff::/20"),  # RFC 9637: documentation
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, and what to ask for there."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"https": 443, "http": 80}[self.scheme]
        return host if self.port == usual else f"{host}:{self.port}"


def parse_target(url: str) -> Target:
    """The parts of an address that messages may be sent to, as far as it shows.

    Raises ValidationError: `webhook_url` with what is wrong, or `private_address`.
    """
    if not WRITABLE.fullmatch(url) or len(url) > MOST_CHARACTERS:
        raise _refusal(_("Not an address in ASCII of at most 500 characters."))
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refusal(_("Not an address.")) from None
    local = settings.WEBHOOK_ALLOW_PRIVATE
    if parts.scheme != "https" and not (local and parts.scheme == "http"):
        raise _refusal(_("Only https:// addresses."))
    if "@" in parts.netloc:
        raise _refusal(_("No user or password: messages are signed."))
    if "#" in url or "\\" in url:
        raise _refusal(_("No # or backslash."))
    port = port if port is not None else {"https": 443, "http": 80}[parts.scheme]
    if port not in PORTS and not local:
        raise _refusal(_("Only the ports 443 and 8443."))
    path = parts.path or "/"
    if parts.query:
        path += f"?{parts.query}"
    return Target(parts.scheme, _checked_host(host.rstrip("."), local), port, path)


def _checked_host(host: str, local: bool) -> str:
    """A name with a dot, or a public address in its usual form."""
    try:
        address = ip_address(host)
    except ValueError:
        pass
    else:
        if not (local or is_public(address)):
            raise private_address()
        return str(address)
    if NUMBER.fullmatch(host.rpartition(".")[2]):
        raise private_address()
    if not NAME.fullmatch(host):
        raise _refusal(_("Not the name of a host."))
    if not local and ("." not in host or host.endswith(".localhost")):
        raise private_address()
    return host


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether anybody on the Internet may be asked at this address, and nobody else.

    Not loopback, private, link-local (metadata services), shared (RFC 6598), unique
    local, multicast or reserved ones, nor IPv4 inside IPv6, whatever the form; but for
    NAT64, without which some hosts reach nobody: there the address inside counts.
    """
    if isinstance(address, IPv6Address):
        if address in NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        if address not in GLOBAL_UNICAST:
            return False
    if any(address in network for network in NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def private_address() -> ValidationError:
    text = _("Not an address on the public Internet.")
    return ValidationError(text, code="private_address")


def _refusal(text: object) -> ValidationError:
    return ValidationError(text, code="webhook_url")  # type: ignore[arg-type]
