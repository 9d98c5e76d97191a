"""Amounts of money: decimal, in one currency, never rounded silently."""

import re
from dataclasses import dataclass
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from iso4217 import Currency

MAX_DIGITS = 18
DECIMAL_PLACES = 4  # the most that any currency of ISO 4217 has
SIGNIFICANT_DIGITS = 15  # SQLite keeps decimals as binary floating point: no more fit
# Metals, test codes and "no currency" have no minor units: nothing is sold in them.
MINOR_UNITS = {c.code: c.exponent for c in Currency if c.exponent is not None}
CURRENCIES = frozenset(MINOR_UNITS)
# ASCII digits only: Decimal() would also take "1e3", "1_000" and digits of any script.
AMOUNT = re.compile(r"(0|[1-9][0-9]{0,13})(\.[0-9]{1,4})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Money:
    """A non-negative amount in a currency of ISO 4217."""

    amount: Decimal
    currency: str

    @classmethod
    def parse(cls, amount: str, currency: str) -> "Money":
        """Read "12.50"; a wrong form or too many decimals is a ValidationError."""
        if currency not in CURRENCIES:
            raise ValidationError(
                _("Not a currency code of ISO 4217."), code="unknown_currency"
            )
        if not AMOUNT.fullmatch(amount):
            raise ValidationError(
                _("Not an amount: digits, and a point before the decimals."),
                code="invalid_amount",
            )
        value = Decimal(amount)
        check_minor_units(value, currency)
        check_digits(value)
        return cls(value, currency)

    def __str__(self) -> str:
        """The amount with the currency's own number of decimals: "12.50"."""
        return plain(self.amount, self.currency)


def plain(amount: Decimal, currency: str) -> str:
    """The amount as the API writes it, with the currency's decimals: "1250.00"."""
    return f"{amount:.{MINOR_UNITS.get(currency, 2)}f}"


def grouped(amount: Decimal, currency: str) -> str:
    """The amount as its reader writes it: "1,250.00", in German "1.250,00"."""
    units = MINOR_UNITS.get(currency, 2)
    return number_format(plain(amount, currency), units, force_grouping=True)


def readable(amount: Decimal, currency: str) -> str:
    """The amount for people: "1,250.00 EUR"."""
    return f"{grouped(amount, currency)} {currency}"


def check_minor_units(value: Decimal, currency: str) -> None:
    """Refuse smaller units than the currency has; nothing is ever rounded."""
    if value != round(value, MINOR_UNITS.get(currency, 2)):
        raise ValidationError(
            _("%(currency)s has no such small units."),
            code="too_many_decimals",
            params={"currency": currency},
        )


def check_digits(value: Decimal) -> None:
    """Refuse what SQLite would round, on PostgreSQL too: the same answer on both."""
    digits = value.normalize().as_tuple().digits
    if len(digits) > SIGNIFICANT_DIGITS:
        raise ValidationError(_("Too large an amount."), code="too_many_digits")


def most_exact(currency: str) -> Decimal:
    """The most up to which every amount of the currency can be stored exactly."""
    units = MINOR_UNITS.get(currency, 2)
    digits = min(SIGNIFICANT_DIGITS, MAX_DIGITS - DECIMAL_PLACES + units)
    return (Decimal(10) ** digits - 1).scaleb(-units)
