"""The page "May they buy?": what the shop would be told, and why."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from approvals import services
from approvals.answers import answer
from approvals.models import PurchaseRequest
from approvals.rules import Purchase
from config.admin import AutocompleteField, DateAndTimeWidget, offer_seen
from config.admin.numbers import with_point
from config.money import CURRENCIES, Money, readable

from .considered import shown


class QuestionForm(forms.Form):
    """Who wants to buy for how much, for which company, and when."""

    company = AutocompleteField(
        PurchaseRequest._meta.get_field("company"), label=gettext_lazy("Company")
    )
    requester = AutocompleteField(
        PurchaseRequest._meta.get_field("requester"), label=gettext_lazy("Person")
    )
    amount = forms.CharField(
        label=gettext_lazy("Amount"), max_length=20, widget=UnfoldAdminTextInputWidget
    )
    currency = forms.ChoiceField(
        label=gettext_lazy("Currency"),
        choices=[(code, code) for code in sorted(CURRENCIES)],
        initial="EUR",
        widget=UnfoldAdminSelectWidget,
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        choices=PurchaseRequest.Kind.choices,
        widget=UnfoldAdminSelectWidget,
    )
    at = forms.SplitDateTimeField(
        label=gettext_lazy("When"),
        required=False,
        help_text=gettext_lazy("Empty: now."),
        widget=DateAndTimeWidget,
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if {"amount", "currency"} <= cleaned.keys():
            try:
                cleaned["money"] = Money.parse(
                    with_point(cleaned["amount"]), cleaned["currency"]
                )
            except ValidationError as error:
                self.add_error("amount", error)
        return cleaned


def may_they_buy(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Ask by GET: the page can be bookmarked and sent to a colleague."""
    form = QuestionForm(request.GET or None)
    offer_seen(request, form)
    context |= {"form": form, "media": form.media, "title": _("May they buy?")}
    if form.is_bound and form.is_valid():
        asked = form.cleaned_data
        money = asked["money"]
        decision = services.check_purchase(
            company=asked["company"],
            requester=asked["requester"],
            money=money,
            kind=asked["kind"],
            at=asked["at"],
        )
        purchase = Purchase(
            amount=money.amount, currency=money.currency, kind=asked["kind"]
        )
        context |= {
            "decision": shown(answer(decision, purchase), purchase),
            "question": _("%(person)s buys for %(amount)s for %(company)s")
            % {
                "person": asked["requester"],
                "amount": readable(money.amount, money.currency),
                "company": asked["company"],
            },
        }
    return TemplateResponse(request, "approvals/may_they_buy.html", context)
