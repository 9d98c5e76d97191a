"""Run work at the same moment in several threads, each with its own connection."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connections


def run_at_once(work: Callable[[int], Any], *, threads: int = 6) -> list[Any]:
    """What `work(0)`, `work(1)` … return; the first exception is raised again."""
    start = Barrier(threads)

    def run(number: int) -> Any:
        try:
            start.wait()
            return work(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))
