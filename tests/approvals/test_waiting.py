"""Who could decide on many requests at once is who could decide on each."""

import pytest

from approvals.inbox import waiting_for_staff
from approvals.models import PurchaseRequest
from approvals.situation import read_path, read_paths, read_people, read_people_of
from approvals.waiting import open_step, open_steps
from companies.models import Company
from tests.approvals.makers import (
    make_approval_group,
    make_stand_in,
    make_world,
    person,
    submit,
)
from tests.factories import make_company, make_contact

pytestmark = pytest.mark.django_db


def hierarchies() -> list[PurchaseRequest]:
    """Requests of all kinds: decided by roles, a group, a stand-in, or by staff."""
    plain, grouped, alone = make_world(), make_world(), make_company()
    stranger = make_contact()
    person(plain.head, "BUYER")  # does not reach down, as the next one does
    person(plain.head, "BUYER", covers_subsidiaries=True)
    member = person(grouped.head)
    person(alone, contact=stranger)
    group = make_approval_group(company=grouped.head, members=[member])
    group.memberships.create(contact=stranger)  # of another hierarchy
    named = {"contact": member, "stand_in": person(grouped.head)}
    make_stand_in(company=grouped.head, **named)
    make_stand_in(company=grouped.sub, **named)
    for contact in (plain.requester, plain.buyer):
        submit(plain.sub, contact, reference=f"of {contact.pk}")
    submit(plain.head, person(plain.head, "REQUESTER"))
    submit(grouped.sub, grouped.requester)
    submit(alone, person(alone, "REQUESTER"))
    return list(PurchaseRequest.objects.pending().order_by("pk"))


def test_many_are_looked_at_as_each_of_them():
    # given
    requests = hierarchies()
    # when
    steps = open_steps(requests)
    # then
    assert steps == {
        one.pk: open_step(one, read_path(one.company_id)) for one in requests
    }
    deciders = [steps[one.pk].deciders for one in requests]
    assert len({frozenset(people) for people in deciders}) == len(requests) == 4
    for_staff = waiting_for_staff(PurchaseRequest.objects.all(), most=10)
    assert for_staff == [requests[-1].pk]


def test_the_same_is_read_for_many_companies_as_for_each():
    # given
    paths = read_paths(sorted({request.company_id for request in hierarchies()}))
    # then
    assert paths == {company: read_path(company) for company in paths}
    assert read_people_of(paths) == {
        company: read_people(path) for company, path in paths.items()
    }
    with pytest.raises(Company.DoesNotExist):
        read_paths([*paths, 0])


def test_many_companies_cost_no_more_queries(django_assert_num_queries):
    # given
    few = hierarchies()
    with django_assert_num_queries(6):
        open_steps(few)
    # when
    many = [*few, *hierarchies()]
    # then
    with django_assert_num_queries(6):
        open_steps(many)
