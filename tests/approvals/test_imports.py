"""Purchase limits from files."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from approvals.models import PurchaseLimit
from companies.imports import Caller, ImportRefused
from integrations.models import Event
from tests.approvals.makers import make_limit
from tests.factories import make_assignment, make_chain, make_client, make_company
from tests.imports import counts, load

pytestmark = pytest.mark.django_db

HEAD = "company_code,amount,currency,period,scope,binds,roles,contact_email,unlimited"


@pytest.fixture
def file(tmp_path: Path):
    def make(*lines: str, name: str = "limits.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return make


def stored() -> list[tuple]:
    rows = PurchaseLimit.objects.order_by("pk")
    return [*rows.values_list("pk", "amount", "version"), Event.objects.count()]


def faults_of(path: Path, **options) -> list[tuple]:
    before = stored()
    with pytest.raises(ImportRefused) as refusal:
        load(path, kind="limits", **options)
    assert stored() == before
    return [(f.record, f.column, f.code) for f in refusal.value.faults]


def test_limits_are_created_changed_and_left_alone(file):
    # given
    head, sub = make_chain(2)
    person = make_assignment(company=sub).contact
    old = make_limit(company=head, amount=Decimal(100), period="MONTH")
    path = file(
        HEAD,
        f"{head.code},250.50,EUR,month,,,,,",
        f"{sub.code},0,JPY,DAY,COMPANY,roles,buyer requester,,",
        f"{sub.code},5,EUR,,,CONTACT,,{person.email.upper()},",
        f"{sub.code},,USD,,,,,,yes",
    )
    # when
    plan = load(path, kind="limits")
    # then
    assert counts(plan) == (3, 1, 0, 0, 0)
    change = plan.outcomes[0].changes[0]
    assert (change.field, change.old, change.new) == ("amount", "100.00", "250.50")
    old.refresh_from_db()
    assert (old.amount, old.version) == (Decimal("250.50"), 2)
    assert old.history.first().history_change_reason == "import"
    roles = PurchaseLimit.objects.get(currency="JPY")
    assert (roles.roles, roles.amount) == (["BUYER", "REQUESTER"], 0)
    assert PurchaseLimit.objects.get(binds="CONTACT").contact == person
    assert PurchaseLimit.objects.get(currency="USD").unlimited
    # when the same once more
    before = stored()
    assert counts(load(path, kind="limits")) == (0, 0, 0, 4, 0)
    assert stored() == before


def test_a_limit_is_switched_off_and_on(file):
    # given
    company = make_company(code="a")
    limit = make_limit(company=company, amount=Decimal(5), period="MONTH")
    lines = "company_code,amount,currency,period,is_active", "a,5,EUR,MONTH,{}"
    # when
    for active in ("false", "true"):
        path = file(lines[0], lines[1].format(active))
        assert counts(load(path, kind="limits")) == (0, 1, 0, 0, 0)
        assert counts(load(path, kind="limits")) == (0, 0, 0, 1, 0)
        # then
        limit.refresh_from_db()
        assert limit.is_active is (active == "true")
    assert PurchaseLimit.objects.count() == 1


def test_bad_limits_are_named(file):
    # given
    make_company(code="a")
    stranger = make_assignment().contact
    path = file(
        HEAD,
        "none,5,EUR,,,,,,",
        'a,"1,000.00",EUR,,,,,,',
        "a,5.001,EUR,,,,,,",
        "a,1e3,EUR,,,,,,",
        "a,-5,EUR,,,,,,",
        "a,5,DEM,,,,,,",
        "a,,EUR,,,,,,",
        "a,5,EUR,,,,,,yes",
        "a,5,EUR,FORTNIGHT,,,,,",
        "a,5,EUR,,,ROLES,KING,,",
        "a,5,EUR,,,ROLES,,,",
        "a,5,EUR,,,CONTACT,,nobody@example.com,",
        f"a,5,EUR,,,CONTACT,,{stranger.email},",
        "a,5,USD,,,,,,",
        "a,6,USD,,,,,,",
    )
    # then
    assert faults_of(path) == [
        (1, "company_code", "unknown_company"),
        (2, "amount", "invalid_amount"),
        (3, "amount", "too_many_decimals"),
        (4, "amount", "invalid_amount"),
        (5, "amount", "invalid_amount"),
        (6, "currency", "unknown_currency"),
        (7, None, "amount_or_unlimited"),
        (8, None, "amount_or_unlimited"),
        (9, "period", "invalid_choice"),
        (10, "roles", "unknown_role"),
        (11, "roles", "roles_if_bound"),
        (12, "contact_email", "unknown_contact"),
        (13, None, "not_in_hierarchy"),
        (15, None, "equal_limit"),
    ]


def test_no_amount_comes_by_a_float(file):
    # given
    make_company(code="a")
    lines = [
        {"company_code": "a", "amount": 12.5, "currency": "EUR"},
        {"company_code": "a", "amount": "12.50", "currency": "USD"},
    ]
    path = file(*map(json.dumps, lines), name="limits.jsonl")
    # then
    assert faults_of(path) == [(1, "amount", "fraction")]
    # when
    load(path, kind="limits", partial=True)
    # then
    assert PurchaseLimit.objects.get().amount == Decimal("12.50")


def test_a_client_limits_only_what_it_sees(file):
    # given
    own, foreign = make_company(code="own"), make_company(code="foreign")
    hidden = make_assignment(company=foreign).contact
    caller = Caller(client=make_client(hierarchies=(own,)))
    lines = [
        "foreign,5,EUR,,,,,,",
        f"own,5,EUR,,,CONTACT,,{hidden.email},",
        "own,5,EUR,,,,,,",
    ]
    # then
    assert faults_of(file(HEAD, *lines), caller=caller) == [
        (1, "company_code", "unknown_company"),
        (2, "contact_email", "unknown_contact"),
    ]
