"""The story of a purchase in sentences: why it was decided so, and what came of it.

From what the rules answered and the snapshot kept, never from a second opinion.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from companies.models import Company, Contact, ContactAssignment
from config.money import grouped, readable

from .answers import answer, in_words, step_facts
from .models import (
    ApprovalGroup,
    ApprovalStep,
    Decision,
    LedgerEntry,
    PurchaseLimit,
    PurchaseRequest,
    RequestHistory,
)
from .rules import Decision as Answer
from .rules import Purchase
from .sentences import purchase_clause
from .snapshot import hash_of
from .waiting import approvers_of

Told = Mapping[str, Any]  # a part of an answer, in words


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its sentences."""

    title: str
    lines: tuple[str, ...]


def explain_answer(decision: Answer, purchase: Purchase) -> list[Section]:
    """Why this is the answer, and who would have to agree."""
    told = answer(decision, purchase)
    names = _Names.of_steps(told["steps"])
    planned = [line for step in told["steps"] for line in _planned(step, names)]
    return [
        *_explain(told, purchase),
        Section(_("Who would have to agree"), tuple(planned or [_("Nobody.")])),
    ]


def explain_request(request: PurchaseRequest) -> list[Section]:
    """The whole story of a stored request, as it was frozen and as it went on."""
    story = _Story(request)
    return [
        Section(_("Request %(id)d") % {"id": request.pk}, tuple(story.asked_for())),
        *_explain(story.told, story.purchase),
        Section(_("Steps and decisions"), tuple(story.steps())),
        Section(_("What became of it"), tuple(story.history())),
        Section(_("Movements on limits"), tuple(story.ledger())),
    ]


def _explain(told: Told, purchase: Purchase) -> list[Section]:
    considered = told["considered"]
    looked_at = [
        role_sentence(considered),
        *[_limit(limit, purchase) for limit in considered["limits"]],
        *[_rule(rule) for rule in considered["rules"]],
    ]
    if not considered["limits"]:
        looked_at.append(_("No limit reaches the company."))
    if not considered["rules"]:
        looked_at.append(_("No rule reaches the company."))
    because = [
        f"{OUTCOMES[told['outcome']]}.",
        *[f"{reason['message']} ({reason['code']})" for reason in told["reasons"]],
    ]
    return [
        Section(_("What was considered"), tuple(looked_at)),
        Section(_("The answer"), tuple(because)),
    ]


OUTCOMES = {
    "ALLOWED": gettext_lazy("Allowed"),
    "APPROVAL_REQUIRED": gettext_lazy("Needs approval"),
    "BLOCKED": gettext_lazy("Blocked"),
}


def role_sentence(considered: Told) -> str:
    """In which role the person buys, and through which assignment."""
    role = considered["role"]
    if role is None:
        return _("No assignment of the person counts in the company.")
    through = _("assignment %(id)s") % {"id": role["through"].split()[-1]}
    if not role["role"]:
        text = _("The person is assigned without a role (%(through)s).")
        return text % {"through": through}
    # As it was called then: whoever may see the decision may see that name.
    names = {
        one["company"]: one["company_name"]
        for one in [*considered["limits"], *considered["rules"]]
    }
    text = _("The person buys as %(role)s of %(company)s, by %(through)s.")
    number = _("company %(id)d") % {"id": role["company"]}
    return text % {
        "role": ContactAssignment.Role(role["role"]).label,
        "company": names.get(role["company"], number),
        "through": through,
    }


# Limits and rules


def _limit(limit: Told, purchase: Purchase) -> str:
    name = f" \u201c{limit['name']}\u201d" if limit["name"] else ""
    text = _("Limit %(id)d%(name)s of %(company)s, %(scope)s, %(period)s: %(left)s.")
    values = {
        "id": limit["id"],
        "name": name,
        "company": limit["company_name"],
        "scope": _lower(PurchaseLimit.Scope(limit["scope"]).label),
        "period": _period(limit),
        "left": _left(limit),
    }
    return f"{text % values} {effect_of(limit, purchase)}"


def _period(limit: Told) -> str:
    label = _lower(PurchaseLimit.Period(limit["period"]).label)
    if limit["period_start"] is None:
        return label
    text = _("%(period)s from %(first)s to %(last)s")
    return text % {
        "period": label,
        "first": limit["period_start"],
        "last": limit["period_end"],
    }


def _left(limit: Told) -> str:
    if limit["unlimited"]:
        return _("unlimited in %(currency)s") % {"currency": limit["currency"]}
    amount = readable(Decimal(limit["amount"]), limit["currency"])
    if limit["period_start"] is None:
        return amount
    text = _("%(amount)s, %(used)s used, %(reserved)s reserved, %(remaining)s left")
    others = {
        name: grouped(Decimal(limit[name]), limit["currency"])
        for name in ("used", "reserved", "remaining")
    }
    return text % {"amount": amount, **others}


