import pytest

from companies.services import preview_move
from config.actors import SYSTEM
from groups import services
from groups.models import CustomerGroup
from tests.factories import make_chain, make_company
from tests.groups.makers import automatic, make_group, person

pytestmark = pytest.mark.django_db


def test_a_move_says_which_prices_and_members_it_touches():
    # given
    head = make_company(name="Acme SE")
    sub = make_company(name="Acme DE", parent=head)
    other = make_company(name="Other SE")
    for company, code in ((head, "GOLD"), (sub, "OWN"), (other, "SILVER")):
        group = automatic(company)
        CustomerGroup.objects.filter(pk=group.pk).update(price_list=code)
    contact = person(sub)
    make_group(contact, person(head), name="Board", company=head)
    make_group(contact, name="Harbour", company=sub)
    make_group(contact, name="Partners")
    services.set_propagation(other, "DISABLED", actor=SYSTEM)

    # when
    sentences = preview_move(sub, other).sentences()

    # then
    assert sentences[2:] == [
        "Price lists from above, no longer: GOLD (Acme SE: Buyers)",
        "Price lists from above, new: SILVER (Other SE: Buyers)",
        "Members who count in custom groups, no longer: Board (Acme SE): 2",
        "Reach of prices, no longer: Upward",
        "Reach of prices, new: Disabled",
    ]


def test_a_move_that_touches_no_prices_says_nothing_of_them():
    head, sub, _low = make_chain(3)
    make_group(person(head), company=head)
    sister = make_company(parent=head)

    preview = preview_move(sub, sister)

    assert [change.topic for change in preview.changes] == ["place"]


def test_members_who_stay_behind_are_missed():
    # given
    head, sub = make_chain(2)
    name = make_group(person(head), person(sub), company=sub, name="Crew").name

    # when
    sentences = preview_move(sub, None).sentences()

    # then
    label = f"Members who count in custom groups, {{}}: {name} ({sub.name}): {{}}"
    assert sentences[-2:] == [label.format("no longer", 2), label.format("new", 1)]
