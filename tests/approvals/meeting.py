"""Let two meet in the middle of their transactions, with and without the guards."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any

import pytest
from django.db import DatabaseError, connections

from approvals import locks, situation
from approvals.models import PurchaseRequest
from approvals.services import ending, status
from config import db
from config.errors import DomainError

PAUSE = 1.0  # seconds in which the second caller is done, if nothing holds it up


@dataclass
class Meeting:
    """What came of the two, and whether the second had to wait for the first."""

    second_waited: bool = False
    results: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def meet(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Meeting]:
    def run(
        first: Callable[[], Any], second: Callable[[], Any], *, before: str
    ) -> Meeting:
        """Start `second` when `first` is about to call the function `before`.

        Named by its place in `approvals` where it is called: "services.deciding.tell".
        """
        meeting = Meeting()
        inside, done = threading.Event(), threading.Event()
        name = f"approvals.{before}"
        original = resolve_name(":".join(name.rsplit(".", 1)))

        def paused(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread().name == "first" and not inside.is_set():
                inside.set()
                meeting.second_waited = not done.wait(PAUSE)
            return original(*args, **kwargs)

        def work(name: str, what: Callable[[], Any]) -> None:
            try:
                meeting.results[name] = what()
            except (DomainError, DatabaseError) as error:
                meeting.results[name] = error
            finally:
                connections.close_all()
                if name == "second":
                    done.set()

        monkeypatch.setattr(name, paused)
        threads = [
            threading.Thread(target=work, args=pair, name=pair[0])
            for pair in (("first", first), ("second", second))
        ]
        threads[0].start()
        assert inside.wait(20)
        threads[1].start()
        for thread in threads:
            thread.join()
        return meeting

    return run


@pytest.fixture
def no_hierarchy_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "acquire_hierarchies", lambda *a, **k: None)


@pytest.fixture
def no_repetition(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadlock is seen by whom it hits, not tried again."""
    monkeypatch.setattr(db, "MOST_REPETITIONS", 0)


@pytest.fixture
def no_row_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (status, situation):
        monkeypatch.setattr(module, "locked", lambda rows: rows)
    monkeypatch.setattr(ending, "locked_if_free", lambda rows: rows)


@pytest.fixture
def no_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        status,
        "as_read",
        lambda request: PurchaseRequest.objects.filter(pk=request.pk),
    )
