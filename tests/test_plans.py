"""What PostgreSQL does with the questions that are asked all the time."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from approvals.models import ApprovalRule, PurchaseLimit
from companies.models import Company, ContactAssignment, Location
from companies.tree.load import load_companies
from config.actors import SYSTEM
from config.search import found_by
from tests.factories import make_assignment, make_chain

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


def plan_of(rows: QuerySet) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # so few are read at once
    return rows.order_by().explain()


@pytest.mark.parametrize(
    ("rows", "table"),
    [
        (ContactAssignment.objects.reaching, "companies_contactassignment"),
        (Location.objects.usable_by, "companies_location"),
        (PurchaseLimit.objects.binding, "approvals_purchaselimit"),
        (ApprovalRule.objects.reaching, "approvals_approvalrule"),
    ],
)
def test_what_counts_on_a_path_is_found_by_its_companies(rows: Any, table: str):
    _head, low = make_chain(2)
    assert f"Seq Scan on {table}" not in plan_of(rows(low))


def test_where_a_person_may_act_is_looked_for_in_their_hierarchies_only():
    # given many hierarchies, and PostgreSQL knowing of them
    load_companies([Company(name="A", code=f"c-{n}") for n in range(500)], actor=SYSTEM)
    contact = make_assignment(company=Company.objects.get(code="c-7")).contact
    mine = ContactAssignment.objects.in_force().filter(contact=contact).order_by()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE companies_company, companies_contactassignment")
    # when
    plan = plan_of(Company.objects.reached_by(mine))
    # then
    assert "Index Cond: (tree_id = " in plan


def test_what_was_found_by_several_ways_is_read_by_its_keys():
    """In the order of their list, so that a page is read and no more."""
    rows = Location.objects.filter(country="DE")
    ways = (Location.objects.filter(city="Bonn"), Location.objects.filter(company=1))
    assert "Index Cond: (id = ANY" in plan_of(found_by(rows, *ways))
