"""What lists of companies and people can be asked for."""

import re
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django_filters.constants import EMPTY_VALUES
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from companies import quality
from companies.models import Company, CompanyLink, Contact, ContactAssignment, Location
from companies.models.company import DEPTH, HEAD
from companies.models.merge import answering_to
from config.api.filters import (
    BooleanFilter,
    IntegerFilter,
    MomentFilter,
    StrictFilterSet,
    TextFilter,
    VisibleModelChoiceFilter,
)
from config.text import fold

MOST_WORDS = 5


class WordsFormField(forms.CharField):
    """What to search for: at most five words."""

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value in self.empty_values:
            return
        words = fold(value).split()
        if not words:
            raise ValidationError("There is no word to search for.", code="no_word")
        if len(words) > MOST_WORDS:
            text = f"At most {MOST_WORDS} words."
            raise ValidationError(text, code="too_many_words")


@extend_schema_field(OpenApiTypes.STR)
class WordFilter(django_filters.ChoiceFilter):
    """One of a few words, as they are in the answers."""


class SearchFilter(TextFilter):
    """`?q=`: every word somewhere, without regard to case and accents."""

    field_class = WordsFormField

    def filter(self, rows: QuerySet, value: str) -> QuerySet:
        return rows if value in EMPTY_VALUES else rows.matching(value)


class CompactFilter(TextFilter):
    """A number that people write with blanks, dots and hyphens, in any case."""

    def filter(self, rows: QuerySet, value: str) -> QuerySet:
        return super().filter(rows, re.sub(r"[\s.-]", "", value or "").upper())


class CompanyFilterSet(StrictFilterSet):
    code = TextFilter(
        method="with_code",
        help_text="In any case. Of a merged company: the one that stays.",
    )
    status = WordFilter(choices=Company.Status)
    effective_status = WordFilter(
        choices=Company.Status,
        method="effectively",
        help_text="The worst on the path to the head company.",
    )
    type = WordFilter(
        choices=[("COMPANY", "Head company"), ("SUBSIDIARY", "Subsidiary")],
        method="of_type",
    )
    parent = VisibleModelChoiceFilter(
        visible=Company.objects.visible_to, help_text="Directly below this company."
    )
    head = VisibleModelChoiceFilter(
        visible=Company.objects.visible_to,
        method="below_head",
        help_text="In the hierarchy of this head company.",
    )
    under = VisibleModelChoiceFilter(
        visible=Company.objects.visible_to,
        method="under_company",
        help_text="This company and all below it.",
    )
    above = VisibleModelChoiceFilter(
        visible=Company.objects.visible_to,
        method="above_company",
        help_text="This company and those above it.",
    )
    level_max = IntegerFilter(
        method="down_to",
        min_value=0,
        help_text="At most so deep; 0: head companies only.",
    )
    registration_id = TextFilter()
    tax_id = CompactFilter(help_text="Blanks, dots and hyphens do not matter.")
    lei = CompactFilter(help_text="Blanks and hyphens do not matter.")
    updated_after = MomentFilter(field_name="updated_at", lookup_expr="gt")
    q = SearchFilter(
        help_text="Words in name, legal name, code, registration id, tax id, LEI."
    )

    quality = WordFilter(
        choices=quality.choices,
        method="with_finding",
        help_text="With this finding, `any` or `none`; closed companies are left out.",
    )

    class Meta:
        model = Company
        fields = ["country"]

    def with_finding(self, rows: QuerySet, name: str, finding: str) -> QuerySet:
        return quality.having(rows, finding)

    def with_code(self, rows: QuerySet, name: str, code: str) -> QuerySet:
        return answering_to(code, rows)

    def effectively(self, rows: QuerySet, name: str, status: str) -> QuerySet:
        return rows.effectively(status)

    def of_type(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows.filter(parent__isnull=value == "COMPANY")

    def below_head(self, rows: QuerySet, name: str, company: Company) -> QuerySet:
        return rows.filter(**{HEAD: company.pk})

    def under_company(self, rows: QuerySet, name: str, company: Company) -> QuerySet:
        return rows.under(company)

    def above_company(self, rows: QuerySet, name: str, company: Company) -> QuerySet:
        return rows.above(company)

    def down_to(self, rows: QuerySet, name: str, depth: int) -> QuerySet:
        return rows.filter(**{f"{DEPTH}__lte": depth})


class LocationFilterSet(StrictFilterSet):
    company = VisibleModelChoiceFilter(visible=Company.objects.visible_to)
    type = WordFilter(choices=Location.Type)
    updated_after = MomentFilter(field_name="updated_at", lookup_expr="gt")

    class Meta:
        model = Location
        fields = [
            "code",
            "city",
            "country",
            "is_billing",
            "is_shipping",
            "is_shared",
            "is_active",
        ]


class ContactFilterSet(StrictFilterSet):
    email = TextFilter(
        method="with_email", max_length=254, help_text="In any case; the whole of it."
    )
    company = VisibleModelChoiceFilter(
        visible=Company.objects.visible_to,
        method="assigned_to",
        help_text="Assigned to this company.",
    )
    updated_after = MomentFilter(field_name="updated_at", lookup_expr="gt")
    q = SearchFilter(help_text="Words in name and e-mail.")

    class Meta:
        model = Contact
        fields = ["external_id", "is_active"]

    def with_email(self, rows: QuerySet, name: str, email: str) -> QuerySet:
        return rows.with_email(email)

    def assigned_to(self, rows: QuerySet, name: str, company: Company) -> QuerySet:
        assigned = ContactAssignment.objects.filter(company=company)
        return rows.filter(pk__in=assigned.values("contact"))


class AssignmentFilterSet(StrictFilterSet):
    contact = VisibleModelChoiceFilter(visible=Contact.objects.visible_to)
    company = VisibleModelChoiceFilter(visible=Company.objects.visible_to)
    type = WordFilter(choices=ContactAssignment.Type)
    role = WordFilter(choices=ContactAssignment.Role)
    in_force = BooleanFilter(
        method="whether_in_force",
        help_text="Today within its dates, of an active contact.",
    )
    updated_after = MomentFilter(field_name="updated_at", lookup_expr="gt")

    class Meta:
        model = ContactAssignment
        fields = ["covers_subsidiaries"]

    def whether_in_force(self, rows: QuerySet, name: str, wanted: bool) -> QuerySet:
        in_force = ContactAssignment.objects.in_force()
        if wanted:
            return rows.filter(pk__in=in_force.values("pk"))
        return rows.exclude(pk__in=in_force.values("pk"))


class LinkFilterSet(StrictFilterSet):
    company = VisibleModelChoiceFilter(visible=Company.objects.visible_to)
    other = VisibleModelChoiceFilter(visible=Company.objects.visible_to)
    of = VisibleModelChoiceFilter(
        visible=Company.objects.visible_to,
        method="of_company",
        help_text="From or to this company.",
    )
    kind = WordFilter(choices=CompanyLink.Kind)

    class Meta:
        model = CompanyLink
        fields: list[str] = []

    def of_company(self, rows: QuerySet, name: str, company: Company) -> QuerySet:
        return rows.of(company)
