"""What people see where the database does not answer in time."""

from collections.abc import Callable

from django.db import InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from config.db import is_busy

RETRY_AFTER = "1"  # seconds


class BusyMiddleware:
    """A page that says to try again, with 503, where a view did not say so itself.

    Under /api/ it is a problem document: see `config.api`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponse | None:
        kinds = OperationalError | InternalError
        if not (isinstance(exception, kinds) and is_busy(exception)):
            return None
        response = render(None, "503.html", status=503)
        response["Retry-After"] = RETRY_AFTER
        return response
