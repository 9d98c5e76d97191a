"""The worker's part: gives events their order, their deliveries, and sends these.

Any number of workers may run: each takes what nobody else has. Sending happens in
threads that know no database, so that a slow receiver keeps nobody else waiting; all
else happens in the thread that calls.
"""

from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from django.db.models import Exists, OuterRef
from django.utils import timezone

from config.actors import SYSTEM
from integrations.models import WebhookEndpoint, WebhookQueue
from integrations.sequencing import forget_old_events, sequence_events

from . import endpoints, fanout, queue

THREADS = 16
AT_ONE_ENDPOINT = 4  # threads; one, if it gave no answer lately
LOOK = 0.5  # seconds after which a busy worker looks for new events
SLICE = 20  # seconds after which other kinds of work get their turn
STRAGGLERS = 1.0  # seconds that a round waits for answers when there is nothing else
FORGET = 600  # seconds between two looks for old events


@dataclass(frozen=True, slots=True)
class Job:
    """What a thread is at: a bundle of deliveries, or a test."""

    endpoint: WebhookEndpoint
    bundle: queue.Bundle | None = None


class Deliverer:
    """What one worker process has in hand."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._jobs: dict[Future[Any], Job] = {}
        self._looked = self._forgot = float("-inf")

    def round(self) -> int:
        """Send what is due, for a while; how many messages were received.

        Ends with nothing in hand, or with only such as a slow receiver keeps waiting:
        the next round hears of them.
        """
        begun = heard = monotonic()
        self._looked = float("-inf")
        count = 0
        while monotonic() - begun < SLICE:
            moved = self._look()
            settled, received = self._settle()
            moved += settled + self._start()
            count += received
            if moved:
                heard = monotonic()
            elif not self._jobs or monotonic() - heard > STRAGGLERS:
                break
            else:
                wait(self._jobs, timeout=0.1, return_when=FIRST_COMPLETED)
        return count

    def finish(self) -> int:
        """Hear of all that is in hand; at most a minute."""
        count = 0
        while self._jobs:
            wait(self._jobs, return_when=FIRST_COMPLETED)
            count += self._settle()[1]
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        return count

    def _look(self) -> int:
        """New events, and old ones; not in each of many short turns."""
        now, moved = monotonic(), 0
        if now - self._looked > LOOK:
            moved = sequence_events(most=fanout.AT_ONCE) + fanout.fan_out()
            # Where there were many there may be more.
            self._looked = float("-inf") if moved else monotonic()
        if now - self._forgot > FORGET:
            forget_old_events()
            self._forgot = now
        return moved

    def _start(self) -> int:
        """Take what is due, as long as threads are free."""
        now, started = timezone.now(), 0
        started += self._start_tests(now)
        due = WebhookQueue.objects.due(now).filter(endpoint=OuterRef("pk"))
        rows = WebhookEndpoint.objects.active().filter(Exists(due))
        busy = Counter(job.endpoint.pk for job in self._jobs.values())
        found = [e for e in rows.select_related("client") if e.may_be_sent_to]
        for endpoint in sorted(found, key=lambda one: busy[one.pk]):
            tired = endpoint.rests_until
            if tired is not None and tired > now:
                continue
            most = 1 if tired else AT_ONE_ENDPOINT
            while busy[endpoint.pk] < most and len(self._jobs) < THREADS:
                bundle = queue.take(endpoint)
                if bundle is None:
                    break
                self._submit(Job(endpoint, bundle), queue.send, bundle)
                busy[endpoint.pk] += 1
                started += 1
        return started

    def _start_tests(self, now: Any) -> int:
        rows = WebhookEndpoint.objects.filter(test_due_at__lte=now)
        started = 0
        for endpoint in rows.select_related("client"):
            if len(self._jobs) >= THREADS:
                break
            if endpoint.may_be_sent_to and endpoints.take_test(endpoint):
                self._submit(Job(endpoint), endpoints.send_test, endpoint)
                started += 1
        return started

    def _submit(self, job: Job, work: Any, argument: Any) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="webhooks")
        self._jobs[self._pool.submit(work, argument)] = job

    def _settle(self) -> tuple[int, int]:
        """Store what the threads have done: how many jobs, how many were received."""
        done = [future for future in self._jobs if future.done()]
        received = 0
        for future in done:
            job = self._jobs[future]
            if job.bundle is None:
                endpoints.settle_test(job.endpoint, future.result())
                self._looked = float("-inf")  # it may be active now
            else:
                received += self._settle_bundle(job, job.bundle, future.result())
            del self._jobs[future]  # now: if the database was busy, we come again
        return len(done), received

    def _settle_bundle(
        self, job: Job, bundle: queue.Bundle, tries: list[queue.Try]
    ) -> int:
        received = queue.settle(bundle, tries)
        rows = WebhookEndpoint.objects.filter(pk=job.endpoint.pk)
        if any(one.answer.is_gone for one in tries):
            _pause(job.endpoint, WebhookEndpoint.Reason.GONE)
        elif any(queue.is_given_up(one) for one in tries):
            _pause(job.endpoint, WebhookEndpoint.Reason.GIVEN_UP)
        elif tries and tries[-1].answer.status is None:
            rows.update(rests_until=timezone.now() + queue.REST)
        elif received and job.endpoint.rests_until is not None:
            rows.update(rests_until=None)
        return received


def _pause(endpoint: WebhookEndpoint, reason: str) -> None:
    with suppress(WebhookEndpoint.DoesNotExist):  # deleted meanwhile
        endpoints.pause_endpoint(endpoint, actor=SYSTEM, reason=reason)


deliverer = Deliverer()
