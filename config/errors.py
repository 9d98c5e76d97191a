"""The base of every error that business rules raise on purpose."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class DomainError(Exception):
    """A business rule refused the operation; nothing was changed.

    `code` is part of the public API: integrators branch on it, so never rename one.
    `message` is for people and may change; `details` names what it is about, by ids.
    """

    code = "domain_error"
    default_message: str | Promise = _("The operation is not allowed.")

    def __init__(self, message: str | Promise | None = None, **details: Any) -> None:
        self.message = message or self.default_message
        self.details = details
        super().__init__(self.message)

    def __str__(self) -> str:
        return str(self.message)


class NeedsConfirmation(DomainError):
    """What the change brings with it should be known first; it is made if confirmed.

    `lines` tell staff what that is, each by itself.
    """

    code = "needs_confirmation"
    default_message = _("This has consequences. Confirm it if it shall be done.")
    lines: tuple[str, ...] = ()


class StaleVersion(DomainError):
    """Somebody changed the row since the caller read it; `details` has its version."""

    code = "stale_version"
    default_message = _("Somebody else has changed this in the meantime.")


class Forbidden(DomainError):
    """The actor may see the thing, but lacks the right to do this with it."""

    code = "forbidden"
    default_message = _("You may not do this.")
