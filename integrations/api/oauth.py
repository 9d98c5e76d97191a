"""The token and revoke endpoints: client credentials only (RFC 6749, section 4.4)."""

from typing import Any

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
        return super().post(request, *args, **kwargs)


class RevokeTokenView(views.RevokeTokenView):
    """Ends a token of the calling client at once (RFC 7009)."""

    http_method_names = ["post"]


def _error(code: str, description: str) -> JsonResponse:
    body = {"error": code, "error_description": description}
    return JsonResponse(body, status=400, headers={"Cache-Control": "no-store"})
