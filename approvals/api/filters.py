"""What lists of limits, groups, rules, stand-ins and requests can be asked for."""

import django_filters
from django.db.models import QuerySet

from approvals.models import (
    ApprovalGroup,
    ApprovalRule,
    ApprovalRuleStep,
    PurchaseLimit,
    PurchaseRequest,
    StandIn,
)
from companies.models import Company, Contact
from config.api.filters import (
    BooleanFilter,
    MomentFilter,
    StrictFilterSet,
    TextFilter,
    VisibleModelChoiceFilter,
)


class OfCompanyFilterSet(StrictFilterSet):
    """What belongs to a company."""

    company = VisibleModelChoiceFilter(visible=Company.objects.visible_to)
    under = VisibleModelChoiceFilter(
        visible=Company.objects.visible_to,
        method="under_company",
        help_text="Of this company and all below it.",
    )
    updated_after = MomentFilter(field_name="updated_at", lookup_expr="gt")

    def under_company(self, rows: QuerySet, name: str, company: Company) -> QuerySet:
        return rows.filter(company__in=Company.objects.under(company).order_by())


class PurchaseLimitFilterSet(OfCompanyFilterSet):
    contact = VisibleModelChoiceFilter(visible=Contact.objects.visible_to)
    currency = TextFilter(max_length=3)
    scope = django_filters.ChoiceFilter(choices=PurchaseLimit.Scope)
    binds = django_filters.ChoiceFilter(choices=PurchaseLimit.Binds)
    on_exceed = django_filters.ChoiceFilter(choices=PurchaseLimit.OnExceed)
    period = django_filters.ChoiceFilter(choices=PurchaseLimit.Period)

    class Meta:
        model = PurchaseLimit
        fields: list[str] = []


class ApprovalGroupFilterSet(OfCompanyFilterSet):
    code = TextFilter(lookup_expr="iexact", help_text="In any case.")
    member = VisibleModelChoiceFilter(
        visible=Contact.objects.visible_to,
        field_name="members",
        help_text="Groups of this person.",
    )

    class Meta:
        model = ApprovalGroup
        fields: list[str] = []


class ApprovalRuleFilterSet(OfCompanyFilterSet):
    currency = TextFilter(max_length=3)
    covers_subsidiaries = BooleanFilter()
    is_active = BooleanFilter()
    approval_group = VisibleModelChoiceFilter(
        visible=ApprovalGroup.objects.visible_to,
        method="asking_group",
        help_text="Rules that ask this group.",
    )

    class Meta:
        model = ApprovalRule
        fields: list[str] = []

    def asking_group(self, rows: QuerySet, name: str, group: ApprovalGroup) -> QuerySet:
        steps = ApprovalRuleStep.objects.filter(approval_group=group).order_by()
        return rows.filter(pk__in=steps.values("rule"))


class StandInFilterSet(OfCompanyFilterSet):
    contact = VisibleModelChoiceFilter(visible=Contact.objects.visible_to)
    stand_in = VisibleModelChoiceFilter(visible=Contact.objects.visible_to)
    in_force = BooleanFilter(method="today", help_text="Whether within their dates.")

    class Meta:
        model = StandIn
        fields: list[str] = []

    def today(self, rows: QuerySet, name: str, wanted: bool) -> QuerySet:
        in_force = StandIn.objects.in_force().order_by().values("pk")
        if wanted:
            return rows.filter(pk__in=in_force)
        return rows.exclude(pk__in=in_force)


class OwnRequestFilterSet(StrictFilterSet):
    """What a person can ask for among the requests that they see."""

    status = django_filters.ChoiceFilter(choices=PurchaseRequest.Status)
    kind = django_filters.ChoiceFilter(choices=PurchaseRequest.Kind)
    reference = TextFilter()
    order_number = TextFilter()
    created_after = MomentFilter(field_name="created_at", lookup_expr="gt")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = PurchaseRequest
        fields: list[str] = []


class PurchaseRequestFilterSet(OfCompanyFilterSet, OwnRequestFilterSet):
    requester = VisibleModelChoiceFilter(visible=Contact.objects.visible_to)

    class Meta(OwnRequestFilterSet.Meta):
        pass
