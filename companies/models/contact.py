"""People at business customers."""

import unicodedata
from contextlib import suppress
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from config.actors import Actor
from config.db import locked
from config.fields import CleanCharField, LanguageField, PhoneField
from config.history import track_history
from config.search import holding
from config.text import fold
from integrations.models import ApiClient
from integrations.recording import Recorded
from integrations.sight import Viewer

from .company import Company

LOCAL_PART_LENGTH = 64  # RFC 5321, section 4.5.3.1.1
PERSONAL_FIELDS = ("first_name", "last_name", "phone", "job_title", "language")


class ContactQuerySet(models.QuerySet["Contact"]):
    def visible_to(self, viewer: Viewer) -> Self:
        """People in companies that the viewer sees, or made by it and not assigned.

        By a client as the row says, by staff as the history says.
        """
        if viewer.sees_all_hierarchies:
            return self
        companies = Company.objects.visible_to(viewer).order_by()
        mine = Q(registered_by=viewer.pk)
        if not isinstance(viewer, ApiClient):
            mine = Q(Exists(_entries_of(viewer.actor)))
        return self.filter(
            Q(assignments__company__in=companies) | Q(mine, assignments=None)
        ).distinct()

    def matching(self, query: str) -> Self:
        """People who have every word of `query` somewhere in name or e-mail."""
        return holding(self, query)

    def with_email(self, email: str) -> Self:
        return self.filter(email_key=email_key(email))


def _entries_of(actor: Actor) -> models.QuerySet:
    """The entries that say of a contact that the actor has made it."""
    return Contact.history.model.objects.filter(
        id=OuterRef("pk"), history_type="+", history_user_id=str(actor)
    ).order_by()


class Contact(Recorded):
    """A person at a business customer. No login: a shop's backend speaks for them."""

    email = models.EmailField(_("e-mail"))
    first_name = CleanCharField(_("first name"), max_length=100, blank=True)
    last_name = CleanCharField(_("last name"), max_length=100, blank=True)
    phone = PhoneField(_("phone"), blank=True)
    job_title = CleanCharField(_("job title"), max_length=100, blank=True)
    language = LanguageField(_("language"), blank=True)
    external_id = CleanCharField(
        _("external id"),
        max_length=64,
        blank=True,
        help_text=_("The customer id in the shop."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    erased_at = models.DateTimeField(_("erased"), null=True, editable=False)
    registered_by = models.ForeignKey(
        ApiClient,
        verbose_name=_("registered by"),
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
    )
    # SQLite knows only the letters of ASCII: folded in Python, unique on both.
    email_key = models.CharField(max_length=320, editable=False)
    search_text = models.TextField(editable=False, default="")

    DERIVED = {"email_key": "email"}  # the field that each is made of

    history = track_history(excluded=("email_key", "search_text"))
    objects = ContactQuerySet.as_manager()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["last_name", "first_name", "id"], name="companies_contact_name"
            ),
            models.Index(fields=["updated_at", "id"], name="companies_contact_updated"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["email_key"],
                name="companies_contact_unique_email",
                violation_error_code="duplicate_email",
                violation_error_message=_("There is already a contact of this e-mail."),
            ),
            models.UniqueConstraint(
                fields=["external_id"],
                condition=~Q(external_id=""),
                name="companies_contact_unique_external_id",
                violation_error_code="duplicate_external_id",
                violation_error_message=_(
                    "There is already a contact of this external id."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """First and last name; for people without either, the e-mail."""
        return f"{self.first_name} {self.last_name}".strip() or self.email

    @property
    def event_company_id(self) -> None:
        return None  # a person belongs to no company

    def clean_fields(self, exclude: Any = None) -> None:
        super().clean_fields(exclude)
        self.email_key = email_key(self.email)

    def clean(self) -> None:
        super().clean()
        if len(self.email.rpartition("@")[0]) > LOCAL_PART_LENGTH:
            message = _("At most 64 characters before the @.")
            error = ValidationError(message, code="invalid")
            raise ValidationError({"email": error})
        if self.erased_at is not None:
            message = _("The person's data have been erased for good.")
            raise ValidationError(message, code="contact_erased")

    def derive(self) -> None:
        """Set what is made of other fields; `save()` does, bulk loads have to."""
        self.email = unicodedata.normalize("NFC", self.email).strip()
        self.email_key = email_key(self.email)
        self.search_text = fold(f"{self.first_name} {self.last_name}\n{self.email}")

    def save(self, **kwargs: Any) -> None:
        self.derive()
        if kwargs.get("update_fields") is not None:
            kwargs["update_fields"] = {
                *kwargs["update_fields"],
                "email_key",
                "search_text",
            }
        super().save(**kwargs)

    def write(self, using: str, **kwargs: Any) -> None:
        administered = [] if self.is_active else self._lock_administered(using)
        super().write(using, **kwargs)
        if administered and self.erased_at is None:  # an erasure is never stopped
            rows = self.assignments.model.objects.using(using)
            rows.refuse_without_admin(administered)

    def _lock_administered(self, using: str) -> list[int]:
        """The companies of which the person is an admin until now, locked."""
        if self._state.adding:
            return []
        mine = self.assignments.using(using).in_force().filter(role="ADMIN")
        companies = Company.objects.using(using).filter(
            pk__in=mine.values("company_id")
        )
        return list(locked(companies).values_list("pk", flat=True))


def email_key(email: str) -> str:
    """The form in which e-mails are compared: without regard to case.

    An international domain is the same in its own letters and in those of DNS.
    """
    key = email.strip().casefold()
    name, at, domain = key.rpartition("@")
    with suppress(UnicodeError):  # it is in its own letters already, or no domain
        key = name + at + domain.encode("ascii").decode("idna").casefold()
    return unicodedata.normalize("NFC", key)
