"""What is doubtful about purchases of companies."""

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from companies.models import ContactAssignment
from companies.models.assignment import Role
from companies.models.company import here_or_above
from companies.quality import add_finding

from .models import ApprovalGroupMember, PurchaseLimit


def _limit_without_approver() -> Q:
    """Whoever passes it needs approval, and only the seller's staff could give it.

    An approval group with an active member, or an admin, at the company or anywhere
    above it could.
    """
    limits = PurchaseLimit.objects.filter(
        company=OuterRef("pk"),
        is_active=True,
        on_exceed=PurchaseLimit.OnExceed.APPROVE,
    )
    members = ApprovalGroupMember.objects.filter(
        here_or_above("group__company"), contact__is_active=True
    )
    admins = ContactAssignment.objects.in_force().filter(
        here_or_above("company"), role=Role.ADMIN
    )
    return Q(Exists(limits)) & ~Q(Exists(members)) & ~Q(Exists(admins))


def add_findings() -> None:
    add_finding(
        "limit_without_approver",
        _("A limit that nobody at the customer can approve to pass"),
        _limit_without_approver,
    )
