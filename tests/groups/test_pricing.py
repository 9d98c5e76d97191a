"""Which price lists apply for whom, where: the table of cases, over stored data."""

from datetime import timedelta

import pytest
from django.utils import timezone

from companies.models import Company
from groups.models import CustomerGroup, GroupPropagation
from groups.pricing import answer, pricing_context
from tests.factories import make_client, make_company, make_contact
from tests.groups.makers import automatic, make_group, person

pytestmark = pytest.mark.django_db

# Acme: North (Oslo, Bergen), South; and a hierarchy of its own: Other.
PARENTS = {
    "Acme": None,
    "North": "Acme",
    "Oslo": "North",
    "Bergen": "North",
    "South": "Acme",
    "Other": None,
}


@pytest.fixture
def world(db) -> dict[str, Company]:
    companies: dict[str, Company] = {}
    for name, parent in PARENTS.items():
        above = parent and companies[parent]
        companies[name] = make_company(name=name, parent=above)
    return companies


def told(context) -> list[str]:
    """Each group as "Acme ADMINS: upward Oslo", or "Board: by_hand"."""
    names = dict(Company.objects.values_list("pk", "name"))
    return [
        f"{group['name'] if group['kind'] == 'CUSTOM' else names[group['company']]}"
        f"{'' if group['kind'] == 'CUSTOM' else ' ' + group['kind']}: "
        f"{group['why']['code']} {names.get(group['why']['company'], '')}".rstrip()
        for group in answer(context)["groups"]
    ]


TABLE = [
    # mode, assignments, buys for, groups in order
    (
        "UPWARD",
        {"Oslo": "BUYER"},
        "Oslo",
        [
            "Oslo BUYERS: direct Oslo",
            "Oslo CONTACTS: direct Oslo",
            "North BUYERS: upward Oslo",
            "North CONTACTS: upward Oslo",
            "Acme BUYERS: upward Oslo",
            "Acme CONTACTS: upward Oslo",
        ],
    ),
    (
        "UPWARD",
        {"Oslo": ""},
        "Acme",
        ["Acme CONTACTS: upward Oslo"],
    ),
    (  # nothing is passed down, and nothing of a sister is passed over
        "UPWARD",
        {"North": "ADMIN"},
        "Oslo",
        [
            "North ADMINS: direct North",
            "North CONTACTS: direct North",
            "Acme ADMINS: upward North",
            "Acme CONTACTS: upward North",
        ],
    ),
    (
        "UPWARD",
        {"South": "BUYER"},
        "Oslo",
        ["Acme BUYERS: upward South", "Acme CONTACTS: upward South"],
    ),
    (  # of several ways the nearest; on the way to the head before beside it
        "UPWARD",
        {"South": "ADMIN", "Bergen": "ADMIN", "Oslo": "ADMIN", "Acme": ""},
        "Oslo",
        [
            "Oslo ADMINS: direct Oslo",
            "Oslo CONTACTS: direct Oslo",
            "North ADMINS: upward Oslo",
            "North CONTACTS: upward Oslo",
            "Acme ADMINS: upward South",
            "Acme CONTACTS: direct Acme",
        ],
    ),
    (
        "DOWNWARD",
        {"Acme": "BUYER"},
        "Oslo",
        [
            "Oslo BUYERS: downward Acme",
            "Oslo CONTACTS: downward Acme",
            "North BUYERS: downward Acme",
            "North CONTACTS: downward Acme",
            "Acme BUYERS: direct Acme",
            "Acme CONTACTS: direct Acme",
        ],
    ),
    (
        "DOWNWARD",
        {"North": "BUYER", "Acme": "BUYER"},
        "Oslo",
        [
            "Oslo BUYERS: downward North",
            "Oslo CONTACTS: downward North",
            "North BUYERS: direct North",
            "North CONTACTS: direct North",
            "Acme BUYERS: direct Acme",
            "Acme CONTACTS: direct Acme",
        ],
    ),
    ("DOWNWARD", {"Oslo": "BUYER"}, "Acme", []),
    ("DOWNWARD", {"South": "BUYER"}, "Oslo", []),
    (
        "DISABLED",
        {"Oslo": "REQUESTER", "Acme": "ADMIN", "South": "BUYER"},
        "Oslo",
        [
            "Oslo REQUESTERS: direct Oslo",
            "Oslo CONTACTS: direct Oslo",
            "Acme ADMINS: direct Acme",
            "Acme CONTACTS: direct Acme",
        ],
    ),
    ("DISABLED", {"Oslo": "BUYER"}, "North", []),
]


@pytest.mark.parametrize(("mode", "roles", "where", "expected"), TABLE)
def test_groups_count_by_the_tree(world, mode, roles, where, expected):
    # given
    GroupPropagation.objects.create(company=world["Acme"], mode=mode)
    GroupPropagation.objects.create(company=world["Other"], mode="DISABLED")
    contact = make_contact()
    for name, role in roles.items():
        person(world[name], role, contact=contact)

    # then
    context = pricing_context(contact, world[where])
    assert told(context) == expected
    assert context.obstacle is None
    assert context.propagation == mode


def test_upward_holds_where_nobody_has_chosen(world):
    contact = person(world["Oslo"])

    context = pricing_context(contact, world["Acme"])

    assert context.propagation == "UPWARD"
    assert told(context) == ["Acme CONTACTS: upward Oslo"]


def test_custom_groups_come_before_roles_and_those_across_companies_last(world):
    # given
    contact = person(world["Oslo"], "ADMIN")
    make_group(contact, name="Partners")
    make_group(contact, name="Board", company=world["Acme"])
    make_group(contact, name="Harbour", company=world["Oslo"])
    make_group(contact, name="Elsewhere", company=world["South"])
    make_group(contact, name="Below", company=world["Bergen"])
    make_group(person(world["Oslo"]), name="Without", company=world["Oslo"])

    # then
    assert told(pricing_context(contact, world["Oslo"])) == [
        "Harbour: by_hand",
        "Oslo ADMINS: direct Oslo",
        "Oslo CONTACTS: direct Oslo",
        "North ADMINS: upward Oslo",
        "North CONTACTS: upward Oslo",
        "Board: by_hand",
        "Acme ADMINS: upward Oslo",
        "Acme CONTACTS: upward Oslo",
        "Partners: by_hand",
    ]


def test_membership_of_custom_groups_is_not_propagated(world):
    contact = person(world["Oslo"])
    make_group(contact, name="Harbour", company=world["Oslo"])

    assert "Harbour: by_hand" not in told(pricing_context(contact, world["Acme"]))


def test_price_lists_are_in_order_and_each_once(world):
    # given
    contact = person(world["Oslo"], "BUYER")
    gold = automatic(world["Acme"], "BUYERS")
    silver = automatic(world["North"], "CONTACTS")
    again = automatic(world["Acme"], "CONTACTS")
    for group, code in ((gold, "GOLD"), (silver, "SILVER"), (again, "SILVER")):
        CustomerGroup.objects.filter(pk=group.pk).update(price_list=code)

    # then
    assert answer(pricing_context(contact, world["Oslo"]))["price_lists"] == [
        {"code": "SILVER", "group": silver.pk},
        {"code": "GOLD", "group": gold.pk},
    ]


def test_why_is_said_in_a_sentence(world):
    contact = person(world["Oslo"], "BUYER")
    make_group(contact)

    groups = answer(pricing_context(contact, world["North"]))["groups"]

    assert [(group["name"], group["why"]["message"]) for group in groups[:1]] == [
        ("North: Buyers", "Assigned to Oslo, which is below North.")
    ]
    assert groups[0]["why"]["assignment"] == contact.assignments.get().pk
    assert groups[-1]["why"] == {
        "code": "by_hand",
        "company": None,
        "assignment": None,
        "message": "Added by hand.",
    }


