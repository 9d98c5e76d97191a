"""What the API shows of limits, rules, stand-ins and requests: declared once, here."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from approvals.answers import in_words
from approvals.models import (
    ApprovalGroupMember,
    ApprovalRuleStep,
    ApprovalStep,
    Decision,
    PurchaseRequest,
    RequestHistory,
)
from approvals.rules import Purchase
from companies.models import Company, Contact
from config.api.rows import Batch, Shape, made, money, related
from config.compiled import compiled
from config.money import plain


def _amount(amount: Decimal | None, currency: str) -> str | None:
    return None if amount is None else plain(amount, currency)


def _money_or_none(amount: Decimal | None, currency: str) -> dict[str, str] | None:
    if amount is None:
        return None
    return {"amount": plain(amount, currency), "currency": currency}


def _parts(shape: Shape, rows: Callable[[], QuerySet], of: str) -> Batch:
    """Parts of an object, such as the steps of a request, in lists by the object."""

    @compiled
    def parts_of(wholes: list[int]) -> QuerySet:
        plan = shape.plan(also=(f"{of}_id",))
        return plan.select(rows().filter(**{f"{of}__in": wholes}))

    def load(wholes: Sequence[int], client: Any) -> Mapping[int, list[dict[str, Any]]]:
        plan, found = shape.plan(also=(f"{of}_id",)), defaultdict(list)
        fetched = parts_of(list(wholes))
        for row, part in zip(fetched, plan.build(fetched, client), strict=True):
            found[plan.beside(row)[0]].append(part)
        return found

    return Batch(load, shape=shape)


BRIEF_COMPANY = Shape("id", "code", "name")
COMPANY = related(
    lambda client: Company.objects.visible_to(client).order_by(),
    BRIEF_COMPANY,
    "company_id",
)

PURCHASE_LIMIT = Shape(
    "id",
    expandable={"company": COMPANY},
    company="company_id",
    name="name",
    amount=made(_amount, "amount", "currency"),
    unlimited="unlimited",
    currency="currency",
    period="period",
    time_zone="time_zone",
    scope="scope",
    binds="binds",
    roles="roles",
    contact="contact_id",
    on_exceed="on_exceed",
    alert_percents="alert_percents",
    is_active="is_active",
    note="note",
    version="version",
    created_at="created_at",
    updated_at="updated_at",
)


def _members(groups: Sequence[int], client: Any) -> Mapping[int, list[int]]:
    members = defaultdict(list)
    rows = ApprovalGroupMember.objects.filter(group__in=groups).order_by("contact")
    for group, contact in rows.values_list("group", "contact"):
        members[group].append(contact)
    return members


APPROVAL_GROUP = Shape(
    "id",
    expandable={"company": COMPANY},
    company="company_id",
    code="code",
    name="name",
    members=Batch(_members),
    version="version",
    created_at="created_at",
    updated_at="updated_at",
)

RULE_STEP = Shape("role", "quorum", approval_group="approval_group_id")
APPROVAL_RULE = Shape(
    "id",
    expandable={"company": COMPANY},
    company="company_id",
    name="name",
    covers_subsidiaries="covers_subsidiaries",
    amount_from=made(_amount, "amount_from", "currency"),
    currency="currency",
    roles="roles",
    kinds="kinds",
    steps=_parts(
        RULE_STEP, lambda: ApprovalRuleStep.objects.order_by("position"), "rule"
    ),
    is_active="is_active",
    version="version",
    created_at="created_at",
    updated_at="updated_at",
)

STAND_IN = Shape(
    "id",
    expandable={"company": COMPANY},
    company="company_id",
    contact="contact_id",
    stand_in="stand_in_id",
    valid_from="valid_from",
    valid_until="valid_until",
    amount=made(_amount, "amount", "currency"),
    currency="currency",
    version="version",
    created_at="created_at",
    updated_at="updated_at",
)

BRIEF_REQUEST = Shape(
    "id",
    expandable={"company": COMPANY},
    company="company_id",
    requester="requester_id",
    kind="kind",
    reference="reference",
    money=money("amount", "currency"),
    status="status",
    billing_location="billing_location_id",
    shipping_location="shipping_location_id",
    note="note",
    revision="revision",
    round="round",
    order_number="order_number",
    ordered=made(_money_or_none, "ordered_amount", "currency"),
    refunded=money("refunded_amount", "currency"),
    expires_at="expires_at",
    submitted_at="submitted_at",
    decided_at="decided_at",
    escalated_at="escalated_at",
    taken_over_at="taken_over_at",
    version="version",
    created_at="created_at",
    updated_at="updated_at",
)


@compiled
def _snapshots(requests: list[int]) -> QuerySet:
    rows = PurchaseRequest.objects.filter(pk__in=requests).order_by()
    return rows.values_list("pk", "snapshot", "amount", "currency")


def _decisions_in_words(
    requests: Sequence[int], client: Any
) -> Mapping[int, dict[str, Any]]:
    """The decisions of the submits, as they are kept, with today's names and words."""
    kept = {
        pk: (snapshot["decision"], Purchase(amount=amount, currency=currency))
        for pk, snapshot, amount, currency in _snapshots(list(requests))
    }
    people = Contact.objects.filter(
        pk__in={
            approver["contact"]
            for facts, _purchase in kept.values()
            for step in facts["steps"]
            for approver in step["approvers"]
        }
    )
    fields = people.only("first_name", "last_name", "email")
    names = {person.pk: person.name for person in fields}
    return {
        pk: in_words(facts, purchase, names) for pk, (facts, purchase) in kept.items()
    }


STEP = Shape(
    "round",
    "position",
    "quorum",
    "agreed",
    "approval_groups",
    "roles",
    company="company_id",
)


def _instead_of(contact: int | None, right_of: int | None) -> int | None:
    return right_of if right_of != contact else None


GIVEN_DECISION = Shape(
    "id",
    round="round",
    step="step__position",
    verdict="verdict",
    contact="contact_id",
    on_behalf_of=made(_instead_of, "contact_id", "right_of_id"),
    staff="staff_id",
    through=made(lambda through: through["text"], "through"),
    request_version="request_version",
    comment="comment",
    decided_at="decided_at",
)
HISTORY_ENTRY = Shape(
    "change",
    "status",
    "version",
    "actor",
    on_behalf_of="on_behalf_of_id",
    amount=made(_amount, "amount", "request__currency"),
    comment="comment",
    at="at",
    request_id="call_id",
)


PURCHASE_REQUEST = Shape(
    expandable=BRIEF_REQUEST.expandable,
    **BRIEF_REQUEST.fields,
    items="items",
    snapshot_hash="snapshot_hash",
    decision=Batch(_decisions_in_words, missing=dict),
    steps=_parts(
        STEP,
        lambda: ApprovalStep.objects.with_agreed().order_by("round", "position"),
        "request",
    ),
    decisions=_parts(
        GIVEN_DECISION, lambda: Decision.objects.order_by("id"), "request"
    ),
    history=_parts(
        HISTORY_ENTRY, lambda: RequestHistory.objects.order_by("id"), "request"
    ),
)
