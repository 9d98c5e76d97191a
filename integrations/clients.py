"""API clients: how one is made."""

import secrets
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Model

from .models import ApiClient


@transaction.atomic
def create_api_client(
    name: str,
    *,
    scopes: str,
    hierarchies: Iterable[Model] = (),
    sees_all_hierarchies: bool = False,
) -> tuple[ApiClient, str]:
    """A new machine client and its secret, which nobody can read again afterwards.

    It sees the companies in `hierarchies` and all below them, or all companies, or
    none. Raises ValidationError `unknown_scope`.
    """
    secret = secrets.token_urlsafe(32)
    client = ApiClient(
        name=name,
        client_type=ApiClient.CLIENT_CONFIDENTIAL,
        authorization_grant_type=ApiClient.GRANT_CLIENT_CREDENTIALS,
        client_secret=secret,
        allowed_scopes=" ".join(scopes.split()),
        sees_all_hierarchies=sees_all_hierarchies,
    )
    client.full_clean()
    client.save()
    client.allowed_hierarchies.set(hierarchies)
    return client, secret
