"""Why a purchase request is refused or may not be decided. The codes are public."""

from django.utils.translation import gettext_lazy as _

from config.errors import DomainError, Forbidden, NeedsConfirmation


class RequestNotPending(DomainError):
    code = "purchase_request_not_pending"
    default_message = _("The request has already been decided or has ended.")


class RequestNotApproved(DomainError):
    code = "purchase_request_not_approved"
    default_message = _("Only an approved request can be ordered or cancelled.")


class RequestNotOrdered(DomainError):
    code = "purchase_request_not_ordered"
    default_message = _("Only what was ordered can be refunded.")


class Overtaken(DomainError):
    """Somebody else took what was left of a limit after it was read: decide again."""

    code = "overtaken"
    default_message = _("Others were faster again and again. Try again.")


class MoreThanApproved(DomainError):
    code = "more_than_approved"
    default_message = _("At most what was approved can be ordered.")


class MoreThanOrdered(DomainError):
    code = "more_than_ordered"
    default_message = _("At most what was ordered can be refunded.")


class WouldStrandRequests(NeedsConfirmation):
    """`details` names the open requests, by id."""

    code = "would_strand_requests"
    default_message = _(
        "Nobody who could decide on some open requests until now could do so any more. "
        "Confirm it, and they move on to others."
    )


class GroupInUse(DomainError):
    """`details` names the rule."""

    code = "in_use"
    default_message = _("An approval rule asks this group.")


class OpenRequestExists(DomainError):
    """`details` names the first request."""

    code = "open_request_exists"
    default_message = _("There is already an open request of this reference.")


class CompanyNotActive(DomainError):
    code = "company_not_active"
    default_message = _(
        "The company, or one above it, is not active: nothing is decided for it."
    )


class AlreadyDecided(DomainError):
    code = "already_decided"
    default_message = _("This person has already decided on the request.")


class SelfApproval(Forbidden):
    code = "self_approval"
    default_message = _("Nobody decides on a request of their own.")


class NotEligible(Forbidden):
    code = "not_eligible"
    default_message = _("This person may not decide on the request now.")


class NotRequester(Forbidden):
    code = "not_requester"
    default_message = _("Only the person who asked can take the request back.")
