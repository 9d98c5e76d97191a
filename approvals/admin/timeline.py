"""What happened to a company's limits, rules, approval groups and purchase requests."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from approvals.models import (
    ApprovalGroup,
    ApprovalGroupMember,
    ApprovalPolicy,
    ApprovalRule,
    ApprovalRuleStep,
    LedgerEntry,
    PurchaseLimit,
    PurchaseRequest,
    RequestHistory,
    StandIn,
)
from companies.models import Company, Contact
from config.admin import Entry, Ref, Source, add_sources, history_source, rows_of
from config.money import readable

LIMITS = ("limits", gettext_lazy("limits"))
RULES = ("rules", gettext_lazy("approval rules"))
LONG = ("replaced", "request__snapshot", "request__items")
GROUPS = ("approval-groups", gettext_lazy("approval groups"))


def limit_name(entry: Any) -> str:
    if entry.name:
        return entry.name
    if entry.amount is None:
        return _("unlimited")
    return readable(entry.amount, entry.currency)


def ever_of(company: Company, model: type) -> QuerySet:
    """Ids of rows that belong to the company or did: deleted ones, too."""
    return model.history.filter(company_id=company.pk).order_by().values("id")


def changes_of_requests(request: HttpRequest, company: Company) -> QuerySet:
    requests = rows_of(request, PurchaseRequest).filter(company=company).order_by()
    return RequestHistory.objects.filter(request__in=requests.values("pk"))


def tell_requests(rows: QuerySet) -> dict[int, Entry]:
    entries = rows.select_related("request").defer(*LONG)
    return {entry.pk: _request_entry(entry) for entry in entries}


def _request_entry(entry: RequestHistory) -> Entry:
    purchase, changes = entry.request, []
    if entry.amount is not None:
        amount = readable(entry.amount, purchase.currency)
        changes.append((_("amount"), "", amount))
    if entry.on_behalf_of_id is not None:
        person = Ref(Contact, entry.on_behalf_of_id)
        changes.append((_("standing in for"), "", person))
    if entry.change == RequestHistory.Change.ORDERED and purchase.order_number:
        changes.append((_("order number"), "", purchase.order_number))
    return Entry(
        at=entry.at,
        actor=entry.actor,
        verb=entry.get_change_display(),
        subject=(purchase.get_kind_display(), purchase.reference),
        changes=changes,
        reason=entry.comment,
        about=purchase,
        state=(entry.status, entry.get_status_display()),
    )


def corrections_of(request: HttpRequest, company: Company) -> QuerySet:
    kind = LedgerEntry.Kind.CORRECT
    return LedgerEntry.objects.filter(limit__company=company, kind=kind)


def tell_corrections(rows: QuerySet) -> dict[int, Entry]:
    return {
        entry.pk: Entry(
            at=entry.at,
            actor=entry.actor,
            verb=_("corrected"),
            subject=(Ref(PurchaseLimit, entry.limit_id),),
            changes=[
                (
                    _("used"),
                    readable(entry.used_before, entry.currency),
                    readable(entry.used_before + entry.amount, entry.currency),
                )
            ],
            reason=entry.reason,
            about=Ref(PurchaseLimit, entry.limit_id),
        )
        for entry in rows
    }


add_sources(
    "companies.Company",
    Source(
        "requests",
        gettext_lazy("requests"),
        PurchaseRequest,
        changes_of_requests,
        tell_requests,
        at="at",
    ),
    history_source(
        PurchaseLimit,
        kind=LIMITS[0],
        label=LIMITS[1],
        rows=lambda company: PurchaseLimit.history.filter(company_id=company.pk),
        subject=lambda entry: (limit_name(entry),),
    ),
    Source(*LIMITS, LedgerEntry, corrections_of, tell_corrections, at="at"),
    history_source(
        ApprovalRule,
        kind=RULES[0],
        label=RULES[1],
        rows=lambda company: ApprovalRule.history.filter(company_id=company.pk),
        subject=lambda entry: (entry.name,),
    ),
    history_source(
        ApprovalRuleStep,
        kind=RULES[0],
        label=RULES[1],
        seen=ApprovalRule,
        rows=lambda company: ApprovalRuleStep.history.filter(
            rule_id__in=ever_of(company, ApprovalRule)
        ),
        subject=lambda entry: (
            _("step %(number)s of") % {"number": entry.position},
            Ref(ApprovalRule, entry.rule_id),
        ),
        about=lambda entry: Ref(ApprovalRule, entry.rule_id),
        hidden=("rule", "position"),
    ),
    history_source(
        ApprovalGroup,
        kind=GROUPS[0],
        label=GROUPS[1],
        rows=lambda company: ApprovalGroup.history.filter(company_id=company.pk),
        subject=lambda entry: (entry.name,),
    ),
    history_source(
        ApprovalGroupMember,
        kind=GROUPS[0],
        label=GROUPS[1],
        seen=ApprovalGroup,
        rows=lambda company: ApprovalGroupMember.history.filter(
            group_id__in=ever_of(company, ApprovalGroup)
        ),
        subject=lambda entry: (
            Ref(Contact, entry.contact_id),
            _("as a member of"),
            Ref(ApprovalGroup, entry.group_id),
        ),
        about=lambda entry: Ref(ApprovalGroup, entry.group_id),
        hidden=("group", "contact"),
    ),
    history_source(
        StandIn,
        kind="stand-ins",
        label=gettext_lazy("stand-ins"),
        rows=lambda company: StandIn.history.filter(company_id=company.pk),
        subject=lambda entry: (
            Ref(Contact, entry.stand_in_id),
            _("for"),
            Ref(Contact, entry.contact_id),
        ),
        hidden=("company", "contact", "stand_in"),
    ),
    history_source(
        ApprovalPolicy,
        kind="policy",
        label=gettext_lazy("approval policy"),
        seen=Company,
        rows=lambda company: ApprovalPolicy.history.filter(company_id=company.pk),
        subject=lambda entry: (),
        about=lambda entry: None,
    ),
)
