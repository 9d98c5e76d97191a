from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from integrations.models import ApiClient
from tests.factories import make_client, make_token
from tests.http import KeyedClient

SCOPES = (
    "companies:read companies:write companies:move contacts:read contacts:write "
    "imports:write"
)


@pytest.fixture
def call_as() -> Callable[..., APIClient]:
    """An HTTP client with a token of the API client; a crash is a 500."""

    def make(client: ApiClient, *, scopes: str | None = None) -> APIClient:
        return KeyedClient(token=make_token(client, scopes=scopes))

    return make


@pytest.fixture
def api(db: None, call_as: Callable[..., APIClient]) -> APIClient:
    """An HTTP client that may do everything with companies and people everywhere."""
    return call_as(make_client(scopes=SCOPES, sees_all=True))
