"""Who gets which mail, and what happens to mails that cannot be sent."""

import smtplib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection, transaction
from django.utils import timezone

from approvals import notices, services
from approvals.models import ApprovalRule, ApprovalRuleStep, Notice, PurchaseRequest
from approvals.notices import GAPS, send_notices
from companies.models import Contact
from companies.services import erase_contact
from config.actors import SYSTEM, Actor
from tests.approvals.makers import (
    World,
    acting,
    euros,
    make_approval_group,
    make_limit,
    make_world,
    person,
    submit,
)
from tests.races import run_at_once

pytestmark = pytest.mark.django_db

Status = Notice.Status


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    settings.NOTICES_AT_ONCE = True


def told(request: PurchaseRequest) -> set[tuple[str, int]]:
    return set(request.notices.values_list("kind", "contact"))


def outcome_of(notice: Notice) -> tuple[str, int, str]:
    notice.refresh_from_db()
    return notice.status, notice.tries, notice.problem


def approve(request: PurchaseRequest, who: Contact, **fields: Any) -> PurchaseRequest:
    return services.approve_request(
        request, actor=acting(who), expected_version=request.version, **fields
    )


class Refusing(EmailBackend):
    """A mail server that says no."""

    def send_messages(self, messages: list[Any]) -> int:
        raise smtplib.SMTPDataError(554, b"rita@example.com is not welcome")


class Dead(EmailBackend):
    """A mail server that does not answer; counts how often it was asked."""

    asked = 0

    def open(self) -> None:
        Dead.asked += 1
        raise TimeoutError("no answer from rita@example.com")


@pytest.fixture
def mail_server(settings: Any) -> Callable[[type[EmailBackend]], None]:
    def use(backend: type[EmailBackend]) -> None:
        path = f"{backend.__module__}.{backend.__qualname__}"
        settings.MAILERS = {"default": {"BACKEND": path}}

    return use


# Who is told


def test_those_who_can_decide_are_asked_at_the_submit(world: World) -> None:
    request = submit(world.sub, world.requester)

    assert told(request) == {("WAITING", world.admin.pk), ("WAITING", world.buyer.pk)}


def test_what_needs_nobody_is_told_to_nobody(world: World) -> None:
    assert told(submit(world.sub, world.buyer)) == set()


def two_steps(world: World) -> tuple[Contact, Contact]:
    """A rule that asks a group, two of it, and then an admin."""
    first, second = person(world.sub), person(world.sub)
    group = make_approval_group(company=world.head, members=[first, second])
    rule = ApprovalRule.objects.create(company=world.sub, name="Two steps")
    for position, fields in enumerate(
        [{"approval_group": group, "quorum": 2}, {"role": "ADMIN"}], 1
    ):
        ApprovalRuleStep.objects.create(rule=rule, position=position, **fields)
    return first, second


def test_the_next_step_is_told_when_it_opens_and_not_before(world: World) -> None:
    first, second = two_steps(world)
    request = submit(world.sub, world.buyer)
    at_first = told(request)

    request = approve(request, first)
    after_one = told(request)
    request = approve(request, second)

    assert at_first == after_one == {("WAITING", first.pk), ("WAITING", second.pk)}
    assert told(request) - at_first == {("WAITING", world.admin.pk)}


@pytest.mark.parametrize("amount", ["50.00", "500.00"])
def test_a_change_is_told_to_those_who_can_decide(world: World, amount: str) -> None:
    request = submit(world.sub, world.requester, "100.00")

    services.change_request(
        request, money=euros(amount), actor=acting(world.requester), expected_version=1
    )

    assert {("CHANGED", world.admin.pk), ("CHANGED", world.buyer.pk)} < told(request)


def test_the_requester_is_told_what_others_did(world: World) -> None:
    kinds = {}
    for name, work in {
        "approve": services.approve_request,
        "decline": services.decline_request,
    }.items():
        request = submit(world.sub, world.requester)
        work(request, actor=acting(world.admin), expected_version=1)
        kinds[name] = told(request) - {("WAITING", world.buyer.pk)}
    cancelled = submit(world.sub, world.buyer)
    services.cancel_request(cancelled, actor=Actor.staff(1), expected_version=1)
    own = submit(world.sub, world.buyer)
    services.cancel_request(own, actor=acting(world.buyer), expected_version=1)
    withdrawn = submit(world.sub, world.requester)
    services.withdraw_request(
        withdrawn, actor=acting(world.requester), expected_version=1
    )

    asked = ("WAITING", world.admin.pk)
    assert kinds == {
        "approve": {asked, ("APPROVED", world.requester.pk)},
        "decline": {asked, ("DECLINED", world.requester.pk)},
    }
    assert told(cancelled) == {("CANCELLED", world.buyer.pk)}
    assert told(own) == set()
    assert told(withdrawn) == {asked, ("WAITING", world.buyer.pk)}


