"""The list of companies: a tree that opens branch by branch, never loaded whole.

Without search and filters it shows head companies, a page at a time; a branch comes
when it is opened. With them it shows the companies found, wherever they are, each with
the path that leads to it.
"""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from companies import quality
from companies.models import Company
from companies.models.company import CompanyQuerySet
from config.admin import KonzernList, badge, link, sees_all, sight_of

MOST_STEPS = 3
ARROW = " › "  # noqa: RUF001


class TreeList(KonzernList):
    """Head companies, the subsidiaries of one company, or what was searched for."""

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: Any = None
    ) -> CompanyQuerySet:
        rows = super().get_queryset(request, exclude_parameters)
        opened = request.resolver_match.kwargs.get("opened")
        self.is_search = bool(self.query) or self.has_active_filters
        if opened is not None:
            rows = rows.filter(parent=opened)
        elif not self.is_search:
            rows = tops(request, rows)
        return rows.with_place().with_effective_status()

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        if self.is_search:
            show_paths(self.result_list)


def tops(request: HttpRequest, rows: CompanyQuerySet) -> CompanyQuerySet:
    """Head companies; of a part of a hierarchy that somebody sees, its top."""
    if sees_all(request):
        return rows.heads()
    visible = sight_of(request).visible_companies().order_by()
    return rows.filter(Q(parent=None) | ~Q(parent__in=visible))


def show_paths(
    companies: list[Company], *, among: CompanyQuerySet | None = None
) -> None:
    """Set `path` of each: the companies above it, head company first. One query."""
    rows = Company.objects.all() if among is None else among
    above = rows.above_any(companies).order_by()
    known = {company.pk: company for company in above.only("name", "parent")}
    for company in companies:
        company.path = []
        parent = known.get(company.parent_id)
        while parent is not None:
            company.path.insert(0, parent)
            parent = known.get(parent.parent_id)


class EffectiveStatusFilter(admin.SimpleListFilter):
    title = gettext_lazy("effective status")
    parameter_name = "effective_status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return Company.Status.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() in Company.Status.values:
            return queryset.effectively(self.value())
        return queryset


class PlaceFilter(admin.SimpleListFilter):
    title = gettext_lazy("place")
    parameter_name = "place"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [
            ("head", _("Head companies")),
            ("subsidiary", _("Subsidiaries")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "head":
            return queryset.heads()
        if self.value() == "subsidiary":
            return queryset.exclude(parent=None)
        return queryset


class QualityFilter(admin.SimpleListFilter):
    title = gettext_lazy("data quality")
    parameter_name = "quality"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return quality.choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() in dict(quality.choices()):
            return quality.having(queryset, self.value())
        return queryset


class TreeColumns:
    """The columns of the tree."""

    @admin.display(description=gettext_lazy("name"), ordering="name")
    def place(self, company: Company) -> SafeString:
        return format_html(
            '<div class="kz-place">{}<div>{}{}</div></div>',
            self._expander(company),
            _path(company),
            link(company),
        )

    def _expander(self, company: Company) -> SafeString:
        if not company.descendants_count:
            return format_html('<span class="{}"></span>', "kz-leaf")
        return format_html(
            '<button type="button" class="kz-expander" aria-expanded="false"'
            ' data-company="{}" data-url="{}" aria-label="{}"></button>',
            company.pk,
            self.url_of("subsidiaries", company.pk),
            _("Subsidiaries of %(company)s") % {"company": company},
        )

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def own_status(self, company: Company) -> SafeString:
        return badge(company.status, company.get_status_display())

    @admin.display(description=gettext_lazy("effective status"))
    def effective(self, company: Company) -> SafeString:
        status = Company.Status(company.effective_status)
        return badge(status, status.label)

    @admin.display(description=gettext_lazy("subsidiaries"))
    def subsidiaries_count(self, company: Company) -> str:
        return str(company.descendants_count or "\N{EN DASH}")


def _path(company: Company) -> SafeString | str:
    """Where a hit is; of a long path without the middle, which a title shows."""
    if not getattr(company, "path", []):
        return ""
    steps = format_html_join(
        "", '<span class="kz-step">{}</span>', [(name,) for name in short_path(company)]
    )
    whole = ARROW.join(above.name for above in company.path)
    return format_html('<div class="kz-path" title="{}">{}</div>', whole, steps)


def short_path(company: Company) -> list[str]:
    """The names above a company that has its `path`; of many the first and the last."""
    names = [above.name for above in company.path]
    return names if len(names) <= MOST_STEPS else [names[0], "…", names[-1]]
