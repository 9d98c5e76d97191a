"""Imports in the console: upload, columns, preview, apply, report."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminSelectWidget

from companies.exports import IMPORTS, MAPPINGS
from companies.imports import Action, FileRefused, Kind, all_kinds, jobs, kind_of
from companies.models import Import, ImportMapping
from config.admin import (
    OutsidePortfolio,
    ReadOnlyAdmin,
    badge,
    refusal_text,
    sees_all,
)
from config.errors import DomainError
from config.tables.csv_files import ENCODINGS

ON_PAGE = 100
State = Import.State


class UploadForm(forms.Form):
    kind = forms.ChoiceField(
        label=gettext_lazy("What is in it"), widget=UnfoldAdminSelectWidget
    )
    file = forms.FileField(
        label=gettext_lazy("File"),
        max_length=255,
        allow_empty_file=True,
        help_text=gettext_lazy("CSV, JSON lines or .xlsx; also gzipped."),
        widget=forms.FileInput(attrs={"class": "kz-input"}),
    )
    encoding = forms.ChoiceField(
        label=gettext_lazy("Encoding"),
        required=False,
        choices=[("", gettext_lazy("Find it out")), *((e, e) for e in ENCODINGS)],
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, kinds: Sequence[Kind], *args: Any) -> None:
        super().__init__(*args)
        self.fields["kind"].choices = [(kind.name, kind.label) for kind in kinds]


def may_see(request: HttpRequest, kind: Kind) -> bool:
    """Who may not see people does not see them in imports either."""
    models = {
        name.replace(".add_", ".").replace(".change_", ".") for name in kind.permissions
    }
    return all(
        any(
            request.user.has_perm(model.replace(".", f".{right}_"))
            for right in ("view", "change")
        )
        for model in models
    )


@admin.register(Import)
class ImportAdmin(ReadOnlyAdmin):
    """Nothing of an import is edited; it is planned, applied or cancelled."""

    list_display = ["file_name", "kind", "shown_state", "counted", "who", "created_at"]
    list_filter = [("state", ChoicesDropdownFilter), "created_at"]
    list_select_related = ["client", "staff"]
    search_fields = ["file_name", "kind"]
    ordering = ["-id"]
    export_columns = IMPORTS

    # --- who may do what

    def kinds(self, request: HttpRequest) -> list[Kind]:
        return [kind for kind in all_kinds() if jobs.may_import(request.user, kind)]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(self.kinds(request))

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        kinds = [kind.name for kind in all_kinds() if may_see(request, kind)]
        return super().get_queryset(request).filter(kind__in=kinds)

    def saved_mappings(self, request: HttpRequest, job: Import) -> QuerySet:
        """Nobody's in particular: not for who looks after some hierarchies only."""
        rows = ImportMapping.objects.filter(kind=job.kind)
        return rows if sees_all(request) else rows.none()

    # --- the list

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def shown_state(self, job: Import) -> SafeString:
        return badge(job.state, job.get_state_display())

    @admin.display(description=gettext_lazy("records"))
    def counted(self, job: Import) -> str:
        return in_words(job.totals)

    @admin.display(description=gettext_lazy("by"))
    def who(self, job: Import) -> str:
        return str(job.staff or job.client or "\N{EN DASH}")

    # --- upload

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        kinds = self.kinds(request)
        sent = (request.POST, request.FILES) if request.method == "POST" else ()
        form = UploadForm(kinds, *sent)
        if form.is_bound and form.is_valid():
            try:
                job = self._receive(request, form.cleaned_data)
            except FileRefused as error:
                form.add_error("file", str(error.faults[0].message))
            else:
                return HttpResponseRedirect(self.url_of("change", job.pk))
        context = self.admin_site.each_context(request) | {
            "form": form,
            "media": self.media + form.media,
            "opts": self.opts,
            "title": _("Import a file"),
        }
        return TemplateResponse(request, "companies/import_upload.html", context)

    def _receive(self, request: HttpRequest, answer: dict[str, Any]) -> Import:
        kind, file = kind_of(answer["kind"]), answer["file"]
        return jobs.receive_import(
            kind,
            file.chunks(),
            name=file.name,
            staff=request.user,
            may_move=bool(kind.moving and request.user.has_perm(kind.moving[1])),
            encoding=answer["encoding"],
            wait=True,
        )

    # --- one import

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = self.get_object(request, object_id)
        if job is None:
            raise Http404
        kind = kind_of(job.kind)
        mine = jobs.may_import(request.user, kind) and job.staff_id == request.user.pk
        if request.method == "POST":
            if not mine:
                raise PermissionDenied
            self._do(request, job)
            return HttpResponseRedirect(self.url_of("change", job.pk))
        return self._show(request, job, kind, mine=mine)

    def _do(self, request: HttpRequest, job: Import) -> None:
        sent = request.POST
        try:
            match sent.get("do"):
                case "plan":
                    jobs.plan_again(job, self._mapping(sent, job))
                case "save":
                    self._save_mapping(request, job)
                case "load":
                    self._load_mapping(request, job)
                case "apply" | "apply_good" as wanted:
                    jobs.apply_planned(
                        job, partial=wanted == "apply_good", confirm="confirm" in sent
                    )
                case "cancel":
                    jobs.cancel_import(job)
        except DomainError as error:
            self.message_user(request, refusal_text(error), messages.ERROR)
            return
        if job.is_busy and jobs.is_small(job):
            jobs.work_on(job.pk)

    def _mapping(self, sent: Any, job: Import) -> dict[str, str]:
        """Our column for each header of the file; "" leaves it out."""
        return {
            header: sent.get(f"column-{place}", "")
            for place, header in enumerate(job.header)
            if header
        }

    def _save_mapping(self, request: HttpRequest, job: Import) -> None:
        name = " ".join(request.POST.get("mapping_name", "").split())[:100]
        columns = self._mapping(request.POST, job)
        jobs.keep_mapping(job, columns)
        if not sees_all(request):
            raise OutsidePortfolio
        if not name or "\0" in name:
            self.message_user(request, _("Give the mapping a name."), messages.ERROR)
            return
        ImportMapping.objects.update_or_create(
            kind=job.kind, name=name, defaults={"columns": columns}
        )
        self.message_user(request, _("The mapping was saved."), messages.SUCCESS)

    def _load_mapping(self, request: HttpRequest, job: Import) -> None:
        chosen = request.POST.get("saved", "")
        saved = self.saved_mappings(request, job).filter(name=chosen[:100]).first()
        if saved is not None:
            headers = [header for header in job.header if header]
            columns = {h: saved.columns.get(h, "") for h in headers}
            jobs.keep_mapping(job, columns)

    def _show(
        self, request: HttpRequest, job: Import, kind: Kind, *, mine: bool
    ) -> HttpResponse:
        wanted = request.GET.get("action", "")
        if wanted not in (*map(str, Action), "noted"):
            wanted = ""
        after = request.GET.get("after", "")
        start = (
            int(after) if after.isascii() and after.isdigit() and len(after) < 9 else 0
        )
        records, rest = job.results(after=start, action=wanted, most=ON_PAGE)
        context = self.admin_site.each_context(request) | {
            "job": job,
            "kind": kind,
            "mine": mine,
            "may_plan": mine and job.state in Import.CAN_PLAN and any(job.header),
            "may_apply": mine and job.state == State.PLANNED,
            "columns": columns_of(job, kind),
            "known": kind.columns,
            "saved": self.saved_mappings(request, job),
            "may_save": sees_all(request),
            "counts": counts_of(job, wanted),
            "records": records,
            "rest": rest,
            "wanted": wanted,
            "source": job.sources[0] if job.sources else None,
            "percent": 100 * job.done // job.total if job.total else None,
            "opts": self.opts,
            "original": job,
            "title": _("Import of %(file)s") % {"file": job.file_name},
            "media": self.media,
        }
        return TemplateResponse(request, "companies/import.html", context)


