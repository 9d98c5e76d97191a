"""One id per HTTP request: in the answer, in problem documents, logs and history."""

import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

_current: ContextVar[str] = ContextVar("request_id", default="")
WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)


def current_request_id() -> str:
    """The id of the HTTP request being answered; "" in commands and the shell."""
    return _current.get()


class RequestIdMiddleware:
    """Takes a well-formed X-Request-ID of the caller, else makes one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked = request.headers.get("X-Request-ID", "")
        token = _current.set(
            asked if WELL_FORMED.fullmatch(asked) else uuid.uuid4().hex
        )
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = _current.get()
        finally:
            _current.reset(token)
        return response
