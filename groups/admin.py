"""Staff pages of customer groups, and their tab on the page of a company."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from companies.models import Company, Contact
from config.admin import (
    KonzernAdmin,
    KonzernTabularInline,
    Panel,
    Ref,
    Searched,
    add_searched,
    add_sources,
    extend,
    history_source,
    joined,
    link,
    seen,
)

from .exports import GROUPS, PROPAGATION
from .membership import members_of, with_members_count
from .models import (
    CustomerGroup,
    CustomerGroupQuerySet,
    GroupMember,
    GroupPropagation,
    Kind,
    Mode,
)
from .services import propagation_of

SHOWN = 100  # members of an automatic group that are shown


class GroupColumns:
    @admin.display(description=gettext_lazy("group"))
    def shown_name(self, group: CustomerGroup) -> SafeString:
        text = group.get_kind_display() if group.is_automatic else group.name
        return link(group, text)

    @admin.display(description=gettext_lazy("members"))
    def members_count(self, group: CustomerGroup) -> int:
        return group.members_count


class CompanyGroupsInline(GroupColumns, KonzernTabularInline):
    """The groups of a company: only the price list is written here."""

    model = CustomerGroup
    verbose_name_plural = gettext_lazy("groups")
    fields = ["shown_name", "members_count", "price_list"]
    readonly_fields = ["shown_name", "members_count"]
    can_delete = False
    order = 30

    def get_queryset(self, request: HttpRequest) -> CustomerGroupQuerySet:
        return with_members_count(super().get_queryset(request)).order_by("pk")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MemberInline(KonzernTabularInline):
    """Members of a custom group: added and taken out, never changed into others."""

    model = GroupMember
    autocomplete_fields = ["contact"]
    fields = ["contact"]
    list_select_related = ["contact"]
    order = 10

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def members(request: HttpRequest, group: CustomerGroup) -> dict[str, Any]:
    """Who is in an automatic group: it follows the assignments."""
    people = members_of(group).select_related("contact").order_by("pk")
    return {"people": people[:SHOWN]}


MEMBERS = Panel(
    "members", gettext_lazy("Members"), "groups/members.html", members, order=10
)


@admin.register(CustomerGroup)
class CustomerGroupAdmin(GroupColumns, KonzernAdmin):
    export_columns = GROUPS
    list_display = ["__str__", "kind", "company", "code", "price_list", "members_count"]
    list_filter = [
        ("kind", ChoicesDropdownFilter),
        ("company", admin.EmptyFieldListFilter),
    ]
    list_select_related = ["company"]
    search_fields = ["search_text"]
    search_help_text = gettext_lazy("Name or code of the group, or its company")
    autocomplete_fields = ["company"]
    fieldsets = [(None, {"fields": ["company", ("name", "code"), "price_list"]})]

    def get_queryset(self, request: HttpRequest) -> CustomerGroupQuerySet:
        groups = super().get_queryset(request).select_related("company")
        return with_members_count(groups)

    def get_search_results(
        self, request: HttpRequest, queryset: CustomerGroupQuerySet, search_term: str
    ) -> tuple[CustomerGroupQuerySet, bool]:
        return queryset.matching(search_term), False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None and obj.is_automatic:
            return [(None, {"fields": [("company", "kind"), "price_list"]})]
        return super().get_fieldsets(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["company", "kind"]

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[type]:
        custom = obj is not None and not obj.is_automatic
        return [MemberInline] if custom else []

    def get_panels(self, request: HttpRequest, obj: Any) -> list[Panel]:
        panels = list(super().get_panels(request, obj))
        return [MEMBERS, *panels] if obj.is_automatic else panels

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        automatic = obj is not None and obj.is_automatic
        return not automatic and super().has_delete_permission(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Members only leave the group: no right over the people is needed."""
        members = sum(group.memberships.count() for group in objs)
        counts = {_("customer group"): len(objs), _("members"): members}
        return [str(group) for group in objs], counts, set(), []


