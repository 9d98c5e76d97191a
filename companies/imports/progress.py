"""How far an import is, and whether it shall go on."""

from collections.abc import Iterable, Iterator
from typing import Any


class Stopped(Exception):
    """Somebody cancelled the import, or it took too long; nothing was stored."""

    def __init__(self, code: str, message: Any) -> None:
        self.code = code
        super().__init__(str(message))


class Progress:
    """Told about each record; says nothing. See `watching.py` and `import_data`.

    `report()` may raise Stopped: the transaction that is open is rolled back.
    """

    def begin(self, step: str, total: int | None = None) -> None:
        """A new step, of so many records if that is known."""

    def report(self, done: int) -> None:
        """So many records of the step are done."""

    def over[T](
        self, items: Iterable[T], step: str, total: int | None = None
    ) -> Iterator[T]:
        if total is None and hasattr(items, "__len__"):
            total = len(items)
        self.begin(step, total)
        for done, item in enumerate(items):
            self.report(done)
            yield item