def effect_of(limit: Told, purchase: Purchase) -> str:
    """What the limit says of the purchase, in a sentence."""
    if not limit["applies"]:
        return _("Does not bind this person.")
    if limit["currency"] != purchase.currency:
        return _("In another currency than the purchase.")
    if limit["bites"]:
        consequence = PurchaseLimit.OnExceed(limit["on_exceed"]).label
        return _("Exceeded: %(what)s.") % {"what": _lower(consequence)}
    return _("Not exceeded.")


def _rule(rule: Told) -> str:
    amount = rule["amount_from"]
    when = purchase_clause(
        amount_from=None if amount is None else Decimal(amount),
        currency=rule["currency"],
        roles=rule["roles"],
        kinds=rule["kinds"],
    )
    text = _(
        "Rule %(id)d \u201c%(name)s\u201d of %(company_name)s (%(when)s): %(met)s."
    )
    return text % {**rule, "when": when, "met": match_of(rule)}


def match_of(rule: Told) -> str:
    """Whether the rule matches the purchase, and if not, by which condition."""
    return str(UNMET[rule["unmet"]]) if rule["unmet"] else _("matches")


UNMET = {
    "currency": gettext_lazy("does not match, the purchase is in another currency"),
    "amount": gettext_lazy("does not match, the amount is smaller"),
    "role": gettext_lazy("does not match, the person buys in another role"),
    "kind": gettext_lazy("does not match, the purchase is of another kind"),
}


# Steps


class _Names:
    """Names that people, groups and companies have now, by id."""

    def __init__(
        self, people: Iterable[int], groups: Iterable[int], companies: Iterable[int]
    ) -> None:
        self._people = Contact.objects.in_bulk(set(people))
        self._groups = ApprovalGroup.objects.in_bulk(set(groups))
        self._companies = Company.objects.in_bulk(set(companies))

    @classmethod
    def of_steps(cls, steps: Iterable[Told], *, people: Iterable[int] = ()) -> "_Names":
        steps = list(steps)
        asked = [one["contact"] for step in steps for one in step["approvers"]]
        principals = [
            one["on_behalf_of"]
            for step in steps
            for one in step["approvers"]
            if one["on_behalf_of"]
        ]
        return cls(
            people=[*people, *asked, *principals],
            groups=[pk for step in steps for pk in step["approval_groups"]],
            companies=[step["company"] for step in steps],
        )

    def person(self, pk: int) -> str:
        name = self._people.get(pk)
        return f"{name} (contact {pk})" if name else f"contact {pk}"

    def group(self, pk: int) -> str:
        name = self._groups.get(pk)
        if name is None:
            return _("approval group %(id)d, deleted since") % {"id": pk}
        return _("approval group \u201c%(name)s\u201d") % {"name": name}

    def company(self, pk: int) -> str:
        return str(self._companies.get(pk, pk))


def _planned(step: Told, names: _Names) -> Iterable[str]:
    """The step, and who could act in it when this was asked."""
    text = _("Step %(position)d: %(quorum)d of %(whom)s of %(company)s%(rules)s.")
    roles = [str(ContactAssignment.Role(role).label) for role in step["roles"]]
    groups = [names.group(pk) for pk in step["approval_groups"]]
    by_rule = ", ".join(str(rule) for rule in step["rules"])
    yield text % {
        "position": step["position"],
        "quorum": step["quorum"],
        "whom": ", ".join(groups or roles),
        "company": names.company(step["company"]),
        "rules": f", {_('by rule')} {by_rule}" if by_rule else "",
    }
    yield _("  Could act: %(who)s.") % {"who": _who(step, names)}


def _who(step: Told, names: _Names) -> str:
    people = [
        f"{names.person(one['contact'])}, {one['through']}" for one in step["approvers"]
    ]
    if step["staff"]:
        people.append(_("the seller's staff"))
    return "; ".join(people) or _("nobody")


# What was stored


