"""Every list leaves as CSV or XLSX: what its search and filters show, on all pages."""

from tempfile import TemporaryFile
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _

from config.spreadsheets import MOST_ROWS, Columns, csv_pieces, rows_of, write_xlsx

CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FILES = ("csv", "xlsx")
RIGHT = "companies.export_data"


class ExportMixin:
    """Adds the links below a list whose `export_columns` say what is in the file."""

    export_columns: Columns = {}
    list_after_template = "konzern/export.html"

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        view = self.admin_site.admin_view(self.export_view)
        own = [path("export/<str:kind>/", view, name=name)] * bool(self.export_columns)
        return [*own, *super().get_urls()]

    def has_export_permission(self, request: HttpRequest) -> bool:
        """To see a list is one right, to take it away another."""
        return self.has_view_permission(request) and request.user.has_perm(RIGHT)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        links = {}
        if self.export_columns and self.has_export_permission(request):
            query = request.GET.copy()
            query.pop("p", None)  # all pages
            asked = f"?{query.urlencode()}" if query else ""
            links = {
                kind.upper(): self.url_of("export", kind) + asked for kind in FILES
            }
        context = (extra_context or {}) | {"export_links": links}
        return super().changelist_view(request, context)

    def export_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        if kind not in FILES:
            raise Http404
        if not self.has_export_permission(request):
            raise PermissionDenied
        try:
            rows = self.export_rows(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(self.url_of("changelist") + "?e=1")
        name = f"{self.opts.model_name}-{timezone.localdate()}.{kind}"
        table = rows_of(rows.order_by("pk"), self.export_columns)
        if kind != "xlsx":
            disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
            return StreamingHttpResponse(
                csv_pieces(table), content_type=CSV, headers=disposition
            )
        if rows.count() >= MOST_ROWS:
            text = _("A worksheet cannot hold so many rows. Take CSV, or filter.")
            self.message_user(request, text, messages.ERROR)
            return HttpResponseRedirect(self.url_of("changelist"))
        file = TemporaryFile()  # noqa: SIM115  (FileResponse closes it)
        write_xlsx(table, file)
        file.seek(0)
        return FileResponse(file, as_attachment=True, filename=name, content_type=XLSX)

    def export_rows(self, request: HttpRequest) -> QuerySet:
        """The objects of the list as it is filtered, from all its pages."""
        return self.get_changelist_instance(request).get_queryset(request)
