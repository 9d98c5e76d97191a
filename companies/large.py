"""Hierarchies so large that whoever changes them should know what it costs."""

from django.conf import settings
from django.db.models import Subquery
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from .models import Company


def note_on_size(company: int) -> str:
    """What to tell of the hierarchy that a company stands in; "" if it is not large.

    Inserts and moves rewrite the companies behind their place, so they take as long as
    the hierarchy is large. To find out costs two look-ups by primary key.
    """
    head = Company.objects.filter(pk=company).order_by().with_place().values("head")
    row = Company.objects.filter(pk=Subquery(head[:1])).order_by().with_place()
    below = row.values_list("descendants_count", flat=True).first() or 0
    least = settings.COMPANY_LARGE_HIERARCHY
    if below + 1 < least:
        return ""
    return _(
        "It has %(count)s companies or more: each insert and each move in it may take "
        "seconds. An import brings many at once."
    ) % {"count": number_format(least, force_grouping=True)}
