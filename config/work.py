"""Work that no call waits for: done by `run_worker`, in every process that runs it.

Each kind of work takes what waits, in transactions and with claims of its own, so that
any number of workers may run, and one that dies leaves nothing half done.
"""

from collections.abc import Callable, Collection

type Work = Callable[[], int]

_works: dict[str, tuple[Work, Work | None]] = {}


def register_work(name: str, work: Work, *, finish: Work | None = None) -> None:
    """`work()` does what waits now, and says how many things it has done.

    `finish()` waits for what `work()` has begun and left to itself.
    """
    _works[name] = work, finish


def kinds_of_work() -> list[str]:
    return list(_works)


def do_waiting_work(*only: str) -> dict[str, int]:
    """One round over all kinds of work, or some; how many of each were done."""
    return {name: _works[name][0]() for name in _chosen(only)}


def finish_work(*only: str) -> dict[str, int]:
    """Before the process ends: nothing stays in its hands."""
    finishing = {name: _works[name][1] for name in _chosen(only)}
    return {name: finish() for name, finish in finishing.items() if finish}


def _chosen(only: Collection[str]) -> list[str]:
    return [name for name in _works if not only or name in only]