def test_a_deactivated_contact_gets_nothing_and_why(world):
    contact = person(world["Oslo"], "BUYER")
    make_group(contact)
    contact.is_active = False
    contact.save()

    found = answer(pricing_context(contact, world["Oslo"]))

    assert (found["groups"], found["price_lists"]) == ([], [])
    assert found["reason"] == {
        "code": "contact_not_active",
        "message": "The contact is deactivated.",
    }


@pytest.mark.parametrize("how", ["never", "ended", "elsewhere"])
def test_who_is_not_assigned_in_the_hierarchy_gets_nothing_and_why(world, how):
    # given: not even groups across companies
    contact = make_contact()
    make_group(contact)
    yesterday = timezone.localdate() - timedelta(days=1)
    if how == "ended":
        person(world["Oslo"], "BUYER", contact=contact, valid_until=yesterday)
    if how == "elsewhere":
        person(world["Other"], "BUYER", contact=contact)

    # when
    found = answer(pricing_context(contact, world["Oslo"]))

    # then
    assert (found["groups"], found["reason"]["code"]) == ([], "not_assigned")


def test_nothing_of_another_hierarchy_shows(world):
    contact = person(world["Oslo"], "BUYER")
    person(world["Other"], "ADMIN", contact=contact)
    make_group(contact, name="Foreign", company=world["Other"])

    shown = " ".join(told(pricing_context(contact, world["Oslo"])))

    assert "Other" not in shown
    assert "Foreign" not in shown


def test_a_move_counts_at_once(world):
    # given
    contact = person(world["Oslo"], "BUYER")
    GroupPropagation.objects.create(company=world["Other"], mode="DISABLED")

    # when
    Company.objects.get(pk=world["North"].pk).move(world["Other"])

    # then
    context = pricing_context(contact, Company.objects.get(pk=world["Oslo"].pk))
    assert told(context) == ["Oslo BUYERS: direct Oslo", "Oslo CONTACTS: direct Oslo"]


def test_a_company_on_hold_has_its_prices(world):
    contact = person(world["Oslo"])
    Company.objects.filter(pk=world["Acme"].pk).update(status="ON_HOLD")

    assert len(told(pricing_context(contact, world["Oslo"]))) == 3


def test_a_client_of_a_part_gets_the_answer_for_what_it_sees(world):
    # given
    contact = person(world["Oslo"], "BUYER")
    person(world["South"], "ADMIN", contact=contact)
    make_group(contact, name="Board", company=world["Acme"])
    make_group(contact, name="Harbour", company=world["Oslo"])
    make_group(contact, name="Partners")
    client = make_client(hierarchies=(world["North"],))

    # then
    assert told(pricing_context(contact, world["Oslo"], client=client)) == [
        "Harbour: by_hand",
        "Oslo BUYERS: direct Oslo",
        "Oslo CONTACTS: direct Oslo",
        "North BUYERS: upward Oslo",
        "North CONTACTS: upward Oslo",
    ]


def test_assignments_out_of_the_client_s_sight_give_nothing(world):
    contact = person(world["South"], "BUYER")
    make_group(contact, company=world["Oslo"])
    client = make_client(hierarchies=(world["North"],))

    context = pricing_context(contact, world["Oslo"], client=client)

    assert (context.counting, context.obstacle) == ((), "not_assigned")


@pytest.mark.parametrize("many", [1, 8])
def test_the_question_takes_five_queries(world, many, django_assert_num_queries):
    # given
    contact, place = make_contact(), world["Oslo"]
    for number in range(many):
        place = make_company(parent=place)
        person(place, "BUYER", contact=contact)
        person(make_company(parent=world["Acme"]), "ADMIN", contact=contact)
        make_group(contact, company=place)
        make_group(contact, name=f"Partners {number}")

    # then
    with django_assert_num_queries(5):
        context = pricing_context(contact, place)
    assert len(context.counting) > 6
