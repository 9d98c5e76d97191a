"""Staff pages of webhooks: where events are sent, and what became of each."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
)

from config.admin import KonzernAdmin, ReadOnlyAdmin, badge
from config.admin.base import ON_PAGE
from config.admin.forms import AnswerForm, AutocompleteField, KonzernForm
from integrations.event_types import TYPE_CHOICES
from integrations.models import ApiClient, WebhookDelivery, WebhookEndpoint
from integrations.webhooks import endpoints

ENDPOINTS = {  # nothing of secrets
    "client": "client__name",
    "url": "url",
    "description": "description",
    "types": "types",
    "hierarchies": "hierarchies",
    "status": "status",
    "reason": "reason",
    "position": "position",
    "tested_at": "tested_at",
    "test_result": "test_result",
}
DELIVERIES = {
    "endpoint": "endpoint__url",
    "position": "position",
    "company": "stream",
    "type": "event__type",
    "subject": "event__subject_id",
    "status": "status",
    "tries": "attempts",
    "tried_at": "tried_at",
    "next_try_at": "next_try_at",
    "answer": "response_status",
    "error": "error",
    "text_of_answer": "response_text",
}
Status = WebhookEndpoint.Status
HIERARCHIES = ApiClient._meta.get_field("allowed_hierarchies")


class WebhookEndpointForm(KonzernForm):
    """Types and companies to choose from; stored as lists."""

    fixed = ("client",)
    client = AutocompleteField(WebhookEndpoint._meta.get_field("client"))
    types = forms.MultipleChoiceField(
        label=gettext_lazy("Types"),
        choices=TYPE_CHOICES,
        required=False,
        help_text=gettext_lazy("None: all types."),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    hierarchies = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Hierarchies"),
        queryset=None,
        required=False,
        help_text=gettext_lazy("With all below them. None: all that the client sees."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "hierarchies" in self.fields:
            field = self.fields["hierarchies"]
            field.widget = AutocompleteSelectMultiple(HIERARCHIES, admin.site)
            field.queryset = HIERARCHIES.remote_field.model._default_manager.all()
            field.widget.choices = field.choices
            self.initial["hierarchies"] = self._stored()

    def clean_hierarchies(self) -> list[int]:
        """Companies that are gone stay in the list: without them it might mean all."""
        chosen = {company.pk for company in self.cleaned_data["hierarchies"]}
        gone = set(self.instance.hierarchies) - set(self._stored())
        return sorted(chosen | gone)

    def _stored(self) -> list[int]:
        rows = self.fields["hierarchies"].queryset.order_by()
        found = rows.filter(pk__in=self.instance.hierarchies)
        return list(found.values_list("pk", flat=True))


class ReplayForm(AnswerForm):
    first = forms.IntegerField(
        label=gettext_lazy("From position"),
        min_value=1,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    last = forms.IntegerField(
        label=gettext_lazy("Up to position"),
        min_value=1,
        widget=UnfoldAdminIntegerFieldWidget,
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        first, last = cleaned.get("first"), cleaned.get("last")
        most = endpoints.MOST_REPLAYED
        if first and last and not first <= last < first + most:
            text = _("Not before the first, and at most %d positions.") % most
            self.add_error("last", text)
        return cleaned


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(KonzernAdmin):
    of_hierarchies = False
    form = WebhookEndpointForm
    export_columns = ENDPOINTS
    list_display = ["url", "client", "shown_status", "tested_at", "test_result"]
    list_filter = [("status", ChoicesDropdownFilter)]
    list_select_related = ["client"]
    search_fields = ["url", "description", "client__name"]
    ordering = ["id"]
    actions = ["test", "pause", "resume", "rotate", "replay"]
    made = ("shown_status", "position", "tested_at", "test_result")
    readonly_fields = made

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = ["client", "url", "description", "types", "hierarchies"]
        first = [(None, {"fields": [self.made]})] if obj is not None else []
        return [*first, (None, {"fields": fields})]

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def shown_status(self, endpoint: WebhookEndpoint) -> SafeString:
        text = endpoint.get_status_display()
        if endpoint.reason:
            text = f"{text}: {endpoint.get_reason_display()}"
        return badge(endpoint.status, text)

    def save_model(
        self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool
    ) -> None:
        if change:
            if form.changed_data:
                actor = self.actor(request)
                endpoints.store_change(obj, form.changed_data, actor=actor)
            return
        secret = endpoints.create_endpoint(obj, actor=self.actor(request))
        self._show_secret(request, secret)

    def offers(self, action: str, obj: WebhookEndpoint) -> bool:
        match action:
            case "pause" | "test":
                return obj.status != Status.PAUSED
            case "resume":
                return obj.status == Status.PAUSED
            case "replay":
                return obj.status == Status.ACTIVE
        return True

    @admin.action(
        description=gettext_lazy("Test"), permissions=["change"], location=ON_PAGE
    )
    def test(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        endpoint = queryset.get()
        return self._do(
            request,
            endpoint,
            lambda: endpoints.ask_for_test(endpoint),
            _("A worker sends a test in a moment. Look here again."),
        )

    @admin.action(
        description=gettext_lazy("Pause"), permissions=["change"], location=ON_PAGE
    )
    def pause(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        endpoint = queryset.get()
        return self._do(
            request,
            endpoint,
            lambda: endpoints.pause_endpoint(endpoint, actor=self.actor(request)),
            _("Paused. What happens meanwhile waits."),
        )

    @admin.action(
        description=gettext_lazy("Resume"), permissions=["change"], location=ON_PAGE
    )
    def resume(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        endpoint = queryset.get()
        return self._do(
            request,
            endpoint,
            lambda: endpoints.resume_endpoint(endpoint, actor=self.actor(request)),
            _("It is tested in a moment, and then gets all that has waited."),
        )

    @admin.action(
        description=gettext_lazy("Rotate the secret"),
        permissions=["change"],
        location=ON_PAGE,
    )
    def rotate(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        endpoint = queryset.get()
        form = self.answer(request, endpoint, AnswerForm)
        title = _("Rotate the secret")
        if not (form.is_bound and form.is_valid()):
            sentence = _("For 24 hours messages have two signatures, then one.")
            return self.ask(
                request,
                endpoint,
                form,
                action="rotate",
                title=f"{title}: {endpoint}",
                button=title,
                sentences=[sentence],
            )

        def rotate() -> None:
            seen = form.cleaned_data["seen_version"]
            secret = endpoints.rotate_secret(
                endpoint, actor=self.actor(request), expected_version=seen
            )
            self._show_secret(request, secret)

        return self._do(request, endpoint, rotate, _("The secret was rotated."))

    @admin.action(
        description=gettext_lazy("Replay events"),
        permissions=["change"],
        location=ON_PAGE,
    )
    def replay(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        endpoint = queryset.get()
        form = self.answer(request, endpoint, ReplayForm)
        title = _("Replay events")
        if form.is_bound and form.is_valid():
            span = form.cleaned_data["first"], form.cleaned_data["last"]
            return self._do(
                request,
                endpoint,
                lambda: endpoints.replay_range(endpoint, *span),
                _("They are sent again, in their order."),
            )
        return self.ask(
            request,
            endpoint,
            form,
            action="replay",
            title=f"{title}: {endpoint}",
            button=title,
        )

    def _do(
        self,
        request: HttpRequest,
        endpoint: WebhookEndpoint,
        action: Callable[[], Any],
        done: Any,
    ) -> HttpResponse:
        self.attempt(request, endpoint, action, done)
        return HttpResponseRedirect(self.url_of("change", endpoint.pk))

    def _show_secret(self, request: HttpRequest, secret: str) -> None:
        text = _("Secret {}. Note it now: it is never shown again.")
        self.message_user(request, format_html(text, secret), messages.WARNING)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    of_hierarchies = False
    export_columns = DELIVERIES
    list_display = [
        *("position", "endpoint", "shown_type", "stream", "shown_status"),
        *("attempts", "tried_at", "response_status", "error"),
    ]
    list_filter = [("status", ChoicesDropdownFilter), "tried_at"]
    list_select_related = ["endpoint", "event"]
    search_fields = ["=position", "=stream", "endpoint__url", "event__type"]
    search_help_text = gettext_lazy("Position, company, address or type")
    ordering = ["-id"]
    actions = ["replay"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("position", "shown_type", "stream"),
                    "endpoint",
                    ("shown_status", "attempts"),
                    ("tried_at", "next_try_at"),
                    ("response_status", "error", "response_text"),
                ]
            },
        )
    ]

    @admin.display(description=gettext_lazy("type"))
    def shown_type(self, delivery: WebhookDelivery) -> str:
        return delivery.event.type

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def shown_status(self, delivery: WebhookDelivery) -> SafeString:
        return badge(delivery.status, delivery.get_status_display())

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Who may change where events are sent may have them sent again."""
        return request.user.has_perm("integrations.change_webhookendpoint")

    def offers(self, action: str, obj: WebhookDelivery) -> bool:
        return obj.status == WebhookDelivery.Status.DELIVERED

    @admin.action(
        description=gettext_lazy("Replay"), permissions=["replay"], location=ON_PAGE
    )
    def replay(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        delivery = queryset.get()
        self.attempt(
            request,
            delivery,
            lambda: endpoints.replay_delivery(delivery),
            _("It is sent again in a moment."),
        )
        return HttpResponseRedirect(self.url_of("change", delivery.pk))
