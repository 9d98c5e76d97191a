"""Merging a company into another one, and taking it back, from its page."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from companies.merging import merge_companies, preview_merge, unmerge_company
from companies.models import Company, CompanyMerge
from companies.models.company import CompanyQuerySet
from companies.preview import Preview
from config.admin import (
    AnswerForm,
    AutocompleteField,
    OutsidePortfolio,
    as_validation_error,
    seen,
    sees_all,
)
from config.admin.base import ON_PAGE
from config.errors import DomainError


class ReasonField(forms.CharField):
    def __init__(self) -> None:
        super().__init__(
            label=gettext_lazy("Reason"),
            max_length=500,
            required=False,
            widget=forms.TextInput(attrs={"class": "kz-input"}),
        )


class MergeForm(AnswerForm):
    into = AutocompleteField(
        CompanyMerge._meta.get_field("into"), label=gettext_lazy("The one that stays")
    )
    reason = ReasonField()


class UnmergeForm(AnswerForm):
    reason = ReasonField()


def merge_of(company: Company) -> CompanyMerge | None:
    """The merge in which the company went; whoever went is closed."""
    if company.status != Company.Status.CLOSED:
        return None
    rows = CompanyMerge.objects.standing().filter(company=company)
    return rows.select_related("into").first()


def seen_merge_of(request: HttpRequest, company: Company) -> CompanyMerge | None:
    """The same, if the person sees both companies."""
    merge = merge_of(company)
    rows = CompanyMerge.objects.filter(pk=merge.pk if merge else None)
    return merge if merge and seen(request, rows).exists() else None


class MergePages:
    """The actions of CompanyAdmin that merge; each shows first what it would do."""

    def has_merge_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("companies.merge_company")

    def offers_with_merge(self, action: str, obj: Company) -> bool:
        """Whether the action makes sense for a company that was merged, or was not."""
        if action not in ("merge", "unmerge", "activate"):
            return True
        merge = merge_of(obj)
        if action == "unmerge":
            return merge is not None and not merge.is_too_old
        return merge is None

    @admin.action(
        description=gettext_lazy("Merge"), permissions=["merge"], location=ON_PAGE
    )
    def merge(self, request: HttpRequest, queryset: CompanyQuerySet) -> HttpResponse:
        """Ask into which company, show what would happen, then merge."""
        company = queryset.get()
        form = self.answer(request, company, MergeForm)
        preview: Preview | None = None
        confirm = ""
        if form.is_bound and form.is_valid():
            into = form.cleaned_data["into"]
            # Only what was previewed is done: a changed answer is previewed again.
            asked, _at, token = request.POST.get("confirm", "").partition("@")
            if asked == str(into.pk):
                return self._merge(request, company, form.cleaned_data, token)
            try:
                preview = preview_merge(company, into)
            except DomainError as error:
                form.add_error("into", as_validation_error(error))
            else:
                confirm = f"{into.pk}@{preview.token}"
        sentences = None
        if preview is not None:
            text = _("%(company)s is closed, and %(code)s answers with %(into)s.")
            names = {"company": company, "code": company.code, "into": into}
            sentences = [text % names]
        return self.ask(
            request,
            company,
            form,
            action="merge",
            title=_("Merge %(company)s into another company") % {"company": company},
            button=_("Merge") if confirm else _("Preview"),
            sentences=sentences,
            changes=differences(preview) if preview else [],
            confirm=confirm,
            danger=bool(confirm),
        )

    def _merge(
        self,
        request: HttpRequest,
        company: Company,
        answer: dict[str, Any],
        previewed: str,
    ) -> HttpResponse:
        into = answer["into"]
        done = self.attempt(
            request,
            company,
            lambda: merge_companies(
                company,
                into,
                actor=self.actor(request),
                reason=answer["reason"],
                expected_version=answer["seen_version"],
                previewed=previewed,
                confirm=True,  # what is open there was a part of the preview
            ),
            done=_("%(company)s has been merged into %(into)s.")
            % {"company": company, "into": into},
        )
        page = into.pk if done else company.pk
        return HttpResponseRedirect(self.url_of("change", page))

    @admin.action(
        description=gettext_lazy("Take the merge back"),
        permissions=["merge"],
        location=ON_PAGE,
    )
    def unmerge(self, request: HttpRequest, queryset: CompanyQuerySet) -> HttpResponse:
        """Ask, then restore; what could not be restored has to be confirmed first."""
        company = queryset.get()
        form = self.answer(request, company, UnmergeForm)
        if form.is_bound and form.is_valid():
            if seen_merge_of(request, company) is None and not sees_all(request):
                raise OutsidePortfolio
            unmerge_company(
                company,
                actor=self.actor(request),
                reason=form.cleaned_data["reason"],
                expected_version=form.cleaned_data["seen_version"],
                confirm=self.confirmed(request),
            )
            text = _("The merge has been taken back.")
            self.message_user(request, text, messages.SUCCESS)
            return HttpResponseRedirect(self.url_of("change", company.pk))
        return self.ask(
            request,
            company,
            form,
            action="unmerge",
            title=_("Take back the merge of %(company)s") % {"company": company},
            button=_("Take it back"),
            sentences=[_("What the merge has changed is restored.")],
        )


def differences(preview: Preview) -> list[dict[str, Any]]:
    """What a preview found, as rows: what about, what is gone, what is new."""
    return [
        {
            "label": change.label,
            "gone": [line for line in change.before if line not in change.after],
            "new": [line for line in change.after if line not in change.before],
        }
        for change in preview.changes
    ]
