"""The API against purchases in plain Python, around every border, for many steps.

Whatever is done is predicted first: the outcome with every reason, the status and code
of a refusal. After each step requests, ledger and counters are what the model says.
"""

from collections import Counter, defaultdict
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Count
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from approvals.models import (
    LedgerEntry,
    LimitCounter,
    PurchaseRequest,
    RequestHistory,
)
from tests import figures
from tests.approvals.machine.buying import Buying
from tests.approvals.machine.changing import Changing
from tests.approvals.machine.ruling import Ruling
from tests.approvals.machine.world import START, World, units
from tests.clock import Clock
from tests.guards import assert_integrity

# How often each is done, compared with the others, where there is what it needs: things
# of a kind, or a request of a status; seldom with requests of another status.
ACTIONS = {
    "submit": (16, ""),
    "check": (4, ""),
    "change": (5, "PENDING"),
    "ask_who_can_decide": (3, "PENDING"),
    "approve": (12, "PENDING"),
    "decline": (2, "PENDING"),
    "withdraw": (2, "PENDING"),
    "act_on_an_old_version": (1, "PENDING"),
    "order": (6, "APPROVED"),
    "cancel": (2, "APPROVED"),
    "refund": (4, "ORDERED"),
    "set_limit": (5, ""),
    "change_limit": (6, "limits"),
    "delete_limit": (1, "limits"),
    "make_group": (2, ""),
    "change_members": (1, "groups"),
    "delete_group": (1, "groups"),
    "make_rule": (2, ""),
    "switch_rule": (1, "rules"),
    "delete_rule": (1, "rules"),
    "switch_person": (2, ""),
    "change_job": (2, ""),
    "hold_or_activate": (2, ""),
    "move": (2, ""),
    "wait": (2, ""),
    "wait_for_the_end_of_the_month": (1, ""),
    "process_what_is_due": (2, ""),
}


class Machine(Buying, Ruling, Changing):
    """Picks what is done next; proves what must always hold."""

    # What people do

    @initialize(seed=st.integers(0, 2**64 - 1))
    def begin(self, seed: int) -> None:
        self.random.seed(seed)
        for _ in range(4):
            self.set_limit()
        for name in ("make_group", "make_rule"):
            if self.pick([True, False]):
                getattr(self, name)()

    @rule()
    def act(self) -> None:
        statuses = {request.status for request in self.model.requests.values()}
        possible: list[str] = []
        for name, (weight, needed) in ACTIONS.items():
            if needed.isupper():
                weight = weight if needed in statuses else bool(statuses)
            elif needed and not getattr(self.model, needed):
                weight = 0
            possible += [name] * weight
        action = self.pick(possible)
        getattr(self, action)()
        self.world.done[action] += 1

    # What must always hold

    @invariant()
    def requests_are_as_told(self) -> None:
        rows = PurchaseRequest.objects.values_list(
            "pk",
            "status",
            "version",
            "amount",
            "currency",
            "ordered_amount",
            "refunded_amount",
            "escalated_at",
            "reminded_at",
            "expires_at",
        )
        assert {
            pk: (
                status,
                version,
                units(amount, currency),
                units(ordered, currency),
                units(refunded, currency),
                escalated is not None,
                reminded is not None,
                expires,
            )
            for (
                pk,
                status,
                version,
                amount,
                currency,
                ordered,
                refunded,
                escalated,
                reminded,
                expires,
            ) in rows
        } == {
            pk: (
                request.status,
                request.version,
                request.amount,
                request.ordered,
                request.refunded,
                request.escalated,
                request.reminded,
                request.expires_at,
            )
            for pk, request in self.model.requests.items()
        }

    @invariant()
    def every_version_has_its_entry_in_the_history(self) -> None:
        entries = RequestHistory.objects.order_by().values_list("request")
        assert dict(entries.annotate(Count("pk"))) == {
            pk: request.version for pk, request in self.model.requests.items()
        }

    @invariant()
    def ledger_and_counters_are_as_told(self) -> None:
        running: dict[Any, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for entry in LedgerEntry.objects.order_by("pk"):
            key = (entry.limit_id, entry.period, entry.period_start.isoformat())
            before = (entry.reserved_before, entry.used_before)
            currency = entry.currency
            assert tuple(units(one, currency) for one in before) == running[key]
            amount = units(entry.amount, currency) or 0
            reserved, used = running[key]
            match entry.kind:
                case "RESERVE":
                    reserved += amount
                case "RELEASE":
                    reserved -= amount
                case "CONFIRM":
                    reserved, used = reserved - amount, used + amount
                case "REFUND":
                    used -= amount
            running[key] = (reserved, used)
        counters = {
            (row.limit_id, row.period, row.period_start.isoformat()): (
                units(row.reserved, row.limit.currency),
                units(row.used, row.limit.currency),
            )
            for row in LimitCounter.objects.select_related("limit")
        }
        model = self.model
        told = {
            key: (model.reserved[key], model.used[key])
            for key in {*model.reserved, *model.used}
        }
        nothing = (0, 0)
        keys = {*running, *counters, *told}
        for key in keys:
            assert running.get(key, nothing) == told.get(key, nothing), key
            assert counters.get(key, nothing) == told.get(key, nothing), key


def run_machine(*, runs: int, steps: int) -> Counter[str]:
    """How often each action was done, as predicted."""
    clock = Clock(START)
    with clock.stopped():
        world = World()

        class OneRun(Machine):
            def __init__(self) -> None:
                self.world, self.clock = world, clock
                super().__init__()
                self.block = ExitStack()
                self.block.enter_context(transaction.atomic())

            def teardown(self) -> None:
                try:
                    assert_integrity()
                finally:
                    transaction.set_rollback(True)
                    self.block.close()

        run_state_machine_as_test(
            OneRun,
            settings=settings(
                max_examples=runs,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    return world.done


@pytest.mark.django_db
def test_purchases_do_what_plain_python_does() -> None:
    run_machine(runs=10, steps=30)


@pytest.mark.long
@pytest.mark.django_db
def test_purchases_do_what_plain_python_does_for_20_000_steps() -> None:
    # What differs between the databases needs fewer steps to show.
    runs = 110 if connection.vendor == "postgresql" else 410

    done = run_machine(runs=runs, steps=50)

    figures.show(
        f"purchases as predicted: {done.total()} steps over HTTP in {runs} runs; "
        + ", ".join(f"{count} {what}" for what, count in done.most_common())
    )
    assert done.total() >= runs * 48
    assert min(done[action] for action in ACTIONS) >= runs // 10
