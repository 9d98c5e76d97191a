"""Named in REST_FRAMEWORK, so it must not import rest_framework.views: a cycle."""

from typing import Any

from rest_framework import exceptions
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

READING = ("GET", "HEAD")


class InsufficientScope(exceptions.PermissionDenied):
    """403 that names the scope that is missing (RFC 6750, section 3.1)."""

    default_code = "insufficient_scope"

    def __init__(self, scope: str) -> None:
        self.details = {"scope": scope}
        self.auth_header = f'Bearer error="insufficient_scope", scope="{scope}"'
        super().__init__(f"This needs the scope {scope}.")


def has_scope(request: Request, scope: str) -> bool:
    """The token carries the scope, and the client still has it.

    Staff may have taken a scope from the client since the token was given out: the
    client's own list counts, too, on every call.
    """
    allowed = request.auth.application.allowed_scopes
    return scope in request.auth.scope.split() and scope in allowed.split()


class HasScope(BasePermission):
    """The caller has the scope that the view or action names for this method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.auth is None:
            return False
        scope = view.read_scope if request.method in READING else view.write_scope
        if not has_scope(request, scope):
            raise InsufficientScope(scope)
        return True
