"""How things stand for purchases of a company, for previews of changes."""

from collections.abc import Iterable

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from companies.preview import Standing

from .models import ApprovalRule, PurchaseLimit
from .rules import ACTIVE, Path, Step
from .situation import read_path, read_paths
from .stranding import below
from .waiting import open_steps

MOST_REQUESTS = 200


def standing_of(company: int) -> list[Standing]:
    """What counts here from above, who approves, and who decides on what waits."""
    path = read_path(company)
    return [
        Standing("limits", gettext_lazy("Limits"), tuple(_limits(company))),
        Standing("rules", gettext_lazy("Approval rules"), tuple(_rules(company))),
        Standing("approval_groups", gettext_lazy("Approval groups"), _groups(path)),
        Standing("requests", gettext_lazy("Open requests"), tuple(_requests(company))),
    ]


def _limits(company: int) -> Iterable[str]:
    """Limits of companies above that count here; those here and below move along."""
    limits = PurchaseLimit.objects.binding(company).exclude(company=company)
    for limit in limits.select_related("company"):
        yield f"{limit.cap_text}, {limit.get_period_display()} ({limit.company})"


def _rules(company: int) -> Iterable[str]:
    rules = ApprovalRule.objects.reaching(company).exclude(company=company)
    for rule in rules.select_related("company").order_by("pk"):
        yield f"{rule.name} ({rule.company})"


def _groups(path: Path) -> tuple[str, ...]:
    for company in reversed(path):
        if company.groups:
            return tuple(f"{group.name} ({company.name})" for group in company.groups)
    return (_("none: buyers and admins approve"),)


def _requests(company: int) -> Iterable[str]:
    """Each pending request with those who could decide on it now."""
    waiting = list(below(company).pending().order_by("pk")[:MOST_REQUESTS])
    steps = open_steps(waiting)
    paths = read_paths(sorted({request.company_id for request in waiting}))
    held = {pk for pk, path in paths.items() if any(c.status != ACTIVE for c in path)}
    for request in waiting:
        if request.company_id in held:
            who = _("nobody while a company on the path is not active")
        else:
            who = _who(steps[request.pk].now)
        yield f"{request}: {who}"


def _who(step: Step) -> str:
    names = [approver.person.name for approver in step.approvers]
    if step.staff:
        names.append(_("the seller's staff"))
    return ", ".join(names)
