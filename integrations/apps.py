from django.apps import AppConfig
from django.core import checks
from django.utils.translation import gettext_lazy as _

from config.checks import check_database, check_exposure, check_links


class IntegrationsConfig(AppConfig):
    name = "integrations"
    verbose_name = _("Integrations")

    def ready(self) -> None:
        checks.register(check_database, checks.Tags.database)
        checks.register(check_exposure, checks.Tags.security)
        checks.register(check_links)
        # Imports models, so not before all are loaded.
        from integrations.api import schema  # noqa: F401
