"""Calls the API and compares what it says with what was predicted."""

import copy
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from random import Random
from typing import Any

from hypothesis import note
from hypothesis.stateful import RuleBasedStateMachine
from rest_framework.test import APIClient

from tests.approvals.machine.purchases import Refusal
from tests.approvals.machine.world import START, World
from tests.clock import Clock


class Caller(RuleBasedStateMachine):
    """Does something over HTTP, and the same in the model.

    What it does next is up to one seed: Hypothesis would repeat itself, four steps of
    five, to find bugs of other kinds. What was done is noted in its report.
    """

    world: World
    clock: Clock

    def __init__(self) -> None:
        super().__init__()
        self.model = copy.deepcopy(self.world.model)
        self.clock.now = START
        self.versions: dict[tuple[str, int], int] = defaultdict(lambda: 1)
        self.http = APIClient()
        self.http.credentials(HTTP_AUTHORIZATION=f"Bearer {self.world.token}")
        self.calls = 0
        self.random = Random()

    # How it is called

    def call(
        self, method: str, path: str, body: Any = None, *, version: int | None = None
    ) -> tuple[int, Any]:
        self.calls += 1
        headers = {"Idempotency-Key": f"machine-{self.calls}"}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        url = f"/api/v1/{path}"
        answer = getattr(self.http, method)(url, body, headers=headers, format="json")
        said = answer.json() if answer.content else None
        note(f"{self.now} {method} {path} {body} -> {answer.status_code}")
        return answer.status_code, said

    def write(
        self, method: str, kind: str, pk: int, body: Any, refusal: Refusal
    ) -> bool:
        """Change or delete a row on its current version; whether it was done."""
        warns = kind in ("approval-groups", "contacts", "contact-assignments")
        confirm = "?confirm=true" if warns else ""
        version = self.versions[kind, pk]
        status, said = self.call(
            method, f"{kind}/{pk}/{confirm}", body, version=version
        )
        done = self.as_predicted(status, said, refusal)
        if done and said is not None:
            self.versions[kind, pk] = said["version"]
        return done

    def as_predicted(self, status: int, said: Any, refusal: Refusal) -> bool:
        if refusal is None:
            assert status in (200, 201, 204), (status, said)
            return True
        codes = {said["code"], *(error["code"] for error in said.get("errors", ()))}
        assert status == refusal[0], (status, said, refusal)
        assert refusal[1] in codes, (status, said, refusal)
        return False

    def pick[T](self, values: Iterable[T]) -> T:
        return self.random.choice(list(values))

    def pick_request(self, status: str) -> int:
        """Rather one of this status than another."""
        fitting = [pk for pk, r in self.model.requests.items() if r.status == status]
        return self.pick([*fitting * 12, *self.model.requests])

    @property
    def now(self) -> datetime:
        return self.clock.now
