"""The structure as it was on a day, by the history."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from companies.models import Company
from companies.past import FIRST_YEAR, Node, Past
from config.admin import offer_seen, seen, sees_all

AT_ONCE = 100
MOST_NODES = 2_000


class DayForm(forms.Form):
    as_of = forms.DateField(
        label=gettext_lazy("Structure on"), widget=forms.DateInput({"type": "date"})
    )
    company = forms.ModelChoiceField(
        Company.objects.order_by(), required=False, widget=forms.HiddenInput
    )

    def clean_as_of(self) -> date:
        day = self.cleaned_data["as_of"]
        if not date(FIRST_YEAR, 1, 1) <= day <= timezone.localdate():
            raise forms.ValidationError(_("A day that is not in the future."))
        return day


class PastPage:
    """What CompanyAdmin shows of other days: all head companies, or one structure."""

    list_before_template = "companies/day.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.past_view)
        past = path("structure/", view, name="companies_company_structure")
        return [past, *super().get_urls()]

    def past_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = DayForm(request.GET or None)
        offer_seen(request, form)
        companies = seen(request, Company.objects.order_by())
        context = self.admin_site.each_context(request) | {
            "form": form,
            "opts": self.opts,
            "title": _("Structure on another day"),
        }
        if form.is_bound and form.is_valid():
            day, company = form.cleaned_data["as_of"], form.cleaned_data["company"]
            context |= {"day": day, "company": company}
            if company is None:
                heads = Past(day).heads().values("id", "name", "code")
                if not sees_all(request):  # who does also sees what is gone
                    heads = heads.filter(id__in=companies.values("pk"))
                pages = Paginator(heads, AT_ONCE)
                context["page"] = pages.get_page(request.GET.get("page"))
            else:
                shown = None if sees_all(request) else companies
                context |= _structure(Past(day), company, shown)
        elif "company" in form.errors:
            raise Http404
        return TemplateResponse(request, "companies/structure.html", context)


def among(shown: Any) -> Any:
    """Which of some ids may be shown; None: all, also what is gone."""
    if shown is None:
        return None
    return lambda ids: set(shown.filter(pk__in=ids).values_list("pk", flat=True))


def _structure(past: Past, company: Company, shown: Any) -> dict[str, Any]:
    """The tree and what was above it; `shown`: companies that may be, None: all."""
    top = past.tree(company.pk, visible=among(shown))
    lines = [] if top is None else list(_lines(top))
    way = past.path(company.pk).values("id", "name") if top else []
    if top and shown is not None:
        way = way.filter(id__in=shown.values("pk"))
    return {"way": list(way)[:-1], "lines": lines[:MOST_NODES], "all": len(lines)}


def _lines(top: Node) -> Any:
    """Each company with its depth, in the order in which a tree is read."""
    waiting = [(top, 0)]
    while waiting:
        node, depth = waiting.pop()
        yield {"node": node, "depth": depth}
        waiting += [(child, depth + 1) for child in reversed(node.children)]
