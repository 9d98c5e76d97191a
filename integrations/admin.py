"""Staff pages of what other systems get: API clients, events; and of staff itself."""

from typing import Any

import oauth2_provider.admin  # noqa: F401  (registers its pages, which go)
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
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
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from config.admin import KonzernAdmin, ReadOnlyAdmin

from .clients import create_api_client
from .models import ApiClient, Event

# Their modules have registered pages of their own; tokens are nobody's to see.
for model in (
    ApiClient,
    get_access_token_model(),
    get_grant_model(),
    get_id_token_model(),
    get_refresh_token_model(),
    User,
    Group,
):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


class ApiClientForm(forms.ModelForm):
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


@admin.register(ApiClient)
class ApiClientAdmin(KonzernAdmin):
    form = ApiClientForm
    list_display = ["name", "client_id", "sees_all_hierarchies", "is_active", "created"]
    list_filter = ["is_active", "sees_all_hierarchies"]
    search_fields = ["name", "client_id"]
    autocomplete_fields = ["allowed_hierarchies"]
    ordering = ["name"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "name",
                    "allowed_scopes",
                    "sees_all_hierarchies",
                    "allowed_hierarchies",
                ]
            },
        )
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None:
            return fieldsets
        return [(None, {"fields": ["client_id", "is_active"]}), *fieldsets]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["client_id"]

    def save_model(
        self, request: HttpRequest, obj: ApiClient, form: Any, change: bool
    ) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        client, secret = create_api_client(
            form.cleaned_data["name"],
            scopes=form.cleaned_data["allowed_scopes"],
            sees_all_hierarchies=form.cleaned_data["sees_all_hierarchies"],
        )
        obj.__dict__.update(client.__dict__)  # Django goes on with the object it knows
        text = _("Client {}, secret {}. Note the secret now: it is never shown again.")
        self.message_user(
            request, format_html(text, client.client_id, secret), messages.WARNING
        )


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["id", "type", "stream", "number", "subject_id", "occurred_at"]
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


@admin.register(User)
class StaffAdmin(UserAdmin, KonzernAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "email", "first_name", "last_name", "is_active"]
    list_filter = ["is_active", "is_superuser", "groups"]
    autocomplete_fields = ["groups"]


@admin.register(Group)
class StaffRoleAdmin(GroupAdmin, KonzernAdmin):
    form = forms.ModelForm
    list_display = ["name"]
    list_filter = []

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request)
