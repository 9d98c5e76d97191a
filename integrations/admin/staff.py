"""Staff pages of staff itself: accounts, roles, and what was done to them."""

from typing import Any

import django_otp.plugins.otp_static.admin
import django_otp.plugins.otp_totp.admin  # noqa: F401  (both register pages, which go)
from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from config.admin import KonzernAdmin, Panel, ReasonForm
from config.admin.base import ON_PAGE
from config.admin.history import staff_names
from integrations.models import StaffChange
from integrations.staff import lockout, second_factor

# Secrets are nobody's to see.
for model in (User, Group, StaticDevice, TOTPDevice):
    if admin.site.is_registered(model):
        admin.site.unregister(model)

SHOWN = 100
What = StaffChange.What
STAFF = {
    "username": "username",
    "email": "email",
    "first_name": "first_name",
    "last_name": "last_name",
    "is_active": "is_active",
    "is_superuser": "is_superuser",
    "last_login": "last_login",
}
# What a change of an account or a role is told by.
FIELDS = {
    User: ["username", "email", "first_name", "last_name", "is_active", "is_staff"],
    Group: ["name"],
}
LISTS = {User: ["groups", "user_permissions"], Group: ["permissions"]}


def state_of(subject: Any) -> dict[str, str]:
    """An account or a role as it is stored, in texts: nothing of passwords."""
    model = type(subject)
    stored = model.objects.get(pk=subject.pk)
    state = {name: str(getattr(stored, name)) for name in FIELDS[model]}
    if model is User:
        state["is_superuser"] = str(stored.is_superuser)
    for name in LISTS[model]:
        state[name] = ", ".join(sorted(map(_text, getattr(stored, name).all())))
    return state


def _text(row: Group | Permission) -> str:
    return row.codename if isinstance(row, Permission) else row.name


def changes_of(request: HttpRequest, subject: Any) -> dict[str, Any]:
    """As the history of other rows is shown."""
    rows = StaffChange.objects.filter(
        of=subject._meta.model_name.upper(), subject_id=subject.pk
    )
    entries = list(rows.order_by("-pk")[:SHOWN])
    names = staff_names(entry.actor for entry in entries)
    return {
        "entries": [
            {
                "at": entry.at,
                "actor": names.get(entry.actor, entry.actor),
                "kind": entry.get_what_display(),
                "reason": entry.reason,
                "changes": [
                    {"field": name, "before": before, "after": after}
                    for name, (before, after) in entry.changes.items()
                ],
            }
            for entry in entries
        ]
    }


HISTORY = Panel(
    "history", gettext_lazy("History"), "konzern/history.html", changes_of, order=100
)


class Noted(KonzernAdmin):
    """Pages of Django's own models: each change is noted with who made it."""

    of_hierarchies = False
    panels = (HISTORY,)

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: bool
    ) -> None:
        request._before = state_of(obj) if change else {}
        super().save_model(request, obj, form, change)

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        before, after = request._before, state_of(form.instance)
        changes = {
            name: [before.get(name, ""), value]
            for name, value in after.items()
            if value != before.get(name, "")
        }
        if changes:
            self.note(
                request, form.instance, "CHANGED" if change else "CREATED", changes
            )

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        gone = {name: [text, ""] for name, text in state_of(obj).items() if text}
        self.note(request, obj, What.DELETED, gone)
        super().delete_model(request, obj)

    def note(
        self, request: HttpRequest, subject: Any, what: str, changes: dict[str, Any]
    ) -> None:
        StaffChange.note(subject, what, actor=self.actor(request), changes=changes)


class AccountForm(UserChangeForm):
    """Nobody gives others more than they have themselves."""

    request: HttpRequest | None = None

    def clean_groups(self) -> Any:
        roles, giver = self.cleaned_data["groups"], self.request.user
        had = set(self.instance.groups.values_list("pk", flat=True))
        for role in roles:
            if role.pk not in had and not may_give(giver, role.permissions.all()):
                text = _("%(role)s has rights that you do not have yourself.")
                raise ValidationError(
                    text, code="beyond_own_rights", params={"role": role}
                )
        return roles


def may_give(giver: User, rights: models.QuerySet) -> bool:
    return giver.has_perms(
        f"{app}.{name}"
        for app, name in rights.values_list("content_type__app_label", "codename")
    )


@admin.register(User)
class StaffAdmin(UserAdmin, Noted):
    export_columns = STAFF
    form = AccountForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "email", "first_name", "last_name", "is_active"]
    list_filter = ["is_active", "is_superuser", "groups"]
    autocomplete_fields = ["groups"]
    actions = ["reset_second_factor", "unlock"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """What makes more of an account than its role, only superusers give."""
        fields = ["last_login", "date_joined"]
        if not request.user.is_superuser:
            fields += ["is_superuser", "user_permissions"]
        return fields

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        above = obj is not None and obj.is_superuser and not request.user.is_superuser
        return not above and super().has_change_permission(request, obj)

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002  (as the address calls it)
        form_url: str = "",
    ) -> HttpResponse:
        with transaction.atomic():
            response = super().user_change_password(request, id, form_url)
            if request.method == "POST" and response.status_code == 302:
                self.note(request, User.objects.get(pk=id), What.PASSWORD, {})
        return response

    # --- who cannot get in

    def offers(self, action: str, obj: User) -> bool:
        if action == "unlock":
            return lockout.is_locked(obj.get_username())
        return second_factor.is_enrolled(obj)

    @admin.action(
        description=gettext_lazy("Reset the second factor"),
        permissions=["change"],
        location=ON_PAGE,
    )
    def reset_second_factor(
        self, request: HttpRequest, queryset: models.QuerySet
    ) -> HttpResponse:
        user = queryset.get()
        form = ReasonForm(request.POST if "_answered" in request.POST else None)
        form.fields.pop("seen_version")
        back = HttpResponseRedirect(self.url_of("change", user.pk))
        if not self.has_change_permission(request, user):
            return back
        if form.is_bound and form.is_valid():
            second_factor.reset(
                user, actor=self.actor(request), reason=form.cleaned_data["reason"]
            )
            text = _("%(user)s sets up another second factor at the next login.")
            self.message_user(request, text % {"user": user})
            return back
        return self.ask(
            request,
            user,
            form,
            action="reset_second_factor",
            title=_("Reset the second factor of %(user)s") % {"user": user},
            button=_("Reset"),
            sentences=[
                _("The app and the backup codes of the person count no more."),
                _("Make sure that it is really this person who asks for it."),
            ],
            danger=True,
        )

    @admin.action(
        description=gettext_lazy("Unlock"), permissions=["change"], location=ON_PAGE
    )
    def unlock(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse:
        user = queryset.get()
        if self.has_change_permission(request, user):
            with transaction.atomic():
                lockout.unlock(user.get_username())
                self.note(request, user, What.UNLOCKED, {})
            self.message_user(request, _("%(user)s may log in again.") % {"user": user})
        return HttpResponseRedirect(self.url_of("change", user.pk))


@admin.register(Group)
class StaffRoleAdmin(GroupAdmin, Noted):
    export_columns = {"name": "name"}
    form = forms.ModelForm
    list_display = ["name"]
    list_filter = []

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request)
