"""The token and revoke endpoints: client credentials only (RFC 6749, section 4.4)."""

from typing import Any

from django.db import DataError
from django.http import HttpRequest, HttpResponse, JsonResponse
from oauth2_provider import views

GRANT = "client_credentials"


class TokenView(views.TokenView):
    """Gives a bearer token of 15 minutes for scopes that the client is allowed."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        grants = request.POST.getlist("grant_type")
        if len(grants) != 1:
            return _error("invalid_request", "Send grant_type once, as a form.")
        if grants != [GRANT]:
            return _error("unsupported_grant_type", f"Only {GRANT} is supported.")
        try:
            return super().post(request, *args, **kwargs)
        except DataError:  # PostgreSQL takes no NUL: no client can be called so
            return _error("invalid_client", "There is no such client.", status=401)


class RevokeTokenView(views.RevokeTokenView):
    """Ends a token of the calling client at once (RFC 7009)."""

    http_method_names = ["post"]


def _error(code: str, description: str, *, status: int = 400) -> JsonResponse:
    """An error of the token endpoint (RFC 6749, section 5.2)."""
    body = {"error": code, "error_description": description}
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="konzern"'
    return JsonResponse(body, status=status, headers=headers)
