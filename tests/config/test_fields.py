import pytest
from django.core.exceptions import ValidationError

from config.fields import (
    CleanCharField,
    CountryField,
    CurrencyField,
    LanguageField,
    PhoneField,
)


def codes(field, value: str) -> list[str]:
    try:
        field.clean(value, None)
    except ValidationError as error:
        return [one.code for one in error.error_list]
    return []


@pytest.mark.parametrize("tag", ["de", "pt-BR", "sq-XK", "zh-Hant-TW", "es-419", "gsw"])
def test_languages(tag: str):
    assert codes(LanguageField(), tag) == []


@pytest.mark.parametrize(
    "tag", ["DE", "xx", "german", "de_DE", "de-XX", "de-", "дe", "de-de", "de\n"]
)
def test_no_languages(tag: str):
    assert codes(LanguageField(), tag) == ["language"]


@pytest.mark.parametrize(
    "number", ["+49 30 123456", "(030) 12 34-56", "112", "+1 555 0100 x12", "1" * 15]
)
def test_phones(number: str):
    assert codes(PhoneField(), number) == []


@pytest.mark.parametrize(
    "number", ["+", "12", "1" * 16, "call me", "+49+30", "٠٣٠١٢٣", "030 1 ext"]
)
def test_no_phones(number: str):
    assert codes(PhoneField(), number) == ["phone"]


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (CountryField(), ["DE", "GB", "XK"], ["UK", "XA", "XI", "ZZ", "de", "DEU"]),
        (CurrencyField(), ["EUR", "JPY"], ["eur", "XXX", "DEM", "EURO"]),
    ],
)
def test_codes_of_others_lists(field, good: list[str], bad: list[str]):
    assert [codes(field, code) for code in good] == [[]] * len(good)
    assert [codes(field, code)[0] for code in bad] == ["invalid_choice"] * len(bad)


def test_countries_are_chosen_by_name():
    choices = dict(CountryField().choices)

    assert (choices["DE"], choices["XK"]) == ("Germany", "Kosovo")


def test_the_lists_are_no_part_of_migrations():
    assert "choices" not in CountryField().deconstruct()[3]


def test_a_line_of_text_is_one_line():
    field = CleanCharField(max_length=10)

    assert field.clean(" Main \n gate\u200b ", None) == "Main gate"
    assert codes(field, "x" * 11) == ["max_length"]
    assert codes(field, "a\0") == ["unstorable_text"]
