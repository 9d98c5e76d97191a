"""Forms of the staff pages: nothing is overwritten that nobody has seen."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextareaWidget

from config.clean import constrained_fields
from config.errors import DomainError, StaleVersion

from .display import link
from .sight import offer_seen

SEEN = "seen_version"


def refusal_text(error: DomainError) -> str:
    """What a person reads, with the code that the API would give: one word for both."""
    return f"{error} ({error.code})"


def as_validation_error(error: DomainError | ValidationError) -> ValidationError:
    if isinstance(error, ValidationError):
        return error
    return ValidationError(refusal_text(error), code=error.code)


class FixedText(forms.Widget):
    """Text in the place of an input: what a saved row is about cannot be changed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def render(self, name: Any, value: Any, attrs: Any = None, renderer: Any = None):
        return format_html('<span class="kz-fixed">{}</span>', self.text)


class DateAndTimeWidget(UnfoldAdminSplitDateTimeWidget):
    """Two inputs, each with a name of its own: the label of the field is of neither."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        for part in self.widgets:
            part.attrs["aria-label"] = part.attrs["placeholder"]


class KonzernForm(forms.ModelForm):
    """Carries the version that the person saw; a change of an older one is refused.

    `fixed` names the foreign keys that stay as they are once the row is saved: shown as
    text, out of the row's own select_related, so that fifty rows cost no fifty queries.
    """

    seen_version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    fixed: tuple[str, ...] = ()
    refusal: ValidationError | None = None  # what the last attempt to save met
    request: HttpRequest | None = None  # of the page: whose choices they are

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.request is not None:
            offer_seen(self.request, self)
        if self.instance.pk is None or not hasattr(self.instance, "version"):
            return
        self.fields[SEEN].required = True
        self.initial[SEEN] = self.instance.version
        for name in self.fixed:
            if name in self.fields:
                self.fields[name].widget = FixedText(link(getattr(self.instance, name)))
                self.fields[name].disabled = True

    @cached_property
    def changed_data(self) -> list[str]:
        return [name for name in super().changed_data if name != SEEN]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        seen = cleaned.get(SEEN)
        if self.refusal is not None:
            self._refuse(self.refusal)
        elif seen is not None and self.has_changed():
            stored = getattr(self.instance, "version", seen)
            if seen != stored:
                self._refuse(as_validation_error(StaleVersion(version=stored)))
        return cleaned

    def _get_validation_exclusions(self) -> set[str]:
        """Without the fields beside those of the form that a constraint compares.

        Django would skip the constraint, and the database would be the first to refuse.
        """
        excluded, instance = super()._get_validation_exclusions(), self.instance
        derived = getattr(instance, "DERIVED", {}).items()
        sound = {name for name in self.fields if name not in self._errors}
        sound |= {made for made, source in derived if source in sound}
        for _model, constraints in instance.get_constraints():
            for constraint in constraints:
                names = constrained_fields(constraint)
                if names & sound and not names & set(self._errors):
                    excluded -= {n for n in names if _is_given(instance, n)}
        return excluded

    def _refuse(self, error: ValidationError) -> None:
        if not hasattr(error, "error_dict"):
            self.add_error(None, error)
            return
        for name, errors in error.error_dict.items():
            shown = name if name in self.fields else None
            self.add_error(None if name == NON_FIELD_ERRORS else shown, errors)


def _is_given(instance: models.Model, name: str) -> bool:
    return instance.serializable_value(name) is not None


class AutocompleteField(forms.ModelChoiceField):
    """Chooses one row of many by searching; the page never carries all of them."""

    def __init__(self, model_field: models.ForeignKey, **kwargs: Any) -> None:
        model = model_field.remote_field.model
        kwargs.setdefault("queryset", model._default_manager.all())
        super().__init__(**kwargs)
        self.widget = AutocompleteSelect(model_field, admin.site)
        self.widget.is_required = self.required
        self.widget.choices = self.choices


class AnswerForm(forms.Form):
    """What a person says to a question before an action; on which version, too."""

    seen_version = forms.IntegerField(widget=forms.HiddenInput)


class AnswerForAllForm(forms.Form):
    """The same about several rows; the versions seen are "id:version id:version"."""

    seen_versions = forms.CharField(widget=forms.HiddenInput)

    def clean_seen_versions(self) -> dict[int, int]:
        pairs = (pair.split(":") for pair in self.cleaned_data["seen_versions"].split())
        try:
            return {int(pk): int(version) for pk, version in pairs}
        except ValueError:
            raise forms.ValidationError(_("Choose the rows again.")) from None


class ReasonForm(AnswerForm):
    reason = forms.CharField(
        max_length=500,
        strip=True,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )
