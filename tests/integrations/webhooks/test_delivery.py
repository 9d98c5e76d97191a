"""Events reach their endpoints: once if all goes well, in order, whatever fails."""

import json
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from companies.models import Company
from config.actors import SYSTEM
from integrations.models import (
    Event,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookQueue,
)
from integrations.sequencing import forget_old_events, sequence_events
from integrations.webhooks import fanout, queue
from integrations.webhooks.deliverer import Deliverer
from integrations.webhooks.endpoints import (
    pause_endpoint,
    resume_endpoint,
    rotate_secret,
)
from integrations.webhooks.messages import secret_of
from tests.factories import make_chain, make_client, make_company, make_location

from .makers import SCOPES, make_endpoint, pass_time, statuses, told, types_told
from .receivers import answering, hanging, receiving

pytestmark = pytest.mark.django_db


def test_each_event_is_sent_once_signed_and_in_order(work):
    with receiving() as receiver:
        # given
        endpoint = make_endpoint(receiver.url)
        one, other = make_company(), make_company()
        for company in (one, other, one):
            make_location(company=company)

        # when
        received = work()
        again = work()

        # then
        events = Event.objects.filter(position__gt=endpoint.position)
        assert (received, again) == (events.count(), 0)
        for company in (one, other):
            numbers = [
                number for stream, number in told(receiver) if stream == company.pk
            ]
            assert numbers == list(range(1, len(numbers) + 1))
        assert len(set(receiver.ids())) == len(receiver.received) == received
        for message in receiver.received:
            Webhook(secret_of(endpoint.seed)).verify(message.body, message.headers)
        assert set(statuses()) == {"DELIVERED"}
        delivery = WebhookDelivery.objects.first()
        assert (delivery.attempts, delivery.response_status) == (1, 204)
        assert delivery.tried_at is not None
        assert not WebhookQueue.objects.exclude(due_at=None, lease="")


def test_what_is_sent_names_the_event_as_it_is_read(work, call_as):
    with receiving() as receiver:
        # given
        endpoint = make_endpoint(receiver.url)
        make_company()

        # when
        work()

        # then
        read = call_as(endpoint.client).get(
            f"/api/v1/events/?after={endpoint.position}"
        )
        by_position = {e["position"]: e for e in read.json()["results"]}
        assert len(by_position) == len(receiver.received)
        for message in receiver.received:
            body = json.loads(message.body)
            event = by_position[body["data"]["position"]]
            assert body == {
                "type": event["type"],
                "timestamp": event["occurred_at"],
                "data": {
                    name: event[name]
                    for name in ("position", "company", "number", "subject")
                },
            }


def test_only_chosen_types(work):
    with receiving() as receiver:
        make_endpoint(receiver.url, types=["location.created"])
        make_location()
        work()

        assert types_told(receiver) == ["location.created"]


def test_only_chosen_hierarchies_and_what_was_below_them(work):
    with receiving() as receiver:
        # given
        head, sub = make_chain(2)
        low = make_company(parent=sub)
        other = make_company()
        make_endpoint(receiver.url, hierarchies=[sub.pk])

        # when
        for company in (head, sub, low, other):
            make_location(company=company)
        Company.objects.get(pk=make_company(parent=low).pk).delete()
        work()

        # then
        companies = {company for company, _ in told(receiver)}
        assert {sub.pk, low.pk} < companies
        assert not {head.pk, other.pk, None} & companies
        assert "company.deleted" in types_told(receiver)


def test_a_chosen_hierarchy_that_is_gone_does_not_open_all_others(work):
    with receiving() as receiver:
        # given
        head, other = make_company(), make_company()
        make_endpoint(receiver.url, hierarchies=[head.pk])

        # when
        Company.objects.get(pk=head.pk).delete()
        make_location(company=other)
        work()

        # then
        assert {company for company, _ in told(receiver)} == {head.pk}
        assert types_told(receiver)[-1] == "company.deleted"


def test_nothing_of_hierarchies_that_the_client_does_not_see(work):
    with receiving() as receiver:
        # given
        mine, foreign = make_company(), make_company()
        client = make_client(scopes=SCOPES, hierarchies=(mine,))
        make_endpoint(receiver.url, client=client)

        # when
        make_location(company=mine)
        make_location(company=foreign)
        work()

        # then
        assert {company for company, _ in told(receiver)} == {mine.pk}


