"""Imports by the API: a file in, its plan, its report; own ones only."""

import gzip
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.serializers import BaseSerializer
from rest_framework.test import APIClient

from companies.api.import_serializers import ImportSerializer, RecordsSerializer
from companies.imports import jobs
from companies.models import Company, Contact, Import, ImportPart
from tests.factories import make_client, make_company, make_contact, make_token
from tests.imports import MESSY

pytestmark = pytest.mark.django_db

URL = "/api/v1/imports/"
SCOPES = "imports:write companies:write companies:move contacts:write"
GOOD = b"code,name\na,A\nb,B\n"
BAD = b"code,name,country\na,A,\nb,B,Nowhere\n"


def api_of(client, scopes: str | None = None) -> APIClient:
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(client, scopes=scopes)}")
    return api


@pytest.fixture
def api() -> APIClient:
    return api_of(make_client(sees_all=True, scopes=SCOPES))


def send(api: APIClient, content: bytes, *, name: str = "x.csv", **fields):
    form = {"kind": "companies", "file": SimpleUploadedFile(name, content)} | fields
    return api.post(URL, form, format="multipart")


def nothing_stored() -> bool:
    return not (Company.objects.exists() or Import.objects.exists())


def test_a_small_file_is_planned_at_once_and_applied_when_asked(api):
    # when
    answer = send(api, GOOD)
    # then
    assert answer.status_code == 201, answer.content
    job = answer.json()
    assert job["state"] == "PLANNED"
    assert job["totals"] == {
        "records": 2,
        "created": 2,
        "updated": 0,
        "moved": 0,
        "unchanged": 0,
        "refused": 0,
        "noted": 0,
    }
    assert job["source"]["columns"] == {"code": "code", "name": "name"}
    assert not Company.objects.exists()
    # when
    answer = api.post(f"{URL}{job['id']}/apply/", {})
    # then
    assert answer.status_code == 200, answer.content
    assert answer.json()["state"] == "APPLIED"
    assert answer.json()["finished_at"]
    assert set(Company.objects.values_list("code", flat=True)) == {"a", "b"}
    actor = Company.history.values_list("history_user_id", flat=True).first()
    assert actor.startswith("client:")
    assert not ImportPart.objects.filter(content_of="FILE").exists()
    # when again
    again = api.post(f"{URL}{job['id']}/apply/", {})
    # then
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    assert again.json()["details"] == {"state": "APPLIED"}


def test_records_are_told_a_page_at_a_time(api):
    # given
    make_company(code="c0", name="Old")
    lines = [f"c{n},New {n},{'??' if n % 3 == 1 else ''}" for n in range(7)]
    job = send(api, "\n".join(["code,name,country", *lines]).encode()).json()
    url = f"{URL}{job['id']}/records/"
    # when
    first = api.get(url, {"page_size": 4}).json()
    # then
    assert [one["record"] for one in first["results"]] == [1, 2, 3, 4]
    assert first["results"][0]["action"] == "update"
    assert first["results"][0]["changes"] == [
        {"field": "name", "old": "Old", "new": "New 0"}
    ]
    assert first["results"][1]["problems"][0]["column"] == "country"
    rest = api.get(first["next"]).json()
    assert [one["record"] for one in rest["results"]] == [5, 6, 7]
    assert rest["next"] is None
    refused = api.get(url, {"action": "refused"}).json()["results"]
    assert [one["record"] for one in refused] == [2, 5]
    for query in (
        {"action": "bad"},
        {"action": ""},
        {"after": "-1"},
        {"page_size": 0},
        {"x": 1},
    ):
        assert api.get(url, query).status_code == 400


def test_apply_at_once_is_all_or_nothing_or_what_is_good(api):
    # when
    answer = send(api, BAD, apply="true")
    # then
    job = answer.json()
    assert (answer.status_code, job["state"]) == (201, "REFUSED")
    assert [(f["record"], f["column"]) for f in job["faults"]] == [(2, "country")]
    assert not Company.objects.exists()
    # when
    answer = send(api, BAD, apply="true", partial="true")
    # then
    assert answer.json()["state"] == "APPLIED"
    assert Company.objects.get().code == "a"


