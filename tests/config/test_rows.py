from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from pytest_django.asserts import assertNumQueries

from companies.models import Company, Location
from config.api.renderers import encode_json
from config.api.rows import Batch, Shape, made, money, related
from config.money import Money
from tests.factories import make_company, make_location

pytestmark = pytest.mark.django_db


def test_columns_functions_and_groups():
    # given
    shape = Shape(
        "name",
        city="city",
        label=made(lambda name, city: f"{name}, {city}", "name", "city"),
        address=Shape("country", inner=Shape(line="address_line1")),
    )
    make_location(name="Gate", city="Köln", country="DE", address_line1="Ring 1")

    # when
    with assertNumQueries(1):
        rows = shape.rows(Location.objects.all())

    # then
    assert rows == [
        {
            "name": "Gate",
            "city": "Köln",
            "label": "Gate, Köln",
            "address": {"country": "DE", "inner": {"line": "Ring 1"}},
        }
    ]


def test_only_what_is_asked_for_is_read():
    # given
    shape = Shape("id", "name", label=made(str.upper, "city"))

    # then
    assert shape.plan(only=["name"]).columns == ["name"]
    assert shape.plan(only=["label"]).columns == ["city"]
    assert shape.plan().columns == ["id", "name", "city"]


def test_unused_annotations_are_not_computed():
    # given
    shape = Shape("id", "effective_status", annotate=_with_status)
    make_company()

    # then
    assert shape.rows(Company.objects.all())[0]["effective_status"] == "ACTIVE"
    rows = shape.plan(only=["id"]).select(Company.objects.all())
    assert "RECURSIVE" not in str(rows.query).upper()


def _with_status(rows):
    return rows.with_effective_status()


def test_a_batch_is_one_query_for_the_whole_page():
    # given
    def counts(ids, client):
        companies = Company.objects.filter(pk__in=ids)
        return {company.pk: [client, company.code] for company in companies}

    shape = Shape("id", codes=Batch(counts, "company_id"), none=Batch(lambda k, c: {}))
    first, second = make_location(), make_location()

    # when
    with assertNumQueries(2):
        rows = shape.rows(Location.objects.order_by("id"), "me")

    # then
    assert rows == [
        {"id": first.pk, "codes": ["me", first.company.code], "none": []},
        {"id": second.pk, "codes": ["me", second.company.code], "none": []},
    ]


def test_an_expansion_has_only_what_the_client_sees():
    # given
    hidden = make_company()
    shape = Shape(
        "id",
        company="company_id",
        expandable={
            "company": related(
                lambda client: Company.objects.exclude(pk=hidden.pk),
                Shape("code"),
                "company_id",
            )
        },
    )
    seen, unseen = make_location(), make_location(company=hidden)

    # when
    plan = shape.plan(expand=["company"])
    rows = plan.build(plan.fetch(Location.objects.order_by("id")))

    # then
    assert rows == [
        {"id": seen.pk, "company": {"code": seen.company.code}},
        {"id": unseen.pk, "company": None},
    ]


def test_fields_keep_their_order():
    shape = Shape("id", late=Batch(lambda keys, client: {}), name="name")
    make_location()

    assert list(shape.rows(Location.objects.all())[0]) == ["id", "late", "name"]


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (Decimal(1250), "EUR", {"amount": "1250.00", "currency": "EUR"}),
        (Decimal("1250.0000"), "JPY", {"amount": "1250", "currency": "JPY"}),
        (Decimal("0.5"), "BHD", {"amount": "0.500", "currency": "BHD"}),
        (None, "EUR", None),
    ],
)
def test_money_has_the_decimals_of_its_currency(amount, currency, shown):
    assert money("a", "b").make(amount, currency) == shown


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (datetime(2026, 11, 1, 12, 30, tzinfo=UTC), '"2026-11-01T12:30:00Z"'),
        (
            datetime(2026, 11, 1, 1, 0, 0, 5, timezone(timedelta(hours=2))),
            '"2026-10-31T23:00:00.000005Z"',
        ),
        (date(2026, 11, 1), '"2026-11-01"'),
        (Decimal("1.10"), '"1.10"'),
        (Money(Decimal("1.5"), "EUR"), '{"amount":"1.50","currency":"EUR"}'),
        ("Ä\u2028", '"Ä\u2028"'),
    ],
)
def test_json_has_one_form_for_each_value(value: object, written: str):
    assert encode_json(value) == written


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan")])
def test_json_refuses_what_it_cannot_say(value: object):
    with pytest.raises((TypeError, ValueError)):
        encode_json(value)
