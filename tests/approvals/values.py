"""Values for tests of the rules: three companies, one below the other, and people."""

from decimal import Decimal
from typing import Any

from approvals.rules import CompanyOnPath, GroupOnPath, Holding, LimitState, Person

HEAD, MIDDLE, LEAF = 1, 2, 3
ME, OTHER, THIRD = 10, 11, 12


def limit(cap: str | None, *, at: int = LEAF, **fields: Any) -> LimitState:
    return LimitState(
        **{
            "id": at * 100,
            "company": at,
            "company_name": f"Company {at}",
            "cap": None if cap is None else Decimal(cap),
            "currency": "EUR",
        }
        | fields
    )


def holding(
    role: str, *, at: int = LEAF, person: int = ME, covers: bool = False
) -> Holding:
    return Holding(
        assignment=person * 10 + at,
        person=Person(id=person),
        company=at,
        role=role,
        covers_subsidiaries=covers,
    )


def path(
    *,
    groups: dict[int, list[int]] | None = None,
    statuses: dict[int, str] | None = None,
) -> tuple[CompanyOnPath, ...]:
    return tuple(
        CompanyOnPath(
            id=pk,
            name=f"Company {pk}",
            status=(statuses or {}).get(pk, "ACTIVE"),
            groups=tuple(
                GroupOnPath(id=group, name="") for group in (groups or {}).get(pk, [])
            ),
        )
        for pk in (HEAD, MIDDLE, LEAF)
    )
