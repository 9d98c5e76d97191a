from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from rest_framework.exceptions import ValidationError as InputError

from config.api.serializers import MoneyField
from config.fields import AmountField
from config.money import MINOR_UNITS, Money, most_exact, plain, readable


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("0", "EUR", "0.00"),
        ("12.5", "EUR", "12.50"),
        ("12.50", "EUR", "12.50"),
        ("100", "JPY", "100"),
        ("1.234", "BHD", "1.234"),
        ("9999999999999.99", "EUR", "9999999999999.99"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(amount, currency, shown):
    money = Money.parse(amount, currency)

    assert str(money) == shown
    assert isinstance(money.amount, Decimal)


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        ("0.001", "EUR", "too_many_decimals"),
        ("0.005", "EUR", "too_many_decimals"),
        ("1.5", "JPY", "too_many_decimals"),
        ("1.2345", "BHD", "too_many_decimals"),
        ("99999999999999.99", "EUR", "too_many_digits"),
        ("1", "eur", "unknown_currency"),
        ("1", "EURO", "unknown_currency"),
        ("1", "XXX", "unknown_currency"),
        ("1", "XAU", "unknown_currency"),
        ("1", "DEM", "unknown_currency"),
        ("1", "", "unknown_currency"),
    ]
    + [
        (amount, "EUR", "invalid_amount")
        for amount in (
            "", "-0", "-1", "1e2", "1e400", "1e1000000", "NaN", "sNaN", "-Infinity",
            "1_000", "١٢", "1,000.00", "1.000,00", " 1", "1 ", "1\n", "+5", "true",
            "0x10", "007", ".5", "5.", "1.00001", "9" * 15, "9" * 5000,
        )
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused(amount: str, currency: str, code: str):
    with pytest.raises(ValidationError) as refused:
        Money.parse(amount, currency)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (12.5, "invalid"),
        ("12.50", "invalid"),
        (None, "null"),
        ([], "invalid"),
        ({"amount": "12.50"}, "invalid"),
        ({"amount": 12, "currency": "EUR"}, "invalid"),
        ({"amount": Decimal("12.5"), "currency": "EUR"}, "invalid"),
        ({"amount": "12.50", "currency": ["EUR"]}, "invalid"),
        ({"amount": "12.50", "currency": "EUR", "rate": "1"}, "invalid"),
        ({"amount": "12.505", "currency": "EUR"}, "too_many_decimals"),
    ],
)
def test_money_in_json_is_two_strings(data: object, code: str):
    with pytest.raises(InputError) as refused:
        MoneyField().run_validation(data)
    assert [detail.code for detail in refused.value.detail] == [code]


def test_money_in_json():
    money = MoneyField().run_validation({"amount": "12.50", "currency": "EUR"})

    assert money == Money(Decimal("12.50"), "EUR")
    assert MoneyField().to_representation(money) == {
        "amount": "12.50",
        "currency": "EUR",
    }


def test_amounts_for_people_and_machines():
    assert plain(Decimal(1250), "EUR") == "1250.00"
    assert readable(Decimal(1250), "EUR") == "1,250.00 EUR"
    assert readable(Decimal(1250), "JPY") == "1,250 JPY"


def test_amounts_up_to_the_most_can_be_stored_exactly():
    assert most_exact("EUR") == Decimal("9999999999999.99")
    assert most_exact("JPY") == Decimal(99999999999999)
    assert most_exact("CLF") == Decimal("99999999999.9999")
    for currency in MINOR_UNITS:
        AmountField().clean(most_exact(currency), None)
