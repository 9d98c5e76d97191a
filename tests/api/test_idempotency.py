"""A POST that is sent again has no second effect, whoever is at work meanwhile."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from approvals.models import Decision, PurchaseRequest
from companies.models import Company, Contact, Import, Location
from companies.services import erase_contact, move_company
from config.actors import SYSTEM
from integrations.api import idempotency
from integrations.models import ApiClient, Event, IdempotencyRecord
from tests.approvals.makers import make_world, submit
from tests.factories import make_client, make_company, make_contact, make_token
from tests.races import run_at_once

pytestmark = pytest.mark.django_db

COMPANIES = "/api/v1/companies/"
CONTACTS = "/api/v1/contacts/"
REQUESTS = "/api/v1/purchase-requests/"
SCOPES = (
    "companies:read companies:write companies:move contacts:read contacts:write "
    "purchases:read purchases:write approvals:decide imports:write"
)


def caller_for(client: ApiClient) -> APIClient:
    http = APIClient(raise_request_exception=False)
    http.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(client)}")
    return http


@pytest.fixture
def http(db: None) -> APIClient:
    return caller_for(make_client(scopes=SCOPES, sees_all=True))


def send(http: APIClient, path: str, body: Any, key: str | None, **headers: str) -> Any:
    if key is not None:
        headers["Idempotency-Key"] = key
    return http.post(path, body, headers=headers)


def is_replay(answer: Any) -> bool:
    return answer.headers.get("Idempotent-Replayed") == "true"


def effects() -> tuple[int, ...]:
    models = (Company, Contact, PurchaseRequest, Decision, Import, Event)
    return tuple(model.objects.count() for model in models)


# --- The same again


def test_the_same_key_gives_the_first_answer_again(http: APIClient) -> None:
    # when
    first = send(http, COMPANIES, {"name": "Acme", "code": "acme"}, "k1")
    before = effects()
    again = send(http, COMPANIES, {"name": "Acme", "code": "acme"}, "k1")
    # then
    assert (first.status_code, is_replay(first)) == (201, False)
    assert (again.status_code, is_replay(again)) == (201, True)
    assert again.content == first.content
    assert again["ETag"] == first["ETag"] == '"1"'
    assert effects() == before
    # when it has changed since
    company = Company.objects.get()
    company.name = "New"
    company.by(SYSTEM).save()
    # then it is still the first answer
    later = send(http, COMPANIES, {"name": "Acme", "code": "acme"}, "k1")
    assert (later.content, later["ETag"]) == (first.content, '"1"')


def test_without_a_key_or_with_another_one_it_is_done_again(http: APIClient) -> None:
    for key in (None, None, "k1", "k2"):
        assert send(http, COMPANIES, {"name": "Acme"}, key).status_code == 201
    assert Company.objects.count() == 4


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (COMPANIES, {"name": "Other"}),
        (COMPANIES, {"name": "Acme", "country": "DE"}),
        (CONTACTS, {"name": "Acme"}),
    ],
)
def test_a_key_is_of_one_thing_only(http: APIClient, path: str, body: Any) -> None:
    # given
    send(http, COMPANIES, {"name": "Acme"}, "k1")
    before = effects()
    # when
    answer = send(http, path, body, "k1")
    # then
    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency_key_reused"
    assert effects() == before


def test_a_key_belongs_to_its_client_and_not_to_a_token(http: APIClient) -> None:
    # given
    send(http, COMPANIES, {"name": "Acme"}, "k1")
    same = caller_for(ApiClient.objects.get())
    other = caller_for(make_client(scopes=SCOPES, sees_all=True))
    # then
    assert is_replay(send(same, COMPANIES, {"name": "Acme"}, "k1"))
    assert not is_replay(send(other, COMPANIES, {"name": "Other"}, "k1"))
    assert Company.objects.count() == 2


def test_a_refusal_leaves_the_key_free(http: APIClient) -> None:
    # when
    refused = send(http, COMPANIES, {"name": ""}, "k1")
    # then
    assert refused.status_code == 400
    assert not IdempotencyRecord.objects.exists()
    assert send(http, COMPANIES, {"name": "Acme"}, "k1").status_code == 201


def test_a_decision_that_is_sent_again_is_no_conflict(http: APIClient) -> None:
    # given
    world = make_world()
    request = submit(world.sub, world.requester)
    body = {"contact": world.admin.pk}
    path = f"{REQUESTS}{request.pk}/approve/"
    # when
    first, again = (
        send(http, path, body, "k1", **{"If-Match": '"1"'}) for _ in range(2)
    )
    # then
    assert (first.status_code, again.status_code) == (200, 200), first.content
    assert (again.content, again["ETag"]) == (first.content, first["ETag"])
    assert (is_replay(first), is_replay(again)) == (False, True)
    assert Decision.objects.count() == 1


def test_a_blocked_purchase_stays_so_under_its_key(http: APIClient) -> None:
    # given
    world = make_world()
    body = {
        "company": world.sub.pk,
        "requester": make_contact().pk,
        "kind": "CART",
        "reference": "A1",
        "money": {"amount": "100.00", "currency": "EUR"},
    }
    # when
    first, again = (send(http, REQUESTS, body, "k1") for _ in range(2))
    # then
    assert first.json()["decision"]["outcome"] == "BLOCKED"
    assert (again.status_code, again.content) == (200, first.content)
    assert is_replay(again)
    assert not PurchaseRequest.objects.exists()


def test_a_file_is_received_once_and_tells_how_its_import_stands(
    http: APIClient,
) -> None:
    # given
    def upload() -> Any:
        file = SimpleUploadedFile("x.csv", b"code,name\na,A\n")
        body = {"kind": "companies", "file": file}
        headers = {"Idempotency-Key": "k1"}
        return http.post("/api/v1/imports/", body, format="multipart", headers=headers)

    # when
    first, again = upload(), upload()
    # then
    assert (first.status_code, first.json()["state"]) == (201, "PLANNED")
    assert again.json() == first.json()
    assert (is_replay(first), is_replay(again)) == (False, True)
    assert Import.objects.count() == 1
    # when
    apply = f"/api/v1/imports/{first.json()['id']}/apply/"
    applied = [send(http, apply, {}, "k2") for _ in range(2)]
    # then
    assert [answer.json()["state"] for answer in applied] == ["APPLIED", "APPLIED"]
    assert [is_replay(answer) for answer in applied] == [False, True]
    assert Company.objects.count() == 1


# --- Which keys there are


@pytest.mark.parametrize("action", ["", "approve/", "decline/", "change/"])
def test_purchases_and_decisions_need_a_key(http: APIClient, action: str) -> None:
    # given
    world = make_world()
    request = submit(world.sub, world.requester)
    before = effects()
    path = f"{REQUESTS}{request.pk}/{action}" if action else REQUESTS
    # when
    answer = send(http, path, {"contact": world.boss.pk}, None, **{"If-Match": '"1"'})
    # then
    assert answer.status_code == 400
    assert answer.json()["code"] == "idempotency_key_required"
    assert effects() == before


@pytest.mark.parametrize("key", ["", " ", "k" * 256, "k 1", "k,1", "k\x7f", "é"])
def test_a_key_is_visible_ascii(db: None, key: str) -> None:
    # given
    token = make_token(make_client(scopes=SCOPES, sees_all=True))
    http = Client(HTTP_AUTHORIZATION=f"Bearer {token}", raise_request_exception=False)
    # when
    answer = http.post(
        COMPANIES,
        '{"name": "Acme"}',
        content_type="application/json",
        HTTP_IDEMPOTENCY_KEY=key,
    )
    # then
    assert answer.status_code == 400
    assert answer.json()["code"] == "idempotency_key_invalid"
    assert effects() == (0,) * 6


def test_the_longest_key_will_do(http: APIClient) -> None:
    key = 'a"~!' + "k" * 251
    assert send(http, COMPANIES, {"name": "Acme"}, key).status_code == 201
    assert is_replay(send(http, COMPANIES, {"name": "Acme"}, key))


def test_what_changes_nothing_needs_and_keeps_no_key(http: APIClient) -> None:
    # given
    world = make_world()
    money = {"amount": "100.00", "currency": "EUR"}
    body = {"company": world.sub.pk, "requester": world.buyer.pk, "money": money}
    preview = f"{COMPANIES}{world.sub.pk}/move/preview/"
    # when
    checks = [send(http, f"{REQUESTS}check/", body, "k1") for _ in range(2)]
    previews = [send(http, preview, {"parent": None}, "k1") for _ in range(2)]
    # then
    for answer in (*checks, *previews):
        assert (answer.status_code, is_replay(answer)) == (200, False)
    assert not IdempotencyRecord.objects.exists()


def test_a_key_is_kept_for_seven_days(http: APIClient) -> None:
    # given
    send(http, COMPANIES, {"name": "Acme"}, "k1")
    send(http, COMPANIES, {"name": "Acme"}, "k2")
    almost, over = (timezone.now() - timedelta(days=7, hours=h) for h in (-1, 1))
    IdempotencyRecord.objects.filter(key="k1").update(created_at=over)
    IdempotencyRecord.objects.filter(key="k2").update(created_at=almost)
    # then
    assert not is_replay(send(http, COMPANIES, {"name": "Other"}, "k1"))
    assert is_replay(send(http, COMPANIES, {"name": "Other"}, "k1"))
    assert is_replay(send(http, COMPANIES, {"name": "Acme"}, "k2"))
    # when
    IdempotencyRecord.objects.filter(key="k1").update(created_at=over)
    # then
    assert IdempotencyRecord.objects.forget_old() == 1
    assert IdempotencyRecord.objects.get().key == "k2"


# --- Rights


def test_rights_are_checked_again(http: APIClient) -> None:
    # given
    client = ApiClient.objects.get()
    head = make_company()
    client.sees_all_hierarchies = False
    client.save()
    client.allowed_hierarchies.set([head])
    body = {"name": "Acme", "parent": head.pk}
    made = send(http, COMPANIES, body, "k1").json()["id"]
    absent = http.get(f"{COMPANIES}{made + 99}/")
    # when it is out of sight
    company = Company.objects.get(pk=made)
    move_company(company, make_company(), actor=SYSTEM)
    hidden = send(http, COMPANIES, body, "k1")
    # then
    assert (hidden.status_code, hidden.json()["code"]) == (404, "not_found")
    assert absent.json() | {"request_id": ""} == hidden.json() | {"request_id": ""}
    # when the scope is gone
    client.allowed_scopes = "companies:read"
    client.save()
    # then
    assert send(http, COMPANIES, body, "k1").status_code == 403
    # when the client is
    ApiClient.objects.update(is_active=False)
    # then
    assert send(http, COMPANIES, body, "k1").status_code == 401


def test_an_erased_person_is_in_no_kept_answer(http: APIClient) -> None:
    # given
    body = {"email": "ada@example.com", "last_name": "Löwelace"}
    made = send(http, CONTACTS, body, "k1").json()
    send(http, CONTACTS, {"email": "bob@example.com"}, "k2")
    # when
    erase_contact(Contact.objects.get(pk=made["id"]), actor=SYSTEM)
    # then
    kept = dict(IdempotencyRecord.objects.values_list("key", "answer"))
    assert kept["k1"] is None
    assert "bob@example.com" in kept["k2"]
    before = effects()
    answer = send(http, CONTACTS, body, "k1")
    assert (answer.status_code, answer.json()["code"]) == (409, "answer_forgotten")
    assert effects() == before


# --- Twins


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("guarded", [True, False])
def test_of_sixteen_twins_one_has_an_effect(
    monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    # given
    client = make_client(scopes=SCOPES, sees_all=True)
    callers = [caller_for(client) for _ in range(16)]
    body = {"company": make_company().pk}
    if not guarded:
        monkeypatch.setattr(idempotency, "_claim", lambda *args, **options: True)
    # when
    answers = run_at_once(
        lambda number: send(callers[number], "/api/v1/locations/", body, "k1"),
        threads=16,
    )
    # then
    assert {answer.status_code for answer in answers} == {201}
    if guarded:
        assert Location.objects.count() == 1
        assert sum(map(is_replay, answers)) == 15
        assert len({answer.content for answer in answers}) == 1
    else:
        assert Location.objects.count() == 16


@pytest.mark.django_db(transaction=True)
def test_of_two_bodies_under_one_key_one_has_an_effect() -> None:
    # given
    client = make_client(scopes=SCOPES, sees_all=True)
    callers = [caller_for(client) for _ in range(2)]
    # when
    for key in range(20):
        answers = run_at_once(
            lambda number, key=key: send(
                callers[number], COMPANIES, {"name": f"Acme {number}"}, f"k{key}"
            ),
            threads=2,
        )
        assert sorted(answer.status_code for answer in answers) == [201, 422]
    # then
    assert Company.objects.count() == 20


@pytest.mark.django_db(transaction=True)
def test_if_the_first_crashes_a_twin_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    client = make_client(scopes=SCOPES, sees_all=True)
    callers = [caller_for(client) for _ in range(8)]
    keep, crashes = idempotency._keep, iter([True])

    def crash_once(*args: Any, **options: Any) -> None:
        if next(crashes, False):
            raise RuntimeError("The process dies after the effect, before the commit.")
        keep(*args, **options)

    monkeypatch.setattr(idempotency, "_keep", crash_once)
    # when
    answers = run_at_once(
        lambda number: send(callers[number], COMPANIES, {"name": "Acme"}, "k1"),
        threads=8,
    )
    # then
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] * 7 + [500]
    assert sum(map(is_replay, answers)) == 6
    assert Company.objects.count() == 1


def test_a_key_costs_four_statements(http: APIClient) -> None:
    # The claim, the answer, and a savepoint (two statements) round the effect.
    def cost(key: str | None) -> int:
        with CaptureQueriesContext(connection) as queries:
            send(http, COMPANIES, {"name": "Acme"}, key)
        return len(queries)

    usual = cost(None)
    assert cost("k1") == usual + 4
    assert cost("k1") == 6  # token, savepoint, claim, answer, visible, end of savepoint
