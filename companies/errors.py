"""Why a change of companies or people is refused. The codes are public."""

from django.utils.translation import gettext_lazy as _

from config.errors import DomainError, NeedsConfirmation


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


class MergeIntoItself(CompanyError):
    code = "merge_into_itself"
    default_message = _("A company cannot be merged into itself.")


class MergeIntoBelow(CompanyError):
    code = "merge_into_below"
    default_message = _(
        "A company cannot be merged into one below it. Merge the other way round, or "
        "move that one first."
    )


class AlreadyMerged(CompanyError):
    code = "already_merged"
    default_message = _("The company has been merged already.")


class MergedCompany(CompanyError):
    """It was merged into another: it is that one, or take the merge back first."""

    code = "merged_company"
    default_message = _("The company has been merged into another one.")


class MergeTooLarge(CompanyError):
    code = "merge_too_large"
    default_message = _(
        "Too much would have to be moved at once. Move the subsidiaries first."
    )


class NotMerged(CompanyError):
    code = "not_merged"
    default_message = _("The company has not been merged.")


class MergeTooOld(CompanyError):
    code = "merge_too_old"
    default_message = _("The merge is too old to be taken back.")


class MergeUnfinished(CompanyError, NeedsConfirmation):
    code = "merge_unfinished"
    default_message = _(
        "Something is open at the company that goes, and cannot be finished once it is "
        "closed. Finish it first, or confirm."
    )


class UnmergeIncomplete(CompanyError, NeedsConfirmation):
    code = "unmerge_incomplete"
    default_message = _(
        "Not everything can be restored. Confirm to restore what is possible."
    )
