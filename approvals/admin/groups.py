"""Approval groups: who may approve, as one list that is saved as a whole."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from approvals import membership
from approvals.exports import GROUPS
from approvals.models import ApprovalGroup
from companies.models import Contact
from config.admin import KonzernAdmin, KonzernForm

from .words import of_company_or


class ApprovalGroupForm(KonzernForm):
    people = forms.ModelMultipleChoiceField(
        Contact.objects.all(),
        label=gettext_lazy("Members"),
        required=False,
        widget=AutocompleteSelectMultiple(
            ApprovalGroup._meta.get_field("members"), admin.site
        ),
        help_text=gettext_lazy("People assigned somewhere in the same hierarchy."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            members = self.instance.memberships.values_list("contact", flat=True)
            self.initial["people"] = list(members)


@admin.register(ApprovalGroup)
class ApprovalGroupAdmin(KonzernAdmin):
    export_columns = GROUPS
    form = ApprovalGroupForm
    list_display = ["name", "company", "code", "members_count"]
    list_select_related = ["company"]
    list_filter = ["updated_at"]
    search_fields = ["name", "code", "company__search_text"]
    search_help_text = gettext_lazy("Name or code of the group, or its company")
    autocomplete_fields = ["company"]
    fieldsets = [
        (
            None,
            {
                "fields": [("name", "code"), "company", "people"],
                "description": gettext_lazy(
                    "Its members approve purchases of the company and of everything "
                    "below it, unless a company below has a group of its own."
                ),
            },
        )
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        members = Count("memberships", distinct=True)
        return super().get_queryset(request).annotate(members_count=members)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        return of_company_or(queryset, search_term, "name", "code"), False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["company"]

    @admin.display(description=gettext_lazy("members"), ordering="members_count")
    def members_count(self, group: ApprovalGroup) -> int:
        return group.members_count

    def save_model(
        self, request: HttpRequest, obj: ApprovalGroup, form: Any, change: bool
    ) -> None:
        if not form.changed_data:
            return
        data, actor = form.cleaned_data, self.actor(request)
        fields = {"name": data["name"], "code": data["code"]}
        if change:
            saved = membership.update_approval_group(
                ApprovalGroup(pk=obj.pk, company_id=obj.company_id),
                actor=actor,
                expected_version=data["seen_version"],
                members=data["people"],
                confirm=self.confirmed(request),
                **fields,
            )
        else:
            saved = membership.create_approval_group(
                company=data["company"], actor=actor, members=data["people"], **fields
            )
        obj.__dict__.update(saved.__dict__)  # Django goes on with the object it knows

    def delete_model(self, request: HttpRequest, obj: ApprovalGroup) -> None:
        membership.delete_approval_group(
            obj,
            actor=self.actor(request),
            expected_version=obj.version,
            confirm=self.confirmed(request),
        )

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Members only leave the group; the service decides."""
        members = sum(group.memberships.count() for group in objs)
        counts = {_("approval group"): len(objs), _("members"): members}
        return [str(group) for group in objs], counts, set(), []
