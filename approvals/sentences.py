"""An approval rule as a sentence, the same wherever somebody reads it.

Each clause is a text of its own with named places, so that another language puts its
parts in another order, and the clauses in the sentence too.
"""

from collections.abc import Collection, Iterable
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import (
    gettext_lazy,
    ngettext_lazy,
    pgettext,
    pgettext_lazy,
)

from config.money import readable

from .models import ApprovalRule, ApprovalRuleStep, PurchaseRequest
from .rules import Role

Kind = PurchaseRequest.Kind
ByRole = ApprovalRuleStep.ByRole


def rule_sentence(rule: ApprovalRule, steps: Iterable[ApprovalRuleStep]) -> str:
    """When the rule asks for approval, and by whom: "In Acme, a buyer's order …".

    Of what was typed, too: nothing has to be stored. Reads the company and the groups.
    """
    where = str(rule.company)
    if rule.covers_subsidiaries:
        where = _("%(company)s and everything below") % {"company": where}
    purchase = purchase_clause(
        amount_from=rule.amount_from,
        currency=rule.currency,
        roles=rule.roles,
        kinds=rule.kinds,
    )
    sentence = _("In %(where)s, %(purchase)s needs %(steps)s.") % {
        "where": where,
        "purchase": purchase,
        "steps": _steps_clause(rule, steps),
    }
    if rule.is_active:
        return sentence
    return _("%(sentence)s The rule is not active.") % {"sentence": sentence}


def purchase_clause(
    *,
    amount_from: Decimal | None,
    currency: str,
    roles: Collection[str],
    kinds: Collection[str],
) -> str:
    """Which purchases are meant: "a buyer's order from 5,000.00 EUR"."""
    if roles:
        kind_of = [WHAT[Kind(kind)] for kind in kinds]
        kind_of = kind_of or [pgettext("somebody's", "purchase")]
        what = _("%(whose)s %(what)s") % {
            "whose": _either(WHOSE[Role(role)] for role in roles),
            "what": _either(kind_of),
        }
    elif kinds:
        what = _either(ANY[Kind(kind)] for kind in kinds)
    else:
        what = _("every purchase")
    if amount_from is not None:
        amount = readable(amount_from, currency)
        text = _("%(purchase)s from %(amount)s")
        return text % {"purchase": what, "amount": amount}
    if currency:
        text = _("%(purchase)s in %(currency)s, of any amount")
        return text % {"purchase": what, "currency": currency}
    return _("%(purchase)s of any amount") % {"purchase": what}


ANY = {
    Kind.CART: gettext_lazy("a cart"),
    Kind.QUOTE: gettext_lazy("a quote"),
    Kind.ORDER: gettext_lazy("an order"),
}
WHAT = {
    Kind.CART: pgettext_lazy("somebody's", "cart"),
    Kind.QUOTE: pgettext_lazy("somebody's", "quote"),
    Kind.ORDER: pgettext_lazy("somebody's", "order"),
}
WHOSE = {
    Role.ADMIN: gettext_lazy("an admin's"),
    Role.BUYER: gettext_lazy("a buyer's"),
    Role.REQUESTER: gettext_lazy("a requester's"),
}


def _either(words: Iterable[object]) -> str:
    *others, last = [str(word) for word in words]
    if not others:
        return last
    return _("%(others)s or %(last)s") % {"others": ", ".join(others), "last": last}


def _steps_clause(rule: ApprovalRule, steps: Iterable[ApprovalRuleStep]) -> str:
    first, *later = [_step_clause(rule, step) for step in steps] or [""]
    if not first:  # which only the shell can make
        return _("the approval that it would need without a rule")
    for step in later:
        first = _("%(steps)s, then %(step)s") % {"steps": first, "step": step}
    return first


def _step_clause(rule: ApprovalRule, step: ApprovalRuleStep) -> str:
    group, quorum = step.approval_group, step.quorum
    if group is not None:
        name = str(group)
        if group.company_id != rule.company_id:
            text = _("%(group)s of %(company)s")
            name = text % {"group": name, "company": group.company}
        count = _in_words(quorum, OF_A_GROUP)
        return _("%(count)s of %(group)s") % {"count": count, "group": name}
    count = _in_words(quorum, OF_A_ROLE)
    who = OF_ROLE[ByRole(step.role)] % {"quorum": quorum, "count": count}
    if rule.covers_subsidiaries:
        return _("%(who)s of the company that buys") % {"who": who}
    return who


OF_ROLE = {
    ByRole.ADMIN: ngettext_lazy("%(count)s admin", "%(count)s admins", "quorum"),
    ByRole.BUYER: ngettext_lazy(
        "%(count)s buyer or admin", "%(count)s buyers or admins", "quorum"
    ),
}
OF_A_GROUP = (
    pgettext_lazy("of a group", "one"),
    pgettext_lazy("of a group", "two"),
    pgettext_lazy("of a group", "three"),
    pgettext_lazy("of a group", "four"),
    pgettext_lazy("of a group", "five"),
    pgettext_lazy("of a group", "six"),
)
OF_A_ROLE = (
    pgettext_lazy("of a role", "one"),
    pgettext_lazy("of a role", "two"),
    pgettext_lazy("of a role", "three"),
    pgettext_lazy("of a role", "four"),
    pgettext_lazy("of a role", "five"),
    pgettext_lazy("of a role", "six"),
)


def _in_words(quorum: int, words: Collection[object]) -> str:
    """ "two"; what is more than there are words for, in digits."""
    return str([*words][quorum - 1]) if quorum <= len(words) else str(quorum)
