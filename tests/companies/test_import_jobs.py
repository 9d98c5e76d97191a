"""Stored imports: claimed by one, cancelled, begun again after a crash."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone

from companies.imports import jobs, kind_of
from companies.imports.progress import Stopped
from companies.imports.watching import Watched
from companies.models import Company, Import, ImportPart
from companies.tree.check import find_tree_faults
from groups.models import CustomerGroup
from integrations.management.commands import run_worker
from integrations.models import Event
from tests.factories import make_client, make_company, make_user
from tests.races import run_at_once

pytestmark = pytest.mark.django_db

GOOD = b"code,name\na,A\nb,B\n"
SIGNALS = (signal.SIGTERM, signal.SIGINT)
SCOPES = "imports:write companies:write companies:move contacts:write"


def receive(content: bytes = GOOD, *, kind: str = "companies", **options) -> Import:
    if not {"client", "staff"} & options.keys():
        options["client"] = make_client(sees_all=True, scopes=SCOPES)
    return jobs.receive_import(kind_of(kind), [content], name="x.csv", **options)


def planned(content: bytes = GOOD, **options) -> Import:
    job = receive(content, **options)
    assert jobs.work_on(job.pk)
    job.refresh_from_db()
    assert job.state == "PLANNED"
    return job


def test_the_file_is_kept_packed_and_whole():
    # given pieces of all sizes
    pieces = [os.urandom(1_000), b"", b"x" * 3_000_000, os.urandom(10)]
    client = make_client()
    # when
    job = jobs.receive_import(
        kind_of("companies"), pieces, name="../../etc/x.csv", client=client
    )
    # then
    assert b"".join(job.read_file()) == b"".join(pieces)
    assert job.size == sum(map(len, pieces))
    assert job.file_name == "x.csv"
    assert sum(len(part.content) for part in job.parts.all()) < 50_000


def test_the_worker_does_what_waits_and_says_so():
    # given
    receive(apply_at_once=True)
    receive(b"code\n", apply_at_once=True)
    receive(b"")
    out = StringIO()
    # when
    call_command("run_worker", once=True, stdout=out)
    # then
    states = Import.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["APPLIED", "APPLIED", "REFUSED"]
    assert out.getvalue() == "imports: 3 done\n"
    # when again
    call_command("run_worker", once=True, stdout=out)
    # then nothing was left
    assert out.getvalue() == "imports: 3 done\n"


def test_an_import_is_claimed_by_one():
    # given
    job = receive()
    mine = jobs._claim(job.pk)
    # then
    assert mine.claim
    assert jobs._claim(job.pk) is None
    assert not jobs.work_on(job.pk)
    # when whoever had it was silent for long
    Import.objects.update(beat_at=timezone.now() - timedelta(minutes=6))
    # then another does it
    assert jobs.work_on(job.pk)
    job.refresh_from_db()
    assert (job.state, job.claim) == ("PLANNED", "")
    # and the first one has nothing to say any more
    assert not jobs._end(mine, "FAILED")
    job.refresh_from_db()
    assert job.state == "PLANNED"


def test_who_was_taken_over_stores_nothing(monkeypatch):
    # given
    job = planned()
    jobs.apply_planned(job)
    finish = jobs._finish

    def too_late(mine: Import, plan) -> None:
        Import.objects.filter(pk=job.pk).update(claim="another")
        finish(mine, plan)

    monkeypatch.setattr(jobs, "_finish", too_late)
    # when
    jobs.work_on(job.pk)
    # then
    assert not Company.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_one_that_is_worked_on_stops_when_it_is_asked_to(monkeypatch):
    # given somebody who cancels it while it is planned
    monkeypatch.setattr("companies.imports.watching.EACH", 0)
    job = receive()
    begin = Watched.begin

    def cancelled(self, step: str, total: int | None = None) -> None:
        if step == "compare":
            jobs.cancel_import(Import.objects.get(pk=job.pk))
        begin(self, step, total)

    monkeypatch.setattr(Watched, "begin", cancelled)
    # when
    jobs.work_on(job.pk)
    # then
    job.refresh_from_db()
    assert job.state == "CANCELLED"
    assert not ImportPart.objects.exists()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_one_that_is_applied_stops_when_it_is_asked_to(monkeypatch):
    """Its transaction is open: what it tells and hears goes by another connection."""
    # given
    monkeypatch.setattr("companies.imports.watching.EACH", 0)
    make_company(code="a", name="Old")
    job = planned()
    jobs.apply_planned(job)
    seen = []
    begin = Watched.begin

    def cancelled(self, step: str, total: int | None = None) -> None:
        begin(self, step, total)
        if step == "update":
            seen.append(connection.in_atomic_block)
            run_at_once(lambda _: seen.append(told()), threads=1)
            run_at_once(lambda _: jobs.cancel_import(job), threads=1)

    def told() -> tuple:
        return Import.objects.values_list("step", "total").get()

    monkeypatch.setattr(Watched, "begin", cancelled)
    # when
    jobs.work_on(job.pk)
    # then
    assert seen == [True, ("update", 1)]
    job.refresh_from_db()
    assert job.state == "CANCELLED"
    assert Company.objects.get().name == "Old"
    assert find_tree_faults() == []


def test_what_takes_too_long_is_given_up(settings):
    # given
    settings.IMPORT_MAX_SECONDS = -1
    job = receive()
    # when
    jobs.work_on(job.pk)
    # then
    job.refresh_from_db()
    assert job.state == "FAILED"
    assert job.faults[0]["code"] == "took_too_long"
    # when there is time again
    settings.IMPORT_MAX_SECONDS = 60
    jobs.plan_again(job)
    jobs.work_on(job.pk)
    # then
    job.refresh_from_db()
    assert (job.state, job.faults) == ("PLANNED", [])


def test_a_busy_database_is_tried_again_but_not_for_ever(monkeypatch):
    # given
    job = receive()

    def busy(*args, **kwargs):
        raise OperationalError("no answer")

    monkeypatch.setattr(jobs, "plan_import", busy)
    # when
    for _ in range(3):
        assert Import.objects.get().state == "PLANNING"
        jobs.run_waiting_imports()
    # then
    job.refresh_from_db()
    assert job.state == "FAILED"
    assert job.faults[0]["code"] == "busy"


def test_a_mistake_of_ours_is_logged_and_stops_nothing_else(monkeypatch, caplog):
    # given
    receive()
    receive()
    plan = jobs.plan_import

    def wrong(*args, **kwargs):
        monkeypatch.setattr(jobs, "plan_import", plan)
        raise ZeroDivisionError

    monkeypatch.setattr(jobs, "plan_import", wrong)
    # when
    jobs.run_waiting_imports()
    # then
    states = Import.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["FAILED", "PLANNED"]
    assert "ZeroDivisionError" in caplog.text


def test_staff_import_with_the_rights_of_now():
    # given
    rights = ("add_import", "add_company", "change_company", "move_company")
    staff = make_user(permissions=rights)
    job = planned(staff=staff, may_move=True)
    jobs.apply_planned(job)
    staff.user_permissions.clear()
    # when
    jobs.work_on(job.pk)
    # then
    job.refresh_from_db()
    assert (job.state, job.faults[0]["code"]) == ("REFUSED", "forbidden")
    assert not Company.objects.exists()


def test_files_and_results_are_forgotten(settings):
    # given
    old, new = planned(), planned()
    past = timezone.now() - timedelta(days=settings.IMPORT_KEEP_DAYS + 1)
    Import.objects.filter(pk=old.pk).update(updated_at=past)
    # when
    jobs.run_waiting_imports()
    # then
    assert not old.parts.exists()
    assert new.parts.count() == 2
    assert Import.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_progress_is_told(monkeypatch):
    # given
    monkeypatch.setattr("companies.imports.watching.EACH", 0)
    job = jobs._claim(receive().pk)
    watched = Watched(job, None)
    # when
    watched.begin("read", 7)
    watched.report(3)
    # then
    job.refresh_from_db()
    assert (job.step, job.done, job.total) == ("read", 3, 7)
    with pytest.raises(Stopped):
        Watched(job, -1).begin("read")


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_leaves_nothing_behind():
    """The process dies in the transaction that applies; the next one does it all."""
    # given
    lines = [f"k{n},Company {n},{f'k{n // 7}' if n else ''}" for n in range(3_000)]
    job = planned("\n".join(["code,name,parent_code", *lines]).encode())
    jobs.apply_planned(job)
    # when
    worker = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", WORKER, str(connection.settings_dict["NAME"])],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdout=subprocess.PIPE,
    )
    assert worker.stdout.readline() == b"applying\n"
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    # then
    assert Import.objects.get().claim
    assert not Company.objects.exists()
    # when another one comes, after the silence
    Import.objects.update(beat_at=timezone.now() - timedelta(minutes=6))
    jobs.run_waiting_imports()
    # then
    job.refresh_from_db()
    assert job.state == "APPLIED"
    assert Company.objects.count() == 3_000
    assert CustomerGroup.objects.count() == 4 * 3_000
    assert find_tree_faults() == []


WORKER = """
import sys
import django
django.setup()
from django.db import connection
connection.settings_dict["NAME"] = sys.argv[1]
from companies.imports import jobs
finish = jobs._finish
def slow(job, plan):
    finish(job, plan)
    print("applying", flush=True)
    import time
    time.sleep(60)
jobs._finish = slow
jobs.run_waiting_imports()
"""


def test_a_worker_goes_on_until_it_is_told_to_stop(monkeypatch):
    # given a first round in vain, one with work, and then a signal
    rounds, pauses, out = [], [], StringIO()
    handlers = {number: signal.getsignal(number) for number in SIGNALS}

    def work(*only: str) -> dict[str, int]:
        rounds.append(1)
        if len(rounds) == 1:
            raise OperationalError("no answer")
        if len(rounds) == 3:
            signal.raise_signal(signal.SIGTERM)
        return {"imports": len(rounds) - 2}

    monkeypatch.setattr(run_worker, "do_waiting_work", work)
    monkeypatch.setattr(run_worker.time, "sleep", pauses.append)
    # when
    try:
        call_command("run_worker", stdout=out, stderr=out)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    # then
    assert len(rounds) == 3
    assert pauses == [2, 2]
    assert out.getvalue().splitlines() == [
        "The database is busy or does not answer. Trying again.",
        "imports: 1 done",
    ]
