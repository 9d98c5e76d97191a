"""What the list of customer groups can be asked for."""

from django.db.models import QuerySet

from companies.api.filters import SearchFilter, WordFilter
from companies.models import Company, Contact
from config.api.filters import (
    MomentFilter,
    StrictFilterSet,
    TextFilter,
    VisibleModelChoiceFilter,
)
from groups.membership import groups_of
from groups.models import CustomerGroup


class CustomerGroupFilterSet(StrictFilterSet):
    company = VisibleModelChoiceFilter(visible=Company.objects.visible_to)
    under = VisibleModelChoiceFilter(
        visible=Company.objects.visible_to,
        method="under_company",
        help_text="Of this company and all below it.",
    )
    kind = WordFilter(choices=CustomerGroup.Kind)
    price_list = TextFilter(help_text="The code exactly.")
    contact = VisibleModelChoiceFilter(
        visible=Contact.objects.visible_to,
        method="of_contact",
        help_text="In which this person is today, not counting propagation.",
    )
    code = TextFilter(method="with_code", help_text="In any case.")
    q = SearchFilter(help_text="Words in name and code, or in the company's.")
    updated_after = MomentFilter(field_name="updated_at", lookup_expr="gt")

    class Meta:
        model = CustomerGroup
        fields: list[str] = []

    def under_company(self, rows: QuerySet, name: str, company: Company) -> QuerySet:
        return rows.filter(company__in=Company.objects.under(company).order_by())

    def of_contact(self, rows: QuerySet, name: str, contact: Contact) -> QuerySet:
        return rows.filter(pk__in=groups_of(contact))

    def with_code(self, rows: QuerySet, name: str, code: str) -> QuerySet:
        return rows.with_code(code)
