"""The console's site: who has given the password may still have to give a code."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django_otp import login as pass_second_factor

from config.actors import Actor
from config.admin.site import KonzernSite
from integrations.api.rates import address_of
from integrations.models import StaffChange

from . import lockout, second_factor
from .forms import CodeForm, LoginForm, refused

View = Callable[..., HttpResponse]


def knows_password(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_staff


def for_staff(view: View) -> View:
    """For pages on the way in: the password was given, perhaps no code yet."""

    @method_decorator(never_cache)
    @wraps(view)
    def wrapper(site: "StaffSite", request: HttpRequest) -> HttpResponse:
        if not knows_password(request):
            return HttpResponseRedirect(reverse("admin:login"))
        return view(site, request)

    return wrapper


class StaffSite(KonzernSite):
    login_form = LoginForm

    def get_urls(self) -> list[URLPattern]:
        return [
            path("second-factor/", self.code_view, name="second_factor"),
            path(
                "second-factor/set-up/", self.set_up_view, name="second_factor_set_up"
            ),
            path("second-factor/codes/", self.codes_view, name="second_factor_codes"),
            *super().get_urls(),
        ]

    def has_permission(self, request: HttpRequest) -> bool:
        if not knows_password(request):
            return False
        if not hasattr(request, "_satisfied"):
            request._satisfied = second_factor.is_satisfied(request.user)
        return request._satisfied

    # --- the way in

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if request.method == "GET" and knows_password(request):
            return self._go_on(request)
        response = super().login(request, extra_context)
        if request.method == "POST" and knows_password(request):
            return self._go_on(request)
        form = getattr(response, "context_data", {}).get("form")
        if form is not None and getattr(form, "locked_for", 0):
            return _wait(response, form.locked_for)
        return response

    def _go_on(self, request: HttpRequest) -> HttpResponse:
        """To where somebody wanted to go, by way of the second factor if it is due."""
        request.__dict__.pop("_satisfied", None)
        wanted = _wanted(request)
        if self.has_permission(request):
            return HttpResponseRedirect(wanted)
        enrolled = second_factor.is_enrolled(request.user)
        page = "admin:second_factor" if enrolled else "admin:second_factor_set_up"
        query = urlencode({REDIRECT_FIELD_NAME: wanted})
        return HttpResponseRedirect(f"{reverse(page)}?{query}")

    @method_decorator(sensitive_post_parameters("code"))
    @for_staff
    def code_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for a code of the app, or a backup code."""
        if second_factor.has_passed(request.user):
            return HttpResponseRedirect(reverse("admin:second_factor_codes"))
        if not second_factor.is_enrolled(request.user):
            return HttpResponseRedirect(reverse("admin:second_factor_set_up"))
        form = CodeForm(request.POST or None)
        wait = 0
        if form.is_valid():
            device, wait = self._try(
                request, form, lambda code: second_factor.verify(request.user, code)
            )
            if device is not None:
                self._pass(request, device)
                return self._go_on(request)
        response = self._page(request, "code", form=form, title=_("Second factor"))
        return _wait(response, wait) if wait else response

    @method_decorator(sensitive_post_parameters("code"))
    @for_staff
    def set_up_view(self, request: HttpRequest) -> HttpResponse:
        """Show the secret for an app, and take it once a code of it was given."""
        user = request.user
        if second_factor.is_enrolled(user) and not second_factor.has_passed(user):
            return self._go_on(request)
        form = CodeForm(request.POST or None)
        wait = 0
        if form.is_valid():
            done, wait = self._try(
                request, form, lambda code: second_factor.enrol(user, code)
            )
            if done is not None:
                device, codes = done
                self._pass(request, device)
                return self._show_codes(request, codes)
        device = second_factor.offer(user)
        response = self._page(
            request,
            "set_up",
            form=form,
            title=_("Set up a second factor"),
            picture=second_factor.picture_of(device),
            secret=second_factor.secret_of(device),
            required=settings.SECOND_FACTOR_REQUIRED,
        )
        return _wait(response, wait) if wait else response

    @for_staff
    def codes_view(self, request: HttpRequest) -> HttpResponse:
        """How many backup codes are left, and others instead."""
        if not second_factor.has_passed(request.user):
            return self._go_on(request)
        if request.method == "POST":
            codes = second_factor.renew_backup_codes(request.user)
            return self._show_codes(request, codes)
        left = second_factor.backup_codes_left(request.user)
        return self._page(request, "left", left=left, title=_("Second factor"))

    def _try(
        self, request: HttpRequest, form: CodeForm, check: Callable[[str], Any]
    ) -> tuple[Any, int]:
        """What the check of the code gives, or why nothing is checked; and the wait."""
        name, address = f"code of {request.user.pk}", address_of(request.META)
        wait = lockout.begin(name, address)
        if wait:
            form.add_error(None, refused(wait))
            return None, wait
        found = check(form.cleaned_data["code"])
        if found is None:
            lockout.failed(name, address)
            text = _(
                "The code is wrong, was used before, or came too soon after another."
            )
            form.add_error("code", ValidationError(text, code="wrong_code"))
        else:
            lockout.succeeded(name, address)
        return found, 0

    def _pass(self, request: HttpRequest, device: Any) -> None:
        request.session.cycle_key()  # who knew the session before does not know this
        pass_second_factor(request, device)

    def _show_codes(self, request: HttpRequest, codes: list[str]) -> HttpResponse:
        title = _("Your backup codes")
        return self._page(request, "codes", codes=codes, title=title)

    def _page(
        self, request: HttpRequest, template: str, **context: Any
    ) -> TemplateResponse:
        request.__dict__.pop("_satisfied", None)
        told = self.each_context(request) | {"next": _wanted(request)} | context
        return TemplateResponse(request, f"staff/{template}.html", told)

    # --- passwords

    def password_change(
        self, request: HttpRequest, extra_context: Any = None
    ) -> HttpResponse:
        with transaction.atomic():
            response = super().password_change(request, extra_context)
            if request.method == "POST" and response.status_code == 302:
                actor = Actor.staff(request.user.pk)
                what = StaffChange.What.PASSWORD
                StaffChange.note(request.user, what, actor=actor)
        return response


def _wait(response: TemplateResponse, seconds: int) -> TemplateResponse:
    response.status_code = 429
    response["Retry-After"] = str(seconds)
    return response


def _wanted(request: HttpRequest) -> str:
    """Where to go in the end: a page of our own, else the first one."""
    given = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(
        REDIRECT_FIELD_NAME, ""
    )
    ours = url_has_allowed_host_and_scheme(
        given, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return given if ours else reverse("admin:index")
