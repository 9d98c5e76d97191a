"""Named in REST_FRAMEWORK, so it must not import rest_framework.views: a cycle."""

import hashlib
import re
from typing import Any

from django.db import connection
from django.utils import timezone
from oauth2_provider.models import AccessToken
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from integrations.clients import USE_NOTED_EVERY, note_use
from integrations.models import ApiClient

# A token as RFC 6750 writes it, behind a scheme without regard to case.
BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]{1,512}=*)", re.ASCII | re.IGNORECASE)


def _in_order(model: Any, *names: str) -> list[str]:
    return [f.attname for f in model._meta.concrete_fields if f.attname in names]


# What from_db() takes; all else is read when somebody asks for it.
OF_TOKEN = _in_order(AccessToken, "id", "scope", "application_id")
OF_CLIENT = _in_order(
    ApiClient, "id", "allowed_scopes", "sees_all_hierarchies", "calls_per_minute"
)
COLUMNS = [f"t.{name}" for name in OF_TOKEN] + [f"c.{name}" for name in OF_CLIENT]
# The same for each call of the API: to have Django write it anew costs more than it.
FIND = (
    f"SELECT {', '.join(COLUMNS)}, "  # noqa: S608  (names of our own)
    "c.last_used_at IS NULL OR c.last_used_at < %s "
    f"FROM {AccessToken._meta.db_table} t "
    f"JOIN {ApiClient._meta.db_table} c ON c.id = t.application_id "
    "WHERE t.token_checksum = %s AND t.expires > %s AND c.is_active "
    "AND (c.expires_at IS NULL OR c.expires_at > %s)"
)


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
        moment = timezone.now()
        now, noted = map(
            connection.ops.adapt_datetimefield_value, (moment, moment - USE_NOTED_EVERY)
        )
        with connection.cursor() as cursor:
            cursor.execute(FIND, [noted, checksum, now, now])
            found = cursor.fetchone()
        if found is None:
            return None
        *values, unnoted = found
        split = len(OF_TOKEN)
        stored = AccessToken.from_db(connection.alias, OF_TOKEN, values[:split])
        client = ApiClient.from_db(connection.alias, OF_CLIENT, values[split:])
        stored.application = client
        if unnoted:
            note_use(client.pk)
        return stored


class InvalidToken(exceptions.AuthenticationFailed):
    """Unknown, expired or revoked, or of a client that is not active, or expired."""

    default_code = "invalid_token"
    default_detail = "The token is unknown, expired or revoked."
