"""An approval rule as a sentence: each condition, each step, and all of them."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation

from approvals.models import ApprovalGroup, ApprovalRule, ApprovalRuleStep
from approvals.sentences import purchase_clause, rule_sentence
from companies.models import Company

ACME = Company(pk=1, name="Acme")
NORTH = Company(pk=2, name="Acme Nord")
FINANCE = ApprovalGroup(pk=1, company=ACME, name="Finance")
BOARD = ApprovalGroup(pk=2, company=ACME, name="Board")


def said(*steps: dict[str, Any], **fields: Any) -> str:
    """The sentence of a rule that nobody has stored."""
    rule = ApprovalRule(**{"company": ACME, "name": "Rule"} | fields)
    rows = [ApprovalRuleStep(**step) for step in steps or [{"role": "ADMIN"}]]
    return rule_sentence(rule, rows)


def test_the_whole_sentence():
    # when
    sentence = said(
        {"approval_group": FINANCE, "quorum": 1},
        {"approval_group": BOARD, "quorum": 2},
        covers_subsidiaries=True,
        amount_from=Decimal(5000),
        currency="EUR",
        roles=["BUYER"],
        kinds=["ORDER"],
    )

    # then
    assert sentence == (
        "In Acme and everything below, a buyer's order from 5,000.00 EUR needs one of "
        "Finance, then two of Board."
    )


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ({}, "every purchase of any amount"),
        ({"currency": "EUR"}, "every purchase in EUR, of any amount"),
        ({"amount_from": Decimal(0)}, "every purchase from 0.00 EUR"),
        ({"amount_from": Decimal("99.5")}, "every purchase from 99.50 EUR"),
        (
            {"amount_from": Decimal(1000), "currency": "JPY"},
            "every purchase from 1,000 JPY",
        ),
        ({"kinds": ["CART"]}, "a cart of any amount"),
        ({"kinds": ["QUOTE"]}, "a quote of any amount"),
        ({"kinds": ["ORDER"]}, "an order of any amount"),
        ({"kinds": ["CART", "ORDER"]}, "a cart or an order of any amount"),
        (
            {"kinds": ["CART", "QUOTE", "ORDER"]},
            "a cart, a quote or an order of any amount",
        ),
        ({"roles": ["ADMIN"]}, "an admin's purchase of any amount"),
        ({"roles": ["BUYER"]}, "a buyer's purchase of any amount"),
        ({"roles": ["REQUESTER"]}, "a requester's purchase of any amount"),
        (
            {"roles": ["BUYER", "REQUESTER"]},
            "a buyer's or a requester's purchase of any amount",
        ),
        (
            {"roles": ["ADMIN", "BUYER", "REQUESTER"], "kinds": ["CART", "QUOTE"]},
            "an admin's, a buyer's or a requester's cart or quote of any amount",
        ),
        (
            {"roles": ["REQUESTER"], "kinds": ["ORDER"], "currency": "CHF"},
            "a requester's order in CHF, of any amount",
        ),
    ],
)
def test_the_purchases_that_are_meant(conditions: dict[str, Any], words: str):
    # given
    if conditions.get("amount_from") is not None:
        conditions = {"currency": "EUR"} | conditions
    every = {"amount_from": None, "currency": "", "roles": [], "kinds": []}

    # then
    assert purchase_clause(**every | conditions) == words
    assert said(**conditions) == f"In Acme, {words} needs one admin."


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([{"approval_group": FINANCE, "quorum": 3}], "three of Finance"),
        ([{"approval_group": FINANCE, "quorum": 6}], "six of Finance"),
        ([{"approval_group": FINANCE, "quorum": 7}], "7 of Finance"),
        ([{"role": "ADMIN", "quorum": 2}], "two admins"),
        ([{"role": "BUYER"}], "one buyer or admin"),
        ([{"role": "BUYER", "quorum": 12}], "12 buyers or admins"),
        (
            [{"role": "BUYER"}, {"approval_group": FINANCE}, {"role": "ADMIN"}],
            "one buyer or admin, then one of Finance, then one admin",
        ),
    ],
)
def test_the_steps(steps: list[dict[str, Any]], words: str):
    assert said(*steps) == f"In Acme, every purchase of any amount needs {words}."


def test_people_of_a_role_are_of_the_company_that_buys():
    assert said({"role": "ADMIN"}, covers_subsidiaries=True).endswith(
        "needs one admin of the company that buys."
    )


def test_a_group_of_a_company_above_is_named_with_it():
    assert said({"approval_group": BOARD}, company=NORTH) == (
        "In Acme Nord, every purchase of any amount needs one of Board of Acme."
    )


def test_a_rule_that_is_not_active_says_so():
    assert said(is_active=False).endswith("needs one admin. The rule is not active.")


def test_a_rule_without_steps_asks_whom_one_would_ask_anyway():
    rule = ApprovalRule(company=ACME, name="Rule")
    assert rule_sentence(rule, []).endswith(
        "needs the approval that it would need without a rule."
    )


def test_german_puts_the_clauses_in_its_own_order():
    with translation.override("de"):
        by_groups = said(
            {"approval_group": FINANCE, "quorum": 1},
            {"approval_group": BOARD, "quorum": 2},
            covers_subsidiaries=True,
            amount_from=Decimal(5000),
            currency="EUR",
            roles=["BUYER"],
            kinds=["ORDER"],
        )
        by_roles = said({"role": "BUYER", "quorum": 2}, kinds=["CART", "QUOTE"])

    assert by_groups == (
        "In Acme und allem darunter braucht die Bestellung eines Einkäufers ab "
        "5.000,00 EUR die Zustimmung von einer Person aus Finance, dann zwei Personen "
        "aus Board."
    )
    assert by_roles == (
        "In Acme braucht ein Warenkorb oder ein Angebot, gleich in welcher Höhe, die "
        "Zustimmung von zwei Einkäufern oder Admins."
    )
