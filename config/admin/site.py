"""Our admin site: what a search in a form offers says which of two namesakes it is."""

from typing import Any

from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from unfold.sites import UnfoldAdminSite

from .home import panels_of, recent_changes, tasks_of
from .search import IN_BOX, LONGEST, ON_PAGE, search


class Autocomplete(AutocompleteJsonView):
    def serialize_result(self, obj: Any, to_field_name: str) -> dict[str, str]:
        result = super().serialize_result(obj, to_field_name)
        text_of = getattr(self.model_admin, "autocomplete_text", None)
        return result | ({"text": text_of(obj)} if text_of else {})


class KonzernSite(UnfoldAdminSite):
    index_title = _("Overview")

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        # Not as a style in the page, which the content security policy forbids: they
        # are in static/konzern/colors.css.
        return super().each_context(request) | {"colors": {}}

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        home = {
            "tasks": list(tasks_of(request, self)),
            "home_panels": list(panels_of(request)),
            "recent_changes": recent_changes(request, self),
        }
        return super().index(request, home | (extra_context or {}))

    @method_decorator(never_cache)
    def search(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What the box finds: a whole page, or with `box` the part below the box.

        In the place of unfold's own, which reads every row that matches and keeps what
        it found for minutes: names of people who were erased meanwhile, too.
        """
        query = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST]
        in_box = "box" in request.GET
        most = IN_BOX if in_box else ON_PAGE
        context = {
            "query": query,
            "groups": search(request, self, query, most=most),
            "in_box": in_box,
            "search_page": True,
        }
        if in_box:
            return TemplateResponse(request, "konzern/search_hits.html", context)
        context |= {"title": _("Search")} | self.each_context(request)
        return TemplateResponse(request, "konzern/search.html", context)

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        return Autocomplete.as_view(admin_site=self)(request)
