"""What becomes due by the passing of time, and the command that does it."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils import timezone

from approvals import due, services
from approvals.due import process_due
from approvals.models import LimitCounter, Notice, PurchaseRequest, RequestHistory
from approvals.services import reminding
from companies.services import set_status
from config.actors import SYSTEM
from integrations.models import Event
from tests.approvals.makers import (
    World,
    acting,
    make_approval_group,
    make_limit,
    make_world,
    person,
    submit,
)
from tests.races import run_at_once

pytestmark = pytest.mark.django_db

NOTHING = "0 mails sent, 0 not needed any more, 0 to try again, 0 given up"


@pytest.fixture
def world() -> World:
    return make_world()


def age(request: PurchaseRequest, **ago: float) -> None:
    """As if so much time had passed since the request was moved last."""
    past = timedelta(**ago)
    PurchaseRequest.objects.filter(pk=request.pk).update(
        updated_at=timezone.now() - past,
        expires_at=timezone.now() + timedelta(days=14) - past,
    )


def process(**options: Any) -> str:
    out = StringIO()
    call_command("process_approvals", stdout=out, **options)
    return out.getvalue().strip()


def state(request: PurchaseRequest) -> tuple[Any, ...]:
    request.refresh_from_db()
    return (
        request.status,
        request.version,
        request.reminded_at is not None,
        request.escalated_at is not None,
    )


def kinds(request: PurchaseRequest) -> list[str]:
    return sorted(request.notices.values_list("kind", flat=True))


def test_an_overdue_request_expires_and_gives_back_what_it_held(world: World) -> None:
    make_limit(company=world.head, amount="1000", period="MONTH")
    pending = submit(world.sub, world.requester, "300.00")
    approved = submit(world.sub, world.buyer, "200.00")
    fresh = submit(world.sub, world.buyer, "70.00")
    for request in (pending, approved):
        age(request, days=15)

    said = process()

    assert [state(one)[0] for one in (pending, approved, fresh)] == [
        "EXPIRED",
        "EXPIRED",
        "APPROVED",
    ]
    assert LimitCounter.objects.get().reserved == 70
    assert said == (
        "2 expired, 0 escalated, 0 reminded of; 2 mails sent, 2 not needed any more, "
        "0 to try again, 0 given up."
    )
    assert {message.to[0]: message.body.split("\n")[2] for message in mail.outbox} == {
        world.requester.email: (
            "nobody has decided on your purchase in time. Submit it again if it is "
            "still needed."
        ),
        world.buyer.email: (
            "your purchase had been approved, but was not ordered in time. Submit it "
            "again if it is still needed."
        ),
    }


def test_a_request_expires_at_its_second_and_not_before(world: World) -> None:
    request = submit(world.sub, world.requester)
    expires_at = timezone.now() + timedelta(seconds=60)
    PurchaseRequest.objects.update(expires_at=expires_at)

    before = PurchaseRequest.objects.overdue(expires_at - timedelta(microseconds=1))
    at = PurchaseRequest.objects.overdue(expires_at)

    assert (list(before), list(at)) == ([], [request])
    assert not services.expire_request(request, actor=SYSTEM)


def test_those_who_can_decide_are_reminded_once(world: World) -> None:
    request = submit(world.sub, world.requester)
    world.buyer.assignments.get().delete()
    age(request, days=3)

    said = [process(), process()]

    # No new version: a decision on what was read before still counts.
    assert state(request) == ("PENDING", 1, True, False)
    assert request.notices.get(kind="REMINDER").contact == world.admin
    assert [line.split(";")[0] for line in said] == [
        "0 expired, 0 escalated, 1 reminded of",
        "0 expired, 0 escalated, 0 reminded of",
    ]
    assert RequestHistory.objects.count() == 1


def test_the_next_step_is_reminded_in_its_own_time(world: World) -> None:
    make_approval_group(company=world.head, members=[world.boss])
    group = make_approval_group(company=world.sub, members=[world.admin])
    rule = world.sub.approval_rules.create(name="Two steps")
    rule.steps.create(position=1, approval_group=group)
    rule.steps.create(position=2, role="ADMIN", quorum=2)
    request = submit(world.sub, world.requester)
    age(request, days=3)
    process()
    services.approve_request(request, actor=acting(world.admin), expected_version=1)
    at_once = process()
    age(request, days=3)

    later = process()

    assert "0 reminded" in at_once
    assert "1 reminded" in later
    reminded = request.notices.filter(kind="REMINDER").order_by("pk")
    assert [notice.version for notice in reminded] == [1, 2]


def test_the_company_above_is_asked_when_nobody_decides(world: World) -> None:
    request = submit(world.sub, world.requester)
    age(request, days=7)
    before = services.approvers_of(request)

    said = [process(), process()]

    after = services.approvers_of(PurchaseRequest.objects.get())
    assert [said[0].split(";")[0], said[1].split(";")[0]] == [
        "0 expired, 1 escalated, 0 reminded of",
        "0 expired, 0 escalated, 0 reminded of",
    ]
    assert state(request) == ("PENDING", 2, False, True)
    assert {one.person.id for one in before.approvers} == {
        world.admin.pk,
        world.buyer.pk,
    }
    assert {one.person.id for one in after.approvers} == {
        world.admin.pk,
        world.buyer.pk,
        world.boss.pk,
    }
    told = request.notices.filter(kind="ESCALATED").values_list("contact", flat=True)
    assert set(told) == {world.admin.pk, world.buyer.pk, world.boss.pk}
    events = Event.objects.filter(type__startswith="purchase_request.").order_by("pk")
    assert [event.type for event in events] == [
        "purchase_request.submitted",
        "purchase_request.escalated",
    ]
    services.approve_request(request, actor=acting(world.boss), expected_version=2)


def test_at_the_top_the_staff_may_decide_too(world: World) -> None:
    requester = person(world.head, "REQUESTER")
    request = submit(world.head, requester)
    age(request, days=7)

    process()

    step = services.approvers_of(PurchaseRequest.objects.get())
    assert step.staff
    assert [one.person.id for one in step.approvers] == [world.boss.pk]


@pytest.mark.parametrize("days", [2.9, 6.9])
def test_nothing_is_done_before_its_time(world: World, days: float) -> None:
    request = submit(world.sub, world.requester)
    age(request, days=days)

    process()

    assert state(request) == ("PENDING", 1, days > 3, False)


def test_zero_days_mean_never(world: World, settings: Any) -> None:
    settings.PURCHASE_REMIND_DAYS = settings.PURCHASE_ESCALATE_DAYS = 0
    request = submit(world.sub, world.requester)
    age(request, days=13)

    process()

    assert state(request) == ("PENDING", 1, False, False)


def test_nobody_is_reminded_while_on_hold_and_expiry_goes_on(world: World) -> None:
    waiting_one, overdue = (submit(world.sub, world.requester) for _ in range(2))
    age(waiting_one, days=8)
    age(overdue, days=15)
    set_status(world.head, "ON_HOLD", actor=SYSTEM, reason="")

    process()
    on_hold = state(waiting_one)
    set_status(world.head, "ACTIVE", actor=SYSTEM, reason="")
    process()

    assert on_hold == ("PENDING", 1, False, False)
    assert state(overdue)[0] == "EXPIRED"
    assert state(waiting_one) == ("PENDING", 2, False, True)


def test_a_decision_between_reading_and_locking_counts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of what is due is old by the time a request's turn comes."""
    request = submit(world.sub, world.requester)
    age(request, days=15)
    pages = due._in_pages

    def approved_meanwhile(requests: Any) -> Any:
        for found in pages(requests):
            services.approve_request(
                request, actor=acting(world.admin), expected_version=1
            )
            yield found

    monkeypatch.setattr(due, "_in_pages", approved_meanwhile)

    done = process_due()

    assert (done.expired, state(request)[0]) == (0, "APPROVED")


