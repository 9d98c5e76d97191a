"""Purchase requests: what somebody wants to buy, who decided, and what became of it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from companies.models import Company, Contact, Location
from config.fields import AmountField, CleanCharField, CurrencyField
from config.money import Money, readable
from integrations.recording import Versioned
from integrations.sight import Viewer

EXPIRES_SOON_DAYS = 3


class PurchaseRequestQuerySet(models.QuerySet["PurchaseRequest"]):
    """Questions about purchase requests."""

    def visible_to(self, viewer: Viewer) -> Self:
        if viewer.sees_all_hierarchies:
            return self
        return self.filter(company__in=Company.objects.visible_to(viewer).order_by())

    def open(self) -> Self:
        """Requests that hold their reference: waiting, or approved and not ordered."""
        return self.filter(status__in=OPEN)

    def pending(self) -> Self:
        return self.filter(status=PurchaseRequest.Status.PENDING)

    def overdue(self, at: datetime | None = None) -> Self:
        """Open requests whose time has passed."""
        return self.open().filter(expires_at__lte=at or timezone.now())

    def expiring(self, at: datetime | None = None) -> Self:
        """Open requests that will end within the next days, if nobody does anything."""
        now = at or timezone.now()
        soon = now + timedelta(days=EXPIRES_SOON_DAYS)
        return self.open().filter(expires_at__gt=now, expires_at__lte=soon)

    def to_remind(self, at: datetime | None = None) -> Self:
        """Pending ones that nobody has moved for days, and nobody was reminded of."""
        days = settings.PURCHASE_REMIND_DAYS
        return self._unmoved_for(days, at).filter(reminded_at=None)

    def to_escalate(self, at: datetime | None = None) -> Self:
        """Pending ones that nobody has moved for more days, not escalated yet."""
        days = settings.PURCHASE_ESCALATE_DAYS
        return self._unmoved_for(days, at).filter(escalated_at=None)

    def _unmoved_for(self, days: int, at: datetime | None) -> Self:
        if not days:
            return self.none()
        since = (at or timezone.now()) - timedelta(days=days)
        return self.pending().filter(updated_at__lte=since)


class PurchaseRequest(Versioned):
    """One cart, quote or order that somebody wants to buy for a company.

    What is asked for is frozen with the snapshot and its hash. While it is pending the
    requester may replace it by another revision, frozen in turn; else only the status
    moves, in `approvals.services` and nowhere else. The database refuses other changes.
    """

    class Kind(models.TextChoices):
        CART = "CART", _("Cart")
        QUOTE = "QUOTE", _("Quote")
        ORDER = "ORDER", _("Order")

    class Status(models.TextChoices):
        PENDING = "PENDING", _("Pending")
        APPROVED = "APPROVED", _("Approved")
        DECLINED = "DECLINED", _("Declined")
        WITHDRAWN = "WITHDRAWN", _("Withdrawn")
        EXPIRED = "EXPIRED", _("Expired")
        ORDERED = "ORDERED", _("Ordered")
        CANCELLED = "CANCELLED", _("Cancelled")

    company = models.ForeignKey(
        Company,
        verbose_name=_("company"),
        on_delete=models.PROTECT,
        related_name="purchase_requests",
    )
    requester = models.ForeignKey(
        Contact,
        verbose_name=_("requester"),
        on_delete=models.PROTECT,
        related_name="purchase_requests",
    )
    kind = models.CharField(_("kind"), max_length=5, choices=Kind)
    reference = CleanCharField(
        _("reference"),
        max_length=64,
        help_text=_("The number of the cart, quote or order in the shop."),
    )
    amount = AmountField(_("amount"))
    currency = CurrencyField(_("currency"))
    items = models.JSONField(_("items"), default=list, blank=True)
    billing_location = models.ForeignKey(
        Location,
        verbose_name=_("billing location"),
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
    )
    shipping_location = models.ForeignKey(
        Location,
        verbose_name=_("shipping location"),
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
    )
    # A free text may name people: not part of the snapshot, an erasure can empty it.
    note = models.TextField(_("note"), max_length=2000, blank=True)
    status = models.CharField(
        _("status"),
        max_length=9,
        choices=Status,
        default=Status.PENDING,
        editable=False,
    )
    revision = models.PositiveIntegerField(
        _("revision"), default=1, editable=False, help_text=_("Of what is asked for.")
    )
    # Approvals count for the round they were given in: a change of what is bought, or
    # upwards, begins a new one.
    round = models.PositiveIntegerField(_("round"), default=1, editable=False)
    snapshot = models.JSONField(_("snapshot"), editable=False)
    snapshot_hash = models.CharField(
        _("hash of the snapshot"), max_length=64, editable=False
    )
    expires_at = models.DateTimeField(_("expires"), editable=False)
    submitted_at = models.DateTimeField(_("submitted"), editable=False)
    decided_at = models.DateTimeField(_("decided"), null=True, editable=False)
    order_number = CleanCharField(
        _("order number"), max_length=64, blank=True, editable=False
    )
    ordered_amount = AmountField(_("ordered"), null=True, editable=False)
    refunded_amount = AmountField(_("refunded"), default=Decimal(0), editable=False)
    reminded_at = models.DateTimeField(_("reminded"), null=True, editable=False)
    escalated_at = models.DateTimeField(_("escalated"), null=True, editable=False)
    taken_over_at = models.DateTimeField(_("taken over"), null=True, editable=False)

    objects = PurchaseRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("purchase request")
        verbose_name_plural = _("purchase requests")
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["status", "expires_at"], name="approvals_request_expiry"
            ),
            models.Index(fields=["company", "id"], name="approvals_request_company"),
            models.Index(
                fields=["submitted_at", "id"], name="approvals_request_submitted"
            ),
            models.Index(fields=["reference"], name="approvals_request_reference"),
            models.Index(fields=["order_number"], name="approvals_request_order"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0),
                name="approvals_purchaserequest_amount_positive",
                violation_error_code="amount_not_positive",
                violation_error_message=_("The amount must be more than 0."),
            ),
            models.CheckConstraint(
                condition=Q(ordered_amount__isnull=True, refunded_amount=0)
                | Q(ordered_amount__isnull=False, ordered_amount__gt=0)
                & Q(ordered_amount__lte=F("amount"))
                & Q(refunded_amount__gte=0)
                & Q(refunded_amount__lte=F("ordered_amount")),
                name="approvals_purchaserequest_amounts_in_order",
            ),
            models.CheckConstraint(
                condition=Q(status="ORDERED", ordered_amount__isnull=False)
                | ~Q(status="ORDERED") & Q(ordered_amount__isnull=True),
                name="approvals_purchaserequest_ordered_has_amount",
            ),
            models.UniqueConstraint(
                fields=["company", "kind", "reference"],
                condition=Q(status__in=["PENDING", "APPROVED"]),
                name="approvals_purchaserequest_one_open",
                violation_error_code="open_request_exists",
                violation_error_message=_("There is already an open request."),
            ),
        ]
        permissions = [
            ("decide_purchaserequest", _("Can decide on purchase requests")),
            ("order_purchaserequest", _("Can order, cancel and refund purchases")),
            ("take_over_purchaserequest", _("Can take purchase requests over")),
        ]

    def __str__(self) -> str:
        amount = readable(self.amount, self.currency)
        return f"{self.get_kind_display()} {self.reference}, {amount}"

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def ordered_money(self) -> Money | None:
        """What was ordered; None before."""
        if self.ordered_amount is None:
            return None
        return Money(self.ordered_amount, self.currency)

    @property
    def is_pending(self) -> bool:
        return self.status == self.Status.PENDING

    def clean(self) -> None:
        super().clean()
        if self.amount is not None and self.currency:
            check_items(self.items, self.money)


def check_items(items: Any, total: Money) -> None:
    """Items are lines with an amount each; where there are some, they add up.

    A line's amount is what is paid for it: after discounts, with its taxes.
    """
    try:
        lines = [Money.parse(item["amount"], total.currency).amount for item in items]
    except ValidationError as error:
        raise ValidationError({"items": error}) from error
    if lines and sum(lines) != total.amount:
        raise ValidationError(
            {
                "items": ValidationError(
                    _("The items do not add up to the amount."),
                    code="items_do_not_add_up",
                )
            }
        )


OPEN = (PurchaseRequest.Status.PENDING, PurchaseRequest.Status.APPROVED)


class ApprovalStepQuerySet(models.QuerySet["ApprovalStep"]):
    """Questions about steps."""

    def with_agreed(self) -> Self:
        """Annotate `agreed`: how many people have agreed in the step."""
        approvals = Q(decisions__verdict="APPROVE")
        return self.annotate(agreed=models.Count("decisions", filter=approvals))

    def open(self) -> Self:
        """Steps in which too few people have agreed yet."""
        return self.with_agreed().filter(agreed__lt=models.F("quorum"))


class ApprovalStep(models.Model):
    """One step of a request: how many people have to agree, and which ones may.

    Frozen at submit: the company at which it starts, and either its approval groups or
    roles. Who that is is asked again at each decision.
    """

    request = models.ForeignKey(
        PurchaseRequest,
        verbose_name=_("purchase request"),
        on_delete=models.PROTECT,
        related_name="steps",
    )
    round = models.PositiveIntegerField(_("round"), default=1)
    position = models.PositiveSmallIntegerField(_("position"))
    quorum = models.PositiveSmallIntegerField(_("quorum"), default=1)
    company = models.ForeignKey(
        Company,
        verbose_name=_("company"),
        on_delete=models.PROTECT,
        related_name="+",
    )
    # Ids, so that a group can be deleted: the step then moves on to others.
    approval_groups = models.JSONField(_("approval groups"), default=list)
    roles = models.JSONField(_("roles"), default=list)

    objects = ApprovalStepQuerySet.as_manager()

    class Meta:
        verbose_name = _("approval step")
        verbose_name_plural = _("approval steps")
        ordering = ["request", "round", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["request", "round", "position"],
                name="approvals_approvalstep_unique_position",
            ),
            models.CheckConstraint(
                condition=Q(quorum__gte=1) & Q(position__gte=1),
                name="approvals_approvalstep_from_one",
            ),
        ]

    def __str__(self) -> str:
        return f"step {self.position} of request {self.request_id}"


class Decision(models.Model):
    """Approve or decline, by one person, once. Append-only for everybody.

    Holds ids, no names, so that it still names somebody after an erasure. `through`
    says what made the person eligible at that moment. `right_of` is whose right was
    used: the person's own, or that of somebody for whom they stand in.
    """

    class Verdict(models.TextChoices):
        APPROVE = "APPROVE", _("Approved")
        DECLINE = "DECLINE", _("Declined")

    request = models.ForeignKey(
        PurchaseRequest,
        verbose_name=_("purchase request"),
        on_delete=models.PROTECT,
        related_name="decisions",
    )
    step = models.ForeignKey(
        ApprovalStep,
        verbose_name=_("step"),
        on_delete=models.PROTECT,
        related_name="decisions",
    )
    round = models.PositiveIntegerField(_("round"), default=1)
    verdict = models.CharField(_("verdict"), max_length=7, choices=Verdict)
    contact = models.ForeignKey(
        Contact,
        verbose_name=_("contact"),
        on_delete=models.PROTECT,
        related_name="decisions",
        null=True,
    )
    right_of = models.ForeignKey(
        Contact,
        verbose_name=_("by the right of"),
        on_delete=models.PROTECT,
        related_name="decisions_by_right",
        null=True,
    )
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("staff"),
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
    )
    actor = models.CharField(_("actor"), max_length=80)
    through = models.JSONField(_("through"))
    request_version = models.PositiveIntegerField(_("made on version"))
    comment = models.TextField(_("comment"), max_length=2000, blank=True)
    decided_at = models.DateTimeField(_("decided"))

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(contact__isnull=False, right_of__isnull=False, staff=None)
                | Q(contact__isnull=True, right_of__isnull=True, staff__isnull=False),
                name="approvals_decision_one_decider",
            ),
            models.UniqueConstraint(
                fields=["request", "round", "contact"],
                name="approvals_decision_once_per_contact",
            ),
            models.UniqueConstraint(
                fields=["request", "round", "right_of"],
                name="approvals_decision_once_per_right",
            ),
            models.UniqueConstraint(
                fields=["request", "round", "staff"],
                name="approvals_decision_once_per_staff",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_verdict_display()} by {self.actor}"

    @property
    def on_behalf_of_id(self) -> int | None:
        """For whom the decider stood in; None if by a right of their own."""
        return self.right_of_id if self.right_of_id != self.contact_id else None


class RequestHistory(models.Model):
    """One entry of a request's history: who did what, when. Append-only."""

    class Change(models.TextChoices):
        SUBMITTED = "SUBMITTED", _("Submitted")
        AGREED = "AGREED", _("Agreed; others have to, too")
        APPROVED = "APPROVED", _("Approved")
        DECLINED = "DECLINED", _("Declined")
        WITHDRAWN = "WITHDRAWN", _("Withdrawn")
        CHANGED = "CHANGED", _("Changed by the requester")
        ESCALATED = "ESCALATED", _("Escalated to the next company above")
        TAKEN = "TAKEN", _("Taken over by the seller's staff")
        EXPIRED = "EXPIRED", _("Expired")
        ORDERED = "ORDERED", _("Ordered")
        CANCELLED = "CANCELLED", _("Cancelled")
        REFUNDED = "REFUNDED", _("Refunded")

    request = models.ForeignKey(
        PurchaseRequest,
        verbose_name=_("purchase request"),
        on_delete=models.PROTECT,
        related_name="history",
    )
    change = models.CharField(_("change"), max_length=9, choices=Change)
    status = models.CharField(_("status"), max_length=9, choices=PurchaseRequest.Status)
    version = models.PositiveIntegerField(_("version"))
    actor = models.CharField(_("actor"), max_length=80)
    on_behalf_of = models.ForeignKey(
        Contact,
        verbose_name=_("on behalf of"),
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
    )
    # What was submitted, ordered, refunded, or asked for after a change.
    amount = AmountField(_("amount"), null=True)
    # Of a change: what was frozen before, so that every revision can be read.
    replaced = models.JSONField(_("replaced"), null=True)
    comment = models.TextField(_("comment"), max_length=2000, blank=True)
    call_id = models.CharField(_("request id of the call"), max_length=64, blank=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("history entry")
        verbose_name_plural = _("history")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["request", "version"],
                name="approvals_requesthistory_one_per_version",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_change_display()} by {self.actor}"
