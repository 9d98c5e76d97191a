"""What of messages to other systems needs somebody today."""

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from config.admin import Task, add_tasks
from integrations.models import WebhookDelivery, WebhookEndpoint


def count_failing(rows: QuerySet) -> int:
    return rows.filter(status=WebhookDelivery.Status.FAILING).count()


def count_paused(rows: QuerySet) -> int:
    return rows.filter(status=WebhookEndpoint.Status.PAUSED).count()


add_tasks(
    Task(
        _("Webhook deliveries that fail"),
        "outbox",
        WebhookDelivery,
        count_failing,
        f"status__exact={WebhookDelivery.Status.FAILING}",
        order=60,
    ),
    Task(
        _("Webhook endpoints that are paused"),
        "webhook",
        WebhookEndpoint,
        count_paused,
        f"status__exact={WebhookEndpoint.Status.PAUSED}",
        order=70,
    ),
)