class _Story:
    """Reads all that is kept of a request."""

    def __init__(self, request: PurchaseRequest) -> None:
        self.request = request
        self.purchase = Purchase(
            amount=request.amount, currency=request.currency, kind=request.kind
        )
        self.told = in_words(request.snapshot["decision"], self.purchase, {})
        self._rows = list(request.steps.with_agreed().order_by("round", "position"))
        self._decisions = list(request.decisions.order_by("pk"))
        self._entries = list(request.history.order_by("pk"))
        open_step = approvers_of(request)
        self._now = step_facts(open_step) if open_step else None
        steps = [*self.told["steps"], *([self._now] if self._now else [])]
        deciders = [(one.contact_id, one.right_of_id) for one in self._decisions]
        actors = [contact_of(entry.actor) for entry in self._entries]
        people = {request.requester_id, *actors}.union(*deciders) - {None}
        self._names = _Names.of_steps(steps, people=people)

    def asked_for(self) -> Iterable[str]:
        request = self.request
        text = _(
            "%(who)s asked for %(amount)s for %(company)s: %(kind)s %(reference)s."
        )
        yield text % {
            "who": self._names.person(request.requester_id),
            "amount": readable(request.amount, request.currency),
            "company": f"{request.company} (company {request.company_id})",
            "kind": _lower(request.get_kind_display()),
            "reference": request.reference,
        }
        for item in request.items:
            parts = (item.get("quantity"), item["name"], item.get("sku"))
            text = " ".join(part for part in parts if part)
            yield f"  {text}: {item['amount']} {request.currency}"
        text = _("Submitted %(at)s; now %(status)s, revision %(revision)d.")
        yield text % {
            "at": _moment(request.submitted_at),
            "status": _lower(request.get_status_display()),
            "revision": request.revision,
        }
        whole = hash_of(request.snapshot) == request.snapshot_hash
        state = _("unchanged") if whole else _("NOT WHAT WAS STORED")
        text = _("Snapshot %(state)s under its hash %(hash)s.")
        yield text % {"state": state, "hash": request.snapshot_hash}

    def steps(self) -> Iterable[str]:
        planned = {step["position"]: step for step in self.told["steps"]}
        if not self._rows:
            yield _("It needed nobody.")
        for row in self._rows:
            if row.round != self.request.round:
                text = _("Step %(position)d of round %(round)d, before a change.")
                yield text % {"position": row.position, "round": row.round}
            else:
                yield from _planned(planned[row.position], self._names)
            yield from self._decided_in(row)
        if self._now is not None:
            text = _("Can decide now, in step %(position)d: %(who)s.")
            who = _who(self._now, self._names)
            yield text % {"position": self._now["position"], "who": who}

    def _decided_in(self, row: ApprovalStep) -> Iterable[str]:
        for decision in self._decisions:
            if decision.step_id == row.pk:
                yield f"  {self._decision(decision)}"

    def _decision(self, decision: Decision) -> str:
        text = _("%(verdict)s by %(who)s, %(through)s, %(at)s%(comment)s.")
        who = decision.actor
        if decision.contact_id is not None:
            who = self._names.person(decision.contact_id)
        if decision.on_behalf_of_id is not None:
            principal = self._names.person(decision.on_behalf_of_id)
            who = _("%(who)s for %(principal)s") % {"who": who, "principal": principal}
        return text % {
            "verdict": decision.get_verdict_display(),
            "who": who,
            "through": decision.through["text"],
            "at": _moment(decision.decided_at),
            "comment": _quoted(decision.comment),
        }

    def history(self) -> Iterable[str]:
        for entry in self._entries:
            yield self._entry(entry)

    def _entry(self, entry: RequestHistory) -> str:
        text = _("%(at)s: %(change)s by %(who)s%(amount)s%(comment)s.")
        contact = contact_of(entry.actor)
        amount = ""
        if entry.amount is not None:
            amount = f", {readable(entry.amount, self.request.currency)}"
        return text % {
            "at": _moment(entry.at),
            "change": entry.get_change_display(),
            "who": entry.actor if contact is None else self._names.person(contact),
            "amount": amount,
            "comment": _quoted(entry.comment),
        }

    def ledger(self) -> Iterable[str]:
        rows = LedgerEntry.objects.filter(request=self.request).order_by("pk")
        entries = list(rows.select_related("limit__company"))
        if not entries:
            yield _("None: it counts on no limit of a period.")
        for entry in entries:
            text = _(
                "%(at)s: %(kind)s %(amount)s on limit %(limit)d of %(company)s, "
                "%(period)s from %(first)s; reserved %(reserved)s, used %(used)s."
            )
            reserved, used = entry.after
            yield text % {
                "at": _moment(entry.at),
                "kind": entry.get_kind_display(),
                "amount": readable(entry.amount, entry.currency),
                "limit": entry.limit_id,
                "company": entry.limit.company,
                "period": _lower(PurchaseLimit.Period(entry.period).label),
                "first": entry.period_start,
                "reserved": _from_to(entry.reserved_before, reserved, entry.currency),
                "used": _from_to(entry.used_before, used, entry.currency),
            }


def _from_to(before: Decimal, after: Decimal, currency: str) -> str:
    return f"{grouped(before, currency)} → {grouped(after, currency)}"


def contact_of(actor: str) -> int | None:
    """The contact for whom a client acted: "client:3/contact:12" is 12."""
    _client, found, contact = actor.partition("/contact:")
    return int(contact) if found else None


def _quoted(comment: str) -> str:
    return f": \u201c{comment}\u201d" if comment else ""


def _lower(label: Any) -> str:
    """A label in the middle of a sentence."""
    text = str(label)
    return text[:1].lower() + text[1:]


def _moment(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S %Z}"
