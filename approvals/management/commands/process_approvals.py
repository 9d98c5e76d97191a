from typing import Any

from django.core.management.base import CommandError, CommandParser

from approvals.due import count_due, process_due
from config.commands import KonzernCommand


class Command(KonzernCommand):
    help = "Expire, escalate and remind of purchase requests, and send waiting mails."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="Say what is due, do nothing."
        )

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        done = count_due() if dry_run else process_due()
        mails = done.mails
        what = (
            f"{done.expired} expired, {done.escalated} escalated, "
            f"{done.reminded} reminded of"
        )
        if dry_run:
            self.stdout.write(f"Dry run: {what}; {mails.sent} mails to send.")
            return
        summary = (
            f"{what}; {mails.sent} mails sent, {mails.dropped} not needed any more, "
            f"{mails.failed} to try again, {mails.given_up} given up"
        )
        if done.broken:
            raise CommandError(f"{summary}; {done.broken} went wrong, see the log.")
        self.stdout.write(f"{summary}.")