def test_what_a_client_lost_sight_of_is_not_sent_though_it_waits(work):
    with receiving(500) as receiver:
        # given
        mine, lost = make_company(), make_company()
        client = make_client(scopes=SCOPES, hierarchies=(mine, lost))
        make_endpoint(receiver.url, client=client)
        make_location(company=mine)
        make_location(company=lost)
        work()
        assert {company for company, _ in told(receiver)} == {mine.pk, lost.pk}

        # when
        client.allowed_hierarchies.set([mine])
        receiver.received.clear()
        receiver.reply = 204
        pass_time(hours=1)
        work()

        # then
        assert {company for company, _ in told(receiver)} == {mine.pk}


@pytest.mark.parametrize("change", [{"is_active": False}, {"allowed_scopes": ""}])
def test_a_client_that_may_not_any_more_is_sent_nothing(work, change):
    with receiving() as receiver:
        # given
        endpoint = make_endpoint(receiver.url)
        make_company()
        sequence_events()
        fanout.fan_out()
        type(endpoint.client).objects.update(**change)

        # when
        make_company()
        work()

        # then
        assert receiver.received == []
        assert set(statuses()) == {"PENDING"}


def test_only_what_comes_after_the_activation_is_told(work):
    with receiving() as receiver:
        make_company()
        make_endpoint(receiver.url)
        later = make_company()
        work()

        assert {company for company, _ in told(receiver)} == {later.pk}


# --- failures


def test_a_failure_holds_up_its_company_and_no_other(work):
    with receiving() as receiver:
        # given
        bad, good = make_company(), make_company()
        endpoint = make_endpoint(receiver.url)
        for company in (bad, good, bad, good):
            make_location(company=company)
        refused = json.dumps({"company": bad.pk})[1:-1].replace(" ", "").encode()
        receiver.reply = lambda handler: (
            500 if refused in receiver.received[-1].body else 204
        )

        # when
        work()

        # then
        assert [c for c, _ in told(receiver)].count(bad.pk) == 1
        assert [c for c, _ in told(receiver)].count(good.pk) == 2
        first, second = WebhookDelivery.objects.filter(stream=bad.pk).order_by(
            "position"
        )
        assert (first.status, first.attempts, first.response_status) == (
            "FAILING",
            1,
            500,
        )
        assert (second.status, second.attempts) == ("PENDING", 0)

        # when it works again
        tried = receiver.ids()
        receiver.reply = 204
        work()
        assert receiver.ids() == tried  # not before its time
        pass_time(seconds=6)
        work()

        # then the same message comes again under the same id, then the next
        mine = [c for c, _ in told(receiver)[len(tried) :]]
        assert mine == [bad.pk, bad.pk]
        assert receiver.ids()[len(tried)] in tried
        assert set(statuses()) == {"DELIVERED"}
        assert WebhookEndpoint.objects.get(pk=endpoint.pk).status == "ACTIVE"


def test_tries_are_ten_over_three_days_with_growing_gaps_then_it_is_paused(work):
    with receiving(500) as receiver:
        # given
        endpoint = make_endpoint(receiver.url)
        company = make_company()
        Event.objects.exclude(type="company.created").delete()
        gaps = []

        # when
        for _ in range(queue.MOST_ATTEMPTS):
            work()
            row = WebhookQueue.objects.filter(stream=company.pk).get()
            gaps.append(row.due_at - timezone.now())
            pass_time(seconds=gaps[-1].total_seconds() + 1)

        # then
        assert len(receiver.received) == 10
        assert len(set(receiver.ids())) == 1
        assert gaps[:9] == sorted(gaps[:9])
        total = sum(gaps[:9], timedelta())
        assert timedelta(hours=66) < total < timedelta(hours=84)
        endpoint.refresh_from_db()
        assert (endpoint.status, endpoint.reason) == ("PAUSED", "GIVEN_UP")
        assert endpoint.version == 3  # created, activated, paused
        assert endpoint.history.first().history_user_id == "system"
        work()
        assert len(receiver.received) == 10
        assert statuses() == ["FAILING"]


