"""API clients: machines that may call the API."""

from typing import Any

from django.contrib.auth.hashers import check_password
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q, TextField, Value
from django.db.models.functions import Replace
from django.db.models.lookups import Contains
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import AbstractApplication
from oauth2_provider.settings import oauth2_settings

from config.history import track_history
from integrations.recording import Recorded

ACT = "act"  # the scope of a shop's backend that acts for people

# In the database, as its constraint says it.
_HOLDS_ACT = (
    Q(allowed_scopes=ACT)
    | Q(allowed_scopes__startswith=f"{ACT} ")
    | Q(allowed_scopes__endswith=f" {ACT}")
    | Q(allowed_scopes__contains=f" {ACT} ")
)
# Whatever ends in ":read" only reads; what another verb stands behind writes.
_WRITES = Contains(
    Replace("allowed_scopes", Value(":read"), Value(""), output_field=TextField()),
    Value(":"),
)


class ApiClient(Recorded, AbstractApplication):
    """A machine that may call the API (OAuth 2 client credentials, RFC 6749 4.4).

    Either an integrator, with scopes for what it may do itself, or a shop's backend
    that acts for people (`act`) and may do what these may, never both.
    """

    created = updated = None  # the toolkit's names of created_at and updated_at

    allowed_scopes = models.TextField(
        _("allowed scopes"), blank=True, help_text=_("Separated by blanks.")
    )
    allowed_hierarchies = models.ManyToManyField(
        "companies.Company",
        verbose_name=_("allowed hierarchies"),
        related_name="+",
        blank=True,
        help_text=_("The client sees these companies and everything below them."),
    )
    # Explicit: were it "no row means all", deleting a company would open all others.
    sees_all_hierarchies = models.BooleanField(_("all hierarchies"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    expires_at = models.DateTimeField(
        _("expires"),
        null=True,
        blank=True,
        help_text=_(
            "From then on it gets no token, and those it has end. Empty: never."
        ),
    )
    last_used_at = models.DateTimeField(
        _("last used"), null=True, blank=True, editable=False
    )
    calls_per_minute = models.PositiveIntegerField(
        _("calls per minute"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Empty: as many as the settings say."),
    )
    # Hashes, as of `client_secret`: two secrets while one takes the other's place.
    secret_since = models.DateTimeField(
        _("secret since"), default=timezone.now, editable=False
    )
    old_secret = models.CharField(
        _("old secret"), max_length=255, blank=True, editable=False
    )
    old_secret_until = models.DateTimeField(
        _("old secret works until"), null=True, blank=True, editable=False
    )

    history = track_history(
        excluded=(
            "client_secret",
            "old_secret",
            "last_used_at",
            # What the toolkit has for other kinds of clients.
            "algorithm",
            "allowed_origins",
            "authorization_grant_type",
            "cimd_expires_at",
            "client_type",
            "hash_client_secret",
            "post_logout_redirect_uris",
            "redirect_uris",
            "registration_source",
            "skip_authorization",
            "user",
        )
    )

    class Meta(AbstractApplication.Meta):
        swappable = "OAUTH2_PROVIDER_APPLICATION_MODEL"
        verbose_name = _("API client")
        verbose_name_plural = _("API clients")
        constraints = [
            models.CheckConstraint(
                name="integrations_apiclient_act_or_write",
                condition=~(_HOLDS_ACT & Q(_WRITES)),
                violation_error_code="act_or_write",
                violation_error_message=_(
                    "A client acts for people (act) or changes things by itself, "
                    "never both: beside act only scopes to read."
                ),
            ),
        ]

    def write(self, using: str, **kwargs: Any) -> None:
        self.allowed_scopes = " ".join(self.allowed_scopes.split())
        super().write(using, **kwargs)

    def record(self, change: str) -> None:
        """No event: who else may call, other systems need not know."""

    def clean(self) -> None:
        super().clean()
        unknown = set(self.allowed_scopes.split()) - set(oauth2_settings.SCOPES)
        if unknown:
            message = _("There is no such scope: %(scopes)s.")
            params = {"scopes": ", ".join(sorted(unknown))}
            error = ValidationError(message, code="unknown_scope", params=params)
            raise ValidationError({"allowed_scopes": error})

    @property
    def acts_for_people(self) -> bool:
        return ACT in self.allowed_scopes.split()

    @property
    def in_force(self) -> bool:
        """Whether it may call at all now: active, and not expired."""
        return self.is_active and (
            self.expires_at is None or self.expires_at > timezone.now()
        )

    def visible_companies(self) -> Any:
        """The companies that the client sees; this app knows them by name only."""
        return type(self).allowed_hierarchies.rel.model.objects.visible_to(self)

    def is_usable(self, request: Any) -> bool:
        """What the toolkit asks: others get no token, and those they have end."""
        return self.in_force

    def has_secret(self, secret: str) -> bool:
        """Whether this is its secret, or the one before, which still works a while."""
        if check_password(secret, self.client_secret):
            return True
        until = self.old_secret_until
        return bool(
            until and until > timezone.now() and check_password(secret, self.old_secret)
        )
