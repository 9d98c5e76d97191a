"""Workers that are killed (SIGKILL) at named points lose nothing and keep the order."""

import os
import random
import signal
import subprocess
import sys
from collections import Counter

import pytest
from django.db import connection
from django.utils import timezone

from integrations.models import (
    Event,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookQueue,
)
from tests.factories import make_company, make_location
from tests.figures import show

from .makers import make_endpoint, statuses, told
from .receivers import receiving

# Before or after which statement, or message, the worker dies. What was not committed
# then is as if it had never been.
POINTS = {
    "sequenced, not committed": ("after", "UPDATE integrations_event SET position"),
    "before sequencing": ("before", "UPDATE integrations_event SET position"),
    "deliveries made, not committed": (
        "after",
        'INSERT INTO "integrations_webhookdelivery"',
    ),
    "queues woken, not committed": (
        "after",
        'UPDATE "integrations_webhookqueue" SET "due_at"',
    ),
    "fanned out, not committed": (
        "after",
        'UPDATE "integrations_webhookendpoint" SET "position"',
    ),
    "leased, not committed": (
        "after",
        'UPDATE "integrations_webhookqueue" SET "lease"',
    ),
    "leased, nothing read": ("before", 'SELECT "integrations_webhookdelivery"."id"'),
    "before a message": ("before", "POST"),
    "in the middle of a bundle": ("after", "POST"),
    "sent, not stored": ("before", "UPDATE integrations_webhookdelivery SET status"),
    "stored, not committed": (
        "after",
        "UPDATE integrations_webhookdelivery SET status",
    ),
    "given back, not committed": (
        "after",
        '"due_at" = CASE',
    ),
}

# Sets Django up once; each line it is sent makes a worker that dies as the line says.
NURSERY = """
import os, signal, sys
import django
django.setup()
from django.core.management import call_command
from django.db import connection
from integrations.webhooks.sending import Line
connection.settings_dict["NAME"] = sys.argv[1]

def worker(moment, text, times):
    left = times

    def reached(this, what):
        nonlocal left
        if this == moment and (what == text or text != "POST" and text in what):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(execute, sql, params, many, context):
        reached("before", sql)
        try:
            return execute(sql, params, many, context)
        finally:
            reached("after", sql)

    post = Line.post

    def watched(line, *args):
        reached("before", "POST")
        answer = post(line, *args)
        reached("after", "POST")
        return answer

    Line.post = watched
    with connection.execute_wrapper(watch):
        call_command("run_worker", "--once", "--only=webhooks")

for line in sys.stdin:
    moment, times, text = line.rstrip("\\n").split("|", 2)
    child = os.fork()
    if child == 0:
        sys.stdout = open(os.devnull, "w")
        try:
            worker(moment, text, int(times))
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _pid, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Nursery:
    """Makes workers one after the other, and says how each ended."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", NURSERY, str(connection.settings_dict["NAME"])],
            env=os.environ
            | {
                "DJANGO_SETTINGS_MODULE": "tests.settings",
                "WEBHOOK_ALLOW_PRIVATE": "true",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def work(self, moment: str = "never", text: str = "", times: int = 1) -> int:
        self.process.stdin.write(f"{moment}|{times}|{text}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(30) == 0
        self.process.stdout.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kills", [24, pytest.param(240, marks=pytest.mark.long)])
def test_workers_that_are_killed_lose_nothing_and_keep_the_order(local, kills: int):
    with receiving() as receiver:
        # given
        chance = random.Random(1)
        companies = [make_company() for _ in range(4)]
        endpoint = make_endpoint(receiver.url)
        nursery, killed = Nursery(), Counter()

        # when
        for turn in range(kills):
            for company in chance.choices(companies, k=6):
                make_location(company=company)
            point = list(POINTS)[turn % len(POINTS)]
            times = chance.choice((2, 3, 4)) if "bundle" in point else 1
            code = nursery.work(*POINTS[point], times=times)
            assert code in (0, -signal.SIGKILL)
            killed[point] += code == -signal.SIGKILL
            # What it had leased is free again after a minute.
            leased = WebhookQueue.objects.exclude(leased_until=None)
            leased.update(leased_until=timezone.now())
        assert nursery.work() == 0
        nursery.close()

        # then: everything has come, in the order of its company
        assert Event.objects.waiting().count() == 0
        events = Event.objects.filter(position__gt=endpoint.position)
        ids = receiver.ids()
        assert set(ids) == {f"evt_{event.position}" for event in events}
        for company in companies:
            last = 1  # it was made before
            for stream, number in told(receiver):
                if stream == company.pk:
                    assert number <= last + 1  # nothing is left out
                    last = max(last, number)
            assert last == Event.objects.filter(stream=company.pk).count()
        assert set(statuses()) == {"DELIVERED"}
        assert WebhookDelivery.objects.count() == events.count() == 6 * kills
        assert not WebhookQueue.objects.exclude(due_at=None, lease="")
        assert WebhookEndpoint.objects.get().status == "ACTIVE"
        # The test is worth something: most of them died where they should.
        assert all(killed[point] for point in POINTS), killed
        assert killed.total() >= kills * 5 // 6
        show(
            f"webhooks: {killed.total()} workers killed at {len(POINTS)} points, "
            f"{len(set(ids))} events received, {len(ids) - len(set(ids))} repetitions"
        )
