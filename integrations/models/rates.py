"""How many calls were counted: what `integrations.rates` keeps in the database."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class CallCount(models.Model):
    """Calls of one kind by one caller, since `start`; counted anew in each window.

    What is lost of it in a crash is counted anew: on PostgreSQL the table is unlogged,
    so that nobody waits for the disk to count.
    """

    key = models.CharField(_("of whom"), max_length=150, primary_key=True)
    start = models.BigIntegerField(_("since"))  # seconds since 1970
    used = models.PositiveIntegerField(_("calls"))

    class Meta:
        verbose_name = _("call count")
        verbose_name_plural = _("call counts")

    def __str__(self) -> str:
        return f"{self.key}: {self.used}"
