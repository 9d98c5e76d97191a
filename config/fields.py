"""Model fields that mean the same everywhere."""

import re
from operator import itemgetter
from typing import Any

import pycountry
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.lookups import Contains
from django.utils.translation import gettext_lazy as _

from . import money
from .text import clean_text

# Kosovo has no code of ISO 3166-1. "XK", out of the range that the standard leaves to
# its users, is what the EU, SWIFT and GLEIF write; the only such code that we take.
COUNTRY_NAMES = {country.alpha_2: country.name for country in pycountry.countries} | {
    "XK": "Kosovo"
}
LANGUAGES = frozenset(
    code
    for language in pycountry.languages
    for code in (language.alpha_3, getattr(language, "alpha_2", None))
    if code
)
# Well-formed tags of BCP 47 as far as people use them: language, script, region.
LANGUAGE_TAG = re.compile(
    r"([a-z]{2,3})(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?", re.ASCII
)


class Holds(Contains):
    """`contains`, for searches: PostgreSQL plans them for the text that is looked for.

    A prepared statement is planned for any text; for a frequent one that is ten times
    as slow. So the text is a part of the statement, quoted by the driver.
    """

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, tuple[()]]:
        statement = connection.ops.compose_sql(*self.as_sql(compiler, connection))
        return statement.replace("%", "%%"), ()


models.TextField.register_lookup(Holds, "holds")


class CleanCharField(models.CharField):
    """One line of text, stored in one form: NFC, trimmed, no control characters."""

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        if isinstance(value, str):
            value = " ".join(clean_text(value).split())
        return value


class KeyField(models.CharField):
    """Made of other fields, to look rows up by; "" where there is nothing to go by."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        made = {"max_length": 100, "editable": False, "default": "", "db_default": ""}
        super().__init__(*args, **(made | kwargs))


class CodedField(models.CharField):
    """A code out of a list that others keep; the list is no part of migrations."""

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("choices", None)
        return name, path, args, kwargs


class AmountField(models.DecimalField):
    """An amount of money; its currency is in a CurrencyField beside it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_digits"] = money.MAX_DIGITS
        kwargs["decimal_places"] = money.DECIMAL_PLACES
        super().__init__(*args, **kwargs)

    default_validators = [money.check_digits]


class CurrencyField(CodedField):
    """A currency code of ISO 4217."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = 3
        kwargs["choices"] = [(code, code) for code in sorted(money.CURRENCIES)]
        super().__init__(*args, **kwargs)


class CountryField(CodedField):
    """A country code of ISO 3166-1 alpha-2, or "XK"."""

    default_error_messages = {
        "invalid_choice": _(
            "“%(value)s” is no country. Give its two letters (ISO 3166-1), such as DE, "
            "or leave it empty where it is not known."
        )
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = 2
        kwargs["choices"] = sorted(COUNTRY_NAMES.items(), key=itemgetter(1))
        super().__init__(*args, **kwargs)


class LanguageField(models.CharField):
    """A language tag of BCP 47: "de", "pt-BR", "zh-Hant-TW"."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = 12
        super().__init__(*args, **kwargs)

    def validate(self, value: Any, model_instance: Any) -> None:
        super().validate(value, model_instance)
        match = LANGUAGE_TAG.fullmatch(value)
        region = match[4] if match else None
        if (
            match is None
            or match[1] not in LANGUAGES
            or (region and region.isalpha() and region not in COUNTRY_NAMES)
        ):
            raise ValidationError(_("Not a language tag of BCP 47."), code="language")


class PhoneField(CleanCharField):
    """A telephone number as people write it, with at most 15 digits (ITU-T E.164)."""

    FORM = re.compile(r"\+?[0-9()/. -]+((x|ext\.?) ?[0-9]{1,7})?", re.ASCII)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = 40
        super().__init__(*args, **kwargs)

    def validate(self, value: Any, model_instance: Any) -> None:
        super().validate(value, model_instance)
        number = re.split(r"x|ext", value, maxsplit=1)[0]
        digits = sum(character.isdigit() for character in number)
        if not self.FORM.fullmatch(value) or not 3 <= digits <= 15:
            raise ValidationError(_("Not a telephone number."), code="phone")
