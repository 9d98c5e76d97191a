"""A limit as a bar: what is used, what is held, what is left."""

from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from approvals.models import PurchaseLimit
from approvals.rules import LimitState
from config.money import readable


@dataclass(frozen=True, slots=True)
class Meter:
    """A limit in the words and shares that a page shows."""

    limit: LimitState

    @property
    def used_share(self) -> int:
        """Percent of the bar."""
        return self._share(self.limit.used)

    @property
    def reserved_share(self) -> int:
        return min(self._share(self.limit.reserved), 100 - self.used_share)

    @property
    def has_bar(self) -> bool:
        return self.limit.counts and bool(self.limit.cap)

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
    def left(self) -> str:
        """Negative where approvals have passed the limit."""
        remaining = self.limit.remaining
        return "" if remaining is None else self._money(remaining)

    @property
    def exceeded(self) -> bool:
        return self.limit.remaining is not None and self.limit.remaining < 0

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
