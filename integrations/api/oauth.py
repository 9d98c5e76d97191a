"""The token and revoke endpoints: client credentials only (RFC 6749, section 4.4)."""

import base64
from typing import Any
from urllib.parse import unquote_plus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from oauth2_provider import views
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.oauth2 import OAuth2Error

from integrations.clients import note_use
from integrations.models import ApiClient
from integrations.rates import Rate, blocked, count_failure, take

from .rates import address_of

GRANT = "client_credentials"
BLOCKED = 15 * 60  # seconds without any try, after too many wrong secrets


class TokenView(views.TokenView):
    """Gives a bearer token of 15 minutes for scopes that the client is allowed."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        grants = request.POST.getlist("grant_type")
        if len(grants) != 1:
            return _error("invalid_request", "Send grant_type once, as a form.")
        if grants != [GRANT]:
            return _error("unsupported_grant_type", f"Only {GRANT} is supported.")
        return super().post(request, *args, **kwargs)


class RevokeTokenView(views.RevokeTokenView):
    """Ends a token of the calling client at once (RFC 7009)."""

    http_method_names = ["post"]


class RateLimited(OAuth2Error):
    """Too many calls, or wrong secrets, of this client from this address."""

    error = "rate_limited"
    status_code = 429
    description = "Too many calls. Wait as long as Retry-After says."

    def __init__(self, wait: int) -> None:
        self.headers = {"Retry-After": str(wait)}
        super().__init__()

    headers: Any = None  # a property of OAuth2Error


class ClientValidator(OAuth2Validator):
    """Knows a client by either of its secrets, and counts who tries which.

    Counted for each client and address, so that a stranger cannot lock the shop out.
    Ids that no client has are counted for the address; they cost one query, and as a
    rule nothing is written.
    """

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        client_id, secret = _credentials(request)
        address = address_of(request.headers)
        client = _client(client_id)
        if client is None:
            _refuse(take(_unknown(), address))
            return False
        who = f"{client.pk}:{address}"
        wrong = Rate("secrets", settings.WRONG_SECRETS, seconds=BLOCKED)
        _refuse(blocked(wrong, who))
        _refuse(take(Rate("tokens", settings.TOKEN_CALLS_PER_MINUTE), who))
        if not client.has_secret(secret):
            _refuse(count_failure(wrong, who))
            return False
        note_use(client.pk)
        request.client = client
        return True


def _unknown() -> Rate:
    """Calls with ids that no client has, all taken at once: one write in a minute."""
    return Rate("unknown", settings.TOKEN_CALLS_PER_MINUTE, portions=1)


def _refuse(wait: int) -> None:
    if wait:
        raise RateLimited(wait)


def _client(client_id: str) -> ApiClient | None:
    """The client, if it may get a token: to others no ids of clients are known."""
    if not client_id.isprintable():
        return None  # PostgreSQL takes no NUL
    client = ApiClient.objects.filter(client_id=client_id).first()
    return client if client and client.in_force else None


def _credentials(request: Any) -> tuple[str, str]:
    """Id and secret by HTTP Basic, else from the form (RFC 6749, section 2.3.1)."""
    scheme, _blank, given = request.headers.get("HTTP_AUTHORIZATION", "").partition(" ")
    if not scheme:
        return request.client_id or "", request.client_secret or ""
    try:
        pair = base64.b64decode(given, validate=True).decode()
    except ValueError:
        pair = ""
    if scheme.lower() != "basic":
        pair = ""
    client_id, _colon, secret = pair.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


def _error(code: str, description: str) -> JsonResponse:
    """An error of the token endpoint (RFC 6749, section 5.2)."""
    body = {"error": code, "error_description": description}
    headers = {"Cache-Control": "no-store"}
    return JsonResponse(body, status=400, headers=headers)
