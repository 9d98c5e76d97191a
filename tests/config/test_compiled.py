from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import F, Q, QuerySet, Value
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from approvals.models import PurchaseLimit
from companies.models import Company, ContactAssignment
from config.compiled import ByKey, compiled
from tests.approvals.makers import make_limit
from tests.factories import make_assignment, make_company

pytestmark = pytest.mark.django_db


@compiled
def named_limits(company: int, currency: str) -> QuerySet:
    limits = PurchaseLimit.objects.filter(company=company, currency=currency)
    return limits.order_by("pk").values_list("amount", "roles", named=True)


@compiled
def codes_of(companies: list[int]) -> QuerySet:
    return Company.objects.filter(pk__in=companies).order_by("pk").values_list("code")


@compiled
def roles_on(company: int, day: date, role: str | None) -> QuerySet:
    assignments = ContactAssignment.objects.in_force(day).filter(company=company)
    wanted = Q() if role is None else Q(role=role)
    return assignments.filter(wanted).order_by("pk").values_list("role", "company_id")


def test_each_call_fills_in_its_own_values():
    # given
    first, second = make_company(code="first"), make_company(code="second")

    # then
    assert codes_of([first.pk]) == [("first",)]
    assert codes_of([second.pk]) == [("second",)]
    assert codes_of([second.pk, first.pk]) == [("first",), ("second",)]
    assert codes_of([]) == []


def test_what_is_found_is_read_as_the_orm_reads_it():
    # given
    roles = {"binds": "ROLES", "roles": ["ADMIN", "BUYER"]}
    limit = make_limit(amount="12.5", **roles)

    # when
    (found,) = named_limits(limit.company_id, "EUR")

    # then
    assert found.amount == Decimal("12.5")
    assert isinstance(found.amount, Decimal)
    assert found.roles == ["ADMIN", "BUYER"]
    assert named_limits(limit.company_id, "USD") == []
    assert len(named_limits(limit.company_id, "EUR")) == 1


def test_days_and_what_is_none_count():
    # given
    company = make_company()
    make_assignment(company=company, role="BUYER", valid_until=date(2026, 1, 31))
    make_assignment(company=company, role="ADMIN")

    # then
    both, admin = [("BUYER", company.pk), ("ADMIN", company.pk)], ("ADMIN", company.pk)
    assert roles_on(company.pk, date(2026, 1, 31), None) == both
    assert roles_on(company.pk, date(2026, 2, 1), None) == [admin]
    assert roles_on(company.pk, date(2026, 1, 31), "ADMIN") == [admin]


def test_the_sql_is_written_once():
    # given
    written = []

    @compiled
    def names(company: int) -> QuerySet:
        written.append(company)
        return Company.objects.filter(pk=company).values_list("name")

    # when
    with CaptureQueriesContext(connection) as queries:
        found = [names(make_company(name=name).pk) for name in ("A", "B", "C")]

    # then
    assert found == [[("A",)], [("B",)], [("C",)]]
    assert len(written) == 1
    asked = [q["sql"] for q in queries if q["sql"].startswith('SELECT "companies_comp')]
    assert len(asked) >= 3


def test_a_day_that_is_no_argument_would_never_change():
    @compiled
    def today(company: int) -> QuerySet:
        return (
            ContactAssignment.objects.in_force().filter(company=company).values_list()
        )

    with pytest.raises(TypeError, match="a date that is no argument"):
        today(1)


def test_a_moment_that_is_no_argument_would_never_change():
    @compiled
    def now(company: int) -> QuerySet:
        rows = Company.objects.filter(pk=company, created_at__lt=timezone.now())
        return rows.values_list("pk")

    with pytest.raises(TypeError, match="a date that is no argument"):
        now(1)


def test_an_argument_that_is_not_used_is_a_mistake():
    @compiled
    def all_of_them(company: int) -> QuerySet:
        return Company.objects.values_list("pk")

    with pytest.raises(TypeError, match="does not use all of its arguments"):
        all_of_them(1)


def test_a_number_that_is_calculated_with_is_not_mistaken_for_one_of_the_query():
    @compiled
    def more(company: int) -> QuerySet:
        rows = Company.objects.filter(pk=company)
        return rows.annotate(more=F("pk") + Value(1)).values_list("more")

    company = make_company()
    assert more(company.pk) == [(company.pk + 1,)]
    assert more(1_987_600_000) == []


def test_objects_are_found_by_their_keys():
    # given
    first, second = make_company(attributes={"a": 1}), make_company()
    by_key = ByKey(Company.objects.order_by().only("id", "attributes"))
    # when
    found = by_key.get_all([second.pk, first.pk])
    # then
    assert [(one.pk, one.attributes) for one in found] == [
        (first.pk, {"a": 1}),
        (second.pk, {}),
    ]
    assert found[0].get_deferred_fields() >= {"name", "code", "status"}
    assert found[0].name == first.name
    assert by_key.get(second.pk) == second
    assert by_key.get(second.pk + 1) is None


def test_objects_with_more_than_their_columns_are_refused():
    with pytest.raises(TypeError, match="beside their columns"):
        ByKey(Company.objects.with_type())