def test_a_pause_is_logged_and_mailed_once_it_is_stored(
    work, caplog, mailoutbox, settings, django_capture_on_commit_callbacks
):
    settings.WEBHOOK_NOTICE_EMAIL = "ops@example.com"
    with receiving(410) as receiver:
        # given
        endpoint = make_endpoint(receiver.url)
        make_company()

        # when
        with django_capture_on_commit_callbacks(execute=True):
            work()

        # then
        assert f"Webhook endpoint {endpoint.pk} is paused" in caplog.text
        (mail,) = mailoutbox
        assert mail.to == ["ops@example.com"]
        assert receiver.url in mail.body
        assert str(endpoint.pk) in mail.subject
        assert secret_of(endpoint.seed) not in mail.body


def test_410_pauses_at_once_and_nothing_more_is_sent(work):
    with receiving(410) as receiver:
        endpoint = make_endpoint(receiver.url)
        for _ in range(3):
            make_company()

        work()

        assert len(receiver.received) == 1
        endpoint.refresh_from_db()
        assert (endpoint.status, endpoint.reason) == ("PAUSED", "GONE")
        pass_time(days=9)
        work()
        assert len(receiver.received) == 1


def test_retry_after_is_kept_and_has_an_end(work):
    with receiving(answering(503, Retry_After="7200")) as receiver:
        make_endpoint(receiver.url)
        make_company()

        work()

        due = WebhookQueue.objects.exclude(due_at=None).first().due_at
        assert timedelta(minutes=119) < due - timezone.now() <= timedelta(hours=2)
        receiver.reply = answering(429, Retry_After="99999999")
        pass_time(hours=2)
        work()
        due = WebhookQueue.objects.exclude(due_at=None).first().due_at
        assert timedelta(hours=23) < due - timezone.now() <= timedelta(hours=24)


def test_after_a_pause_everything_comes_in_order_beginning_with_the_first(work):
    with receiving(500) as receiver:
        # given
        endpoint = make_endpoint(receiver.url)
        company = make_company()
        work()
        pause_endpoint(endpoint, actor=SYSTEM)
        make_location(company=company)
        pass_time(hours=1)
        work()
        assert len(set(receiver.ids())) < 6
        receiver.received.clear()

        # when
        receiver.reply = 204
        resume_endpoint(endpoint, actor=SYSTEM)
        work()

        # then: a test, then what waited and what came meanwhile
        assert types_told(receiver)[0] == "webhook.test"
        receiver.received.pop(0)
        numbers = [number for stream, number in told(receiver) if stream == company.pk]
        assert numbers == list(range(1, len(numbers) + 1))
        assert set(statuses()) == {"DELIVERED"}
        assert Event.objects.filter(stream=company.pk).count() == len(numbers)


def test_an_endpoint_that_gives_no_answer_rests_and_others_do_not_wait(
    work, monkeypatch
):
    monkeypatch.setattr("integrations.webhooks.sending.IN_ALL", 3)
    with receiving(hanging) as slow, receiving() as quick:
        # given
        for receiver in (slow, quick):
            make_endpoint(receiver.url)
        for _ in range(20):
            make_company()
        deliverer = Deliverer()
        begun = time.monotonic()

        # when
        while WebhookDelivery.objects.filter(status="DELIVERED").count() < 20:
            deliverer.round()
            assert time.monotonic() - begun < 3
        deliverer.finish()

        # then
        assert len(quick.received) >= 20
        endpoint = WebhookEndpoint.objects.get(url=slow.url)
        assert endpoint.rests_until > timezone.now()
        seen = len(slow.received)
        assert seen <= 4
        work()
        assert len(slow.received) == seen

        # when it is well again: first one at a time, then as ever
        slow.reply = 204
        pass_time(minutes=10)
        work()

        # then
        endpoint.refresh_from_db()
        assert endpoint.rests_until is None
        assert set(statuses()) == {"DELIVERED"}


