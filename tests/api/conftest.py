from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from integrations.models import ApiClient
from tests.api.asking import World
from tests.factories import make_client, make_token
from tests.http import KeyedClient

SCOPES = "companies:read companies:write companies:move contacts:read contacts:write"


@pytest.fixture
def call_as() -> Callable[[ApiClient], APIClient]:
    """An HTTP client with a token of the API client; a crash is an answer with 500."""

    def make(client: ApiClient) -> APIClient:
        return KeyedClient(token=make_token(client))

    return make


@pytest.fixture
def world(db: None, call_as: Callable[[ApiClient], APIClient]) -> World:
    """Companies and people, and a client that may do everything with them."""
    return World(call_as(make_client(scopes=SCOPES, sees_all=True)))