def test_a_dry_run_says_what_is_due_and_does_nothing(world: World) -> None:
    ages = [15, 8, 4, 0]
    requests = [submit(world.sub, world.requester) for _ in ages]
    for request, days in zip(requests, ages, strict=True):
        age(request, days=days)

    said = process(dry_run=True)

    assert said == ("Dry run: 1 expired, 1 escalated, 1 reminded of; 8 mails to send.")
    assert [state(one) for one in requests] == [("PENDING", 1, False, False)] * 4
    assert mail.outbox == []
    assert process().split(";")[0] == "1 expired, 1 escalated, 1 reminded of"


def test_a_request_that_breaks_keeps_no_other_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    first, second = (submit(world.sub, world.requester) for _ in range(2))
    for request in (first, second):
        age(request, days=15)
    expire = services.expire_request

    def broken(request: PurchaseRequest, **fields: Any) -> bool:
        if request.pk == first.pk:
            raise LookupError
        return expire(request, **fields)

    monkeypatch.setattr(services, "expire_request", broken)

    with pytest.raises(CommandError, match=r"^1 expired, .* 1 went wrong"):
        process()

    assert [state(one)[0] for one in (first, second)] == ["PENDING", "EXPIRED"]
    assert f"Request {first.pk} could not be processed." in caplog.text


def test_many_requests_are_read_in_pages(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "PAGE", 2)
    for _ in range(5):
        age(submit(world.sub, world.requester), days=15)

    assert process().startswith("5 expired,")


def test_nothing_to_do_is_said_too(world: World) -> None:
    assert process() == f"0 expired, 0 escalated, 0 reminded of; {NOTHING}."


# Several at once


def run_process(number: int) -> tuple[int, int, int]:
    done = process_due()
    assert done.broken == 0
    return done.expired, done.escalated, done.reminded


@pytest.mark.django_db(transaction=True)
def test_several_processes_do_each_thing_once(world: World) -> None:
    make_limit(company=world.head, amount="100000", period="MONTH")
    for days in (15, 8, 4) * 5:
        age(submit(world.sub, world.requester), days=days)

    counts = run_at_once(run_process, threads=4)

    assert [sum(column) for column in zip(*counts, strict=True)] == [5, 5, 5]
    changes = RequestHistory.objects.values_list("change", flat=True)
    assert sorted(changes).count("EXPIRED") == 5
    assert sorted(changes).count("ESCALATED") == 5
    assert Notice.objects.filter(kind="REMINDER").count() == 2 * 5
    assert LimitCounter.objects.get().reserved == 10 * 100


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_a_reminder_is_written_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the unique constraint refuses what the lock would have prevented."""
    free: Callable[[Any], Any] = lambda rows: rows.order_by("pk")  # noqa: E731
    monkeypatch.setattr(reminding, "locked_if_free", free)
    for _ in range(15):
        age(submit(world.sub, world.requester), days=4)

    results = run_at_once(lambda _number: process_due(), threads=4)

    assert sum(done.reminded + done.broken for done in results) > 15
