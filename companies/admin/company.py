"""One company: what it is, where it stands, who works there, what happened to it."""

from contextlib import AbstractContextManager
from tempfile import TemporaryFile
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.templatetags.unfold_list import results

from companies import services
from companies.duplicates import duplicates_of
from companies.exports import COMPANIES, HIERARCHY_FILES, rights_to_export
from companies.large import note_on_size
from companies.models import Company, ContactAssignment, Location
from companies.models.company import BADNESS, CompanyQuerySet
from companies.quality import review
from config.admin import (
    TIMELINE,
    AnswerForm,
    AutocompleteField,
    KonzernAdmin,
    OutsidePortfolio,
    Panel,
    ReasonForm,
    as_validation_error,
    keep_in_sight,
    seen,
    sees_all,
)
from config.admin.base import ON_PAGE
from config.admin.facts import facts_of
from config.errors import DomainError

from .chart import ChartPages
from .duplicates import DuplicatePages
from .inviting import InvitePages
from .merging import MergePages, differences, seen_merge_of
from .past import PastPage
from .people import AssignmentInline, watching_people
from .place_map import map_of
from .places import LinkInline, LocationInline
from .tree import (
    EffectiveStatusFilter,
    PlaceFilter,
    QualityFilter,
    TreeColumns,
    TreeList,
)

MOST_LOOKED_AT = 5_000  # companies, for what is missing in them
AT_ONCE = 100  # subsidiaries of one company that are shown together
Status = Company.Status


