"""A limit as a bar: what is used, what is held, what is left."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Self

from django.utils.translation import gettext as _

from approvals.models import PurchaseLimit
from approvals.rules import LimitState, Purchase
from config.money import readable

LEAST = 2  # percent of the bar


@dataclass(frozen=True, slots=True)
class Meter:
    """A limit in the words and shares that a page shows.

    `wanted`: what a purchase would add, in the currency of the limit.
    """

    limit: LimitState
    wanted: Decimal = Decimal(0)

    @classmethod
    def kept(cls, facts: Mapping[str, Any], purchase: Purchase) -> Self:
        """As a decision on the purchase kept it; see `answers.limit_facts()`."""
        first, last = facts["period_start"], facts["period_end"]
        limit = LimitState(
            id=facts["id"],
            company=facts["company"],
            company_name=facts["company_name"],
            cap=None if facts["amount"] is None else Decimal(facts["amount"]),
            currency=facts["currency"],
            name=facts["name"],
            period=facts["period"],
            period_start=first and date.fromisoformat(first),
            period_end=last and date.fromisoformat(last),
            used=Decimal(facts["used"]),
            reserved=Decimal(facts["reserved"]),
        )
        same = purchase.currency == limit.currency
        return cls(limit, wanted=purchase.amount if same else Decimal(0))

    @property
    def used_share(self) -> int:
        """Percent of the bar."""
        return self._share(self.limit.used)

    @property
    def reserved_share(self) -> int:
        return min(self._share(self.limit.reserved), 100 - self.used_share)

    @property
    def wanted_share(self) -> int:
        """Of what is left; a little at least, so that it is seen."""
        left = 100 - self.used_share - self.reserved_share
        return max(min(self._share(self.wanted), left), LEAST)

    @property
    def wanted_from(self) -> int:
        return min(self.used_share + self.reserved_share, 100 - self.wanted_share)

    @property
    def has_bar(self) -> bool:
        return (self.limit.counts or self.wanted > 0) and bool(self.limit.cap)

    @property
    def cap(self) -> str:
        if self.limit.cap is None:
            return _("unlimited")
        return self._money(self.limit.cap)

    @property
    def used(self) -> str:
        return self._money(self.limit.used)

    @property
    def reserved(self) -> str:
        return self._money(self.limit.reserved)

    @property
    def wants(self) -> str:
        return self._money(self.wanted)

    @property
    def left(self) -> str:
        """Negative where approvals have passed the limit."""
        remaining = self.limit.remaining
        return "" if remaining is None else self._money(remaining)

    @property
    def exceeded(self) -> bool:
        return self.limit.remaining is not None and self.limit.remaining < 0

    @property
    def wants_too_much(self) -> bool:
        remaining = self.limit.remaining
        return remaining is not None and self.wanted > remaining

    @property
    def period(self) -> str:
        return str(PurchaseLimit.Period(self.limit.period).label)

    @property
    def scope(self) -> str:
        return str(PurchaseLimit.Scope(self.limit.scope).label)

    @property
    def binds(self) -> str:
        return str(PurchaseLimit.Binds(self.limit.whom).label)

    @property
    def on_exceed(self) -> str:
        return str(PurchaseLimit.OnExceed(self.limit.on_exceed).label)

    def _share(self, amount: Decimal) -> int:
        if not self.limit.cap:
            return 0
        return min(100, int(amount * 100 / self.limit.cap))

    def _money(self, amount: Decimal) -> str:
        return readable(amount, self.limit.currency)
