"""The picture of a hierarchy: its page, its companies, the numbers drawn at them."""

from datetime import date

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from companies.chart import MOST, NUMBERS, Box, boxes_of, boxes_then, lines_of
from companies.models import Company
from companies.models.company import CompanyQuerySet, Status
from companies.past import Past
from config.admin import sees_all

from .past import DayForm, among

ID_IN_ADDRESS = 0  # stands for the company in the addresses that the script fills in


class ChartPages:
    """What CompanyAdmin draws of the hierarchy of a company."""

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:company>/chart/",
                self.admin_site.admin_view(self.chart_view),
                name="companies_company_chart",
            ),
            path(
                "<int:company>/chart/companies/",
                self.admin_site.admin_view(self.chart_companies_view),
                name="companies_company_chart_companies",
            ),
            path(
                "<int:company>/chart/numbers/<slug:slug>/",
                self.admin_site.admin_view(self.chart_numbers_view),
                name="companies_company_chart_numbers",
            ),
            *super().get_urls(),
        ]

    def chart_view(self, request: HttpRequest, company: int) -> HttpResponse:
        found = self._drawn(request, company)
        form = DayForm(request.GET or None)
        day = self._day(form)
        top = found if day else self._top(found)
        numbers = (
            []
            if day
            else [
                {
                    "label": one.label,
                    "url": self.url_of("chart_numbers", top.pk, one.slug),
                }
                for one in NUMBERS.values()
                if request.user.has_perm(one.permission)
            ]
        )
        query = f"?as_of={day:%Y-%m-%d}" if day else ""
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": _("Hierarchy of %(company)s") % {"company": found},
            "company": found,
            "top": top,
            "form": form,
            "day": day,
            "numbers": numbers,
            "settings": {
                "companies": self.url_of("chart_companies", found.pk) + query,
                "page": reverse("admin:companies_company_change", args=[ID_IN_ADDRESS]),
                "shown": found.pk,
                "statuses": {status.value: str(status.label) for status in Status},
                "words": _words(),
            },
        }
        return TemplateResponse(request, "companies/chart.html", context)

    def chart_companies_view(self, request: HttpRequest, company: int) -> HttpResponse:
        found = self._drawn(request, company)
        form = DayForm(request.GET or None)
        if form.is_bound and not form.is_valid():
            raise Http404
        if day := self._day(form):
            boxes, lines, beside = self._boxes_then(request, found, Past(day)), [], []
        else:
            top = self._top(found)
            boxes = boxes_of(top)
            visible = self.get_queryset(request)
            lines, beside = lines_of(top, (box.id for box in boxes), visible)
        return JsonResponse(
            {
                "companies": boxes,
                "beside": beside,
                "lines": lines,
                "most": MOST if len(boxes) == MOST else None,
            }
        )

    def chart_numbers_view(
        self, request: HttpRequest, company: int, slug: str
    ) -> HttpResponse:
        found = self._drawn(request, company)
        if slug not in NUMBERS:
            raise Http404
        if not request.user.has_perm(NUMBERS[slug].permission):
            raise PermissionDenied
        below = Company.objects.under(found).order_by().values("pk")
        return JsonResponse({"numbers": dict(NUMBERS[slug].count(below))})

    def _boxes_then(
        self, request: HttpRequest, company: Company, past: Past
    ) -> list[Box]:
        """Its hierarchy of that day, as far as this person may see it."""
        shown = None if sees_all(request) else self.get_queryset(request).order_by()
        way = past.path(company.pk).values_list("id", flat=True)
        if shown is not None:
            way = way.filter(id__in=shown.values("pk"))
        top = next(iter(way), None)
        node = past.tree(top, visible=among(shown)) if top else None
        return boxes_then(node) if node else []

    def _drawn(self, request: HttpRequest, company: int) -> Company:
        if not self.has_view_permission(request):
            raise PermissionDenied
        companies: CompanyQuerySet = self.get_queryset(request)
        found = companies.filter(pk=company).first()
        if found is None:
            raise Http404
        return found

    def _top(self, company: Company) -> Company:
        """Its head company; itself where the hierarchy is too large for one picture."""
        head = Company.objects.get(pk=company.head_id)
        whole = Company.objects.under(head).order_by()
        return company if whole[MOST : MOST + 1].exists() else head

    def _day(self, form: DayForm) -> date | None:
        return form.cleaned_data["as_of"] if form.is_bound and form.is_valid() else None


def _words() -> dict[str, str]:
    """What the script says."""
    return {
        "found": _("{n} found"),
        "none": _("Nothing found."),
        "more": _("Only {n} companies are shown, those nearest to the top."),
        "gone": _("It could not be loaded. Reload the page."),
        "then": _("The company was not there yet."),
        "below": _("{n} below"),
        "effective": _("effective: {status}"),
    }
