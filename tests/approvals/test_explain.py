"""The story of a purchase as plain text."""

from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from approvals import services
from approvals.models import PurchaseRequest
from companies.services import erase_contact
from config.actors import SYSTEM
from tests.approvals.makers import (
    World,
    acting,
    euros,
    make_approval_group,
    make_limit,
    make_world,
    person,
    submit,
)
from tests.factories import make_chain, make_contact

pytestmark = pytest.mark.django_db

BELOW = "the company and everything below it"


@pytest.fixture
def world() -> World:
    return make_world()


def explain(*arguments: Any, **options: Any) -> str:
    out = StringIO()
    call_command("explain_request", *map(str, arguments), stdout=out, **options)
    return out.getvalue()


def said(text: str, title: str) -> list[str]:
    """The lines below the heading, without their indent."""
    (section,) = [s for s in text.split("\n\n") if s.startswith(f"{title}\n")]
    return [line.removeprefix("  ") for line in section.strip("\n").split("\n")[1:]]


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def named(contact: Any) -> str:
    return f"{contact.name} (contact {contact.pk})"


def test_the_story_of_a_purchase_that_was_allowed(world: World) -> None:
    limit = make_limit(company=world.head, amount="1000", period="MONTH", name="Travel")
    other = make_limit(
        company=world.sub, amount="5", binds="ROLES", roles=["REQUESTER"]
    )
    each = make_limit(company=world.sub, amount="400", on_exceed="BLOCK")
    rule = world.head.approval_rules.create(
        name="Large",
        covers_subsidiaries=True,
        amount_from=Decimal(500),
        currency="EUR",
        roles=["BUYER"],
        kinds=["CART", "ORDER"],
    )
    rule.steps.create(position=1, role="ADMIN")
    request = submit(
        world.sub,
        world.buyer,
        "300.00",
        reference="cart-9",
        items=[{"name": "Chair", "sku": "C-1", "quantity": "3", "amount": "300.00"}],
    )
    services.order_request(
        request,
        number="SO-7",
        money=euros("250.00"),
        actor=acting(world.buyer),
        expected_version=1,
    )
    request.refresh_from_db()

    text = explain(request.pk)

    start = timezone.localdate().replace(day=1)
    end = (start + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    held = world.buyer.assignments.get()
    submitted, ordered = request.history.order_by("pk")
    movements = request.ledger.order_by("pk")
    assert said(text, f"Request {request.pk}") == [
        (
            f"{named(world.buyer)} asked for 300.00 EUR for Acme Deutschland (company "
            f"{world.sub.pk}): cart cart-9."
        ),
        "  3 Chair C-1: 300.00 EUR",
        f"Submitted {moment(request.submitted_at)}; now ordered, revision 1.",
        f"Snapshot unchanged under its hash {request.snapshot_hash}.",
    ]
    assert said(text, "What was considered") == [
        f"The person buys as Buyer of Acme Deutschland, by assignment {held.pk}.",
        (
            f"Limit {limit.pk} “Travel” of Acme SE, {BELOW}, month from {start} to "
            f"{end}: 1,000.00 EUR, 0.00 used, 0.00 reserved, 1,000.00 left. Not "
            "exceeded."
        ),
        (
            f"Limit {other.pk} of Acme Deutschland, {BELOW}, each purchase: 5.00 EUR. "
            "Does not bind this person."
        ),
        (
            f"Limit {each.pk} of Acme Deutschland, {BELOW}, each purchase: 400.00 EUR. "
            "Not exceeded."
        ),
        (
            f"Rule {rule.pk} “Large” of Acme SE (a buyer's cart or order from 500.00 "
            "EUR): does not match, the amount is smaller."
        ),
    ]
    assert said(text, "The answer") == [
        "Allowed.",
        "300.00 EUR is within the limits. (within_limits)",
    ]
    assert said(text, "Steps and decisions") == ["It needed nobody."]
    assert said(text, "What became of it") == [
        f"{moment(submitted.at)}: Submitted by {named(world.buyer)}, 300.00 EUR.",
        f"{moment(ordered.at)}: Ordered by {named(world.buyer)}, 250.00 EUR.",
    ]
    on = f"on limit {limit.pk} of Acme SE, month from {start}"
    assert said(text, "Movements on limits") == [
        (
            f"{moment(movements[0].at)}: Reserved 300.00 EUR {on}; "
            "reserved 0.00 → 300.00, used 0.00 → 0.00."
        ),
        (
            f"{moment(movements[1].at)}: Used 250.00 EUR {on}; "
            "reserved 300.00 → 50.00, used 0.00 → 250.00."
        ),
        (
            f"{moment(movements[2].at)}: Released 50.00 EUR {on}; "
            "reserved 50.00 → 0.00, used 250.00 → 250.00."
        ),
    ]


def in_two_steps(world: World) -> tuple[PurchaseRequest, Any, Any]:
    """One step of a group, in which somebody stood in, and one of an admin, open."""
    helper = person(world.head)
    group = make_approval_group(
        company=world.head, members=[world.boss], name="Procurement board"
    )
    world.boss.stand_ins.create(
        company=world.head, stand_in=helper, valid_until=timezone.localdate()
    )
    rule = world.sub.approval_rules.create(name="Two pairs of eyes")
    rule.steps.create(position=1, approval_group=group)
    rule.steps.create(position=2, role="ADMIN")
    request = submit(world.sub, world.requester)
    request = services.approve_request(
        request, actor=acting(helper), expected_version=1, comment="As agreed."
    )
    return request, rule, helper


def test_the_story_of_two_steps_and_a_stand_in(world: World) -> None:
    request, rule, helper = in_two_steps(world)
    admin, boss = named(world.admin), named(world.boss)

    while_waiting = said(explain(request.pk), "Steps and decisions")
    services.decline_request(
        request, actor=acting(world.admin), expected_version=2, comment="Too dear."
    )
    text = explain(request.pk)

    group = request.steps.get(position=1).approval_groups[0]
    as_member = f"approval group {group} of Acme SE"
    as_admin = f"assignment {world.admin.assignments.get().pk} of Acme Deutschland"
    first, second = request.decisions.order_by("pk")
    of_first = [
        (
            "Step 1: 1 of approval group “Procurement board” of Acme SE, by rule "
            f"{rule.pk}."
        ),
        (
            f"  Could act: {boss}, {as_member}; {named(helper)}, standing in for "
            f"contact {world.boss.pk}, {as_member}."
        ),
        (
            f"  Approved by {named(helper)} for {boss}, standing in for contact "
            f"{world.boss.pk}, {as_member}, {moment(first.decided_at)}: “As agreed.”."
        ),
    ]
    of_second = [
        f"Step 2: 1 of Admin of Acme Deutschland, by rule {rule.pk}.",
        f"  Could act: {admin}, {as_admin}.",
    ]
    assert said(text, "The answer") == [
        "Needs approval.",
        (
            "The rule “Two pairs of eyes” of Acme Deutschland asks for approval. "
            "(rule_matched)"
        ),
        (
            "A requester needs the approval of others for each purchase. "
            "(requester_needs_approval)"
        ),
    ]
    assert while_waiting == [
        *of_first,
        *of_second,
        f"Can decide now, in step 2: {admin}, {as_admin}.",
    ]
    assert said(text, "Steps and decisions") == [
        *of_first,
        *of_second,
        f"  Declined by {admin}, {as_admin}, {moment(second.decided_at)}: “Too dear.”.",
    ]
    assert [line.split(": ", 1)[1] for line in said(text, "What became of it")] == [
        f"Submitted by {named(world.requester)}, 100.00 EUR.",
        f"Agreed; others have to, too by {named(helper)}: “As agreed.”.",
        f"Declined by {admin}: “Too dear.”.",
    ]
    assert said(text, "Movements on limits") == [
        "None: it counts on no limit of a period."
    ]


def test_why_a_limit_two_companies_above_blocks() -> None:
    head, middle, leaf = make_chain(3)
    buyer = person(leaf, "BUYER")
    admin = person(leaf, "ADMIN")
    limit = make_limit(
        company=head, amount="1000", period="YEAR", on_exceed="BLOCK", binds="ALL"
    )
    make_limit(company=middle, unlimited=True, currency="CHF")
    submit(leaf, buyer, "400.00")
    before = PurchaseRequest.objects.count()

    text = explain("--check", leaf.code, buyer.email, "600.01", "EUR")
    fits = explain("--check", leaf.pk, buyer.pk, "600.00", "EUR")
    by_admin = explain("--check", leaf.pk, admin.pk, "600.01", "EUR")
    next_year = explain(
        "--check",
        *(leaf.pk, buyer.pk, "600.01", "EUR"),
        at=f"{timezone.localdate().year + 1}-01-01T00:00",
    )

    year = timezone.localdate().year
    assert said(text, "What was considered")[1] == (
        f"Limit {limit.pk} of {head.name}, {BELOW}, year "
        f"from {year}-01-01 to {year}-12-31: 1,000.00 EUR, 0.00 used, 400.00 reserved, "
        "600.00 left. Exceeded: is refused."
    )
    assert "unlimited in CHF. In another currency" in text
    assert said(text, "The answer") == [
        "Blocked.",
        (
            f"600.01 EUR would exceed the year's limit of {head.name}, 1,000.00 EUR, "
            "by 0.01 EUR: 600.00 EUR are left. (limit_exceeded)"
        ),
    ]
    assert said(text, "Who would have to agree") == ["Nobody."]
    assert said(fits, "The answer")[0] == "Allowed."
    assert said(by_admin, "The answer")[0] == "Allowed."
    assert said(next_year, "The answer")[0] == "Allowed."
    assert PurchaseRequest.objects.count() == before


def test_what_if_somebody_would_have_to_agree(world: World) -> None:
    text = explain("--check", world.sub.pk, world.requester.pk, "5", "eur")

    people = "; ".join(
        f"{named(one)}, assignment {one.assignments.get().pk} of Acme Deutschland"
        for one in (world.admin, world.buyer)
    )
    assert said(text, "Who would have to agree") == [
        "Step 1: 1 of Admin, Buyer of Acme Deutschland.",
        f"  Could act: {people}.",
    ]


def test_what_if_somebody_has_no_right_to_buy(world: World) -> None:
    stranger, plain = make_contact(), person(world.sub)

    texts = [
        explain("--check", world.sub.pk, one.pk, "5", "EUR")
        for one in (stranger, plain)
    ]

    held = plain.assignments.get().pk
    assert [said(text, "What was considered")[0] for text in texts] == [
        "No assignment of the person counts in the company.",
        f"The person is assigned without a role (assignment {held}).",
    ]
    assert [said(text, "The answer")[1].rpartition(" ")[2] for text in texts] == [
        "(not_assigned)",
        "(no_buying_role)",
    ]


def test_a_change_begins_a_new_round_and_the_old_one_is_told(world: World) -> None:
    rule = world.sub.approval_rules.create(name="Two admins")
    rule.steps.create(position=1, role="ADMIN", quorum=2)
    second = person(world.sub, "ADMIN")
    request = submit(world.sub, world.requester, "100.00")
    services.approve_request(request, actor=acting(second), expected_version=1)
    services.change_request(
        request,
        money=euros("150.00"),
        actor=acting(world.requester),
        expected_version=2,
    )
    request.refresh_from_db()

    lines = said(explain(request.pk), "Steps and decisions")

    assert lines[0] == "Step 1 of round 1, before a change."
    assert lines[1].startswith(f"  Approved by {named(second)}, assignment ")
    assert lines[2] == f"Step 1: 2 of Admin of Acme Deutschland, by rule {rule.pk}."
    assert lines[4].startswith("Can decide now, in step 1: ")
    assert len(lines) == 5


def test_what_is_not_there_any_more_is_named_by_its_id(world: World) -> None:
    request, _rule, helper = in_two_steps(world)
    services.withdraw_request(
        request, actor=acting(world.requester), expected_version=2
    )
    erase_contact(helper, actor=SYSTEM)
    erase_contact(world.requester, actor=SYSTEM)

    text = explain(request.pk)

    erased = f"erased-{world.requester.pk}@invalid.example"
    assert f"{erased} (contact {world.requester.pk}) asked for 100.00 EUR" in text
    assert "As agreed." not in text
    assert "Snapshot unchanged under its hash" in text


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (["999999"], {}, "There is no purchase request 999999."),
        (["--check", "nothing", "x@example.com", "5", "EUR"], {}, "no company nothing"),
        (["--check", "COMPANY", "x@example.com", "5", "EUR"], {}, "no contact x@"),
        (["--check", "COMPANY", "CONTACT", "5,00", "EUR"], {}, "Not an amount"),
        (["--check", "COMPANY", "CONTACT", "5.001", "EUR"], {}, "no such small units"),
        (["--check", "COMPANY", "CONTACT", "5", "EURO"], {}, "Not a currency code"),
        (["--check", "COMPANY", "CONTACT", "0", "EUR"], {}, "more than 0"),
        (["--check", "9" * 30, "CONTACT", "5", "EUR"], {}, "no company 999"),
        (["--check", "COMPANY", "CONTACT", "5", "EUR"], {"at": "soon"}, "Not a moment"),
        (
            ["--check", "COMPANY", "CONTACT", "5", "EUR"],
            {"at": "2026-02-31T00:00"},
            "Not a moment",
        ),
        (["1"], {"at": "2026-01-01T00:00"}, "--at is for --check"),
        ([], {}, "one of the arguments"),
    ],
)
def test_wrong_arguments_are_said(
    world: World, arguments: list[str], options: dict[str, str], message: str
) -> None:
    known = {"COMPANY": world.sub.code, "CONTACT": world.buyer.email}

    with pytest.raises(CommandError, match=message):
        explain(*(known.get(argument, argument) for argument in arguments), **options)
