"""`check_integrity` names each damage by its check, and nothing where there is none."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from approvals.integrity import CHECKS_OF_FAULTS
from approvals.models import Decision, PurchaseRequest
from companies.models import Company
from config.integrity import checks, find_broken
from integrations.models import Event, EventCounter
from tests.approvals.makers import make_stand_in, person
from tests.approvals.test_ledger_check import DAMAGES as DAMAGES_OF_MONEY
from tests.approvals.test_ledger_check import sound as sound_ledger
from tests.factories import make_client, make_company
from tests.guards import delete, guards_off, update

pytestmark = pytest.mark.django_db

COMPANY, HISTORY = "companies_company", "companies_historicalcompany"
GROUP, MEMBER = "groups_customergroup", "groups_groupmember"
REQUEST, DECISION = "approvals_purchaserequest", "approvals_decision"
CLIENT, EVENT = "integrations_apiclient", "integrations_event"


def sound() -> SimpleNamespace:
    """Something of everything that a check looks at."""
    found = sound_ledger()
    found.other = make_company(name="Elsewhere")
    boss, deputy = person(found.other, "ADMIN"), person(found.other, "ADMIN")
    make_stand_in(company=found.other, contact=boss, stand_in=deputy)
    found.client = make_client(scopes="companies:read companies:write")
    found.shop = make_client(scopes="act companies:read")
    found.agreed = found.bought.decisions.get()
    found.pending = found.more
    return found


def group_of(company: Company, kind: str = "BUYERS") -> int:
    return company.customer_groups.get(kind=kind).pk


def run_sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        assert cursor.rowcount > 0


def last_entry(company: Company) -> int:
    return company.history.latest("history_id").history_id


def forget_history(company: Company) -> None:
    run_sql(f"DELETE FROM {HISTORY} WHERE history_id = %s", last_entry(company))


def rewrite_history(company: Company, **columns: Any) -> None:
    names = ", ".join(f"{name} = %s" for name in columns)
    values = [*columns.values(), last_entry(company)]
    run_sql(f"UPDATE {HISTORY} SET {names} WHERE history_id = %s", *values)


def store_member(w: SimpleNamespace, kind: str) -> None:
    run_sql(
        f"INSERT INTO {MEMBER} (version, created_at, updated_at, group_id, contact_id) "
        "VALUES (1, %s, %s, %s, %s)",
        timezone.now(),
        timezone.now(),
        group_of(w.world.sub, kind),
        w.world.buyer.pk,
    )


def agree(w: SimpleNamespace, request: PurchaseRequest, **fields: Any) -> None:
    step = request.steps.filter(round=request.round).first()
    values = {
        "request": request,
        "step": step,
        "round": request.round,
        "verdict": "APPROVE",
        "contact": w.world.admin,
        "right_of": w.world.admin,
        "through": {"kind": "assignment", "id": 1},
        "request_version": 1,
        "decided_at": timezone.now(),
    }
    Decision.objects.create(**values | fields)


def last_event(company: Company) -> int:
    return Event.objects.filter(stream=company.pk).latest("number").pk


# name of the check: two ways or more to damage what is sound
DAMAGES: dict[str, list[Callable[[SimpleNamespace], Any]]] = {
    "tree.cycle": [
        lambda w: update(COMPANY, w.world.sub.pk, parent_id=w.world.sub.pk),
        lambda w: update(COMPANY, w.world.sub.pk, parent_id=10**9),
    ],
    "tree.heads": [
        lambda w: update(COMPANY, w.other.pk, tree_id=10**9),
        lambda w: update(COMPANY, w.world.sub.pk, parent_id=w.other.pk),
    ],
    "tree.depth": [
        lambda w: make_chain(40),
        lambda w: make_chain(33),
    ],
    "tree.numbers": [
        lambda w: update(COMPANY, w.world.sub.pk, lft=99),
        lambda w: update(COMPANY, w.other.pk, level=1),
    ],
    "tree.scope": [
        lambda w: update(COMPANY, w.world.sub.pk, parent_id=w.other.pk),
        lambda w: update(COMPANY, w.other.pk, rght=6),
    ],
    "groups.four": [
        lambda w: delete(GROUP, group_of(w.other)),
        lambda w: update(GROUP, group_of(w.other), kind="CUSTOM", name="Buyers"),
    ],
    "groups.members": [
        lambda w: store_member(w, "BUYERS"),
        lambda w: store_member(w, "ADMINS"),
    ],
    "clients.scopes": [
        lambda w: update(CLIENT, w.shop.pk, allowed_scopes="act companies:write"),
        lambda w: update(CLIENT, w.client.pk, allowed_scopes="companies:destroy"),
    ],
    "approvals.status": [
        lambda w: update(REQUEST, w.declined.pk, status="APPROVED"),
        lambda w: delete(
            "approvals_requesthistory", w.bought.history.get(change="APPROVED").pk
        ),
        lambda w: run_sql(
            "DELETE FROM approvals_requesthistory WHERE request_id = %s", w.moved.pk
        ),
    ],
    "approvals.self": [
        lambda w: update(DECISION, w.agreed.pk, contact_id=w.bought.requester_id),
        lambda w: update(DECISION, w.agreed.pk, right_of_id=w.bought.requester_id),
    ],
    "approvals.eligible": [
        lambda w: update(DECISION, w.agreed.pk, through=json.dumps({})),
        lambda w: update(DECISION, w.agreed.pk, step_id=w.pending.steps.first().pk),
        lambda w: update(DECISION, w.agreed.pk, round=7),
    ],
    "approvals.snapshot": [
        lambda w: update(REQUEST, w.bought.pk, snapshot=json.dumps({"amount": "1"})),
        lambda w: update(REQUEST, w.bought.pk, snapshot_hash="0" * 64),
    ],
    "approvals.steps": [
        lambda w: delete(DECISION, w.agreed.pk),
        lambda w: agree(w, w.bought, contact=w.world.buyer, right_of=w.world.buyer),
        lambda w: agree(w, w.pending, verdict="DECLINE"),
    ],
    "approvals.stuck": [
        lambda w: agree(w, w.pending),
        lambda w: run_sql(
            "DELETE FROM approvals_approvalstep WHERE request_id = %s", w.pending.pk
        ),
    ],
    "approvals.stand_ins": [
        lambda w: run_sql("UPDATE approvals_standin SET stand_in_id = contact_id"),
        lambda w: run_sql("UPDATE approvals_standin SET valid_until = '2020-01-01'"),
    ],
    "writes.versions": [
        lambda w: update(COMPANY, w.other.pk, version=2),
        lambda w: forget_history(w.world.head),
    ],
    "history.complete": [
        lambda w: update(COMPANY, w.other.pk, name="Changed"),
        lambda w: update(COMPANY, w.other.pk, registered_on="2020-01-01"),
        lambda w: rewrite_history(w.other, history_user_id=""),
        lambda w: forget_history(w.other),
    ],
    "events.complete": [
        lambda w: update(EVENT, last_event(w.other), type="link.created"),
        lambda w: update(EVENT, last_event(w.other), subject_id=10**6),
        lambda w: forget_history(w.other),
    ],
    "events.gaps": [
        lambda w: update(EVENT, last_event(w.world.sub), number=99),
        lambda w: EventCounter.objects.filter(stream=w.other.pk).update(last=3),
        lambda w: EventCounter.objects.filter(stream=w.other.pk).delete(),
    ],
}


def make_chain(levels: int) -> None:
    """A hierarchy with one company on each level."""
    above = make_company()
    for _ in range(levels - 1):
        below = make_company()
        update(COMPANY, below.pk, parent_id=above.pk)
        above = below


def test_nothing_is_wrong_with_what_is_sound() -> None:
    sound()

    found = find_broken(checks())

    assert len(found) == 24
    assert {name: keys for name, keys in found.items() if keys} == {}


def test_each_damage_is_named_by_its_check() -> None:
    found = sound()
    missed = []
    with guards_off():
        for name, ways in DAMAGES.items():
            for number, damage in enumerate(ways):
                with transaction.atomic():
                    damage(found)
                    if not find_broken([name])[name]:
                        missed.append((name, number))
                    transaction.set_rollback(True)

    assert missed == []
    assert not any(find_broken(checks()).values())


def test_each_check_has_been_damaged_twice() -> None:
    ways = {name: len(ways) for name, ways in DAMAGES.items()}
    for kind, damages in DAMAGES_OF_MONEY.items():
        name = CHECKS_OF_FAULTS[kind]
        ways[name] = ways.get(name, 0) + len(damages)

    assert ways.keys() == checks().keys()
    assert min(ways.values()) >= 2
    assert sum(ways.values()) >= 50


@pytest.mark.parametrize("kind", DAMAGES_OF_MONEY)
def test_each_fault_of_the_ledger_breaks_a_check(kind: str) -> None:
    found = sound_ledger()
    with guards_off():
        DAMAGES_OF_MONEY[kind][0](found)

        broken = find_broken(checks())

    assert broken[CHECKS_OF_FAULTS[kind]]


def test_a_history_whose_request_is_gone_is_named_too() -> None:
    found = sound()
    with guards_off():
        delete(REQUEST, found.moved.pk)

        broken = find_broken(["approvals.status"])

    assert broken == {"approvals.status": [found.moved.pk]}


def test_streams_that_are_forgotten_cost_no_statement_each(
    django_assert_max_num_queries: Any,
) -> None:
    companies = [make_company() for _ in range(30)]
    with guards_off():
        streams = [company.pk for company in companies[:-1]]
        Event.objects.filter(stream__in=streams).delete()
        with django_assert_max_num_queries(10):
            assert find_broken(["events.gaps"]) == {"events.gaps": []}


def test_events_that_were_forgotten_are_no_fault() -> None:
    found = sound()
    old = timezone.now() - timedelta(days=90)
    with guards_off():
        run_sql(f"UPDATE {HISTORY} SET history_date = %s", old)
        run_sql(f"DELETE FROM {EVENT} WHERE stream = %s", found.world.head.pk)

        broken = find_broken(["events.complete", "events.gaps"])

    assert not any(broken.values())


def run(*args: str) -> str:
    out = StringIO()
    call_command("check_integrity", *args, stdout=out)
    return out.getvalue()


def test_the_command_says_that_all_is_well() -> None:
    sound()

    assert run() == "All 24 checks hold.\n"
    assert run("--only", "tree, money.form") == "All 6 checks hold.\n"
    assert set(json.loads(run("--json", "--only", "tree"))) == {
        name for name in checks() if name.startswith("tree.")
    }


def test_the_command_has_a_line_for_each_broken_check_and_fails() -> None:
    companies = [make_company() for _ in range(12)]
    out = StringIO()
    with guards_off():
        for company in companies:
            update(COMPANY, company.pk, level=1)

        with pytest.raises(CommandError) as failed:
            call_command("check_integrity", stdout=out)

    keys = [company.pk for company in companies]
    assert out.getvalue() == (
        f"tree.numbers: 12 companies: {', '.join(map(str, keys[:10]))} and 2 more\n"
    )
    assert str(failed.value) == "1 of 24 checks do not hold."
    assert failed.value.returncode == 1


def test_a_check_that_does_not_exist_is_refused() -> None:
    with pytest.raises(CommandError) as failed:
        run("--only", "trees")

    assert "There is no check trees." in str(failed.value)
    assert failed.value.returncode == 2


def test_the_statements_do_not_grow_with_the_companies(
    django_assert_max_num_queries: Any,
) -> None:
    with django_assert_max_num_queries(100):
        find_broken(checks())
    for _ in range(20):
        make_company()
    with django_assert_max_num_queries(100):
        find_broken(checks())