class MoveForm(AnswerForm):
    parent = AutocompleteField(
        Company._meta.get_field("parent"),
        label=gettext_lazy("New parent company"),
        required=False,
        help_text=gettext_lazy("Leave it empty to make it a head company."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        required=False,
        widget=forms.TextInput(attrs={"class": "kz-input"}),
    )


def subsidiaries_of(request: HttpRequest, company: Company) -> dict[str, Any]:
    rows = company.subsidiaries.order_by("name", "pk").with_place()
    pages = Paginator(rows.with_effective_status(), AT_ONCE)
    page = pages.get_page(request.GET.get("subsidiaries"))
    for row in page.object_list:
        row.effective = Status(row.effective_status)
    return {
        "page": page,
        "company": company,
        "may_add": request.user.has_perm("companies.add_company"),
    }


def quality_below(request: HttpRequest, company: Company) -> dict[str, Any]:
    """What is missing in the company and below it, unless that would take too long."""
    below = Company.objects.under(company)
    if below.order_by().count() > MOST_LOOKED_AT:
        return {"most": MOST_LOOKED_AT}
    quality, lacking = review(below.head_first(), most=AT_ONCE)
    return {"quality": quality, "lacking": lacking}


@admin.register(Company)
class CompanyAdmin(
    ChartPages,
    DuplicatePages,
    PastPage,
    MergePages,
    InvitePages,
    TreeColumns,
    KonzernAdmin,
):
    export_columns = COMPANIES
    list_display = [
        "place",
        "code",
        "own_status",
        "effective",
        "country",
        "subsidiaries_count",
    ]
    list_display_links = None
    list_filter = [
        ("status", ChoicesDropdownFilter),
        EffectiveStatusFilter,
        ("country", ChoicesDropdownFilter),
        PlaceFilter,
        QualityFilter,
    ]
    list_per_page = AT_ONCE
    search_fields = ["search_text"]
    search_help_text = gettext_lazy("Name, legal name, code, registration id, LEI …")
    ordering = ["name"]
    autocomplete_fields = ["parent"]
    fieldsets = [
        (None, {"fields": ["name", ("code", "parent")]}),
        (
            gettext_lazy("Legal information"),
            {
                "fields": [
                    ("legal_name", "legal_form"),
                    ("registration_id", "registration_agency"),
                    ("registered_on", "country"),
                    ("tax_id", "lei", "duns"),
                ]
            },
        ),
        (
            gettext_lazy("Contact and preferences"),
            {
                "fields": [
                    ("website", "email", "phone"),
                    ("language", "currency"),
                    "attributes",
                ]
            },
        ),
    ]
    inlines = [LocationInline, AssignmentInline, LinkInline]
    history_panel = TIMELINE
    panels = (
        Panel(
            "subsidiaries",
            gettext_lazy("Subsidiaries"),
            "companies/subsidiaries.html",
            subsidiaries_of,
            order=70,
        ),
        Panel(
            "quality",
            gettext_lazy("Quality"),
            "companies/quality.html",
            quality_below,
            order=75,
        ),
    )
    actions = ["invite", "move", "activate", "hold", "close", "merge", "unmerge"]
    change_form_outer_before_template = "companies/company_top.html"

    class Media:
        js = ["konzern/tree.js", "konzern/duplicates.js"]

    # --- the tree

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[TreeList]:
        return TreeList

    def get_urls(self) -> list[URLPattern]:
        opened = path(
            "<int:opened>/subsidiaries/",
            self.admin_site.admin_view(self.subsidiaries_view),
            name="companies_company_subsidiaries",
        )
        whole = path(
            "<int:company>/export/<str:kind>/",
            self.admin_site.admin_view(self.export_hierarchy_view),
            name="companies_company_export_hierarchy",
        )
        return [opened, whole, *super().get_urls()]

    def subsidiaries_view(self, request: HttpRequest, opened: int) -> HttpResponse:
        """The rows of one branch that was opened, a hundred at a time."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not self.get_queryset(request).filter(pk=opened).exists():
            raise Http404
        try:
            rows = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return HttpResponseBadRequest()
        page = rows.page_num
        context = {
            "cl": rows,
            "results": list(results(rows)),
            "next": page + 1
            if rows.multi_page and page < rows.paginator.num_pages
            else 0,
            "left": rows.result_count - page * self.list_per_page,
            "columns": len(rows.list_display),
        }
        return TemplateResponse(request, "companies/rows.html", context)

    # --- exports

    def export_rows(self, request: HttpRequest) -> CompanyQuerySet:
        """All companies: only the list itself begins with the head companies."""
        shown = self.get_changelist_instance(request)
        return super(TreeList, shown).get_queryset(request)

    def may_export_all(self, request: HttpRequest) -> bool:
        seen = all(request.user.has_perm(right) for right in rights_to_export())
        return seen and self.has_export_permission(request)

    def export_hierarchy_view(
        self, request: HttpRequest, company: int, kind: str
    ) -> HttpResponse:
        """The company and all below it, with all that belongs to them, in one file."""
        found = self.get_queryset(request).filter(pk=company).first()
        if found is None or kind not in HIERARCHY_FILES:
            raise Http404
        if not self.may_export_all(request):
            raise PermissionDenied
        file = TemporaryFile()  # noqa: SIM115  (FileResponse closes it)
        HIERARCHY_FILES[kind](found, file, lambda rows: seen(request, rows))
        file.seek(0)
        return FileResponse(file, as_attachment=True, filename=f"{found.code}.{kind}")

    def get_search_results(
        self, request: HttpRequest, queryset: CompanyQuerySet, search_term: str
    ) -> tuple[CompanyQuerySet, bool]:
        return queryset.matching(search_term), False

    def autocomplete_text(self, company: Company) -> str:
        return f"{company.name} · {company.code}"

    # --- one company

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["code", "parent"]

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[type]:
        return super().get_inlines(request, obj) if obj is not None else []

    def page_context(self, request: HttpRequest, obj: Company) -> dict[str, Any]:
        way = list(Company.objects.above(obj).head_first())
        worst = max(way, key=lambda company: BADNESS[company.status])
        people = ContactAssignment.objects.reaching(obj).exclude(company=obj)
        places = Location.objects.usable_by(obj).exclude(company=obj)
        links = seen(request, obj.links_from_others.select_related("company"))
        visible = seen(request, Company.objects.all())
        return {
            "way": way,
            "may_export": self.may_export_all(request),
            "effective": Status(worst.status),
            "because": worst if worst.status != obj.status else None,
            "duplicates": duplicates_of(obj, among=visible),
            "inherited_people": people.select_related("contact", "company")[:AT_ONCE],
            "place_map": map_of(obj),
            "shared_places": places.select_related("company")[:AT_ONCE],
            "links_from_others": links[:AT_ONCE],
            "merge": seen_merge_of(request, obj),
            "facts": list(facts_of(request, obj)),
        }

    def watching(
        self, request: HttpRequest, object_id: str | None
    ) -> AbstractContextManager[Any]:
        return watching_people(self, request, object_id, "company")

    def save_model(
        self, request: HttpRequest, obj: Company, form: Any, change: bool
    ) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        fields = {
            name: value
            for name, value in form.cleaned_data.items()
            if name != "seen_version"
        }
        created = services.create_company(actor=self.actor(request), **fields)
        keep_in_sight(request, created)
        obj.__dict__.update(created.__dict__)  # Django goes on with the object it knows
        self.warn_of_size(request, created)
        self.warn_of_duplicates(request, created)

    def delete_model(self, request: HttpRequest, obj: Company) -> None:
        services.delete_company(obj, actor=self.actor(request))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Django would list all that hangs on the company; the service decides."""
        parts = sum(company.locations.count() for company in objs)
        counts = {_("company"): len(objs), _("locations"): parts}
        return [str(company) for company in objs], counts, set(), []

    # --- what is done with it

    def has_move_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("companies.move_company")

    def has_status_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("companies.change_company_status")

    def offers(self, action: str, obj: Company) -> bool:
        makes_sense = {
            "activate": obj.status != Status.ACTIVE,
            "hold": obj.status in (Status.ACTIVE, Status.DRAFT),
            "close": obj.status != Status.CLOSED,
            "invite": obj.status != Status.CLOSED,
        }.get(action, True)
        return makes_sense and self.offers_with_merge(action, obj)

    @admin.action(
        description=gettext_lazy("Move"), permissions=["move"], location=ON_PAGE
    )
    def move(self, request: HttpRequest, queryset: CompanyQuerySet) -> HttpResponse:
        """Ask where to, show what would change, then move."""
        company = queryset.get()
        form = self.answer(request, company, MoveForm)
        sentences, changes, confirm = None, [], ""
        if form.is_bound and form.is_valid() and self._may_place(request, form):
            parent = form.cleaned_data["parent"]
            confirm = str(parent.pk) if parent else "top"
            # Only what was previewed is done: a changed answer is previewed again.
            asked, _at, token = request.POST.get("confirm", "").partition("@")
            if asked == confirm:
                return self._move(request, company, form.cleaned_data, token)
            try:
                preview = services.preview_move(company, parent)
            except DomainError as error:
                form.add_error("parent", as_validation_error(error))
                confirm = ""
            else:
                sentences = [_where(company, parent)]
                changes = differences(preview)
                confirm = f"{confirm}@{preview.token}"
        return self.ask(
            request,
            company,
            form,
            action="move",
            title=_("Move %(company)s") % {"company": company},
            button=_("Move") if confirm else _("Preview"),
            sentences=sentences,
            changes=changes,
            confirm=confirm,
        )

    def _may_place(self, request: HttpRequest, form: MoveForm) -> bool:
        """At the top a hierarchy begins of which nobody has said who looks after it."""
        if form.cleaned_data["parent"] is not None or sees_all(request):
            return True
        form.add_error("parent", as_validation_error(OutsidePortfolio()))
        return False

    def _move(
        self,
        request: HttpRequest,
        company: Company,
        answer: dict[str, Any],
        previewed: str,
    ) -> HttpResponse:
        moved = self.attempt(
            request,
            company,
            lambda: services.move_company(
                company,
                answer["parent"],
                actor=self.actor(request),
                expected_version=answer["seen_version"],
                reason=answer["reason"],
                previewed=previewed,
            ),
            done=_("The company has been moved."),
        )
        if moved:
            self.warn_of_size(request, company)
        return HttpResponseRedirect(self.url_of("change", company.pk))

    def warn_of_size(self, request: HttpRequest, company: Company) -> None:
        """Say after placing a company that its hierarchy is a large one."""
        if note := note_on_size(company.pk):
            text = _("The hierarchy of %(company)s is large. %(note)s")
            said = text % {"company": company, "note": note}
            self.message_user(request, said, messages.WARNING)

    @admin.action(
        description=gettext_lazy("Activate"), permissions=["status"], location=ON_PAGE
    )
    def activate(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return self._set_status(request, queryset.get(), "activate", Status.ACTIVE)

    @admin.action(
        description=gettext_lazy("Put on hold"),
        permissions=["status"],
        location=ON_PAGE,
    )
    def hold(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return self._set_status(request, queryset.get(), "hold", Status.ON_HOLD)

    @admin.action(
        description=gettext_lazy("Close"), permissions=["status"], location=ON_PAGE
    )
    def close(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return self._set_status(request, queryset.get(), "close", Status.CLOSED)

    def _set_status(
        self, request: HttpRequest, company: Company, action: str, status: Status
    ) -> HttpResponse:
        verb = getattr(self, action).short_description
        form = self.answer(request, company, ReasonForm)
        if form.is_bound and form.is_valid():
            self.attempt(
                request,
                company,
                lambda: services.set_status(
                    company,
                    status,
                    actor=self.actor(request),
                    reason=form.cleaned_data["reason"],
                    expected_version=form.cleaned_data["seen_version"],
                ),
                done=_("%(company)s is now: %(status)s.")
                % {"company": company, "status": status.label},
            )
            return HttpResponseRedirect(self.url_of("change", company.pk))
        return self.ask(
            request,
            company,
            form,
            action=action,
            title=f"{verb}: {company}",
            button=verb,
            sentences=[],
            changes=differences(services.preview_status(company, status)),
            danger=status == Status.CLOSED,
        )


def _where(company: Company, parent: Company | None) -> str:
    if parent is None:
        return _("%(company)s becomes a head company.") % {"company": company}
    return _("%(company)s and all below it come under %(parent)s.") % {
        "company": company,
        "parent": parent,
    }
