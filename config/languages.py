"""Which language an answer is in: staff have theirs, machines always get English.

What integrators read must not depend on a header that some proxy or library sends, and
what is stored for all must not depend on who was the first to store it.
"""

from django.http import HttpRequest, HttpResponse
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

from .api.middleware import PREFIXES

MACHINES = "en"


class LanguageMiddleware(LocaleMiddleware):
    """For people: what they chose (a cookie), else what their browser asks for."""

    def process_request(self, request: HttpRequest) -> None:
        if request.path_info.startswith(PREFIXES):
            translation.activate(MACHINES)
            request.LANGUAGE_CODE = MACHINES
        else:
            super().process_request(request)

    def process_response(
        self, request: HttpRequest, response: HttpResponse
    ) -> HttpResponse:
        if request.path_info.startswith(PREFIXES):
            return response  # one language, so nothing varies by it
        return super().process_response(request, response)
