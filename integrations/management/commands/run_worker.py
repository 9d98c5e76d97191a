import signal
import time
from types import FrameType
from typing import Any

from django.core.management.base import CommandParser
from django.db import InternalError, OperationalError, close_old_connections

from config.commands import KonzernCommand
from config.db import is_busy
from config.work import do_waiting_work, finish_work, kinds_of_work

PAUSE = 2  # seconds, when nothing waits


class Command(KonzernCommand):
    help = "Do what waits: webhooks, large imports. Any number of workers may run."

    stopping = False
    only: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="Do what waits now, and end."
        )
        parser.add_argument(
            "--only",
            action="append",
            default=[],
            choices=kinds_of_work(),
            help="This kind of work (may be repeated): no event waits for an import.",
        )

    def handle(self, *, once: bool, only: list[str], **options: Any) -> None:
        self.only = tuple(only)
        if once:
            self._say(do_waiting_work(*self.only))
            self._say(finish_work(*self.only))
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self.stopping:
            self._round()
        self._say(finish_work(*self.only))

    def _round(self) -> None:
        close_old_connections()
        try:
            done = do_waiting_work(*self.only)
        except (OperationalError, InternalError) as error:
            if not is_busy(error):
                raise
            self.stderr.write("The database is busy or does not answer. Trying again.")
            done = {}
        self._say(done)
        if not any(done.values()) and not self.stopping:
            time.sleep(PAUSE)

    def _say(self, done: dict[str, int]) -> None:
        for name, count in done.items():
            if count:
                self.stdout.write(f"{name}: {count} done")

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """After the round: what is in hand is finished first."""
        self.stopping = True
