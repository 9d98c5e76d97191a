"""KonzernAdmin: every change has its actor, its version and, if refused, its reason."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import ActionLocation
from django.core.exceptions import ValidationError
from django.db import DatabaseError, models, transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from config.actors import Actor
from config.db import is_busy, is_unique_violation, repeated
from config.errors import DomainError, NeedsConfirmation

from .exports import ExportMixin
from .forms import DateAndTimeWidget, KonzernForm, as_validation_error, refusal_text
from .history import HISTORY, has_history
from .numbers import READERS_NUMBERS
from .panels import Panel, ShownPanel, extensions_of
from .sight import OfferSeen, keep_in_sight, offer_seen, seen, sees_all

ON_PAGE = [ActionLocation.CHANGE_FORM]
ACTION = f"{ActionLocation.CHANGE_FORM.value}-action"
SAVE = {"_save", "_continue", "_addanother"}
ANSWERED = "_answered"
CONFIRMED = "_confirmed"


class KonzernList(ChangeList):
    """Offers "show all" where something is left out, and only there."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.query and not self.has_active_filters:
            self.full_result_count = self.result_count


class KonzernAdmin(OfferSeen, ExportMixin, ModelAdmin):
    """A page that writes as its user, never over the changes of others.

    `panels` are tabs that only show something; higher apps add theirs (see
    panels.extend). `of_hierarchies`: each row is of a company; of other rows nobody
    hears who looks after some hierarchies only.
    """

    form = KonzernForm
    formfield_overrides = READERS_NUMBERS | {
        models.DateTimeField: {"widget": DateAndTimeWidget}
    }
    of_hierarchies = True
    # unfold's form template leaves out Django's change-form actions: this shows them.
    change_form_before_template = "konzern/form_actions.html"
    list_per_page = 50
    show_full_result_count = False  # counting 100,000 rows twice helps nobody
    list_filter_submit = True
    view_on_site = False  # there is no site beside the console
    panels: tuple[Panel, ...] = ()
    history_panel = HISTORY
    conditional_fields: dict[str, str] = {}  # else templates look for it at each field

    # --- who sees what

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        rows = super().get_queryset(request)
        return seen(request, rows) if self.is_open_to(request) else rows.none()

    def is_open_to(self, request: HttpRequest) -> bool:
        return self.of_hierarchies or sees_all(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) and self.is_open_to(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and self.is_open_to(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self.is_open_to(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self.is_open_to(request)

    # --- what is shown

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KonzernList]:
        return KonzernList

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[type]:
        inlines = list(super().get_inlines(request, obj))
        if obj is not None:
            added = extensions_of(self.model)
            inlines += [part for part in added if not isinstance(part, Panel)]
        return inlines

    def get_panels(self, request: HttpRequest, obj: Any) -> Iterable[Panel]:
        added = [part for part in extensions_of(self.model) if isinstance(part, Panel)]
        history = [self.history_panel] if has_history(self.model) else []
        for panel in [*self.panels, *added, *history]:
            if panel.permission is None or request.user.has_perm(panel.permission):
                yield panel

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        if obj is not None:
            shown = [
                ShownPanel(panel, panel.content(request, obj))
                for panel in self.get_panels(request, obj)
            ]
            tabs = [*context["inline_admin_formsets"], *shown]
            tabs.sort(key=lambda tab: getattr(tab.opts, "order", 50))
            context["inline_admin_formsets"] = tabs
            context |= self.page_context(request, obj)
            if action_form := context.get("action_form"):
                choices = action_form.fields["action"].choices
                context["offered_actions"] = [
                    {"name": name, "label": label}
                    for name, label in choices
                    if name and self.offers(name, obj)
                ]
        return super().render_change_form(request, context, add, change, form_url, obj)

    def page_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """What the page shows beside its form."""
        return {}

    def offers(self, action: str, obj: Any) -> bool:
        """Whether the action makes sense for the object as it is now."""
        return True

    def get_action_choices(
        self,
        request: HttpRequest,
        default_choices: Any = None,
        action_location: ActionLocation = ActionLocation.CHANGE_LIST,
    ) -> list[tuple[str, str]]:
        # unfold's own has no action_location: deprecated, and wrong on the form.
        choices = default_choices or [("", _("Select action"))]
        return admin.ModelAdmin.get_action_choices(
            self, request, choices, action_location
        )

    def get_actions(
        self,
        request: HttpRequest,
        action_location: ActionLocation = ActionLocation.CHANGE_LIST,
    ) -> dict[str, Any]:
        actions = super().get_actions(request, action_location)
        actions.pop("delete_selected", None)  # one by one, each with its own refusal
        return actions

    # --- what is written

    def actor(self, request: HttpRequest) -> Actor:
        return Actor.staff(request.user.pk)

    def reason(self, form: Any) -> str:
        """For the history: what its fields do not say of the change."""
        return ""

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[Form]:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.refusal = getattr(request, "_refusal", None)
        form.request = request
        return form

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: bool
    ) -> None:
        if change and not form.changed_data:
            return  # nothing to write: no entry in the history, no event
        if hasattr(obj, "by"):
            obj.by(self.actor(request), self.reason(form))
        super().save_model(request, obj, form, change)

    def save_formset(
        self, request: HttpRequest, form: Any, formset: Any, change: bool
    ) -> None:
        for row in formset.forms:
            if hasattr(row.instance, "by"):
                row.instance.by(self.actor(request))
        super().save_formset(request, form, formset, change)

    def response_add(self, request: HttpRequest, obj: Any, *args: Any) -> HttpResponse:
        keep_in_sight(request, obj)  # still in the transaction that has written it
        return super().response_add(request, obj, *args)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        keep_in_sight(request, obj)
        return super().response_change(request, obj)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        if hasattr(obj, "by"):
            obj.by(self.actor(request))
        super().delete_model(request, obj)

    # Django's own log would keep names of people, in words that no erasure finds. The
    # history has who changed what, and when.

    def log_addition(self, *args: Any) -> None:
        pass

    def log_change(self, *args: Any) -> None:
        pass

    def log_deletions(self, *args: Any) -> None:
        pass

    # --- what is refused

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a refusal at the form, with all that was typed; nothing is stored."""
        page = (object_id, form_url, extra_context)
        try:
            return repeated(super().changeform_view)(request, *page)
        except NeedsConfirmation as error:
            return self.confirm_first(request, error)
        except (DomainError, ValidationError, DatabaseError) as error:
            if request.method != "POST":
                raise
            refusal = _refusal(error)
        if ACTION in request.POST and not SAVE & request.POST.keys():
            self.message_user(request, " ".join(refusal.messages), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        request._refusal = refusal
        # In no transaction: there is nothing to write, and no lock to wait for again.
        return super()._changeform_view(request, *page)

    def delete_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return repeated(super().delete_view)(request, object_id, extra_context)
        except NeedsConfirmation as error:
            return self.confirm_first(request, error)
        except (DomainError, DatabaseError) as error:
            text = " ".join(_refusal(error).messages)
            self.message_user(request, text, messages.ERROR)
            return HttpResponseRedirect(self.url_of("change", object_id))

    def watching(
        self, request: HttpRequest, object_id: str | None
    ) -> AbstractContextManager[Any]:
        """What surrounds a save in its transaction: see services.watching_rights()."""
        return nullcontext()

    def _changeform_view(
        self, request: HttpRequest, object_id: str | None, *args: Any
    ) -> HttpResponse:
        # Django's own view inside its transaction; private, hence a test of ours.
        if request.method != "POST":
            return super()._changeform_view(request, object_id, *args)
        with self.watching(request, object_id):
            return super()._changeform_view(request, object_id, *args)

    def confirmed(self, request: HttpRequest) -> bool:
        """Whether the person has been told what the change brings with it."""
        return CONFIRMED in request.POST

    def confirm_first(
        self, request: HttpRequest, error: NeedsConfirmation
    ) -> TemplateResponse:
        """Ask with all that was typed at hand, so that a yes sends it once more."""
        context = self.admin_site.each_context(request) | {
            "confirmed": CONFIRMED,
            "error": error,
            "lines": error.lines,
            "opts": self.opts,
            "sent": [
                (name, value)
                for name, values in request.POST.lists()
                for value in values
                if name != "csrfmiddlewaretoken"
            ],
            "title": _("Is this meant?"),
        }
        return TemplateResponse(request, "konzern/confirm.html", context)

    def url_of(self, page: str, *args: Any) -> str:
        opts = self.opts
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}", args=args)

    # --- actions

    def attempt(
        self, request: HttpRequest, obj: Any, action: Callable[[], Any], done: Any
    ) -> bool:
        """Call a service; say what was done, or why it was refused. True if done."""
        try:
            with transaction.atomic():
                action()
        except DomainError as error:
            self.message_user(request, f"{obj}: {refusal_text(error)}", messages.ERROR)
            return False
        except ValidationError as error:
            text = " ".join(error.messages)
            self.message_user(request, f"{obj}: {text}", messages.ERROR)
            return False
        self.message_user(request, done, messages.SUCCESS)
        return True

    def answer(
        self, request: HttpRequest, obj: Any, form_class: type[Form], **initial: Any
    ) -> Form:
        """The form of a question: filled in once it was answered."""
        if ANSWERED in request.POST:
            form = form_class(request.POST)
        else:
            known = request.POST.get("seen_version", "")
            version = int(known) if known.isdecimal() else obj.version
            form = form_class(initial={"seen_version": version} | initial)
        offer_seen(request, form)
        return form

    def ask(
        self,
        request: HttpRequest,
        obj: models.Model,
        form: Form,
        *,
        action: str,
        title: Any,
        button: Any,
        sentences: Iterable[Any] | None = None,
        changes: Iterable[Any] = (),
        confirm: str = "",
        danger: bool = False,
    ) -> TemplateResponse:
        """The page between the button of an action and what it does."""
        context = {
            "action": action,
            "action_field": ACTION,
            "back": self.url_of("change", obj.pk),
            "button": button,
            "changes": list(changes),
            "confirm": confirm,
            "danger": danger,
            "form": form,
            "original": obj,
            "selected": [obj],
            "sentences": sentences,
            "title": title,
        }
        return self._question(request, context)

    def answer_for_all(
        self, request: HttpRequest, rows: Sequence[Any], form_class: type[Form]
    ) -> Form:
        """The form of a question about the rows that were chosen in a list."""
        if ANSWERED in request.POST:
            return form_class(request.POST)
        seen = " ".join(f"{row.pk}:{row.version}" for row in rows)
        return form_class(initial={"seen_versions": seen})

    def ask_for_all(
        self,
        request: HttpRequest,
        rows: Sequence[Any],
        form: Form,
        *,
        action: str,
        title: Any,
        button: Any,
        danger: bool = False,
    ) -> TemplateResponse:
        """The page between an action of the list and what it does to each row."""
        context = {
            "action": action,
            "action_field": "action",
            "back": request.get_full_path(),
            "button": button,
            "danger": danger,
            "form": form,
            "listed": rows,
            "selected": rows,
            "sentences": None,
            "title": title,
        }
        return self._question(request, context)

    def _question(
        self, request: HttpRequest, context: dict[str, Any]
    ) -> TemplateResponse:
        shared = {
            "answered": ANSWERED,
            "media": self.media + context["form"].media,
            "opts": self.opts,
        }
        context |= self.admin_site.each_context(request) | shared
        return TemplateResponse(request, "konzern/ask.html", context)


class ReadOnlyAdmin(KonzernAdmin):
    """For ledgers, decisions and history: nobody edits them, superusers included."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _refusal(error: Exception) -> ValidationError:
    """The words for an error that a person can do something about; else the error."""
    if isinstance(error, DomainError | ValidationError):
        return as_validation_error(error)
    if is_unique_violation(error):
        text = _("Somebody else has just saved the same. (duplicate)")
        return ValidationError(text, code="duplicate")
    if is_busy(error):
        text = _("The database is busy. Try again in a moment. (busy)")
        return ValidationError(text, code="busy")
    raise error
