"""Why a change of companies or people is refused. The codes are public."""

from django.utils.translation import gettext_lazy as _

from config.errors import DomainError


class CompanyError(DomainError):
    """A change of companies or people was refused."""


class CompanyInUse(CompanyError):
    code = "in_use"
    default_message = _("The company has been used. Close it instead of deleting it.")


class WouldCloseCycle(CompanyError):
    code = "would_close_cycle"
    default_message = _("A company cannot be placed below itself or its subsidiaries.")


class TooDeep(CompanyError):
    code = "too_deep"
    default_message = _("The hierarchy would have too many levels.")


class ParentClosed(CompanyError):
    code = "parent_closed"
    default_message = _("Nothing can be placed below a closed company.")


class ParentGone(CompanyError):
    code = "parent_gone"
    default_message = _("The parent company has just been deleted.")


class PreviewOutdated(CompanyError):
    code = "preview_outdated"
    default_message = _("Something has changed since the preview. Preview it again.")


class TreeChanged(CompanyError):
    """The company went on changing hierarchies while it was to be locked."""

    code = "tree_changed"
    default_message = _("The hierarchy is being changed by others. Try again.")


class TreeNotRepairable(CompanyError):
    """Parents form a cycle or are missing; `details` has the faults as sentences."""

    code = "tree_not_repairable"
    default_message = _("The parents of companies must be set right first.")


class LastAdmin(CompanyError):
    code = "last_admin"
    default_message = _(
        "A company with other active people needs an active admin. Name another first."
    )


class ContactErased(CompanyError):
    code = "contact_erased"
    default_message = _("The person's data have been erased for good.")
