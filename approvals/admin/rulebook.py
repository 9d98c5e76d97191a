"""Approval rules with their steps, stand-ins, and the policy of a company."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from approvals import rulebook, stand_ins
from approvals.exports import RULES, STAND_INS
from approvals.models import (
    ApprovalPolicy,
    ApprovalRule,
    ApprovalRuleStep,
    PurchaseRequest,
    StandIn,
)
from approvals.sentences import rule_sentence
from companies.models import Contact, ContactAssignment
from config.admin import KonzernAdmin, KonzernForm, KonzernTabularInline, extend
from config.money import readable

from .rule_trial import STEP, TriedForm, TriesRules, steps_of
from .words import of_company_or


class RuleForm(TriedForm):
    roles = forms.MultipleChoiceField(
        label=gettext_lazy("Roles of the requester"),
        choices=ContactAssignment.Role.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("None: whoever buys, admins too."),
    )
    kinds = forms.MultipleChoiceField(
        label=gettext_lazy("Kinds"),
        choices=PurchaseRequest.Kind.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("None: of any kind."),
    )


class StepForm(KonzernForm):
    """A step may take the place of another: the list is saved as one."""

    def _get_validation_exclusions(self) -> set[str]:
        return super()._get_validation_exclusions() | {"rule"}


class StepInline(KonzernTabularInline):
    """The steps in their order; saved with the rule, as one list."""

    form = StepForm
    model = ApprovalRuleStep
    verbose_name_plural = gettext_lazy("steps")
    autocomplete_fields = ["approval_group"]
    fields = ["position", *STEP]
    list_select_related = ["approval_group"]
    order = 10


@admin.register(ApprovalRule)
class ApprovalRuleAdmin(TriesRules, KonzernAdmin):
    export_columns = RULES
    form = RuleForm
    list_display = [
        "name",
        "company",
        "sentence",
        "is_active",
    ]
    list_filter = ["covers_subsidiaries", "is_active", "updated_at"]
    list_select_related = ["company"]
    search_fields = ["name", "company__search_text"]
    search_help_text = gettext_lazy("Name of the rule, or its company")
    autocomplete_fields = ["company"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("company", "name"),
                    ("covers_subsidiaries", "is_active"),
                    ("amount_from", "currency"),
                    ("roles", "kinds"),
                ],
                "description": gettext_lazy(
                    "A purchase that meets every condition needs the steps below. All "
                    "rules that match have to be satisfied. What has been submitted "
                    "keeps the steps it was submitted with."
                ),
            },
        )
    ]
    inlines = [StepInline]

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[type]:
        return [StepInline]  # also where a rule is added

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        steps = ApprovalRuleStep.objects.select_related("approval_group__company")
        ordered = Prefetch("steps", steps.order_by("position"))
        return super().get_queryset(request).prefetch_related(ordered)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        return of_company_or(queryset, search_term, "name"), False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["company"]

    @admin.display(description=gettext_lazy("what it says"))
    def sentence(self, rule: ApprovalRule) -> str:
        return rule_sentence(rule, rule.steps.all())

    def save_model(
        self, request: HttpRequest, obj: ApprovalRule, form: Any, change: bool
    ) -> None:
        """Saved together with its steps: see save_related()."""

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        data, rule = form.cleaned_data, form.instance
        names = form.fields.keys() - {"company", "seen_version"}
        fields = {name: data[name] for name in names}
        steps = steps_of(formsets)
        if change:
            saved = rulebook.update_rule(
                ApprovalRule.objects.get(pk=rule.pk),
                actor=self.actor(request),
                expected_version=data["seen_version"],
                steps=steps,
                **fields,
            )
        else:
            saved = rulebook.create_rule(
                company=data["company"],
                actor=self.actor(request),
                steps=steps,
                **fields,
            )
        rule.__dict__.update(saved.__dict__)  # Django goes on with the object it knows
        for formset in formsets:  # which Django asks what they have saved
            formset.new_objects = formset.changed_objects = formset.deleted_objects = []

    def delete_model(self, request: HttpRequest, obj: ApprovalRule) -> None:
        rulebook.delete_rule(
            obj, actor=self.actor(request), expected_version=obj.version
        )

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Its steps go with it: no right over them is needed."""
        return [str(rule) for rule in objs], {_("approval rule"): len(objs)}, set(), []


@admin.register(StandIn)
class StandInAdmin(KonzernAdmin):
    export_columns = STAND_INS
    list_display = [
        "contact",
        "stand_in",
        "company",
        "valid_from",
        "valid_until",
        "most",
    ]
    list_filter = ["valid_from", "valid_until"]
    list_select_related = ["contact", "stand_in", "company"]
    search_fields = ["company__search_text"]
    search_help_text = gettext_lazy("Person or company")
    autocomplete_fields = ["company", "contact", "stand_in"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "company",
                    ("contact", "stand_in"),
                    ("valid_from", "valid_until"),
                    ("amount", "currency"),
                ],
                "description": gettext_lazy(
                    "The stand-in decides by the right that the person has at that "
                    "moment; both are recorded. Never on purchases of their own."
                ),
            },
        )
    ]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        people = Contact.objects.order_by().matching(search_term)
        rows = StandIn.objects.all()
        ways = [rows.filter(contact__in=people), rows.filter(stand_in__in=people)]
        return of_company_or(queryset, search_term, ways=ways), False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["company", "contact", "stand_in"]

    @admin.display(description=gettext_lazy("up to"), ordering="amount")
    def most(self, stand_in: StandIn) -> str:
        if stand_in.amount is None:
            return _("any amount")
        return readable(stand_in.amount, stand_in.currency)

    def save_model(
        self, request: HttpRequest, obj: StandIn, form: Any, change: bool
    ) -> None:
        fields = {name: form.cleaned_data[name] for name in form.fields}
        version = fields.pop("seen_version")
        if change:
            if not form.changed_data:
                return
            saved = stand_ins.change_stand_in(
                StandIn.objects.get(pk=obj.pk),
                actor=self.actor(request),
                expected_version=version,
                **fields,
            )
        else:
            saved = stand_ins.name_stand_in(actor=self.actor(request), **fields)
        obj.__dict__.update(saved.__dict__)

    def delete_model(self, request: HttpRequest, obj: StandIn) -> None:
        stand_ins.end_stand_in(
            obj, actor=self.actor(request), expected_version=obj.version
        )


class PolicyInline(KonzernTabularInline):
    """What staff have settled for the company's purchases."""

    model = ApprovalPolicy
    verbose_name_plural = gettext_lazy("policy")
    fields = ["allow_self_approval"]
    can_delete = False
    order = 45


extend("companies.Company", PolicyInline)
