"""Places where companies are."""

from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from companies.names import address_key
from config.db import locked
from config.fields import CleanCharField, CountryField, KeyField, PhoneField
from config.history import track_history
from integrations.recording import Recorded
from integrations.sight import Viewer

from .company import CODE, Company

DEFAULTS = ("is_default_billing", "is_default_shipping")
SEEN_TO = ("second_default", "coordinates")  # constraints that are no errors of forms


class LocationQuerySet(models.QuerySet["Location"]):
    def visible_to(self, viewer: Viewer) -> Self:
        if viewer.sees_all_hierarchies:
            return self
        return self.filter(company__in=Company.objects.visible_to(viewer).order_by())

    def usable_by(self, company: Company | int) -> Self:
        """The company's own locations, and those that companies above it share."""
        pk = getattr(company, "pk", company)
        path = Company.objects.above(pk).order_by()
        # The path outside of OR, as ContactAssignmentQuerySet.reaching() has it.
        return self.filter(Q(company=pk) | Q(is_shared=True), company__in=path)


class Location(Recorded):
    """A place where a company is; its subsidiaries may use it too if it is shared."""

    class Type(models.TextChoices):
        HEADQUARTERS = "HEADQUARTERS", _("Headquarters")
        REGISTERED_OFFICE = "REGISTERED_OFFICE", _("Registered office")
        OFFICE = "OFFICE", _("Office")
        WAREHOUSE = "WAREHOUSE", _("Warehouse")
        STORE = "STORE", _("Store")
        PLANT = "PLANT", _("Plant")
        OTHER = "OTHER", _("Other")

    company = models.ForeignKey(
        Company,
        verbose_name=_("company"),
        on_delete=models.CASCADE,
        related_name="locations",
    )
    code = models.CharField(
        _("code"),
        max_length=64,
        blank=True,
        help_text=_("The key by which other systems know this location."),
    )
    name = CleanCharField(_("name"), max_length=250, blank=True)
    type = models.CharField(_("type"), max_length=17, choices=Type, default=Type.OTHER)
    address_line1 = CleanCharField(_("address line 1"), max_length=200, blank=True)
    address_line2 = CleanCharField(_("address line 2"), max_length=200, blank=True)
    city = CleanCharField(_("city"), max_length=100, blank=True)
    region = CleanCharField(_("region"), max_length=100, blank=True)
    postcode = CleanCharField(_("postcode"), max_length=32, blank=True)
    country = CountryField(_("country"), blank=True)
    latitude = models.DecimalField(
        _("latitude"),
        max_digits=8,
        decimal_places=6,
        null=True,
        blank=True,
        help_text=_("Degrees north of the equator (WGS 84), -90 to 90."),
    )
    longitude = models.DecimalField(
        _("longitude"),
        max_digits=9,
        decimal_places=6,
        null=True,
        blank=True,
        help_text=_("Degrees east of Greenwich (WGS 84), -180 to 180."),
    )
    email = models.EmailField(_("e-mail"), blank=True)
    phone = PhoneField(_("phone"), blank=True)
    is_billing = models.BooleanField(_("billing address"), default=False)
    is_shipping = models.BooleanField(_("shipping address"), default=False)
    is_default_billing = models.BooleanField(
        _("default billing address"), default=False
    )
    is_default_shipping = models.BooleanField(
        _("default shipping address"), default=False
    )
    is_shared = models.BooleanField(
        _("shared"), default=False, help_text=_("Subsidiaries may use it too.")
    )
    is_active = models.BooleanField(_("active"), default=True)
    address_key = KeyField()  # by which companies at the same address are found

    history = track_history(excluded=("address_key",))
    objects = LocationQuerySet.as_manager()

    class Meta:
        verbose_name = _("location")
        verbose_name_plural = _("locations")
        ordering = ["id"]
        indexes = [
            models.Index(fields=["city", "id"], name="companies_location_city"),
            models.Index(fields=["address_key"], name="companies_location_address"),
        ]
        constraints = [
            models.UniqueConstraint(
                models.functions.Lower("code"),
                "company",
                condition=~Q(code=""),
                name="companies_location_unique_code",
                violation_error_code="duplicate_code",
                violation_error_message=_(
                    "The company already has a location of this code."
                ),
            ),
            models.UniqueConstraint(
                fields=["company"],
                condition=Q(is_default_billing=True),
                name="companies_location_one_default_billing",
                violation_error_code="second_default",
                violation_error_message=_(
                    "The company already has a default billing address."
                ),
            ),
            models.UniqueConstraint(
                fields=["company"],
                condition=Q(is_default_shipping=True),
                name="companies_location_one_default_shipping",
                violation_error_code="second_default",
                violation_error_message=_(
                    "The company already has a default shipping address."
                ),
            ),
            models.CheckConstraint(
                condition=Q(latitude__isnull=True, longitude__isnull=True)
                | Q(
                    latitude__isnull=False,
                    latitude__gte=-90,
                    latitude__lte=90,
                    longitude__isnull=False,
                    longitude__gte=-180,
                    longitude__lte=180,
                ),
                name="companies_location_coordinates",
                violation_error_code="coordinates",
            ),
            models.CheckConstraint(
                condition=Q(is_default_billing=False)
                | Q(is_billing=True, is_active=True),
                name="companies_location_default_billing_usable",
                violation_error_code="default_not_usable",
                violation_error_message=_(
                    "The default billing address must be an active billing address."
                ),
            ),
            models.CheckConstraint(
                condition=Q(is_default_shipping=False)
                | Q(is_shipping=True, is_active=True),
                name="companies_location_default_shipping_usable",
                violation_error_code="default_not_usable",
                violation_error_message=_(
                    "The default shipping address must be an active shipping address."
                ),
            ),
        ]

    def __str__(self) -> str:
        where = self.name or ", ".join(filter(None, (self.address_line1, self.city)))
        return where or self.get_type_display()

    def clean(self) -> None:
        super().clean()
        if self.code and not CODE.fullmatch(self.code):
            raise ValidationError(
                {
                    "code": ValidationError(
                        _("1 to 64 of the characters A-Z a-z 0-9 . _ -"), code="code"
                    )
                }
            )
        if not self._is_on_earth():
            raise ValidationError(
                _(
                    "Coordinates are a latitude of -90 to 90 degrees and a longitude "
                    "of -180 to 180, both or none."
                ),
                code="coordinates",
            )
        if self.pk and "company_id" not in self.get_deferred_fields():
            stored = type(self).objects.filter(pk=self.pk).values_list("company_id")
            if stored.first() != (self.company_id,):
                raise ValidationError(
                    {
                        "company": ValidationError(
                            _("A location stays with its company."), code="read_only"
                        )
                    }
                )

    def get_constraints(self) -> list[Any]:
        # A new default takes the mark from the old one: no error of the form. And
        # coordinates are seen to by `clean()`, without asking the database.
        return [
            (model, [c for c in found if c.violation_error_code not in SEEN_TO])
            for model, found in super().get_constraints()
        ]

    def _is_on_earth(self) -> bool:
        if self.latitude is None or self.longitude is None:
            return self.latitude is None and self.longitude is None
        return abs(self.latitude) <= 90 and abs(self.longitude) <= 180

    def save(self, **kwargs: Any) -> None:
        self.address_key = address_key(self.address_line1, self.postcode, self.city)
        if kwargs.get("update_fields") is not None:
            kwargs["update_fields"] = {*kwargs["update_fields"], "address_key"}
        super().save(**kwargs)

    def write(self, using: str, **kwargs: Any) -> None:
        if self.is_default_billing or self.is_default_shipping:
            self._take_over_defaults(using)
        super().write(using, **kwargs)

    def _take_over_defaults(self, using: str) -> None:
        """A new default takes the mark from the old one, in one step."""
        locked(Company.objects.using(using).filter(pk=self.company_id)).get()
        for mark in DEFAULTS:
            if getattr(self, mark):
                others = Location.objects.using(using).filter(
                    company=self.company_id, **{mark: True}
                )
                for other in others.exclude(pk=self.pk):
                    setattr(other, mark, False)
                    other.by(getattr(self, "_history_user", None)).save(
                        update_fields=[mark]
                    )
