"""Words that several pages of purchases use."""

from django.utils.translation import gettext_lazy

from approvals.rules import Outcome

OUTCOMES = {
    Outcome.ALLOWED: gettext_lazy("Allowed"),
    Outcome.APPROVAL_REQUIRED: gettext_lazy("Needs approval"),
    Outcome.BLOCKED: gettext_lazy("Blocked"),
}
