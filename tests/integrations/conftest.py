from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from integrations.models import ApiClient
from tests.factories import make_client, make_token
from tests.http import KeyedClient


@pytest.fixture
def call_as() -> Callable[[ApiClient], APIClient]:
    """An HTTP client with a token of the API client; a crash is an answer with 500."""

    def make(client: ApiClient) -> APIClient:
        return KeyedClient(token=make_token(client))

    return make


@pytest.fixture
def api(db: None, call_as: Callable[[ApiClient], APIClient]) -> APIClient:
    """An HTTP client that may do everything with companies everywhere."""
    scopes = "companies:read companies:write"
    return call_as(make_client(scopes=scopes, sees_all=True))
