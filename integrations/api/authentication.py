"""Named in REST_FRAMEWORK, so it must not import rest_framework.views: a cycle."""

import hashlib
import re
from typing import Any

from django.utils import timezone
from oauth2_provider.models import AccessToken
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

# A token as RFC 6750 writes it, behind a scheme without regard to case.
BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]{1,512}=*)", re.ASCII | re.IGNORECASE)


class BearerAuthentication(BaseAuthentication):
    """An OAuth 2 bearer token in the Authorization header, and nowhere else (RFC 6750).

    One query finds token and client by the token's checksum: tokens are not stored.
    `request.auth` is the token, `request.auth.application` the client.
    """

    def authenticate(self, request: Request) -> tuple[None, Any] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        match = BEARER.fullmatch(header)
        token = match and self._find(match[1])
        if token is None:
            raise InvalidToken
        return None, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Konzern"'

    def _find(self, token: str) -> Any:
        checksum = hashlib.sha256(token.encode()).hexdigest()
        found = (
            AccessToken.objects.filter(
                token_checksum=checksum, expires__gt=timezone.now()
            )
            .select_related("application")
            .first()
        )
        if found is None or found.application is None:
            return None
        return found if found.application.is_active else None


class InvalidToken(exceptions.AuthenticationFailed):
    """Unknown, expired or revoked, or of a client that is not active any more."""

    default_code = "invalid_token"
    default_detail = "The token is unknown, expired or revoked."
