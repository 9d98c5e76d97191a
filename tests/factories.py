"""Make saved objects for tests; a test names only the fields it is about."""

from datetime import timedelta
from itertools import count
from typing import Any

from django.contrib.auth.models import Permission, User
from django.utils import timezone
from oauth2_provider.models import AccessToken, set_token_value

from companies.models import (
    Company,
    CompanyLink,
    Contact,
    ContactAssignment,
    Location,
)
from integrations.clients import create_api_client, note_use
from integrations.models import ApiClient

numbers = count(1)


def make_user(*, permissions: tuple[str, ...] = (), **fields: Any) -> User:
    """Staff with the named permissions ("move_company", …) and no others."""
    name = f"user{next(numbers)}"
    user = User.objects.create(
        **{"username": name, "email": f"{name}@example.com", "is_staff": True} | fields
    )
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def make_company(**fields: Any) -> Company:
    number = next(numbers)
    return Company.objects.create(
        **{"name": f"Company {number}", "code": f"company-{number}"} | fields
    )


def make_chain(depth: int, **fields: Any) -> list[Company]:
    """A head company and one subsidiary below the other, `depth` companies in all."""
    chain: list[Company] = []
    for _ in range(depth):
        parent = chain[-1] if chain else None
        chain.append(make_company(parent=parent, **fields))
    return chain


def make_location(**fields: Any) -> Location:
    if "company" not in fields:
        fields["company"] = make_company()
    return Location.objects.create(**{"type": Location.Type.OFFICE} | fields)


def make_contact(**fields: Any) -> Contact:
    number = next(numbers)
    return Contact.objects.create(
        **{
            "first_name": "Contact",
            "last_name": str(number),
            "email": f"c{number}@example.com",
        }
        | fields
    )


def make_assignment(**fields: Any) -> ContactAssignment:
    if "contact" not in fields:
        fields["contact"] = make_contact()
    if "company" not in fields:
        fields["company"] = make_company()
    return ContactAssignment.objects.create(**fields)


def make_link(**fields: Any) -> CompanyLink:
    for end in ("company", "other"):
        if end not in fields:
            fields[end] = make_company()
    return CompanyLink.objects.create(**{"kind": CompanyLink.Kind.OWNS} | fields)


def make_client(
    *, hierarchies: tuple[Company, ...] = (), scopes: str = "", sees_all: bool = False
) -> ApiClient:
    """An API client that sees the hierarchies, or all, or nothing."""
    client, _secret = create_api_client(
        f"client {next(numbers)}",
        scopes=scopes,
        hierarchies=hierarchies,
        sees_all_hierarchies=sees_all,
    )
    return client


def make_token(
    client: ApiClient, *, scopes: str | None = None, minutes: int = 15
) -> str:
    """A bearer token of the client, for all it is allowed if not said otherwise."""
    token = f"token-{next(numbers)}"
    stored = AccessToken(
        application=client,
        scope=client.allowed_scopes if scopes is None else scopes,
        expires=timezone.now() + timedelta(minutes=minutes),
    )
    set_token_value(stored, token)
    stored.save()
    note_use(client.pk)  # as the token endpoint does
    return token
