"""People and where they work."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from companies import services
from companies.exports import ASSIGNMENTS, CONTACTS
from companies.models import (
    Company,
    Contact,
    ContactAssignment,
    ContactQuerySet,
)
from config.admin import (
    AnswerForm,
    KonzernAdmin,
    KonzernForm,
    KonzernTabularInline,
    OutsidePortfolio,
    badge,
    seen,
    sees_all,
)
from config.admin.base import ON_PAGE
from config.admin.facts import facts_of
from config.search import found_by

from .standing import REACH

WHAT_THEY_ARE = ["type", "role", "covers_subsidiaries", "valid_from", "valid_until"]


class ContactFixed(KonzernForm):
    fixed = ("contact",)


class CompanyFixed(KonzernForm):
    fixed = ("company",)


class AssignmentInline(KonzernTabularInline):
    """The people of a company."""

    model = ContactAssignment
    form = ContactFixed
    verbose_name = gettext_lazy("person")
    verbose_name_plural = gettext_lazy("people")
    autocomplete_fields = ["contact"]
    fields = ["contact", *WHAT_THEY_ARE]
    list_select_related = ["contact"]
    template_after = "companies/inherited_people.html"
    order = 20


class PlaceOfWorkInline(KonzernTabularInline):
    """The companies of a person."""

    model = ContactAssignment
    form = CompanyFixed
    verbose_name = gettext_lazy("company")
    verbose_name_plural = gettext_lazy("companies")
    autocomplete_fields = ["company"]
    fields = ["company", *WHAT_THEY_ARE]
    list_select_related = ["company"]
    order = 20


@admin.register(Contact)
class ContactAdmin(KonzernAdmin):
    export_columns = CONTACTS
    list_display = ["__str__", "email", "job_title", "companies_count", "state"]
    list_filter = ["is_active", ("erased_at", admin.EmptyFieldListFilter)]
    search_fields = ["search_text"]
    search_help_text = gettext_lazy("Name or e-mail")
    ordering = ["last_name", "first_name"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("first_name", "last_name"),
                    ("email", "phone"),
                    ("job_title", "language"),
                    ("external_id", "is_active"),
                ]
            },
        )
    ]
    inlines = [PlaceOfWorkInline]
    panels = (REACH,)
    actions = ["erase"]
    change_form_outer_before_template = "companies/contact_top.html"

    def get_queryset(self, request: HttpRequest) -> ContactQuerySet:
        # Counted for the rows that are shown only: a join would count for all of them.
        places = seen(request, ContactAssignment.objects.order_by())
        mine = places.filter(contact=OuterRef("pk"))
        counted = mine.values("contact").values_list(Count("pk"))
        companies = Coalesce(Subquery(counted), 0)
        return super().get_queryset(request).annotate(companies_count=companies)

    def get_search_results(
        self, request: HttpRequest, queryset: ContactQuerySet, search_term: str
    ) -> tuple[ContactQuerySet, bool]:
        return queryset.matching(search_term), False

    def autocomplete_text(self, contact: Contact) -> str:
        return f"{contact.name} · {contact.email}"

    def watching(
        self, request: HttpRequest, object_id: str | None
    ) -> AbstractContextManager[Any]:
        return watching_people(self, request, object_id, "contact")

    @admin.display(description=gettext_lazy("companies"), ordering="companies_count")
    def companies_count(self, contact: Contact) -> int:
        return contact.companies_count

    @admin.display(description=gettext_lazy("state"), ordering="is_active")
    def state(self, contact: Contact) -> str:
        if contact.erased_at is not None:
            return badge("CLOSED", _("Erased"))
        if contact.is_active:
            return badge("ACTIVE", _("Active"))
        return badge("ON_HOLD", _("Deactivated"))

    def page_context(self, request: HttpRequest, obj: Contact) -> dict[str, Any]:
        return {"state": self.state(obj), "facts": list(facts_of(request, obj))}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        fixed = obj is not None and (
            obj.erased_at is not None or self.works_elsewhere(request, obj)
        )
        return not fixed and super().has_change_permission(request, obj)

    def works_elsewhere(self, request: HttpRequest, contact: Contact) -> bool:
        """Also where the person of the request sees nothing: not theirs to change."""
        if sees_all(request):
            return False
        if not hasattr(contact, "_works_elsewhere"):
            places = ContactAssignment.objects.filter(contact=contact.pk)
            inside = seen(request, places).values("pk")
            contact._works_elsewhere = places.exclude(pk__in=inside).exists()
        return contact._works_elsewhere

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # people are erased: decisions still have to name somebody

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("companies.delete_contact")

    def offers(self, action: str, obj: Contact) -> bool:
        return obj.erased_at is None

    @admin.action(
        description=gettext_lazy("Erase personal data"),
        permissions=["erase"],
        location=ON_PAGE,
    )
    def erase(self, request: HttpRequest, queryset: ContactQuerySet) -> HttpResponse:
        contact = queryset.get()
        form = self.answer(request, contact, AnswerForm)
        if self.works_elsewhere(request, contact):
            raise OutsidePortfolio
        if form.is_bound and form.is_valid():
            self.attempt(
                request,
                contact,
                lambda: services.erase_contact(
                    contact,
                    actor=self.actor(request),
                    expected_version=form.cleaned_data["seen_version"],
                ),
                done=_("The personal data have been erased."),
            )
            return HttpResponseRedirect(self.url_of("change", contact.pk))
        return self.ask(
            request,
            contact,
            form,
            action="erase",
            title=_("Erase the personal data of %(contact)s") % {"contact": contact},
            button=_("Erase for good"),
            sentences=[
                _("Name, e-mail, phone and job title are replaced by a pseudonym."),
                _("The history loses them, too. Nobody can bring them back."),
                _("Decisions and purchase requests stay, of the pseudonym."),
            ],
            danger=True,
        )


@admin.register(ContactAssignment)
class ContactAssignmentAdmin(KonzernAdmin):
    export_columns = ASSIGNMENTS
    list_display = ["contact", "company", "kind", "role", *WHAT_THEY_ARE[2:]]
    list_filter = [
        ("type", ChoicesDropdownFilter),
        ("role", ChoicesDropdownFilter),
        "covers_subsidiaries",
    ]
    list_select_related = ["contact", "company"]
    search_fields = ["contact__search_text", "company__search_text"]
    search_help_text = gettext_lazy("Person or company")
    autocomplete_fields = ["contact", "company"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("contact", "company"),
                    ("type", "role"),
                    "covers_subsidiaries",
                    ("valid_from", "valid_until"),
                ]
            },
        )
    ]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        return about(queryset, search_term, contact=Contact, company=Company), False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["contact", "company"]

    def watching(
        self, request: HttpRequest, object_id: str | None
    ) -> AbstractContextManager[Any]:
        found = ContactAssignment.objects.filter(pk=object_id or 0).first()
        contact = None if found is None else str(found.contact_id)
        return watching_people(self, request, contact, "contact")

    @admin.display(description=gettext_lazy("type"), ordering="type")
    def kind(self, assignment: ContactAssignment) -> str:
        return assignment.get_type_display()


def watching_people(
    page: KonzernAdmin, request: HttpRequest, pk: str | None, name: str
) -> AbstractContextManager[Any]:
    """Staff are told first whom a change of roles leaves without anybody to decide."""
    if pk is None or not pk.isdecimal():
        return nullcontext()
    confirm = page.confirmed(request)
    return services.watching_rights(**{name: int(pk)}, confirm=confirm)


def about(rows: QuerySet, term: str, **models: Any) -> QuerySet:
    """Rows of which one of the named foreign keys leads to something that matches."""
    if not term.strip():
        return rows
    ways = [
        rows.model._base_manager.filter(
            **{f"{name}__in": model.objects.order_by().matching(term)}
        )
        for name, model in models.items()
    ]
    return found_by(rows, *ways)
