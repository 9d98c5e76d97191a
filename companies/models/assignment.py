"""Who works where, as what, from when until when."""

from collections.abc import Iterable
from datetime import date
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models, router
from django.db.models import F, OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from companies.errors import LastAdmin
from config.compiled import compiled
from config.db import lock_one_of_each, part_of_transaction
from config.history import track_history
from integrations.recording import Recorded
from integrations.sight import Viewer

from .company import Company
from .contact import Contact


class Role(models.TextChoices):
    """What a person may do when buying; the strongest first."""

    ADMIN = "ADMIN", _("Admin")
    BUYER = "BUYER", _("Buyer")
    REQUESTER = "REQUESTER", _("Requester")


class ContactAssignmentQuerySet(models.QuerySet["ContactAssignment"]):
    def visible_to(self, viewer: Viewer) -> Self:
        if viewer.sees_all_hierarchies:
            return self
        return self.filter(company__in=Company.objects.visible_to(viewer).order_by())

    def in_force(self, on: date | None = None) -> Self:
        """Of active contacts, with the day (default: today) within their dates.

        Dates count when they are read: a right starts and ends without any job.
        """
        day = on or timezone.localdate()
        return self.filter(
            Q(valid_from=None) | Q(valid_from__lte=day),
            Q(valid_until=None) | Q(valid_until__gte=day),
            contact__is_active=True,
        )

    def reaching(self, company: Company | int) -> Self:
        """Those of the company, and those above it that cover subsidiaries.

        Rights flow down only: nothing given below or beside the company is here.
        """
        pk = getattr(company, "pk", company)
        path = Company.objects.above(pk).order_by()
        # The path, which has the company in it, outside of OR: there an index helps.
        return self.filter(
            Q(company=pk) | Q(covers_subsidiaries=True), company__in=path
        )

    def counting_in(self, company: Company | int, on: date | None = None) -> Self:
        """The assignments that give rights in the company on that day."""
        return self.in_force(on).reaching(company)

    def in_hierarchy_of_row(self, *, contact: str, company: str) -> Self:
        """For a subquery: those of its row's person in its row's hierarchy.

        `contact` and `company` lead from the row to its person and its company.
        """

        def head_of(pk: OuterRef) -> Subquery:
            places = Company.objects.order_by().with_place()
            return Subquery(places.filter(pk=pk).values("head")[:1])

        return self.annotate(head=head_of(OuterRef("company"))).filter(
            contact=OuterRef(contact), head=head_of(OuterRef(OuterRef(company)))
        )

    def refuse_without_admin(self, companies: Iterable[int]) -> None:
        """Raise LastAdmin if one of the companies has active people, but no admin.

        For the end of a transaction that took an admin away, with the companies locked.
        An admin above who covers subsidiaries is one, too.
        """
        for company in companies:
            if not self.in_force().filter(company=company).exists():
                continue  # nobody is left who would miss an admin
            if not self.counting_in(company).filter(role=Role.ADMIN).exists():
                raise LastAdmin(company=company)


@compiled
def _assigned(contact: int, company: int) -> models.QuerySet:
    rows = ContactAssignment.objects.filter(contact=contact, company=company)
    return rows.values_list("pk")


