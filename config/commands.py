"""The base of our management commands."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InternalError, OperationalError

from config.db import is_busy


class KonzernCommand(BaseCommand):
    """Ends in a sentence, not in a traceback, where trying again may help."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except (OperationalError, InternalError) as error:
            if not is_busy(error):
                raise
            reason = str(error).strip().partition("\n")[0]
            text = f"The database is busy or does not answer ({reason}). Try again."
            raise CommandError(text) from error