@admin.register(GroupPropagation)
class GroupPropagationAdmin(KonzernAdmin):
    export_columns = PROPAGATION
    list_display = ["company", "mode"]
    list_filter = [("mode", ChoicesDropdownFilter)]
    list_select_related = ["company"]
    search_fields = ["company__search_text"]
    autocomplete_fields = ["company"]
    fieldsets = [
        (
            None,
            {
                "fields": ["company", "mode"],
                "description": gettext_lazy(
                    "Without a row here prices reach upward: who is in a subsidiary's "
                    "group counts in the same group of all companies above."
                ),
            },
        )
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["company"]


REACH = {
    Mode.UPWARD: gettext_lazy(
        "Prices reach upward in this hierarchy: people of this company also count in "
        "the same groups of the companies above."
    ),
    Mode.DOWNWARD: gettext_lazy(
        "Prices reach downward in this hierarchy: people of the companies above also "
        "count in the same groups here."
    ),
    Mode.DISABLED: gettext_lazy(
        "Prices do not reach from one company to another in this hierarchy."
    ),
}


def price_lists_of(request: HttpRequest, company: Company) -> dict[str, Any]:
    """The groups with a price list, of the company and those above, nearest first."""
    path = Company.objects.above(company).nearest_first()
    near = {pk: number for number, pk in enumerate(path.values_list("pk", flat=True))}
    groups = seen(request, CustomerGroup.objects.select_related("company"))
    carrying = groups.exclude(price_list="").filter(company__in=near)
    return {
        "company": company,
        "groups": sorted(
            carrying, key=lambda group: (near[group.company_id], group.pk)
        ),
        "reach": REACH[Mode(propagation_of(company).mode)],
    }


extend(
    "companies.Company",
    CompanyGroupsInline,
    Panel(
        "prices",
        gettext_lazy("Price lists"),
        "groups/price_lists.html",
        price_lists_of,
        permission="groups.view_customergroup",
        order=31,
    ),
)


def keys_of_group(query: str) -> Q:
    """Only custom groups have keys; the index has these, not all groups."""
    return Q(kind=Kind.CUSTOM) & (Q(code__iexact=query) | Q(name__iexact=query))


add_searched(
    Searched(
        CustomerGroup,
        "groups",
        lambda group: joined(group.company, group.code, group.price_list),
        keys_of_group,
        related=("company",),
        order=60,
    )
)


# --- on the timeline of a company

GROUPS_HISTORY = ("groups", gettext_lazy("customer groups"))


def group_name(entry: Any) -> Any:
    is_custom = entry.kind == Kind.CUSTOM
    return entry.name if is_custom else Kind(entry.kind).label


def changes_of_groups(company: Any) -> QuerySet:
    """Not that automatic groups were made: they come with every company."""
    made = Q(history_type="+") & ~Q(kind=Kind.CUSTOM)
    return CustomerGroup.history.filter(company_id=company.pk).exclude(made)


def changes_of_members(company: Any) -> QuerySet:
    groups = CustomerGroup.history.filter(company_id=company.pk).order_by()
    return GroupMember.history.filter(group_id__in=groups.values("id"))


add_sources(
    "companies.Company",
    history_source(
        CustomerGroup,
        kind=GROUPS_HISTORY[0],
        label=GROUPS_HISTORY[1],
        rows=changes_of_groups,
        subject=lambda entry: (group_name(entry),),
        hidden=("company", "kind", "name"),
    ),
    history_source(
        GroupMember,
        kind=GROUPS_HISTORY[0],
        label=GROUPS_HISTORY[1],
        seen=CustomerGroup,
        rows=changes_of_members,
        subject=lambda entry: (
            Ref(Contact, entry.contact_id),
            _("as a member of"),
            Ref(CustomerGroup, entry.group_id),
        ),
        about=lambda entry: Ref(CustomerGroup, entry.group_id),
        hidden=("group", "contact"),
    ),
    history_source(
        GroupPropagation,
        kind=GROUPS_HISTORY[0],
        label=GROUPS_HISTORY[1],
        rows=lambda company: GroupPropagation.history.filter(company_id=company.pk),
        subject=lambda entry: (_("reach of prices"),),
    ),
)