def in_words(totals: dict[str, int]) -> str:
    if not totals:
        return "\N{EN DASH}"
    told = [
        (_("%d created"), totals["created"]),
        (_("%d changed"), totals["updated"]),
        (_("%d the same"), totals["unchanged"]),
        (_("%d refused"), totals["refused"]),
    ]
    return ", ".join(text % count for text, count in told if count) or _("no records")


def columns_of(job: Import, kind: Kind) -> list[dict[str, Any]]:
    """The headers of the file with the column that each goes to, as chosen or found."""
    return [
        {"place": place, "header": header, "column": column}
        for place, (header, column) in enumerate(jobs.columns_of(job, kind))
        if header
    ]


def counts_of(job: Import, wanted: str) -> list[dict[str, Any]]:
    """The links above the records: how many there are of each sort."""
    totals = job.totals or {}
    if not totals:
        return []
    moved = totals["moved"]
    sorts = [
        ("", _("All"), totals["records"]),
        ("create", _("New"), totals["created"]),
        ("update", _("Changed"), totals["updated"] - moved),
        ("move", _("Moved"), moved),
        ("unchanged", _("The same"), totals["unchanged"]),
        ("refused", _("Refused"), totals["refused"]),
        ("noted", _("Worth a look"), totals["noted"]),
    ]
    return [
        {"action": action, "label": label, "count": count, "here": action == wanted}
        for action, label, count in sorts
        if count or not action
    ]


@admin.register(ImportMapping)
class ImportMappingAdmin(ReadOnlyAdmin):
    """Saved mappings are made on the page of an import; here they are deleted."""

    of_hierarchies = False
    list_display = ["name", "kind", "updated_at"]
    list_filter = ["updated_at"]
    search_fields = ["name", "kind"]
    export_columns = MAPPINGS
    fieldsets = [(None, {"fields": ["name", "kind", "columns"]})]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = request.user.has_perm("companies.delete_importmapping")
        return may and self.is_open_to(request)
