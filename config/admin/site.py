"""Our admin site: what a search in a form offers says which of two namesakes it is."""

from typing import Any

from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from .home import panels_of, recent_changes, tasks_of


class Autocomplete(AutocompleteJsonView):
    def serialize_result(self, obj: Any, to_field_name: str) -> dict[str, str]:
        result = super().serialize_result(obj, to_field_name)
        text_of = getattr(self.model_admin, "autocomplete_text", None)
        return result | ({"text": text_of(obj)} if text_of else {})


class KonzernSite(UnfoldAdminSite):
    index_title = _("Overview")

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        home = {
            "tasks": list(tasks_of(request, self)),
            "home_panels": list(panels_of(request)),
            "recent_changes": recent_changes(request, self),
        }
        return super().index(request, home | (extra_context or {}))

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        return Autocomplete.as_view(admin_site=self)(request)
