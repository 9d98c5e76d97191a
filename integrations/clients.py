"""API clients: how one is made, gets another secret, is ended; when it was used."""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import InternalError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone
from oauth2_provider.models import AccessToken

from config.actors import SYSTEM, Actor
from config.db import (
    cannot_write,
    in_transaction,
    locked,
    locked_if_free,
    waiting_briefly,
)
from config.errors import StaleVersion

from .models import ApiClient

OLD_SECRET_WORKS = timedelta(hours=24)  # while another one takes its place
USE_NOTED_EVERY = timedelta(minutes=5)
MOST_AT_ONCE = 1_000


@transaction.atomic
def create_api_client(
    name: str,
    *,
    scopes: str,
    hierarchies: Iterable[Any] = (),
    sees_all_hierarchies: bool = False,
    expires_at: datetime | None = None,
    calls_per_minute: int | None = None,
    actor: Actor = SYSTEM,
) -> tuple[ApiClient, str]:
    """A new machine client and its secret, which nobody can read again afterwards.

    It sees the companies in `hierarchies` and all below them, or all companies, or
    none. Raises ValidationError `unknown_scope` or `act_or_write`.
    """
    secret, hierarchies = _new_secret(), list(hierarchies)
    client = ApiClient(
        name=name,
        client_type=ApiClient.CLIENT_CONFIDENTIAL,
        authorization_grant_type=ApiClient.GRANT_CLIENT_CREDENTIALS,
        client_secret=secret,
        allowed_scopes=" ".join(scopes.split()),
        sees_all_hierarchies=sees_all_hierarchies,
        expires_at=expires_at,
        calls_per_minute=calls_per_minute,
    )
    client.full_clean()
    client.by(actor, in_words(hierarchies) if hierarchies else "").save()
    client.allowed_hierarchies.set(hierarchies)
    return client, secret


@in_transaction
def rotate_api_client(
    client: ApiClient,
    *,
    actor: Actor,
    old_valid_for: timedelta = OLD_SECRET_WORKS,
    expected_version: int | None = None,
) -> str:
    """Another secret, which nobody can read again; the old one works a while longer.

    If it shall not, because others know it, it ends at once, and with it all tokens.
    A secret that was already the old one ends in any case: there are two at most.
    """
    stored = _locked(client)
    if expected_version not in (None, stored.version):
        raise StaleVersion(version=stored.version)
    now, secret = timezone.now(), _new_secret()
    stays = old_valid_for > timedelta(0)
    stored.old_secret = stored.client_secret if stays else ""
    stored.old_secret_until = now + old_valid_for if stays else None
    stored.client_secret, stored.secret_since = secret, now
    stored.by(actor, "new secret").save()
    if not stays:
        AccessToken.objects.filter(application=stored).delete()
    return secret


@in_transaction
def revoke_api_client(client: ApiClient, *, actor: Actor) -> None:
    """End it: inactive at once, without tokens and without the secret before its last.

    Nothing of this comes back by itself if it is made active again.
    """
    stored = _locked(client)
    AccessToken.objects.filter(application=stored).delete()
    if stored.is_active or stored.old_secret:
        stored.is_active = False
        stored.old_secret, stored.old_secret_until = "", None
        stored.by(actor, "revoked").save()


def note_use(client_id: int) -> None:
    """Note that the client was used now, at most once in five minutes.

    Waits for nobody, and fails no call: what cannot be noted is noted by the next one.
    """
    now = timezone.now()
    noted_long_ago = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_NOTED_EVERY)
    unnoted = ApiClient.objects.filter(noted_long_ago, pk=client_id)
    try:
        with waiting_briefly(0), transaction.atomic():
            free = list(locked_if_free(unnoted).values_list("pk", flat=True))
            if free:
                ApiClient.objects.filter(pk__in=free).update(last_used_at=now)
    except (OperationalError, InternalError) as error:
        if not cannot_write(error):
            raise


def in_words(hierarchies: Iterable[Any]) -> str:
    """What the history says of the hierarchies that a client sees: codes."""
    codes = ", ".join(sorted(company.code for company in hierarchies)) or "none"
    return f"hierarchies: {codes}"[:500]


def delete_expired_tokens(most: int = MOST_AT_ONCE) -> int:
    """Delete tokens that have ended, the oldest first. How many."""
    ended = AccessToken.objects.filter(expires__lt=timezone.now()).order_by("pk")
    found = [*ended.values_list("pk", flat=True)[:most]]
    return AccessToken.objects.filter(pk__in=found).delete()[0]


def _new_secret() -> str:
    return secrets.token_urlsafe(32)  # 256 random bits: see hashers.py


def _locked(client: ApiClient) -> ApiClient:
    return locked(ApiClient.objects.filter(pk=client.pk)).get()
