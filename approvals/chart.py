"""What is counted of limits and purchase requests in the picture of a hierarchy."""

from django.db.models import Count
from django.utils.translation import gettext_lazy as _

from companies.chart import Counted, add_numbers
from companies.models import CompanyQuerySet

from .models import PurchaseLimit, PurchaseRequest


def limits_of(companies: CompanyQuerySet) -> Counted:
    """How many limits are set at each company itself."""
    rows = PurchaseLimit.objects.filter(company__in=companies, is_active=True)
    return rows.order_by().values_list("company").annotate(Count("pk"))


def open_requests_of(companies: CompanyQuerySet) -> Counted:
    """How many requests of each company wait for approval."""
    rows = PurchaseRequest.objects.pending().filter(company__in=companies)
    return rows.order_by().values_list("company").annotate(Count("pk"))


def add_all() -> None:
    add_numbers("limits", _("Limits"), "approvals.view_purchaselimit", limits_of)
    add_numbers(
        "open-requests",
        _("Open requests"),
        "approvals.view_purchaserequest",
        open_requests_of,
    )
