"""What a move of a company would change for purchases."""

from collections.abc import Iterable

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from companies.models import Company

from .models import PurchaseLimit, PurchaseRequest
from .rules import GroupOnPath, Path
from .situation import read_path


def preview_move(company: Company, parent: Company | None) -> list[str]:
    """Limits, approval groups and open requests that it touches, in sentences."""
    above = read_path(parent.pk) if parent else ()
    before = read_path(company.pk)
    return [
        *_about_limits(company, parent),
        *_about_groups(before, (*above, before[-1])),
        *_about_requests(company),
    ]


def _about_limits(company: Company, parent: Company | None) -> Iterable[str]:
    now = _reaching_down(company, besides=company)
    then = _reaching_down(parent, besides=company) if parent else {}
    for pk in sorted(now.keys() - then.keys()):
        yield _("The limit %(limit)s will not count any more.") % {"limit": now[pk]}
    for pk in sorted(then.keys() - now.keys()):
        yield _("The limit %(limit)s will count, too.") % {"limit": then[pk]}


def _reaching_down(company: Company, *, besides: Company) -> dict[int, str]:
    """The limits that the company passes on to what is below it, by id."""
    limits = PurchaseLimit.objects.binding(company).select_related("company")
    return {
        limit.pk: f"{limit.cap_text}, {limit.company}"
        for limit in limits
        if limit.company_id != besides.pk
        and limit.scope == PurchaseLimit.Scope.HIERARCHY
    }


def _about_groups(before: Path, after: Path) -> Iterable[str]:
    now, then = _deciding(before), _deciding(after)
    if now == then:
        return
    if then:
        names = ", ".join(group.name for group in then)
        yield _("Approvals will be up to the approval group %(names)s.") % {
            "names": names
        }
    else:
        yield _("Approvals will be up to buyers and admins, not to a group.")


def _deciding(path: Path) -> tuple[GroupOnPath, ...]:
    return next((c.groups for c in reversed(path) if c.groups), ())


def _about_requests(company: Company) -> Iterable[str]:
    moved = Company.objects.under(company).order_by()
    waiting = PurchaseRequest.objects.pending().filter(company__in=moved).count()
    if waiting:
        yield ngettext(
            "%(count)d purchase request waits for a decision; who may decide is read "
            "anew.",
            "%(count)d purchase requests wait for a decision; who may decide is read "
            "anew.",
            waiting,
        ) % {"count": waiting}
