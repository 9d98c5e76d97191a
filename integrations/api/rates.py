"""Which rates hold for a call, and the refusal: 429 with Retry-After (RFC 6585, 4)."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from django.conf import settings
from rest_framework import exceptions

from integrations.models import ApiClient
from integrations.rates import Rate, take


class RateLimited(exceptions.APIException):
    """Too many calls in this minute; `wait` says in how many seconds it is over."""

    status_code = 429
    default_code = "rate_limited"
    default_detail = "Too many calls. Wait as long as Retry-After says."

    def __init__(self, wait: int, limit: int) -> None:
        self.wait = wait
        self.details = {"calls_per_minute": limit}
        super().__init__()


def count_call(client: ApiClient) -> None:
    """Count a call of the client. Raises RateLimited."""
    _count("calls", calls_per_minute(client), client.pk)


def calls_per_minute(client: ApiClient) -> int:
    """What staff have set for this client, else for its kind; 0: no limit."""
    if client.acts_for_people:
        usual = settings.ACTING_CALLS_PER_MINUTE
    else:
        usual = settings.CALLS_PER_MINUTE
    return client.calls_per_minute or usual


def count_submit(client: ApiClient, contact_id: int) -> None:
    """Count a purchase that this person asks for through the client.

    For the id as it was sent, whether there is such a person or not: the refusal tells
    nothing, and no client uses up what people have left through another one. Raises
    RateLimited.
    """
    _count("submits", settings.SUBMITS_PER_MINUTE, f"{client.pk}:{contact_id}")


def _count(name: str, limit: int, who: object) -> None:
    if wait := take(Rate(name, limit), who):
        raise RateLimited(wait, limit)


def address_of(meta: Mapping[str, Any]) -> str:
    """Where a request comes from: what the first of our proxies saw, and wrote down.

    Whatever stands before that in X-Forwarded-For the caller may have written. Of IPv6
    the network: a caller has 2⁶⁴ addresses in it.
    """
    address = meta.get("REMOTE_ADDR", "")
    if settings.PROXIES:
        seen = meta.get("HTTP_X_FORWARDED_FOR", "").split(",")
        address = seen[-settings.PROXIES :][0].strip()
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    if found.version == 6 and found.ipv4_mapped is None:
        found = ip_network((found.packed, 64), strict=False).network_address
    return str(getattr(found, "ipv4_mapped", None) or found)
