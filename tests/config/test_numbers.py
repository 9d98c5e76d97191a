"""Numbers and money as their reader writes them, and nothing guessed."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.utils import translation

from config.admin.numbers import ReadersDecimalField
from config.money import readable


def field() -> ReadersDecimalField:
    return ReadersDecimalField(max_digits=18, decimal_places=4)


@pytest.mark.parametrize(
    ("language", "text", "number"),
    [
        ("de", "1.250", "1250"),
        ("de", "1.250,00", "1250"),
        ("de", "1250,5", "1250.5"),
        ("de", "-12.345.678,9", "-12345678.9"),
        ("en", "1.250", "1.25"),
        ("en", "1,250", "1250"),
        ("en", "1,250.00", "1250"),
    ],
)
def test_a_number_is_read_as_its_language_writes_it(language, text, number):
    with translation.override(language):
        assert field().clean(text) == Decimal(number)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "1.25"),
        ("de", "1250.00"),
        ("de", "1,250.00"),
        ("de", "12.50,00"),
        ("en", "12,5"),
        ("en", "1.250,00"),
        ("en", "1e3"),
        ("en", "1 250"),
        ("en", "٣"),
    ],
)
def test_a_number_in_another_form_is_refused(language, text):
    with translation.override(language), pytest.raises(ValidationError) as refused:
        field().clean(text)

    assert refused.value.code == "invalid"


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_a_field_shows_it_reads_back(language):
    with translation.override(language):
        shown = field().prepare_value(Decimal("1250.5000"))

        assert field().clean(shown) == Decimal("1250.5")
        assert field().has_changed(Decimal("1250.5"), shown) is False


@pytest.mark.parametrize(
    ("language", "amount", "currency", "shown"),
    [
        ("en", "1250", "EUR", "1,250.00 EUR"),
        ("de", "1250", "EUR", "1.250,00 EUR"),
        ("de", "-1234567.5", "EUR", "-1.234.567,50 EUR"),
        ("de", "5000", "JPY", "5.000 JPY"),
        ("de", "0.125", "BHD", "0,125 BHD"),
    ],
)
def test_money_is_shown_as_its_language_writes_it(language, amount, currency, shown):
    with translation.override(language):
        assert readable(Decimal(amount), currency) == shown
