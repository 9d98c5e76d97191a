"""What of limits and purchase requests needs somebody today, and the last weeks."""

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from approvals.inbox import waiting_for_staff
from approvals.models import (
    PurchaseLimit,
    PurchaseLimitQuerySet,
    PurchaseRequest,
    PurchaseRequestQuerySet,
)
from approvals.weeks import Week, last_weeks
from config.admin import HomePanel, Task, add_home_panel, add_tasks
from config.money import readable

LOOKED_AT = 100  # pending requests, for those that wait for staff
HEIGHT = 60  # of the highest bar


class AttentionFilter(admin.SimpleListFilter):
    """Requests that need somebody."""

    title = gettext_lazy("needs attention")
    parameter_name = "needs"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [
            ("staff", _("Only staff can decide (of the %d oldest)") % LOOKED_AT),
            ("end", _("Ends within three days")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "staff":
                return for_staff(queryset)
            case "end":
                return queryset.expiring()
        return queryset


class AlertFilter(admin.SimpleListFilter):
    title = gettext_lazy("alert")
    parameter_name = "alert"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("given", _("Given in this period"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.alerted() if self.value() == "given" else queryset


def for_staff(rows: PurchaseRequestQuerySet) -> PurchaseRequestQuerySet:
    return rows.filter(pk__in=waiting_for_staff(rows, most=LOOKED_AT))


def count_for_staff(rows: PurchaseRequestQuerySet) -> int:
    return len(waiting_for_staff(rows, most=LOOKED_AT))


def count_expiring(rows: PurchaseRequestQuerySet) -> int:
    return rows.expiring().count()


def count_alerted(rows: PurchaseLimitQuerySet) -> int:
    return rows.alerted().count()


def weeks(request: HttpRequest) -> dict[str, Any]:
    """The last weeks as bars: one row of them for requests, one for each currency."""
    pages = admin.site.get_model_admin(PurchaseRequest)
    found = last_weeks(pages.get_queryset(request))
    currencies = sorted({currency for week in found for currency in week.ordered})
    return {
        "title": _("The last %d weeks") % len(found),
        "rows": [
            _bars(_("Requests"), found, [(week.requests, "") for week in found]),
            *(
                _bars(
                    _("Ordered, %(currency)s") % {"currency": currency},
                    found,
                    [(week.ordered[currency], currency) for week in found],
                )
                for currency in currencies
            ),
        ],
    }


def _bars(
    title: str, found: list[Week], values: list[tuple[Decimal | int, str]]
) -> dict[str, Any]:
    most = max(value for value, _currency in values) or 1
    return {
        "title": title,
        "bars": [
            {
                "week": date_format(week.monday, "DATE_FORMAT"),
                "value": readable(value, currency) if currency else str(value),
                "x": number * 10,
                "height": (height := round(HEIGHT * max(value, 0) / most)),
                "y": HEIGHT - height,
            }
            for number, (week, (value, currency)) in enumerate(
                zip(found, values, strict=True)
            )
        ],
        "width": len(found) * 10,
        "height": HEIGHT,
        "ground": HEIGHT - 1,
    }


add_tasks(
    Task(
        gettext_lazy("Requests that only staff can decide"),
        "approval",
        PurchaseRequest,
        count_for_staff,
        "needs=staff",
        urgent=True,
        order=10,
    ),
    Task(
        gettext_lazy("Requests that end within three days"),
        "timer",
        PurchaseRequest,
        count_expiring,
        "needs=end",
        urgent=True,
        order=20,
    ),
    Task(
        gettext_lazy("Limits that passed an alert"),
        "speed",
        PurchaseLimit,
        count_alerted,
        "alert=given",
        order=30,
    ),
)
add_home_panel(
    HomePanel("approvals/weeks.html", weeks, "approvals.view_purchaserequest")
)
