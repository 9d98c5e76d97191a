"""Sessions end: after some time without a call, and after a day's work in any case."""

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.db import InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from config.db import waiting_briefly

BEGAN, SEEN = "began_at", "seen_at"
EXACT = 60  # seconds: to note each call would be a write for each
PATIENCE = 200  # milliseconds for the writer on SQLite


class SessionEndMiddleware:
    """Log out whoever was idle for too long, or logged in too long ago."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            self._end_or_note(request)
        return self.get_response(request)

    def _end_or_note(self, request: HttpRequest) -> None:
        if not request.user.is_authenticated:
            return
        session, now = request.session, int(time.time())
        began, seen = session.get(BEGAN, now), session.get(SEEN, now)
        if _is_over(began, now, settings.SESSION_HOURS * 3600) or _is_over(
            seen, now, settings.SESSION_IDLE_MINUTES * 60
        ):
            logout(request)
            messages.info(request, _("Your session has ended. Log in again."))
        elif now - seen >= EXACT or SEEN not in session:
            _note(session, {BEGAN: began, SEEN: now})


def _note(session: SessionBase, values: dict[str, int]) -> None:
    """At once, beside the work of the call: while nobody can write it is left out."""
    changed = session.modified
    session.update(values)
    try:
        with waiting_briefly(PATIENCE):
            session.save()
    except (OperationalError, InternalError, UpdateError):
        session.modified = changed  # what else has changed still has to be kept
    else:
        session.modified = False


def _is_over(since: int, now: int, seconds: int) -> bool:
    return bool(seconds) and now - since >= seconds
