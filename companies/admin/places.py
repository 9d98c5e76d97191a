"""Where companies are, and what links them beside the tree."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from companies.exports import LINKS, LOCATIONS
from companies.models import Company, CompanyLink, Location
from config.admin import (
    KonzernAdmin,
    KonzernForm,
    KonzernStackedInline,
    KonzernTabularInline,
)
from config.search import found_by

from .people import about

ADDRESS = [
    ("name", "type", "code"),
    ("address_line1", "address_line2"),
    ("postcode", "city", "region", "country"),
    ("latitude", "longitude"),
    ("email", "phone"),
    ("is_billing", "is_default_billing", "is_shipping", "is_default_shipping"),
    ("is_shared", "is_active"),
]


class OtherFixed(KonzernForm):
    fixed = ("other",)


class LocationInline(KonzernStackedInline):
    model = Location
    fields = ADDRESS
    per_page = 20
    collapsible = True
    template_before = "companies/place_map.html"
    template_after = "companies/shared_places.html"
    order = 10

    def formfield_for_choice_field(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        # 249 countries in each of twenty rows would be most of the page.
        if db_field.name == "country":
            kwargs["widget"] = UnfoldAdminTextInputWidget(attrs={"maxlength": 2})
        return super().formfield_for_choice_field(db_field, request, **kwargs)


class LinkInline(KonzernTabularInline):
    model = CompanyLink
    fk_name = "company"
    form = OtherFixed
    verbose_name = gettext_lazy("link")
    verbose_name_plural = gettext_lazy("links")
    autocomplete_fields = ["other"]
    fields = ["kind", "other", "percent", "valid_from", "valid_until"]
    list_select_related = ["other"]
    template_after = "companies/links_from_others.html"
    order = 60


@admin.register(Location)
class LocationAdmin(KonzernAdmin):
    export_columns = LOCATIONS
    list_display = ["__str__", "company", "kind", "city", "country", "is_active"]
    list_filter = [
        ("type", ChoicesDropdownFilter),
        ("country", ChoicesDropdownFilter),
        "is_shared",
        "is_active",
    ]
    list_select_related = ["company"]
    search_fields = ["name", "code", "city", "postcode"]
    search_help_text = gettext_lazy("Name, code, city, postcode or company")
    autocomplete_fields = ["company"]
    fieldsets = [(None, {"fields": ["company", *ADDRESS]})]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        own = Q()
        for name in self.search_fields:
            own |= Q(**{f"{name}__icontains": search_term.strip()})
        companies = Company.objects.order_by().matching(search_term)
        places = Location.objects.all()
        ways = [places.filter(own), places.filter(company__in=companies)]
        return found_by(queryset, *ways), False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["company"]

    @admin.display(description=gettext_lazy("type"), ordering="type")
    def kind(self, location: Location) -> str:
        return location.get_type_display()


@admin.register(CompanyLink)
class CompanyLinkAdmin(KonzernAdmin):
    export_columns = LINKS
    list_display = ["company", "kind", "other", "percent", "valid_from", "valid_until"]
    list_filter = [("kind", ChoicesDropdownFilter)]
    list_select_related = ["company", "other"]
    search_fields = ["company__search_text", "other__search_text"]
    search_help_text = gettext_lazy("One of the two companies")
    autocomplete_fields = ["company", "other"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("company", "kind", "other"),
                    "percent",
                    ("valid_from", "valid_until"),
                ]
            },
        )
    ]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        return about(queryset, search_term, company=Company, other=Company), False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["company", "other"]
