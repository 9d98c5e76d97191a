"""People come and go, companies move, time passes."""

import copy
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from approvals.due import process_due
from tests.approvals.machine.caller import Caller
from tests.approvals.machine.purchases import Refusal

ROLES = ["ADMIN", "BUYER", "REQUESTER", ""]


class Changing(Caller):
    """What happens around purchases."""

    # People and companies

    def switch_person(self) -> None:
        gone = [person for person, active in self.model.active.items() if not active]
        person = self.pick([*gone * 3, *self.model.active])
        active = not self.model.active[person]
        places = {
            job.company
            for job in self.model.jobs.values()
            if job.person == person and job.role == "ADMIN"
        }
        self.model.active[person] = active
        refusal = self.refusal_without_admin([] if active else places)
        if not self.write("patch", "contacts", person, {"is_active": active}, refusal):
            self.model.active[person] = not active

    def refusal_without_admin(self, companies: Iterable[int]) -> Refusal:
        lost = any(self.model.lacks_admin(company) for company in companies)
        return (409, "last_admin") if lost else None

    def change_job(self) -> None:
        pk = self.pick(self.model.jobs)
        was = self.model.jobs[pk]
        job = copy.copy(was)
        if self.pick([True, True, False]):
            job.role = self.pick(ROLES)
            body: dict[str, Any] = {"role": job.role}
        else:
            job.covers = not was.covers
            body = {"covers_subsidiaries": job.covers}
        self.model.jobs[pk] = job
        was_admin = was.role == "ADMIN" and self.model.active[was.person]
        refusal = self.refusal_without_admin([was.company] if was_admin else [])
        if not self.write("patch", "contact-assignments", pk, body, refusal):
            self.model.jobs[pk] = was

    def hold_or_activate(self) -> None:
        held = [
            pk
            for pk, company in self.model.companies.items()
            if company.status != "ACTIVE"
        ]
        pk = self.pick([*held * 10, *self.model.companies])
        company = self.model.companies[pk]
        verb, status = ("activate", "ACTIVE") if pk in held else ("hold", "ON_HOLD")

        answered, said = self.call("post", f"companies/{pk}/{verb}/", {"reason": "so"})

        assert answered == 200, said
        company.status = status

    def move(self) -> None:
        pk = self.pick(self.model.companies)
        parent = self.pick([None, *self.model.companies])
        cycle = parent is not None and pk in self.model.path(parent)

        status, said = self.call("post", f"companies/{pk}/move/", {"parent": parent})

        refusal = (409, "would_close_cycle") if cycle else None
        if self.as_predicted(status, said, refusal):
            self.model.companies[pk].parent = parent

    # Time passes

    def wait(self) -> None:
        hours = self.pick([1, 12, 24, 3 * 24, 7 * 24, 14 * 24, 31 * 24])
        self.clock.move(hours=hours)

    def wait_for_the_end_of_the_month(self) -> None:
        second = self.pick([-1, 0])
        month = self.now.year * 12 + self.now.month  # counted from 0: the next one
        following = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
        if following > self.now:
            self.clock.now = following
            self.clock.move(seconds=second)

    def process_what_is_due(self) -> None:
        done = process_due()

        assert done.broken == 0
        told = (done.expired, done.escalated, done.reminded)
        assert told == self.model.pass_time(self.now)
