"""Invite a person to a company by e-mail, whether somebody knows them yet or not."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from companies.models import Company, ContactAssignment
from companies.models.company import CompanyQuerySet
from companies.services import invite_person
from config.admin import AnswerForm
from config.admin.base import ON_PAGE

RIGHTS = ("companies.add_contact", "companies.add_contactassignment")


class InviteForm(AnswerForm):
    email = forms.EmailField(
        label=gettext_lazy("E-mail"),
        widget=UnfoldAdminEmailInputWidget,
        help_text=gettext_lazy("Who is known by it keeps the data they have."),
    )
    first_name = forms.CharField(
        label=gettext_lazy("First name"),
        max_length=100,
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )
    last_name = forms.CharField(
        label=gettext_lazy("Last name"),
        max_length=100,
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )
    type = forms.ChoiceField(
        label=gettext_lazy("Type"),
        choices=ContactAssignment.Type.choices,
        initial=ContactAssignment.Type.CONTACT,
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("A new primary contact takes the place of the old one."),
    )
    role = forms.ChoiceField(
        label=gettext_lazy("Role"),
        choices=[("", gettext_lazy("none")), *ContactAssignment.Role.choices],
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    covers_subsidiaries = forms.BooleanField(
        label=gettext_lazy("Covers subsidiaries"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
    )


class InvitePages:
    """The button of CompanyAdmin."""

    def has_invite_permission(self, request: HttpRequest) -> bool:
        return all(request.user.has_perm(right) for right in RIGHTS)

    @admin.action(
        description=gettext_lazy("Invite a person"),
        permissions=["invite"],
        location=ON_PAGE,
    )
    def invite(self, request: HttpRequest, queryset: CompanyQuerySet) -> HttpResponse:
        company = queryset.get()
        form = self.answer(request, company, InviteForm)
        if form.is_bound and form.is_valid():
            answer: dict[str, Any] = dict(form.cleaned_data)
            del answer["seen_version"]
            try:
                with transaction.atomic():
                    invited = invite_person(
                        company.pk, actor=self.actor(request), **answer
                    )
            except ValidationError as error:
                form.add_error(None, _by_field(error, form))
            else:
                text = _("%(person)s now belongs to %(company)s.")
                names = {"person": invited.contact, "company": company}
                self.message_user(request, text % names, messages.SUCCESS)
                page = self.url_of("change", company.pk)
                return HttpResponseRedirect(f"{page}#assignments")
        return self._ask_whom(request, company, form)

    def _ask_whom(
        self, request: HttpRequest, company: Company, form: forms.Form
    ) -> HttpResponse:
        return self.ask(
            request,
            company,
            form,
            action="invite",
            title=_("Invite a person to %(company)s") % {"company": company},
            button=_("Invite"),
        )


def _by_field(error: ValidationError, form: forms.Form) -> ValidationError:
    """The errors at the fields that they are about; those of others at the e-mail."""
    found: dict[str, list[Any]] = {}
    for name, errors in error.error_dict.items():
        found.setdefault(name if name in form.fields else "email", []).extend(errors)
    return ValidationError(found)
