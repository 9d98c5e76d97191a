from datetime import date, timedelta

import pytest
from django.utils import timezone

from companies.models import ContactAssignment
from groups.membership import members_of, with_members_count
from groups.models import CustomerGroup
from tests.factories import make_assignment, make_chain, make_company, make_contact
from tests.groups.makers import automatic, kinds_of, make_group, members, person

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("role", "kinds"),
    [
        ("ADMIN", {"ADMINS", "CONTACTS"}),
        ("BUYER", {"BUYERS", "CONTACTS"}),
        ("REQUESTER", {"REQUESTERS", "CONTACTS"}),
        ("", {"CONTACTS"}),
    ],
)
def test_a_role_gives_its_group_and_everybody_is_a_contact(role, kinds):
    # given
    company = make_company(name="Acme")

    # when
    contact = person(company, role)

    # then
    assert kinds_of(contact) == {("Acme", kind) for kind in kinds}
    for group in company.customer_groups.all():
        assert members(group) == ([contact.pk] if group.kind in kinds else [])


def test_dates_count_when_read_with_both_ends():
    # given
    company = make_company()
    first, last = date(2026, 3, 10), date(2026, 3, 12)
    contact = person(company, "BUYER", valid_from=first, valid_until=last)
    group = automatic(company)

    # then
    assert [
        members(group, on=day) == [contact.pk]
        for day in (first - DAY, first, last, last + DAY)
    ] == [False, True, True, False]
    assert kinds_of(contact, on=last + DAY) == set()


def test_a_membership_starts_and_ends_today_without_any_job():
    # given
    today, company = timezone.localdate(), make_company()
    starting = person(company, valid_from=today)
    ending = person(company, valid_until=today)
    person(company, valid_from=today + DAY)
    person(company, valid_until=today - DAY)

    # then
    assert members(automatic(company, "CONTACTS")) == [starting.pk, ending.pk]


def test_a_role_that_covers_subsidiaries_gives_the_group_of_its_own_company():
    head, sub = make_chain(2)

    person(head, "ADMIN", covers_subsidiaries=True)

    assert len(members(automatic(head, "ADMINS"))) == 1
    assert members(automatic(sub, "ADMINS")) == []


def test_a_deactivated_contact_is_in_no_group():
    # given
    company = make_company()
    contact = person(company, "BUYER")
    custom, across = make_group(contact, company=company), make_group(contact)

    # when
    contact.is_active = False
    contact.save()

    # then
    assert kinds_of(contact) == set()
    for group in (automatic(company), custom, across):
        assert members(group) == []


def test_a_member_by_hand_counts_while_assigned_in_the_hierarchy():
    # given
    head, sub = make_chain(2)
    assignment = make_assignment(company=sub)
    group = make_group(assignment.contact, company=head)
    assert members(group) == [assignment.contact_id]

    # when
    ContactAssignment.objects.update(valid_until=timezone.localdate() - DAY)
    ended = members(group)
    ContactAssignment.objects.update(valid_until=None)
    sub.move(None)

    # then
    assert ended == []
    assert members(group) == []


def test_a_group_across_companies_takes_people_of_no_company_too():
    contact = make_contact()

    group = make_group(contact, name="Partners")

    assert members(group) == [contact.pk]
    assert kinds_of(contact) == {("", "Partners")}


def test_members_are_counted_as_they_are_listed(django_assert_num_queries):
    # given
    head, sub = make_chain(2)
    buyer = person(sub, "BUYER")
    person(sub)
    person(sub, "BUYER", valid_until=timezone.localdate() - DAY)
    person(head, "ADMIN", contact=buyer)
    make_group(buyer, person(head), company=head)
    make_group(buyer, make_contact(is_active=False))

    # when
    with django_assert_num_queries(1):
        groups = list(with_members_count(CustomerGroup.objects.all()))

    # then
    assert sorted(group.members_count for group in groups) == [
        0, 0, 0, 0, 1, 1, 1, 2, 2, 2
    ]  # fmt: skip
    for group in groups:
        assert group.members_count == members_of(group).count()
