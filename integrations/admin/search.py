"""API clients, webhook endpoints and staff in the search over everything."""

from django.contrib.auth.models import User
from django.db.models import Q

from config.admin import Searched, add_searched, joined
from integrations.models import ApiClient, WebhookEndpoint

add_searched(
    Searched(
        ApiClient,
        "key",
        lambda client: client.client_id,
        lambda query: Q(client_id=query) | Q(name__iexact=query),
        order=80,
    ),
    Searched(
        WebhookEndpoint,
        "webhook",
        lambda endpoint: joined(endpoint.client, endpoint.description),
        lambda query: Q(url=query),
        state=lambda endpoint: (endpoint.status, endpoint.get_status_display()),
        related=("client",),
        order=85,
    ),
    Searched(
        User,
        "manage_accounts",
        lambda user: joined(user.get_full_name(), user.email),
        lambda query: Q(username__iexact=query) | Q(email__iexact=query),
        order=90,
    ),
)