def test_a_plan_that_is_out_of_date_can_be_made_anew(api):
    # given
    job = send(api, GOOD).json()
    make_company(code="A", name="Somebody else's")
    # when
    answer = api.post(f"{URL}{job['id']}/apply/", {})
    # then
    assert answer.json()["state"] == "OUTDATED"
    assert answer.json()["faults"][0]["code"] == "plan_outdated"
    assert Company.objects.count() == 1
    # when
    answer = api.post(f"{URL}{job['id']}/plan/", {})
    # then
    assert answer.json()["state"] == "PLANNED"
    assert answer.json()["totals"]["updated"] == 1


def test_columns_are_mapped_by_hand(api):
    # given
    content = (MESSY / "foreign_headers.csv").read_bytes()
    refused = send(api, content).json()
    assert refused["state"] == "REFUSED"
    assert {fault["code"] for fault in refused["faults"]} == {"missing_column"}
    mapping = {"Kundennr.": "code", "Firma": "name", "Land": None}
    # when
    answer = api.post(f"{URL}{refused['id']}/plan/", {"mapping": mapping})
    # then
    assert answer.json()["state"] == "PLANNED"
    assert answer.json()["totals"]["created"] == 20
    # or at once
    answer = send(api, content, mapping=json.dumps(mapping))
    assert answer.json()["state"] == "PLANNED"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"kind": "secrets"}, "/kind"),
        ({"kind": ""}, "/kind"),
        ({"mapping": "[]"}, "/mapping"),
        ({"mapping": "{"}, "/mapping"),
        ({"mapping": '{"a": 1}'}, "/mapping"),
        ({"mapping": "{}"}, "/mapping"),
        ({"encoding": "ebcdic"}, "/encoding"),
        ({"apply": "maybe"}, "/apply"),
        ({"unknown": "x"}, "/unknown"),
        ({"kind": ["companies", "contacts"]}, "/kind"),
        ({"file": "text"}, "/file"),
    ],
)
def test_bad_forms_are_refused_with_nothing_stored(api, fields, pointer):
    # when
    answer = send(api, GOOD, **fields)
    # then
    assert answer.status_code == 400, answer.content
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert nothing_stored()


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nnonsense", 400),
        ("text/csv", GOOD, 415),
    ],
)
def test_what_is_no_form_is_refused(api, kind: str, body: bytes, status: int):
    answer = api.generic("POST", URL, body, kind)
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert nothing_stored()


@pytest.mark.parametrize("path", sorted(p.name for p in MESSY.iterdir()))
def test_no_file_ends_in_a_server_error(api, path: str):
    # when
    answer = send(api, (MESSY / path).read_bytes(), name=path)
    # then
    assert answer.status_code == 201
    states = ("PLANNED", "REFUSED", "PLANNING")
    assert answer.json()["state"] in states
    jobs.run_waiting_imports()
    job = Import.objects.get()
    assert job.state in ("PLANNED", "REFUSED")
    assert all(fault["code"] != "server_error" for fault in job.faults)


def test_a_file_that_is_too_large_is_refused(api, settings):
    # given
    settings.IMPORT_MAX_BYTES = len(GOOD)
    assert send(api, GOOD).status_code == 201
    Import.objects.all().delete()
    # then
    answer = send(api, GOOD + b"c,C\n")
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    answer = send(api, GOOD * 10_000)  # its length alone says so
    assert answer.status_code == 413
    assert nothing_stored()


def test_a_large_file_waits_for_the_worker(api, settings):
    # given
    settings.IMPORT_AT_ONCE_BYTES = 4
    # when
    answer = send(api, gzip.compress(GOOD), apply="true")
    # then
    job = answer.json()
    assert (answer.status_code, job["state"]) == (201, "PLANNING")
    # when
    assert jobs.run_waiting_imports() == 1
    # then
    assert api.get(f"{URL}{job['id']}/").json()["state"] == "APPLIED"
    assert Company.objects.count() == 2


