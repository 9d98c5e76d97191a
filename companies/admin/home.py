"""What of companies needs somebody today."""

from django.utils.translation import gettext_lazy as _

from companies.duplicates import report
from companies.models import Company
from companies.models.company import CompanyQuerySet, Status
from config.admin import Task, add_tasks

SURE = 90  # the score of pairs that are worth a look today


def count_on_hold(rows: CompanyQuerySet) -> int:
    return rows.filter(status=Status.ON_HOLD).count()


def count_duplicates(rows: CompanyQuerySet) -> int:
    """Pairs on the first page of them."""
    pairs, _next = report(among=rows, least=SURE)
    return len(pairs)


add_tasks(
    Task(
        _("Companies on hold"),
        "pause_circle",
        Company,
        count_on_hold,
        f"status__exact={Status.ON_HOLD}",
        order=40,
    ),
    Task(
        _("Likely duplicates, on their first page"),
        "content_copy",
        Company,
        count_duplicates,
        f"min_score={SURE}",
        page="duplicates",
        order=50,
    ),
)
