"""What every run of the state machine begins with, and how it writes amounts."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

from tests.approvals.machine.purchases import DECIMALS, Company, Job, Purchases
from tests.factories import (
    make_assignment,
    make_client,
    make_company,
    make_contact,
    make_token,
)

SCOPES = (
    "companies:write companies:move contacts:write limits:write purchases:read "
    "purchases:write approvals:decide"
)
START = datetime(2026, 3, 30, 12, tzinfo=UTC)


def text(amount: int, currency: str) -> str:
    """Whole minor units as the API writes them: 1250 EUR is "12.50"."""
    decimals = DECIMALS[currency]
    return f"{Decimal(amount).scaleb(-decimals):.{decimals}f}"


def units(amount: Decimal | None, currency: str) -> int | None:
    return None if amount is None else int(amount.scaleb(DECIMALS[currency]))


class World:
    """Companies and people that every run begins with, and who may call the API."""

    def __init__(self) -> None:
        self.model = Purchases()
        self.done: Counter[str] = Counter()  # in all runs
        head = self._company(None)
        middle = self._company(head)
        leaf, sister = self._company(middle), self._company(head)
        other = self._company(None)
        for company, role, covers in (
            (head, "ADMIN", False),
            (head, "ADMIN", True),
            (head, "BUYER", True),
            (middle, "ADMIN", True),
            (middle, "REQUESTER", False),
            (middle, "", False),
            (leaf, "ADMIN", False),
            (leaf, "BUYER", False),
            (leaf, "REQUESTER", False),
            (leaf, "REQUESTER", False),
            (sister, "BUYER", False),
            (other, "ADMIN", False),
            (other, "REQUESTER", False),
        ):
            self._job(self._person(), company, role, covers)
        both = self._person()
        self._job(both, leaf, "REQUESTER", False)
        self._job(both, middle, "BUYER", True)
        client = make_client(scopes=SCOPES, sees_all=True)
        self.token = make_token(client, minutes=60 * 24 * 365 * 30)

    def _company(self, parent: int | None) -> int:
        pk = make_company(parent_id=parent).pk
        self.model.companies[pk] = Company(parent)
        return pk

    def _person(self) -> int:
        pk = make_contact().pk
        self.model.active[pk] = True
        return pk

    def _job(self, person: int, company: int, role: str, covers: bool) -> None:
        made = make_assignment(
            contact_id=person, company_id=company, role=role, covers_subsidiaries=covers
        )
        self.model.jobs[made.pk] = Job(person, company, role, covers)
