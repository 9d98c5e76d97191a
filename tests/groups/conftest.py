from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from companies.models import Company
from tests.factories import make_client, make_token
from tests.http import KeyedClient

SCOPES = "groups:read groups:write companies:read companies:write"


@pytest.fixture
def caller() -> Callable[..., APIClient]:
    """Makes HTTP clients with a token; a crash is a 500, as for others."""

    def make(scopes: str = SCOPES, *, only: tuple[Company, ...] = ()) -> APIClient:
        client = make_client(scopes=scopes, hierarchies=only, sees_all=not only)
        return KeyedClient(token=make_token(client))

    return make


@pytest.fixture
def api(db: None, caller: Callable[..., APIClient]) -> APIClient:
    """An HTTP client that may do everything with groups everywhere."""
    return caller()
