"""Describes our authentication in the OpenAPI document; drf-spectacular finds it."""

from typing import Any

from drf_spectacular.contrib.django_oauth_toolkit import DjangoOAuthToolkitScheme

from .permissions import READING


class BearerScheme(DjangoOAuthToolkitScheme):
    target_class = "integrations.api.authentication.BearerAuthentication"
    name = "oauth2"
    priority = 1

    def get_security_requirement(self, auto_schema: Any) -> dict[str, list[str]]:
        view = auto_schema.view
        scope = view.read_scope if auto_schema.method in READING else view.write_scope
        return {self.name: [scope] if scope else []}