def test_a_stand_in_is_asked_too_and_told_for_whom(world: World) -> None:
    helper = person(world.sub)
    make_approval_group(company=world.head, members=[world.boss])
    world.boss.stand_ins.create(
        company=world.head, stand_in=helper, valid_until=timezone.localdate()
    )
    request = submit(world.sub, world.requester)

    send_notices()

    assert told(request) == {("WAITING", world.boss.pk), ("WAITING", helper.pk)}
    texts = {message.to[0]: message.body for message in mail.outbox}
    because = f"You are asked because you stand in for {world.boss.name}."
    assert because in texts[helper.email]
    assert "stand in" not in texts[world.boss.email]


# What is sent


def test_a_mail_says_what_who_and_how_much(world: World, settings: Any) -> None:
    settings.SHOP_REQUEST_URL = "https://shop.example/approvals/{id}"
    make_approval_group(company=world.head, members=[world.boss])
    request = submit(world.sub, world.requester, "1250.00", reference="cart-1")

    send_notices()

    (message,) = mail.outbox
    assert message.to == [world.boss.email]
    assert message.subject == "For your decision: 1,250.00 EUR, Acme Deutschland"
    assert message.body == (
        f"Hello {world.boss.name},\n"
        "\n"
        "a purchase waits for somebody to decide, and you may.\n"
        "\n"
        "Company: Acme Deutschland\n"
        f"Requester: {world.requester.name}\n"
        "Reference: cart-1 (Cart)\n"
        "Amount: 1,250.00 EUR\n"
        f"Open until: {request.expires_at:%Y-%m-%d %H:%M} UTC\n"
        "\n"
        f"https://shop.example/approvals/{request.pk}\n"
    )
    notice = Notice.objects.get()
    assert f".{notice.pk}@localhost>" in message.extra_headers["Message-ID"]


@pytest.mark.parametrize("kind", Notice.Kind.values)
def test_every_kind_has_a_mail_of_its_own(world: World, kind: str) -> None:
    request = submit(world.sub, world.buyer, reference="<A&B>")
    (notice,) = notices.write_notices(request, kind, [world.boss.pk])

    message = notices.make_mail(notice)

    words = {
        "WAITING": "For your decision:",
        "CHANGED": "Changed, for your decision:",
        "ESCALATED": "Escalated, for your decision:",
        "REMINDER": "Reminder:",
        "APPROVED": "Approved: <A&B>,",
        "DECLINED": "Declined: <A&B>,",
        "EXPIRED": "Expired: <A&B>,",
        "CANCELLED": "Cancelled: <A&B>,",
    }
    assert message.subject.startswith(f"{words[kind]} ")
    assert "Reference: <A&B> (Cart)" in message.body
    assert "http" not in message.body


def test_the_comment_is_told_to_the_requester(world: World) -> None:
    request = submit(world.sub, world.requester)
    services.decline_request(
        request, actor=acting(world.admin), expected_version=1, comment="Too dear."
    )

    send_notices()

    texts = {message.to[0]: message.body for message in mail.outbox}
    assert texts.keys() == {world.requester.email}  # nobody is asked any more
    assert "Comment: Too dear." in texts[world.requester.email]