def test_while_a_secret_is_rotated_messages_have_both_signatures(work):
    with receiving() as receiver:
        # given
        endpoint = make_endpoint(receiver.url)
        old = secret_of(endpoint.seed)

        # when
        new = rotate_secret(endpoint, actor=SYSTEM)
        make_company()
        work()
        WebhookEndpoint.objects.update(former_until=timezone.now())
        make_company()
        work()

        # then
        first, last = receiver.received[0], receiver.received[-1]
        assert old != new
        for secret in (old, new):
            Webhook(secret).verify(first.body, first.headers)
        assert len(last.headers["webhook-signature"].split()) == 1
        Webhook(new).verify(last.body, last.headers)


# --- several workers


def test_what_one_has_in_hand_nobody_else_takes(local):
    with receiving() as receiver:
        # given
        endpoint = make_endpoint(receiver.url)
        make_company()
        sequence_events()
        fanout.fan_out()

        # when
        mine = queue.take(endpoint)
        theirs = queue.take(endpoint)

        # then
        assert mine is not None
        assert theirs is None

        # when the lease is over
        pass_time(seconds=61)
        theirs = queue.take(endpoint)
        tries = queue.send(theirs)

        # then the one who comes back late says nothing any more
        assert queue.settle(mine, []) == 0
        assert set(statuses()) == {"PENDING"}
        assert WebhookQueue.objects.filter(lease=theirs.lease).exists()
        assert queue.settle(theirs, tries) == len(tries) > 0
        assert set(statuses()) == {"DELIVERED"}


def test_a_bundle_ends_before_its_lease(local, monkeypatch):
    with receiving() as receiver:
        # given
        endpoint = make_endpoint(receiver.url)
        for _ in range(3):
            make_company()
        sequence_events()
        fanout.fan_out()
        bundle = queue.take(endpoint)

        # when somebody was away for long
        bundle.begun -= queue.SENDING.total_seconds() + 1
        tries = queue.send(bundle)
        queue.settle(bundle, tries)

        # then
        assert tries == []
        assert receiver.received == []
        assert set(statuses()) == {"PENDING"}
        assert WebhookQueue.objects.filter(due_at__lte=timezone.now(), lease="")


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_nothing_is_forgotten_that_is_added_while_its_queue_is_settled(local):
    """Fan-out and the end of a bundle at the same moment, again and again."""
    with receiving() as receiver:
        # given
        endpoint = make_endpoint(receiver.url)
        company = make_company()
        stop = threading.Event()
        failures: list[BaseException] = []

        def deliver() -> None:
            try:
                while not stop.is_set():
                    bundle = queue.take(endpoint)
                    if bundle is not None:
                        queue.settle(bundle, queue.send(bundle))
            except BaseException as error:
                failures.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=deliver) for _ in range(3)]
        for thread in threads:
            thread.start()

        # when
        for _ in range(60):
            make_location(company=company)
            sequence_events()
            fanout.fan_out()
        end = time.monotonic() + 10
        while time.monotonic() < end and set(statuses()) != {"DELIVERED"}:
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join()

        # then
        assert failures == []
        assert set(statuses()) == {"DELIVERED"}
        numbers = [number for stream, number in told(receiver) if stream == company.pk]
        assert numbers == sorted(set(numbers))


# --- what is forgotten


def test_deliveries_go_with_their_events(work, settings):
    with receiving() as receiver:
        make_endpoint(receiver.url)
        make_company()
        make_company()
        work()
        age = timedelta(days=settings.EVENT_KEEP_DAYS + 1)
        Event.objects.update(occurred_at=timezone.now() - age)

        forgotten = forget_old_events()

        assert forgotten == 1
        assert Event.objects.count() == 1
        assert WebhookDelivery.objects.count() == 1


def test_an_endpoint_that_was_paused_for_long_goes_on_with_what_is_left(work):
    with receiving() as receiver:
        # given
        endpoint = make_endpoint(receiver.url)
        for _ in range(4):
            make_company()
        sequence_events()
        last = Event.objects.order_by("position").last()
        Event.objects.filter(position__lt=last.position - 1).delete()

        # when
        work()

        # then
        assert len(receiver.received) == 2
        endpoint.refresh_from_db()
        assert endpoint.position == last.position
