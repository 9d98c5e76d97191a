"""Two at once: one outcome, and no right that has ended. Each with a control.

In most tests the second caller starts while the first one is in the middle of its
transaction, after it has read what it decides from. With the guard it waits; in the
control, without the guard, it is done before the first one has written.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from approvals import membership, services, stand_ins
from approvals.errors import OpenRequestExists, RequestNotPending
from approvals.models import Decision, PurchaseRequest, RequestHistory, StandIn
from companies.models import Company, Contact, ContactAssignment
from companies.services import move_company, set_status
from config.actors import SYSTEM, Actor
from config.errors import DomainError, StaleVersion
from integrations.models import Event
from tests.approvals.makers import (
    World,
    acting,
    make_approval_group,
    make_rule,
    make_stand_in,
    make_world,
    person,
    submit,
)
from tests.approvals.meeting import Meeting
from tests.factories import make_company, make_user
from tests.races import run_at_once

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 20
# The functions before which the first caller waits, where they are called.
DECIDED, FROZEN = "services.deciding.set_status", "services.asking.make_snapshot"


def approving(request: PurchaseRequest, contact: Contact) -> Callable[[], Any]:
    return lambda: services.approve_request(
        request, actor=acting(contact), expected_version=1
    )


def declining(request: PurchaseRequest, contact: Contact) -> Callable[[], Any]:
    return lambda: services.decline_request(
        request, actor=acting(contact), expected_version=1
    )


def withdrawing(request: PurchaseRequest) -> Callable[[], Any]:
    return lambda: services.withdraw_request(
        request, actor=acting(request.requester_id), expected_version=1
    )


def taking_over(request: PurchaseRequest) -> Callable[[], Any]:
    staff = make_user(is_superuser=True)
    return lambda: services.take_over_request(
        request, actor=Actor.staff(staff.pk), expected_version=1, reason="x"
    )


def ending_role(contact: Contact) -> Callable[[], Any]:
    def end() -> None:
        assignment = ContactAssignment.objects.get(contact=contact)
        assignment.role = ""
        assignment.save()

    return end


def holding(company: Company) -> Callable[[], Any]:
    return lambda: set_status(
        Company.objects.get(pk=company.pk),
        Company.Status.ON_HOLD,
        actor=SYSTEM,
        reason="",
    )


def submitting(world: World) -> Callable[[], Any]:
    return lambda: submit(world.sub, world.requester, reference="A1")


# One outcome


def expiring(request: PurchaseRequest) -> Callable[[], Any]:
    PurchaseRequest.objects.filter(pk=request.pk).update(expires_at=timezone.now())
    return lambda: services.expire_request(request, actor=SYSTEM)


RIVALS = {
    "decline": lambda request, world: declining(request, world.buyer),
    "approve by another": lambda request, world: approving(request, world.buyer),
    "withdraw": lambda request, world: withdrawing(request),
    "take over": lambda request, world: taking_over(request),
}


@pytest.mark.parametrize("rival", RIVALS)
def test_of_an_approval_and_its_rival_one_wins(
    meet: Callable[..., Meeting], rival: str
) -> None:
    world = make_world()
    request = submit(world.sub, world.requester)

    meeting = meet(
        approving(request, world.admin),
        RIVALS[rival](request, world),
        before=DECIDED,
    )

    assert meeting.second_waited
    assert meeting.results["first"].status == "APPROVED"
    assert isinstance(meeting.results["second"], RequestNotPending)
    request.refresh_from_db()
    assert (request.status, request.version) == ("APPROVED", 2)
    assert Decision.objects.get().contact == world.admin
    assert RequestHistory.objects.count() == 2


@pytest.mark.postgresql
@pytest.mark.parametrize("rival", RIVALS)
def test_control_without_row_lock_the_rival_overtakes(
    meet: Callable[..., Meeting], no_row_locks: None, rival: str
) -> None:
    world = make_world()
    request = submit(world.sub, world.requester)

    meeting = meet(
        approving(request, world.admin),
        RIVALS[rival](request, world),
        before=DECIDED,
    )

    # Still one outcome, by the condition of the UPDATE; but not the first one's.
    assert not meeting.second_waited
    assert isinstance(meeting.results["first"], RequestNotPending)


@pytest.mark.postgresql
def test_control_without_lock_and_condition_only_the_database_is_left(
    meet: Callable[..., Meeting], no_row_locks: None, no_condition: None
) -> None:
    world = make_world()
    request = submit(world.sub, world.requester)

    meeting = meet(
        approving(request, world.admin),
        declining(request, world.buyer),
        before=DECIDED,
    )

    assert not meeting.second_waited
    # The trigger refuses DECLINED → APPROVED: a crash for the client, not a 409.
    assert isinstance(meeting.results["first"], DatabaseError)


def test_what_is_being_approved_does_not_expire(meet: Callable[..., Meeting]) -> None:
    world = make_world()
    request = submit(world.sub, world.requester)

    meeting = meet(approving(request, world.admin), expiring(request), before=DECIDED)

    # Passed over on PostgreSQL, waited for on SQLite: not expired in either case.
    assert meeting.second_waited == (connection.vendor == "sqlite")
    assert meeting.results["second"] is False
    request.refresh_from_db()
    assert (request.status, request.version) == ("APPROVED", 2)


@pytest.mark.postgresql
def test_control_without_row_lock_it_expires_while_it_is_approved(
    meet: Callable[..., Meeting], no_row_locks: None
) -> None:
    world = make_world()
    request = submit(world.sub, world.requester)

    meeting = meet(approving(request, world.admin), expiring(request), before=DECIDED)

    assert meeting.results["second"] is True
    assert isinstance(meeting.results["first"], RequestNotPending)


def test_of_many_at_once_one_wins() -> None:
    world = make_world()
    second = person(world.sub, "BUYER")
    for _ in range(ROUNDS):
        request = submit(world.sub, world.requester)
        deciders = [
            approving(request, world.admin),
            approving(request, world.buyer),
            declining(request, second),
            withdrawing(request),
        ]

        def decide(number: int, deciders: list[Any] = deciders) -> str:
            try:
                return deciders[number]().status
            except RequestNotPending:
                return "409"

        results = run_at_once(decide, threads=4)

        assert sorted(results)[:3] == ["409"] * 3
        request.refresh_from_db()
        assert request.status in results
        assert request.version == 2
        assert [entry.version for entry in request.history.all()] == [1, 2]
        assert request.decisions.count() == (request.status != "WITHDRAWN")
    told = Event.objects.filter(type__startswith="purchase_request.")
    assert told.count() == 2 * ROUNDS


def test_one_person_decides_once_at_the_same_moment() -> None:
    world = make_world()
    for _ in range(ROUNDS):
        request = submit(world.sub, world.requester)

        def decide(number: int, request: PurchaseRequest = request) -> str:
            try:
                return approving(request, world.admin)().status
            except RequestNotPending:
                return "409"

        assert sorted(run_at_once(decide, threads=3)) == ["409", "409", "APPROVED"]
        assert request.decisions.count() == 1


def for_two() -> tuple[PurchaseRequest, list[Callable[[], Any]]]:
    """A request that two people have to agree to, and then one more; and the two."""
    world = make_world()
    pair = [world.boss, person(world.head, "ADMIN")]
    group = make_approval_group(company=world.head, members=pair)
    last = make_approval_group(company=world.head, members=[person(world.head)])
    steps = [{"approval_group": group, "quorum": 2}, {"approval_group": last}]
    make_rule(company=world.sub, steps=steps)
    request = submit(world.sub, world.buyer)
    return request, [approving_now(request, one) for one in pair]


def approving_now(request: PurchaseRequest, contact: Contact) -> Callable[[], Any]:
    """Approve the newest version, as people do who read again after a 412."""

    def approve() -> PurchaseRequest:
        while True:
            version = PurchaseRequest.objects.get(pk=request.pk).version
            try:
                return services.approve_request(
                    request, actor=acting(contact), expected_version=version
                )
            except StaleVersion:
                continue

    return approve


def test_the_last_two_of_a_quorum_open_the_next_step_once() -> None:
    for _ in range(ROUNDS // 4):
        request, both = for_two()

        run_at_once(lambda n, both=both: both[n](), threads=2)

        request.refresh_from_db()
        assert (request.status, request.version) == ("PENDING", 3)
        changes = [entry.change for entry in request.history.all()]
        assert changes == ["SUBMITTED", "AGREED", "AGREED"]
        assert open_position(request) == 2


def open_position(request: PurchaseRequest) -> int:
    return request.steps.open().order_by("position").first().position


@pytest.mark.postgresql
def test_control_without_row_lock_and_condition_two_write_the_same_version(
    meet: Callable[..., Meeting], no_row_locks: None, no_condition: None
) -> None:
    _request, both = for_two()

    meeting = meet(*both, before=DECIDED)

    # Both were made on version 1: two changes of one version.
    assert not meeting.second_waited
    assert isinstance(meeting.results["first"], DatabaseError)


# No decision by a right that has ended


def deactivating(contact: Contact) -> Callable[[], Any]:
    def deactivate() -> None:
        stored = Contact.objects.get(pk=contact.pk)
        stored.is_active = False
        stored.save()

    return deactivate


def removing_from_groups(contact: Contact) -> Callable[[], Any]:
    def remove() -> None:
        group = contact.approval_groups.get()
        membership.update_approval_group(
            group, actor=SYSTEM, expected_version=group.version, members=[]
        )

    return remove


ENDS = {
    "role": ending_role,
    "deactivated": deactivating,
    "member": removing_from_groups,
}


def request_for_buyer(end: str) -> tuple[World, PurchaseRequest]:
    world = make_world()
    if end == "member":
        make_approval_group(company=world.sub, members=[world.buyer])
    return world, submit(world.sub, world.requester)


@pytest.mark.parametrize("end", ENDS)
def test_a_right_does_not_end_during_the_decision(
    meet: Callable[..., Meeting], end: str
) -> None:
    world, request = request_for_buyer(end)

    meeting = meet(
        approving(request, world.buyer), ENDS[end](world.buyer), before=DECIDED
    )

    assert meeting.second_waited
    assert meeting.results["first"].status == "APPROVED"
    assert meeting.results["second"] is None


@pytest.mark.postgresql
@pytest.mark.parametrize("end", ENDS)
def test_control_without_row_locks_it_ends_before_the_decision_is_written(
    meet: Callable[..., Meeting], no_row_locks: None, end: str
) -> None:
    world, request = request_for_buyer(end)

    meeting = meet(
        approving(request, world.buyer), ENDS[end](world.buyer), before=DECIDED
    )

    assert not meeting.second_waited
    assert meeting.results["first"].status == "APPROVED"  # by a right of the past


def test_a_right_that_ended_first_does_not_count() -> None:
    world = make_world()
    for _ in range(ROUNDS):
        buyer = person(world.sub, "BUYER")
        request = submit(world.sub, world.requester)
        both = [approving(request, buyer), ending_role(buyer)]

        def act(number: int, both: list[Any] = both) -> str:
            try:
                both[number]()
            except DomainError as error:
                return error.code
            return "done"

        approved, ended = run_at_once(act, threads=2)

        request.refresh_from_db()
        assert ended == "done"
        assert (approved, request.status) in [
            ("done", "APPROVED"),
            ("not_eligible", "PENDING"),
        ]


def ending_stand_in(named: StandIn) -> Callable[[], Any]:
    return lambda: stand_ins.end_stand_in(named, actor=SYSTEM, expected_version=1)


def waiting_for_a_deputy() -> tuple[PurchaseRequest, StandIn]:
    world = make_world()
    named = make_stand_in(
        company=world.sub, contact=world.admin, stand_in=person(world.sub)
    )
    return submit(world.sub, world.requester), named


def test_a_stand_in_does_not_end_during_their_decision(
    meet: Callable[..., Meeting],
) -> None:
    request, named = waiting_for_a_deputy()

    meeting = meet(
        approving(request, named.stand_in), ending_stand_in(named), before=DECIDED
    )

    assert meeting.second_waited
    assert meeting.results["first"].status == "APPROVED"
    assert not StandIn.objects.exists()


@pytest.mark.postgresql
def test_control_without_row_lock_a_stand_in_has_ended_before_they_decided(
    meet: Callable[..., Meeting], no_row_locks: None
) -> None:
    request, named = waiting_for_a_deputy()

    meeting = meet(
        approving(request, named.stand_in), ending_stand_in(named), before=DECIDED
    )

    assert not meeting.second_waited
    assert meeting.results["first"].status == "APPROVED"  # by a right of the past


@pytest.mark.parametrize("end", ["role", "deactivated"])
def test_whose_right_it_is_does_not_lose_it_during_the_decision(
    meet: Callable[..., Meeting], end: str
) -> None:
    request, named = waiting_for_a_deputy()

    meeting = meet(
        approving(request, named.stand_in),
        ENDS[end](named.contact),
        before=DECIDED,
    )

    assert meeting.second_waited
    assert meeting.results["first"].status == "APPROVED"


@pytest.mark.postgresql
@pytest.mark.parametrize("end", ["role", "deactivated"])
def test_control_without_row_locks_the_stand_in_decides_by_a_right_of_the_past(
    meet: Callable[..., Meeting], no_row_locks: None, end: str
) -> None:
    request, named = waiting_for_a_deputy()

    meeting = meet(
        approving(request, named.stand_in),
        ENDS[end](named.contact),
        before=DECIDED,
    )

    assert not meeting.second_waited
    assert meeting.results["first"].status == "APPROVED"


# Submits beside changes of the hierarchy


def moving(world: World, target: Company) -> Callable[[], Any]:
    return lambda: move_company(
        Company.objects.get(pk=world.sub.pk), target, actor=SYSTEM
    )


@pytest.mark.parametrize("which", ["sub", "head"])
def test_nothing_new_after_a_hold_was_answered(
    meet: Callable[..., Meeting], which: str
) -> None:
    world = make_world()

    meeting = meet(submitting(world), holding(getattr(world, which)), before=FROZEN)

    assert meeting.second_waited
    assert meeting.results["first"].status == "PENDING"
    assert meeting.results["second"].status == "ON_HOLD"


@pytest.mark.postgresql
@pytest.mark.parametrize("which", ["sub", "head"])
def test_control_without_hierarchy_lock_a_request_comes_after_the_hold(
    meet: Callable[..., Meeting], no_hierarchy_lock: None, which: str
) -> None:
    world = make_world()

    meeting = meet(submitting(world), holding(getattr(world, which)), before=FROZEN)

    assert not meeting.second_waited
    assert meeting.results["first"].status == "PENDING"


def test_no_decision_after_a_hold_was_answered(meet: Callable[..., Meeting]) -> None:
    world = make_world()
    request = submit(world.sub, world.requester)

    meeting = meet(approving(request, world.admin), holding(world.head), before=DECIDED)

    assert meeting.second_waited
    assert meeting.results["first"].status == "APPROVED"


@pytest.mark.postgresql
def test_control_without_hierarchy_lock_a_decision_comes_after_the_hold(
    meet: Callable[..., Meeting], no_hierarchy_lock: None
) -> None:
    world = make_world()
    request = submit(world.sub, world.requester)

    meeting = meet(approving(request, world.admin), holding(world.head), before=DECIDED)

    assert not meeting.second_waited
    assert meeting.results["first"].status == "APPROVED"


def test_a_company_does_not_move_during_a_submit(meet: Callable[..., Meeting]) -> None:
    world = make_world()

    meeting = meet(submitting(world), moving(world, make_company()), before=FROZEN)

    assert meeting.second_waited
    path = meeting.results["first"].snapshot["company"]["path"]
    assert path == [world.head.pk, world.sub.pk]


@pytest.mark.postgresql
def test_control_without_hierarchy_lock_it_moves_during_a_submit(
    meet: Callable[..., Meeting], no_hierarchy_lock: None
) -> None:
    world = make_world()

    meeting = meet(submitting(world), moving(world, make_company()), before=FROZEN)

    # Stored under the path that the company had left by then.
    assert not meeting.second_waited
    assert meeting.results["first"].snapshot["company"]["path"][0] == world.head.pk


def test_submits_follow_a_company_that_moves_to_and_fro() -> None:
    world = make_world()
    other = make_company()
    homes = {world.head.pk, other.pk}

    def work(number: int) -> list[int]:
        if number == 0:
            for target in [other, world.head] * 5:
                moving(world, target)()
            return []
        return [
            submit(world.sub, world.requester).snapshot["company"]["path"][0]
            for _ in range(10)
        ]

    _moves, *heads = run_at_once(work, threads=4)

    assert {head for found in heads for head in found} <= homes
    assert PurchaseRequest.objects.count() == 30


# One open request per reference


def submit_same(world: World) -> list[Any]:
    def work(number: int) -> Any:
        try:
            return submitting(world)().pk
        except OpenRequestExists as error:
            return error.details

    return run_at_once(work, threads=6)


def test_of_equal_references_one_is_stored_and_named_to_the_others() -> None:
    world = make_world()

    results = submit_same(world)

    (first,) = [found for found in results if isinstance(found, int)]
    assert [r for r in results if r != first] == [{"request": first}] * 5
    assert PurchaseRequest.objects.count() == 1


@pytest.mark.postgresql
def test_control_without_the_constraint_there_are_several() -> None:
    world = make_world()
    name = "approvals_purchaserequest_one_open"
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [name])
        (definition,) = cursor.fetchone()
        cursor.execute(f"DROP INDEX {name}")
    try:
        results = submit_same(world)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE approvals_purchaserequest CASCADE")
            cursor.execute(definition)

    assert all(isinstance(found, int) for found in results)
