"""Staff pages of what other systems get: API clients, events."""

from datetime import timedelta
from typing import Any

import oauth2_provider.admin  # noqa: F401  (registers its pages, which go)
from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from oauth2_provider.models import (
    get_access_token_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)
from oauth2_provider.settings import oauth2_settings
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
)

from config.admin import AnswerForm, KonzernAdmin, KonzernForm, ReadOnlyAdmin
from config.admin.base import ON_PAGE
from integrations.clients import (
    OLD_SECRET_WORKS,
    create_api_client,
    in_words,
    revoke_api_client,
    rotate_api_client,
)
from integrations.models import ApiClient, Event

# Their modules have registered pages of their own; tokens are nobody's to see.
for model in (
    ApiClient,
    get_access_token_model(),
    get_grant_model(),
    get_id_token_model(),
    get_refresh_token_model(),
):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


CLIENTS = {  # nothing of secrets
    "name": "name",
    "client_id": "client_id",
    "scopes": "allowed_scopes",
    "sees_all_hierarchies": "sees_all_hierarchies",
    "is_active": "is_active",
    "expires_at": "expires_at",
    "last_used_at": "last_used_at",
    "calls_per_minute": "calls_per_minute",
    "secret_since": "secret_since",
    "old_secret_until": "old_secret_until",
    "created": "created_at",
}
EVENTS = {
    "position": "position",
    "company": "stream",
    "number": "number",
    "type": "type",
    "subject": "subject_id",
    "occurred_at": "occurred_at",
}


class ApiClientForm(KonzernForm):
    """Scopes as a list to choose from; stored separated by blanks."""

    allowed_scopes = forms.MultipleChoiceField(
        label=gettext_lazy("Scopes"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "allowed_scopes" in self.fields:
            self.fields["allowed_scopes"].choices = [
                (scope, f"{scope} ({text})")
                for scope, text in oauth2_settings.SCOPES.items()
            ]
            self.initial["allowed_scopes"] = self.instance.allowed_scopes.split()

    def clean_allowed_scopes(self) -> str:
        return " ".join(self.cleaned_data["allowed_scopes"])


class RotateForm(AnswerForm):
    hours = forms.IntegerField(
        label=gettext_lazy("Hours that the old secret still works"),
        help_text=gettext_lazy(
            "0: it ends at once, and so do all tokens. Do so if others know it."
        ),
        min_value=0,
        max_value=30 * 24,
        widget=UnfoldAdminIntegerFieldWidget,
    )


@admin.register(ApiClient)
class ApiClientAdmin(KonzernAdmin):
    of_hierarchies = False
    export_columns = CLIENTS
    form = ApiClientForm
    list_display = [
        "name",
        "client_id",
        "is_active",
        "expires_at",
        "last_used_at",
        "sees_all_hierarchies",
    ]
    list_filter = ["is_active", "sees_all_hierarchies"]
    search_fields = ["name", "client_id"]
    autocomplete_fields = ["allowed_hierarchies"]
    ordering = ["name"]
    actions = ["rotate", "revoke"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "name",
                    "allowed_scopes",
                    "sees_all_hierarchies",
                    "allowed_hierarchies",
                    ("expires_at", "calls_per_minute"),
                ]
            },
        )
    ]
    state = ["client_id", "last_used_at", "secret_since", "old_secret_until"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None:
            return fieldsets
        state = [
            ("client_id", "is_active"),
            ("last_used_at", "secret_since", "old_secret_until"),
        ]
        return [(None, {"fields": state}), *fieldsets]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else self.state

    def save_model(
        self, request: HttpRequest, obj: ApiClient, form: Any, change: bool
    ) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        values = form.cleaned_data
        client, secret = create_api_client(
            values["name"],
            scopes=values["allowed_scopes"],
            hierarchies=values["allowed_hierarchies"],
            sees_all_hierarchies=values["sees_all_hierarchies"],
            expires_at=values["expires_at"],
            calls_per_minute=values["calls_per_minute"],
            actor=self.actor(request),
        )
        obj.__dict__.update(client.__dict__)  # Django goes on with the object it knows
        self._show(request, obj, secret)

    def reason(self, form: Any) -> str:
        if "allowed_hierarchies" not in form.changed_data:
            return ""
        return in_words(form.cleaned_data["allowed_hierarchies"])

    def offers(self, action: str, obj: ApiClient) -> bool:
        return obj.is_active or action != "revoke"

    @admin.action(
        description=gettext_lazy("New secret"),
        permissions=["change"],
        location=ON_PAGE,
    )
    def rotate(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        client = queryset.get()
        day = OLD_SECRET_WORKS // timedelta(hours=1)
        form = self.answer(request, client, RotateForm, hours=day)
        if form.is_bound and form.is_valid():
            secret = rotate_api_client(
                client,
                actor=self.actor(request),
                old_valid_for=timedelta(hours=form.cleaned_data["hours"]),
                expected_version=form.cleaned_data["seen_version"],
            )
            self._show(request, client, secret)
            return HttpResponseRedirect(self.url_of("change", client.pk))
        return self.ask(
            request,
            client,
            form,
            action="rotate",
            title=_("New secret for %(client)s") % {"client": client},
            button=_("New secret"),
        )

    @admin.action(
        description=gettext_lazy("Revoke"),
        permissions=["change"],
        location=ON_PAGE,
    )
    def revoke(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        client = queryset.get()
        form = self.answer(request, client, AnswerForm)
        if form.is_bound and form.is_valid():
            self.attempt(
                request,
                client,
                lambda: revoke_api_client(client, actor=self.actor(request)),
                done=_("%(client)s is revoked: its tokens have ended.")
                % {"client": client},
            )
            return HttpResponseRedirect(self.url_of("change", client.pk))
        return self.ask(
            request,
            client,
            form,
            action="revoke",
            title=_("Revoke %(client)s: it gets no token, those it has end at once")
            % {"client": client},
            button=_("Revoke"),
            danger=True,
        )

    def _show(self, request: HttpRequest, client: ApiClient, secret: str) -> None:
        text = _("Client {}, secret {}. Note the secret now: it is never shown again.")
        self.message_user(
            request, format_html(text, client.client_id, secret), messages.WARNING
        )


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    export_columns = EVENTS
    list_display = [
        "id",
        "position",
        "type",
        "stream",
        "number",
        "subject_id",
        "occurred_at",
    ]
    list_filter = ["occurred_at"]
    search_fields = ["type", "=subject_id", "=stream"]
    search_help_text = gettext_lazy("Type, id of the subject or of the company")
    ordering = ["-id"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "type",
                    ("stream", "number"),
                    ("subject_id", "occurred_at"),
                ]
            },
        )
    ]
