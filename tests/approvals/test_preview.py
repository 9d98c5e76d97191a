import pytest

from companies.services import preview_move
from tests.approvals.makers import make_approval_group, make_limit, make_world, submit
from tests.factories import make_company

pytestmark = pytest.mark.django_db


def test_a_move_says_which_limits_groups_and_requests_it_touches() -> None:
    world = make_world()
    other = make_company(name="Other SE")
    make_limit(company=world.head, amount="1000")
    make_limit(company=world.head, amount="5", scope="COMPANY")
    make_limit(company=world.sub, amount="50")
    make_limit(company=other, unlimited=True, currency="USD")
    make_approval_group(company=world.head, name="Board")
    make_approval_group(company=other, name="Council")
    submit(world.sub, world.requester)

    sentences = preview_move(world.sub, other)

    assert [s for s in sentences if "purchase" in s or "imit" in s or "Appr" in s] == [
        "The limit 1,000.00 EUR, Acme SE will not count any more.",
        "The limit unlimited USD, Other SE will count, too.",
        "Approvals will be up to the approval group Council.",
        "1 purchase request waits for a decision; who may decide is read anew.",
    ]


def test_a_move_to_the_top_leaves_the_limits_and_groups_above() -> None:
    world = make_world()
    make_limit(company=world.head, amount="1000")
    make_approval_group(company=world.head)

    sentences = preview_move(world.sub, None)

    assert "The limit 1,000.00 EUR, Acme SE will not count any more." in sentences
    text = "Approvals will be up to buyers and admins, not to a group."
    assert text in sentences


def test_a_move_that_touches_nothing_says_nothing_of_purchases() -> None:
    world = make_world()
    middle = make_company(parent=world.head)
    make_limit(company=world.head)
    make_limit(company=world.sub)
    make_approval_group(company=world.sub)

    assert not [s for s in preview_move(world.sub, middle) if "imit" in s]
    assert not [s for s in preview_move(world.sub, middle) if "Appr" in s]