def test_scopes_of_what_the_file_holds_are_needed_too():
    # given
    client = make_client(sees_all=True, scopes=SCOPES)
    alone = api_of(client, "imports:write contacts:write")
    # then
    answer = send(alone, GOOD)
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    assert answer.json()["details"] == {"scope": "companies:write"}
    without = api_of(client, "companies:write")
    assert send(without, GOOD).status_code == 403
    assert without.get(URL).status_code == 403
    # and results are only for those who have it
    job = send(api_of(client), GOOD).json()
    assert alone.get(f"{URL}{job['id']}/").status_code == 404
    assert alone.get(URL).json()["results"] == []


def test_without_the_scope_to_move_nothing_is_moved():
    # given
    head, low = make_company(code="head"), make_company(code="low", name="L")
    api = api_of(
        make_client(sees_all=True, scopes=SCOPES), "imports:write companies:write"
    )
    # when
    job = send(api, b"code,name,parent_code\nlow,L,head\n", apply="true").json()
    # then
    assert job["state"] == "REFUSED"
    assert job["faults"][0]["code"] == "forbidden"
    low.refresh_from_db()
    assert (low.parent, head.subsidiaries.count()) == (None, 0)


def test_rights_are_read_again_when_the_work_is_done(api, settings):
    # given a file that waits, of a client that then loses its scope
    settings.IMPORT_AT_ONCE_BYTES = 0
    send(api, GOOD, apply="true")
    client = Import.objects.get().client
    client.allowed_scopes = "imports:write"
    client.save()
    # when
    jobs.run_waiting_imports()
    # then
    assert Import.objects.get().state == "REFUSED"
    assert Import.objects.get().faults[0]["code"] == "forbidden"
    assert not Company.objects.exists()


def test_imports_of_others_are_not_there(api):
    # given
    job = send(api, GOOD).json()
    other = api_of(make_client(sees_all=True, scopes=SCOPES))
    # then
    for method, path in (
        ("get", ""),
        ("get", "records/"),
        ("post", "apply/"),
        ("post", "plan/"),
        ("post", "cancel/"),
    ):
        answer = getattr(other, method)(f"{URL}{job['id']}/{path}")
        assert answer.status_code == 404, path
    assert Import.objects.get().state == "PLANNED"


def test_an_import_is_cancelled_before_it_is_applied(api):
    # given
    job = send(api, GOOD).json()
    # when
    answer = api.post(f"{URL}{job['id']}/cancel/", {})
    # then
    assert answer.json()["state"] == "CANCELLED"
    assert not ImportPart.objects.filter(content_of="FILE").exists()
    for path in ("apply", "plan", "cancel"):
        again = api.post(f"{URL}{job['id']}/{path}/", {})
        assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    assert not Company.objects.exists()


def test_an_erased_person_is_in_no_result(api):
    # given
    contact = make_contact(email="ann@example.com", first_name="Ann")
    content = b"email,first_name\nann@example.com,Anna\n"
    job = send(api, content, kind="contacts").json()
    url = f"{URL}{job['id']}/records/"
    assert api.get(url).json()["results"][0]["changes"][0]["old"] == "Ann"
    # when
    assert api.post(f"/api/v1/contacts/{contact.pk}/erase/", {}).status_code == 200
    # then
    assert api.get(url).json()["results"] == []
    assert Contact.objects.get().first_name == ""


def test_the_answer_is_as_described(api):
    # given
    job = send(api, BAD, apply="true").json()
    url = f"{URL}{job['id']}/"
    # then
    for serializer, found in (
        (ImportSerializer(), job),
        (ImportSerializer(), api.get(url).json()),
        (RecordsSerializer(), api.get(f"{url}records/").json()),
    ):
        assert_described(serializer, found)


def assert_described(serializer, found) -> None:
    assert set(found) == set(serializer.fields)
    for name, field in serializer.fields.items():
        inner = getattr(field, "child", field)
        values = found[name] if isinstance(found[name], list) else [found[name]]
        if isinstance(inner, BaseSerializer):
            for value in values:
                assert_described(inner, value)
