"""What benchmarks/api.py calls for: many small hierarchies with people and places."""

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from oauth2_provider.models import AccessToken, set_token_value

from approvals.models import PurchaseLimit
from companies.models import Company, Contact, ContactAssignment, Location
from companies.tree.load import load_companies
from config.actors import SYSTEM
from config.bulk import copy_rows
from integrations.clients import create_api_client

SIZE = 20  # companies in a hierarchy, on three levels
LOCATIONS, CONTACTS = 2, 3  # of each company
ROLES = ("ADMIN", "BUYER", "REQUESTER")
WORDS = ("Nord", "Süd", "Ost", "West", "Stahl", "Holz", "Glas", "Licht", "Haus", "Bau")
SCOPES = (
    "companies:read companies:write contacts:read contacts:write groups:read "
    "purchases:read purchases:write"
)


def load(count: int) -> None:
    companies = list(_companies(count))
    load_companies(companies, actor=SYSTEM)
    with transaction.atomic():
        _copy(
            Location(company=company, name=f"Site {number}", country="DE")
            for company in companies
            for number in range(LOCATIONS)
        )
        contacts = [_contact(number) for number in range(CONTACTS * count)]
        _copy(contacts)
        keys = Contact.objects.order_by("pk").values_list("pk", flat=True)
        _copy(
            ContactAssignment(
                contact_id=key,
                company=companies[number // CONTACTS],
                role=ROLES[number % CONTACTS],
            )
            for number, key in enumerate(keys)
        )
        _copy(
            PurchaseLimit(company=head, amount=1000, currency="EUR")
            for head in companies
            if head.is_head
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    connection.close()


@transaction.atomic
def add_monthly_limits() -> None:
    """A second limit of each hierarchy, which submits count on."""
    heads = Company.objects.heads().order_by("pk")
    _copy(
        PurchaseLimit(company=head, amount=10**8, currency="EUR", period="MONTH")
        for head in heads
    )


def _companies(count: int) -> Iterator[Company]:
    chance = random.Random(1)
    hierarchy: list[Company] = []
    for number in range(count):
        place = number % SIZE
        if not place:
            hierarchy = []
        # 0 is the head company, 1 to 4 are below it, each of these has three or four.
        above = None if not place else 0 if place < 5 else 1 + place % 4
        name = f"{chance.choice(WORDS)} {chance.choice(WORDS)} {number}"
        company = Company(
            name=name,
            code=f"c-{number}",
            legal_name=f"{name} GmbH",
            country="DE",
            registration_id=f"HRB {number}",
            currency="EUR",
            parent=None if above is None else hierarchy[above],
        )
        hierarchy.append(company)
        yield company


def _contact(number: int) -> Contact:
    email = f"{number}@example.com"
    return Contact(
        first_name="Kim",
        last_name=f"Person {number}",
        email=email,
        email_key=email,
        search_text=f"kim person {number} {email}",
    )


def _copy(rows: Iterator[Any] | Sequence[Any]) -> None:
    rows = iter(rows)
    first = next(rows)
    fields = [field for field in first._meta.concrete_fields if not field.primary_key]

    def values() -> Iterator[list[Any]]:
        for row in (first, *rows):
            yield [field.pre_save(row, add=True) for field in fields]

    copy_rows(type(first), [field.attname for field in fields], values())


def make_token(scopes: str = SCOPES) -> str:
    client, token = create_api_client(
        "benchmark", scopes=scopes, sees_all_hierarchies=True
    )
    stored = AccessToken(
        application=client, scope=scopes, expires=timezone.now() + timedelta(days=1)
    )
    set_token_value(stored, token)
    stored.save()
    return token
