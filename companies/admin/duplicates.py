"""Possible duplicates: a hint while a company is entered, and a page of all pairs."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from companies.duplicates import LEAST, STORED, Facts, possible_duplicates, report
from companies.models import Company
from config.admin import seen

SHOWN = 5
LEVELS = (LEAST, 70, 90)  # what scores to ask the page of all pairs for
LONGEST = 250


class DuplicatePages:
    """What CompanyAdmin shows of possible duplicates; nothing is refused for them."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "duplicates/",
                view(self.duplicates_view),
                name="companies_company_duplicates",
            ),
            path(
                "duplicates/hint/",
                view(self.hint_view),
                name="companies_company_duplicates_hint",
            ),
            *super().get_urls(),
        ]

    def hint_view(self, request: HttpRequest) -> HttpResponse:
        """A part of a page: who is like the company that is being entered."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        given = {name: request.GET.get(name, "")[:LONGEST] for name in STORED}
        context = {"duplicates": self.like(request, **given)}
        return TemplateResponse(request, "companies/duplicate_hint.html", context)

    def duplicates_view(self, request: HttpRequest) -> HttpResponse:
        """All pairs, in the order in which they were entered."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        least = _number(request, "min_score") or LEAST
        pairs, last = report(
            after=_number(request, "after"),
            among=seen(request, Company.objects.all()),
            least=min(least, 100),
        )
        context = self.admin_site.each_context(request) | {
            "least": least,
            "levels": LEVELS,
            "next": last,
            "opts": self.opts,
            "pairs": pairs,
            "title": _("Possible duplicates"),
        }
        return TemplateResponse(request, "companies/duplicates.html", context)

    def like(self, request: HttpRequest, **given: Any) -> list[Any]:
        values = {
            name: value.replace("\0", "").strip() for name, value in given.items()
        }
        (found,) = possible_duplicates(
            [Facts.given(**values)],
            among=seen(request, Company.objects.all()),
            most=SHOWN,
        )
        return found

    def warn_of_duplicates(self, request: HttpRequest, company: Company) -> None:
        """Say after the saving who is like the new company."""
        given = {name: getattr(company, name) for name in STORED}
        others = [one for one in self.like(request, **given) if one.id != company.pk]
        if others and self.has_view_permission(request):
            hint = render_to_string(
                "companies/duplicate_hint.html", {"duplicates": others}
            )
            self.message_user(request, hint, messages.WARNING)


def _number(request: HttpRequest, name: str) -> int:
    asked = request.GET.get(name, "")
    known = asked.isascii() and asked.isdecimal() and len(asked) < 18
    return int(asked) if known else 0
