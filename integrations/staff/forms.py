"""Forms of logging in."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from integrations.api.rates import address_of

from . import lockout

CODE = {
    "autocomplete": "one-time-code",
    "autofocus": "",
    "autocapitalize": "none",
    "spellcheck": "false",
}


def refused(seconds: int) -> ValidationError:
    """The same whether there is such an account or not."""
    minutes = -(-seconds // 60)
    text = ngettext(
        "Too many failed tries. Try again in %(minutes)d minute.",
        "Too many failed tries. Try again in %(minutes)d minutes.",
        minutes,
    )
    return ValidationError(text, code="locked", params={"minutes": minutes})


class LoginForm(AuthenticationForm):
    """Name and password; too many wrong ones, and nothing is looked at for a while."""

    locked_for = 0  # seconds

    def clean(self) -> dict[str, Any]:
        name = self.cleaned_data.get("username")
        if name is None or not self.cleaned_data.get("password"):
            return super().clean()
        address = address_of(self.request.META)
        self.locked_for = lockout.begin(name, address)
        if self.locked_for:
            raise refused(self.locked_for)
        try:
            cleaned = super().clean()
        except ValidationError:
            lockout.failed(name, address)
            raise
        lockout.succeeded(name, address)
        return cleaned


class CodeForm(forms.Form):
    code = forms.CharField(
        label=_("Code"),
        max_length=20,
        widget=UnfoldAdminTextInputWidget(attrs=CODE),
    )