class ContactAssignment(Recorded):
    """What a contact is in a company, once for each: type, role, dates."""

    Role = Role

    class Type(models.TextChoices):
        PRIMARY = "PRIMARY", _("Primary contact")
        BILLING = "BILLING", _("Billing")
        LOGISTICS = "LOGISTICS", _("Logistics")
        CONTACT = "CONTACT", _("Contact")

    contact = models.ForeignKey(
        Contact,
        verbose_name=_("contact"),
        on_delete=models.PROTECT,
        related_name="assignments",
    )
    company = models.ForeignKey(
        Company,
        verbose_name=_("company"),
        on_delete=models.PROTECT,
        related_name="assignments",
    )
    type = models.CharField(_("type"), max_length=9, choices=Type, default=Type.CONTACT)
    role = models.CharField(
        _("role"),
        max_length=9,
        choices=Role,
        blank=True,
        help_text=_("Empty: may not buy."),
    )
    covers_subsidiaries = models.BooleanField(
        _("covers subsidiaries"),
        default=False,
        help_text=_("The role counts in the whole hierarchy below the company."),
    )
    valid_from = models.DateField(_("from"), null=True, blank=True)
    valid_until = models.DateField(
        _("until"), null=True, blank=True, help_text=_("The last day it counts.")
    )

    history = track_history()
    objects = ContactAssignmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("contact assignment")
        verbose_name_plural = _("contact assignments")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["contact", "company"],
                name="companies_contactassignment_unique",
                violation_error_code="already_assigned",
                violation_error_message=_("The contact is already assigned."),
            ),
            models.UniqueConstraint(
                fields=["company"],
                condition=Q(type="PRIMARY"),
                name="companies_contactassignment_one_primary",
                violation_error_code="second_primary",
                violation_error_message=_("The company already has a primary contact."),
            ),
            models.CheckConstraint(
                condition=Q(valid_from=None)
                | Q(valid_until=None)
                | Q(valid_from__lte=F("valid_until")),
                name="companies_contactassignment_dates_in_order",
                violation_error_code="dates_not_in_order",
                violation_error_message=_("The last day is before the first."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contact}, {self.company}"

    def clean(self) -> None:
        super().clean()
        if self.contact_id and self.contact.erased_at is not None:
            raise ValidationError(
                {
                    "contact": ValidationError(
                        _("The person's data have been erased."), code="contact_erased"
                    )
                }
            )

    def validate_constraints(self, exclude: Any = None) -> None:
        # A new primary contact takes the mark from the old one: no error of the form.
        without = {"type"}
        key = (self.contact_id, self.company_id)
        if self._state.adding and all(key) and not _assigned(*key):
            without.add("contact")
        if self.valid_from is None or self.valid_until is None:
            without |= {"valid_from", "valid_until"}  # in order: no need for a query
        super().validate_constraints({*(exclude or ()), *without})

    def write(self, using: str, **kwargs: Any) -> None:
        self._lock(using)
        if self.type == self.Type.PRIMARY:
            self._take_over_primary(using)
        was_admin = not self._state.adding and self._is_active_admin(using)
        super().write(using, **kwargs)
        if was_admin:
            rows = ContactAssignment.objects.using(using)
            rows.refuse_without_admin([self.company_id])

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        with part_of_transaction(using):
            self._lock(using)
            was_admin = self._is_active_admin(using)
            result = super().delete(*args, **kwargs)
            if was_admin:
                rows = ContactAssignment.objects.using(using)
                rows.refuse_without_admin([self.company_id])
            return result

    def _is_active_admin(self, using: str) -> bool:
        stored = ContactAssignment.objects.using(using).filter(pk=self.pk)
        return stored.in_force().filter(role=Role.ADMIN).exists()

    def _lock(self, using: str) -> None:
        """Company and person, until the end: nobody decides by a right that ends."""
        keys = {Company: self.company_id, Contact: self.contact_id}
        if not lock_one_of_each(keys, using=using):
            companies = Company.objects.using(using).filter(pk=self.company_id)
            name = "contact" if companies.exists() else "company"
            raise ValidationError(
                {name: ValidationError(_("It is gone."), code="does_not_exist")}
            )

    def _take_over_primary(self, using: str) -> None:
        """A new primary contact takes the mark from the old one, in one step."""
        others = (
            type(self)
            .objects.using(using)
            .filter(company=self.company_id, type=self.Type.PRIMARY)
        )
        for other in others.exclude(pk=self.pk):
            other.type = self.Type.CONTACT
            other.by(getattr(self, "_history_user", None))
            Recorded.write(other, using, update_fields=["type"])
