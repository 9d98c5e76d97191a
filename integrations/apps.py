from django.apps import AppConfig
from django.core import checks
from django.utils.translation import gettext_lazy as _

from config.checks import (
    check_database,
    check_exposure,
    check_links,
    check_second_factor,
    check_webhooks,
)
from config.work import register_work


class IntegrationsConfig(AppConfig):
    name = "integrations"
    verbose_name = _("Integrations")

    def ready(self) -> None:
        checks.register(check_database, checks.Tags.database)
        checks.register(check_exposure, checks.Tags.security)
        checks.register(check_links)
        checks.register(check_second_factor, checks.Tags.security, deploy=True)
        checks.register(check_webhooks, checks.Tags.security, deploy=True)
        # Imports models, so not before all are loaded.
        from integrations import integrity  # noqa: F401
        from integrations.api import schema  # noqa: F401
        from integrations.clients import delete_expired_tokens
        from integrations.models import IdempotencyRecord
        from integrations.rates import forget_old
        from integrations.webhooks.deliverer import deliverer

        register_work("idempotency keys", IdempotencyRecord.objects.forget_old)
        register_work("expired tokens", delete_expired_tokens)
        register_work("counts of calls", forget_old)
        register_work("webhooks", deliverer.round, finish=deliverer.finish)
