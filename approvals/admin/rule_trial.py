"""The page of a rule says what it means, and what it would do, before it is saved."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from approvals import rulebook, services
from approvals.answers import answer
from approvals.drafts import Draft, Effect, concerned_by, scope_of
from approvals.explanations import OUTCOMES, UNMET
from approvals.models import ApprovalRule, PurchaseRequest
from approvals.rules import Decision
from approvals.sentences import rule_sentence
from companies.models import ContactAssignment
from config.admin import AutocompleteField, KonzernForm, may_see, offer_seen, seen
from config.money import readable

from .may_they_buy import QuestionForm

TRY = "_try"
STEP = ("approval_group", "role", "quorum")


class TriedForm(KonzernForm):
    """A form that may be sent to be tried only: then it is never valid to be saved."""

    only_tried = False

    def is_valid(self) -> bool:
        return super().is_valid() and not self.only_tried


class SampleForm(QuestionForm):
    """A purchase that somebody might make; without person and amount there is none."""

    prefix = "try"
    use_required_attribute = False
    at = None
    company = AutocompleteField(
        PurchaseRequest._meta.get_field("company"),
        label=gettext_lazy("Company"),
        required=False,
        help_text=gettext_lazy("Empty: the company of the rule."),
    )

    def has_changed(self) -> bool:
        given = ("requester", "amount")
        return any(self.data.get(self.add_prefix(name)) for name in given)


class TriesRules:
    """For the page of rules: the sentence, "Try", and the open requests concerned."""

    change_form_outer_before_template = "approvals/rule_top.html"
    change_form_after_template = "approvals/rule_trial.html"

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[TriedForm]:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.only_tried = TRY in request.POST
        return form

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        page = (object_id, form_url, extra_context)
        if TRY not in request.POST:
            return super().changeform_view(request, *page)
        try:  # in no transaction: there is nothing to write
            return self._changeform_view(request, *page)
        except ValidationError as error:
            request._refusal = error
            return self._changeform_view(request, *page)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        context["tried"] = TRY in request.POST and not context["errors"]
        draft = self._draft(request, context, obj)
        sees_requests = may_see(request, PurchaseRequest)
        may_write = (
            self.has_add_permission(request)
            if obj is None
            else self.has_change_permission(request, obj)
        )
        if draft is not None:
            context["sentence"] = rule_sentence(draft.rule, draft.steps)
            if sees_requests:
                context |= _concerned(request, context, draft)
        if sees_requests and may_write:
            context |= _sample(request, draft if context["tried"] else None, obj)
            script = forms.Media(js=["konzern/trial.js"])
            context["media"] += context["sample"].media + script
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _draft(
        self, request: HttpRequest, context: dict[str, Any], obj: ApprovalRule | None
    ) -> Draft | None:
        """What the page is about: the rule in the form, or the one that is stored."""
        if context["tried"]:
            formsets = [row.formset for row in context["inline_admin_formsets"]]
            rule = context["adminform"].form.instance
            return rulebook.draft_rule(rule, steps_of(formsets))
        if obj is None or request.method == "POST":
            return None
        return Draft(obj, tuple(obj.steps.all()))


def steps_of(formsets: Any) -> list[dict[str, Any]]:
    """What was typed, in the order of the positions."""
    rows = [
        row.cleaned_data
        for formset in formsets
        for row in formset.forms
        if row.cleaned_data and not row.cleaned_data.get("DELETE")
    ]
    rows.sort(key=lambda row: row["position"])
    return [{name: row[name] for name in STEP} for row in rows]


# --- Sample purchases


def _sample(
    request: HttpRequest, draft: Draft | None, obj: ApprovalRule | None
) -> dict[str, Any]:
    """The form of the sample purchase, and what would be decided on it."""
    if TRY in request.POST:
        form = SampleForm(request.POST, empty_permitted=True)
    else:
        form = SampleForm(initial=_first_sample(obj))
    offer_seen(request, form)
    shown = {"sample": form, "try": TRY}
    if draft is None or not form.has_changed() or not form.is_valid():
        return shown
    asked = form.cleaned_data
    company, money = asked["company"] or draft.rule.company, asked["money"]
    trial = services.try_rule(
        draft,
        company=company,
        requester=asked["requester"],
        money=money,
        kind=asked["kind"],
    )
    groups = {group.id: group.name for place in trial.path for group in place.groups}
    return shown | {
        "trial": trial,
        "question": _("%(person)s buys for %(amount)s for %(company)s")
        % {
            "person": asked["requester"],
            "amount": readable(money.amount, money.currency),
            "company": company,
        },
        "unmet": trial.rule and trial.rule.unmet and UNMET[trial.rule.unmet],
        "sides": [
            _side(_("By the rules of today"), trial.today, trial, groups),
            _side(_("With this rule"), trial.then, trial, groups),
        ],
    }


def _first_sample(rule: ApprovalRule | None) -> dict[str, Any]:
    if rule is None:
        return {}
    initial = {"company": rule.company_id}
    if rule.currency:
        initial["currency"] = rule.currency
    if rule.kinds:
        initial["kind"] = rule.kinds[0]
    return initial


def _side(
    title: str, decision: Decision, trial: services.Trial, groups: dict[int, str]
) -> dict[str, Any]:
    told = answer(decision, trial.purchase)
    steps = [step | {"whom": _whom(step, groups)} for step in told["steps"]]
    return {
        "title": title,
        "outcome": decision.outcome,
        "text": OUTCOMES[decision.outcome],
        "reasons": told["reasons"],
        "steps": steps,
    }


def _whom(step: dict[str, Any], groups: dict[int, str]) -> str:
    """Approval groups by their names; or roles."""
    if step["approval_groups"]:
        return ", ".join(str(groups.get(pk, pk)) for pk in step["approval_groups"])
    roles = [ContactAssignment.Role(role).label for role in step["roles"]]
    return ", ".join(str(role) for role in roles)


# --- Open requests

EFFECTS = {
    Effect.AS_ASKED: gettext_lazy("Asked by this rule, which would ask the same now."),
    Effect.OTHER_STEPS: gettext_lazy(
        "Asked by this rule, which would ask for other steps now."
    ),
    Effect.NO_LONGER: gettext_lazy(
        "Asked by this rule, which would not match any more."
    ),
    Effect.NOT_ASKED: gettext_lazy("Not asked by this rule, which would match now."),
}


def _concerned(
    request: HttpRequest, context: dict[str, Any], draft: Draft
) -> dict[str, Any]:
    was_below = context["adminform"].form.initial.get("covers_subsidiaries")
    scope = scope_of(draft.rule, below_too=draft.rule.covers_subsidiaries or was_below)
    concerned = concerned_by(draft, seen(request, scope))
    rows = [(purchase, EFFECTS[effect]) for purchase, effect in concerned.found]
    return {"concerned": concerned, "concerned_rows": rows}