def test_a_mail_is_sent_when_the_change_is_committed(
    world: World, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        submit(world.sub, world.requester)
        before = len(mail.outbox)

    assert (before, len(mail.outbox)) == (0, 2)
    assert set(Notice.objects.values_list("status", "due_at")) == {("SENT", None)}


def test_what_is_rolled_back_is_told_to_nobody(
    world: World, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        submit(world.sub, world.requester)
        transaction.set_rollback(True)

    assert (len(mail.outbox), Notice.objects.count()) == (0, 0)


def test_a_call_need_not_wait_for_the_mail_server(
    world: World, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.NOTICES_AT_ONCE = False
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        submit(world.sub, world.requester)

    assert (len(callbacks), len(mail.outbox)) == (0, 0)
    assert send_notices().sent == 2


def test_the_inactive_and_the_erased_get_no_mail(world: World) -> None:
    request = submit(world.sub, world.requester)
    approve(request, world.buyer)
    erase_contact(world.requester, actor=SYSTEM)

    count = send_notices()

    assert (count.sent, count.dropped, mail.outbox) == (0, 3, [])


def test_who_cannot_decide_any_more_is_not_asked(world: World) -> None:
    request = submit(world.sub, world.requester)
    world.buyer.assignments.get().delete()

    send_notices()

    assert [message.to for message in mail.outbox] == [[world.admin.email]]
    states = dict(request.notices.values_list("contact", "status"))
    assert states == {world.admin.pk: "SENT", world.buyer.pk: "DROPPED"}


def test_a_notice_holds_no_personal_data() -> None:
    fields = {field.attname for field in Notice._meta.concrete_fields}

    assert fields == {
        "id",
        "request_id",
        "contact_id",
        "kind",
        "version",
        "status",
        "tries",
        "due_at",
        "problem",
        "created_at",
        "sent_at",
    }


# What cannot be sent


def test_a_refused_mail_is_tried_again_with_growing_gaps_and_given_up(
    world: World, mail_server: Any
) -> None:
    make_approval_group(company=world.head, members=[world.boss])
    submit(world.sub, world.requester)
    notice = Notice.objects.get()
    mail_server(Refusing)

    gaps = []
    for _ in GAPS:
        before = timezone.now()
        assert send_notices().failed == 1
        assert send_notices().failed == 0  # not yet again
        notice.refresh_from_db()
        gaps.append((notice.due_at - before) // timedelta(minutes=1))
        Notice.objects.update(due_at=timezone.now())
    count = send_notices()

    assert gaps == [gap // timedelta(minutes=1) for gap in GAPS]
    assert gaps == sorted(set(gaps))
    assert count.given_up == 1
    # The answer of the server names a person: it is not kept.
    assert outcome_of(notice) == ("GIVEN_UP", len(GAPS) + 1, "SMTPDataError 554")
    assert send_notices() == notices.Sent()


def test_a_mail_failure_breaks_nothing(
    world: World, mail_server: Any, django_capture_on_commit_callbacks: Any
) -> None:
    mail_server(Refusing)

    with django_capture_on_commit_callbacks(execute=True):
        request = submit(world.sub, world.requester)
    with django_capture_on_commit_callbacks(execute=True):
        request = approve(request, world.admin)

    assert request.status == "APPROVED"
    assert {notice.tries for notice in Notice.objects.all()} == {1}


def test_a_dead_server_is_asked_once_and_all_are_tried_again(
    world: World, mail_server: Any
) -> None:
    submit(world.sub, world.requester)
    mail_server(Dead)
    Dead.asked = 0

    count = send_notices()

    assert (count.failed, Dead.asked) == (2, 1)
    mail_server(EmailBackend)
    Notice.objects.update(due_at=timezone.now())
    assert send_notices().sent == 2


def test_what_a_crash_left_behind_is_sent_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_approval_group(company=world.head, members=[world.boss])
    submit(world.sub, world.requester)
    with monkeypatch.context() as patched:
        patched.setattr(EmailBackend, "send_messages", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            send_notices()

    at_once = send_notices()
    Notice.objects.update(due_at=timezone.now())  # the time that was claimed is over
    later = send_notices()

    assert (at_once.sent, later.sent) == (0, 1)
    assert outcome_of(Notice.objects.get()) == ("SENT", 2, "")


def _interrupted(*args: Any) -> None:
    raise KeyboardInterrupt


def test_a_template_that_breaks_keeps_no_other_mail_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(world.sub, world.requester)
    make_mail = notices.make_mail

    def broken(notice: Notice, *args: Any) -> Any:
        if notice.contact_id == world.admin.pk:
            raise LookupError
        return make_mail(notice, *args)

    monkeypatch.setattr(notices, "make_mail", broken)

    count = send_notices()

    assert (count.sent, count.failed) == (1, 1)
    assert [message.to for message in mail.outbox] == [[world.buyer.email]]


def send_everything(number: int) -> int:
    return send_notices().sent


@pytest.mark.django_db(transaction=True)
def test_several_processes_send_each_mail_once(world: World) -> None:
    submit(world.sub, world.requester)
    Notice.objects.all().delete()
    people = [person(world.sub, "BUYER") for _ in range(60)]
    request = submit(world.sub, world.requester)
    Notice.objects.update(status="WAITING", due_at=timezone.now(), sent_at=None)
    mail.outbox.clear()

    counts = run_at_once(send_everything)

    assert sum(counts) == len(people) + 2
    assert len(mail.outbox) == len({message.to[0] for message in mail.outbox})
    assert {notice.tries for notice in request.notices.all()} == {2}


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_without_the_claim_mails_are_sent_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    for _ in range(30):
        person(world.sub, "BUYER")
    submit(world.sub, world.requester)
    Notice.objects.update(status="WAITING", due_at=timezone.now(), sent_at=None)
    mail.outbox.clear()
    monkeypatch.setattr(notices, "locked_if_free", lambda rows: rows.order_by("pk"))

    counts = run_at_once(send_everything)

    assert connection.vendor == "postgresql"
    assert sum(counts) > 32


def test_a_limit_of_many_queries_is_not_needed_for_many_mails(
    world: World, django_assert_max_num_queries: Any
) -> None:
    make_limit(company=world.head, amount="1")
    make_approval_group(
        company=world.head, members=[person(world.sub) for _ in range(15)]
    )
    submit(world.sub, world.buyer)

    # Claim, read, who can decide; for each mail its comment, and what became of it.
    with django_assert_max_num_queries(20 + 2 * 15):
        assert send_notices().sent == 15
