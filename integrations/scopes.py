"""Which scopes exist, and which of them a client may ask for."""

from typing import Any

from oauth2_provider.scopes import SettingsScopes


class AllowedScopes(SettingsScopes):
    """A client gets the scopes that staff gave it; django-oauth-toolkit gives all."""

    def get_available_scopes(
        self, application: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        allowed = application.allowed_scopes.split() if application else []
        return [scope for scope in self.get_all_scopes() if scope in allowed]

    def get_default_scopes(self, *args: Any, **kwargs: Any) -> list[str]:
        return []
