"""Why a change of customer groups is refused. The codes are public."""

from django.utils.translation import gettext_lazy as _

from config.errors import DomainError


class GroupError(DomainError):
    """A change of customer groups was refused."""


class AutomaticGroup(GroupError):
    code = "automatic_group"
    default_message = _(
        "An automatic group follows its company and the assignments there. Only its "
        "price list can be changed."
    )


class NotAMember(GroupError):
    code = "not_a_member"
    default_message = _("The contact is not a member of the group.")


class NotAHeadCompany(GroupError):
    code = "not_a_head_company"
    default_message = _(
        "Propagation is set for a whole hierarchy, at its head company."
    )
