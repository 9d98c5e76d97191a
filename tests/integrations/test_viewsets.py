"""What every resource does, by the example of places.py."""

import json

import pytest
from pytest_django.asserts import assertNumQueries
from rest_framework.test import APIClient

from companies.models import Company, Location
from integrations.models import ApiClient
from tests.api_shapes import assert_same_shape
from tests.factories import make_client, make_company, make_location, make_token
from tests.integrations.places import PLACE, PlaceSerializer

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integrations.places")]
URL = "/api/v1/places/"


def errors_of(response) -> dict[str, str]:
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["request_id"] == response["X-Request-ID"]
    return {error["pointer"]: error["code"] for error in problem.get("errors", [])}


def test_the_serializer_describes_the_shape():
    assert_same_shape(PlaceSerializer, PLACE)


def test_one_object_costs_two_queries_and_has_an_etag(api: APIClient):
    # given
    place = make_location(name="Gate", city="Köln")

    # when
    with assertNumQueries(2):
        response = api.get(f"{URL}{place.pk}/")

    # then
    assert response.json() == {
        "id": place.pk,
        "name": "Gate",
        "type": "OFFICE",
        "company": place.company_id,
        "address": {"city": "Köln", "country": "", "line": ""},
        "version": 1,
        "created_at": place.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert response["ETag"] == '"1"'
    assert "ETag" not in api.get(URL)


def test_fields_and_expand(api: APIClient):
    # given
    place = make_location(name="Gate")

    # when
    response = api.get(f"{URL}{place.pk}/?fields=name,company&expand=company")

    # then
    company = {"id": place.company_id, "code": place.company.code}
    assert response.json() == {"name": "Gate", "company": company}
    assert response["ETag"] == '"1"'


def test_a_client_sees_its_hierarchies_only(call_as):
    # given
    own, foreign = make_location(name="own"), make_location(name="foreign")
    scopes = "companies:read companies:write"
    http = call_as(make_client(scopes=scopes, hierarchies=(own.company,)))
    nobody = call_as(make_client(scopes=scopes))

    # then
    assert [row["name"] for row in http.get(URL).json()["results"]] == ["own"]
    assert http.get(f"{URL}{own.pk}/").status_code == 200
    for call in (http.get, http.put, http.patch, http.delete):
        assert (
            call(f"{URL}{foreign.pk}/", headers={"If-Match": '"1"'}).status_code == 404
        )
    assert nobody.get(URL).json()["results"] == []
    assert nobody.get(f"{URL}{own.pk}/").status_code == 404
    assert Location.objects.get(pk=foreign.pk).version == 1


@pytest.mark.parametrize(
    "pk",
    [
        "0", "-1", "007", "1.0", "1e3", "+1", "9223372036854775808", "9" * 40,
        "9" * 5000, "%D9%A1", "999999999999999999", "%00", "1%00", "%2e%2e", "..",
        "6f9619ff-8b86-d011-b42d-00c04fc964ff", "null", "1.json", "1;x", "%FF",
    ],
)  # fmt: skip
def test_an_id_of_nothing_is_404(api: APIClient, pk: str):
    # given
    make_location()

    # when
    response = api.get(f"{URL}{pk}/")

    # then
    assert response.status_code == 404
    assert errors_of(response) == {}
    assert response.json()["code"] == "not_found"


@pytest.mark.parametrize("path", ["", "/", "//", "places", "places/1", "x/", "?a=1"])
@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
def test_unknown_paths_are_problems(api, settings, path: str, debug: bool, method: str):
    settings.DEBUG = debug

    response = getattr(api, method)(f"/api/nothing{path}")

    assert response.status_code == 404
    assert errors_of(response) == {}


def test_a_missing_slash_is_not_redirected(api: APIClient):
    assert api.post("/api/v1/places", {}).status_code == 404


@pytest.mark.parametrize("debug", [True, False])
def test_a_crash_is_a_problem_of_ours(api: APIClient, settings, debug: bool, caplog):
    # given
    settings.DEBUG = debug

    # when
    response = api.get("/api/v1/crashes/")

    # then
    assert response.status_code == 500
    assert errors_of(response) == {}
    assert response.json()["code"] == "server_error"
    assert "ZeroDivisionError" not in response.content.decode()
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace"])
def test_methods_that_are_not_there(api: APIClient, method: str):
    response = api.generic(method.upper(), URL)

    assert response.status_code == 405
    assert response.json()["code"] == "method_not_allowed"
    assert response["Allow"] == "GET, POST, HEAD"


def test_an_override_header_overrides_nothing(api: APIClient):
    place = make_location()

    api.post(f"{URL}{place.pk}/", headers={"X-HTTP-Method-Override": "DELETE"})

    assert Location.objects.filter(pk=place.pk).exists()


def test_who_accepts_no_json_gets_406_in_json(api: APIClient):
    response = api.get(URL, headers={"Accept": "application/xml"})

    assert response.status_code == 406
    assert response.json()["code"] == "not_acceptable"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "multipart/form-data"]
)
def test_other_bodies_are_415(api: APIClient, kind: str):
    response = api.generic("POST", URL, b"{}", content_type=kind)

    assert response.status_code == 415
    assert response.json()["code"] == "unsupported_media_type"


def test_a_refused_host_is_a_problem(api: APIClient):
    response = api.get(URL, headers={"Host": "evil.example.com"})

    assert response.status_code == 400
    assert response.json()["code"] == "bad_request"


def test_not_json_says_where(api: APIClient):
    response = api.generic("POST", URL, b'{"a":\n]', content_type="application/json")

    assert response.status_code == 400
    assert response.json()["code"] == "parse_error"
    assert response.json()["details"] == {"line": 2, "column": 1}


def test_create_answers_with_all_of_it(api: APIClient):
    # given
    company = make_company()

    # when
    response = api.post(
        URL, {"company": company.pk, "name": " New ", "address": {"city": "Bonn"}}
    )

    # then
    assert response.status_code == 201
    assert response["ETag"] == '"1"'
    created = Location.objects.get(pk=response.json()["id"])
    assert (created.name, created.city, created.type) == ("New", "Bonn", "OTHER")
    assert api.get(f"{URL}{created.pk}/").json() == response.json()
    assert created.history.get().history_user == f"client:{ApiClient.objects.get().pk}"


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"/company": "required"}),
        ({"company": None}, {"/company": "null"}),
        ({"company": "7"}, {"/company": "incorrect_type"}),
        ({"company": True}, {"/company": "incorrect_type"}),
        ({"company": [1]}, {"/company": "incorrect_type"}),
        ({"company": {"id": 1}}, {"/company": "incorrect_type"}),
        ({"company": 0}, {"/company": "does_not_exist"}),
        ({"company": 2**63}, {"/company": "does_not_exist"}),
        ({"company": 10**30}, {"/company": "does_not_exist"}),
        ({"name": 12}, {"/name": "invalid"}),
        ({"name": None}, {"/name": "null"}),
        ({"name": ["a"]}, {"/name": "invalid"}),
        ({"name": "x" * 251}, {"/name": "max_length"}),
        ({"type": "CASTLE"}, {"/type": "invalid_choice"}),
        ({"type": []}, {"/type": "invalid_choice"}),
        ({"type": {}}, {"/type": "invalid_choice"}),
        ({"address": None}, {"/address": "null"}),
        ({"address": []}, {"/address": "invalid"}),
        ({"address": "x"}, {"/address": "invalid"}),
        ({"address": {"town": "x"}}, {"/address/town": "unknown_field"}),
        ({"address": {"city": {}}}, {"/address/city": "invalid"}),
        ({"address": {"country": "ZZ"}}, {"/address/country": "invalid_choice"}),
        ({"nonsense": 1, "a/b~c": 2}, {"/a~1b~0c": "unknown_field",
                                       "/nonsense": "unknown_field"}),
        ({"id": 7}, {"/id": "read_only"}),
        ({"version": 1}, {"/version": "read_only"}),
        ({"lft": 1}, {"/lft": "unknown_field"}),
    ],
)  # fmt: skip
def test_bad_bodies_are_named_and_store_nothing(api: APIClient, body, errors):
    # given
    company = make_company()

    # when
    response = api.post(URL, body if "company" in body or not body else
                        {"company": company.pk} | body)  # fmt: skip

    # then
    assert response.status_code == 400
    assert response.json()["code"] == "invalid"
    assert errors_of(response) == errors
    assert not Location.objects.exists()


def test_the_models_own_rules_are_errors_of_the_input(api: APIClient):
    # given
    first = make_location(code="A")

    # when
    response = api.post(URL, {"company": first.company_id, "name": "\u202e"})
    refused = api.patch(
        f"{URL}{first.pk}/",
        {"type": "OFFICE", "name": "x" * 300},
        headers={"If-Match": '"1"'},
    )

    # then
    assert response.json()["name"] == ""
    assert errors_of(refused) == {"/name": "max_length"}


def test_a_foreign_company_does_not_exist_in_the_body(call_as):
    # given
    own, foreign = make_company(), make_company()
    client = make_client(scopes="companies:write", hierarchies=(own,))

    # when
    response = call_as(client).post(URL, {"company": foreign.pk})
    nothing = call_as(client).post(URL, {"company": 10**9})

    # then
    assert errors_of(response) == errors_of(nothing) == {"/company": "does_not_exist"}
    assert not Location.objects.exists()


def test_patch_changes_what_is_sent_and_put_replaces(api: APIClient):
    # given
    place = make_location(name="Gate", city="Köln", country="DE", region="NRW")
    url = f"{URL}{place.pk}/"

    # when
    patched = api.patch(
        url, {"address": {"country": None}}, headers={"If-Match": '"1"'}
    )
    replaced = api.put(url, {"name": "Door"}, headers={"If-Match": '"2"'})

    # then
    assert patched.json()["address"] == {"city": "Köln", "country": "", "line": ""}
    assert replaced.json()["address"] == {"city": "", "country": "", "line": ""}
    assert (replaced.json()["name"], replaced.json()["type"]) == ("Door", "OTHER")
    assert replaced["ETag"] == '"3"'
    assert Location.objects.get().region == "NRW"  # no field of this resource


def test_what_was_read_can_be_sent_back_and_changes_nothing(api: APIClient):
    # given
    place = make_location(name="Gate", city="Köln")
    url = f"{URL}{place.pk}/"
    read = api.get(url).json()

    # when
    response = api.put(url, read, headers={"If-Match": '"1"'})

    # then
    assert response.status_code == 200
    assert response.json() == read
    assert Location.objects.get().version == 1


@pytest.mark.parametrize("field", ["id", "version", "created_at", "company"])
def test_read_only_fields_cannot_be_changed(api: APIClient, field: str):
    # given
    place = make_location()
    other = {"created_at": "2001-01-01T00:00:00Z"}.get(field, make_company().pk + 100)

    # when
    response = api.patch(
        f"{URL}{place.pk}/", {field: other}, headers={"If-Match": '"1"'}
    )

    # then
    assert response.status_code == 400
    assert errors_of(response) == {f"/{field}": "read_only"}
    assert Location.objects.get(pk=place.pk).version == 1


@pytest.mark.parametrize(
    ("if_match", "status", "code"),
    [
        (None, 428, "if_match_required"),
        ("*", 428, "if_match_required"),
        ('W/"1"', 428, "if_match_required"),
        ('"1", "2"', 428, "if_match_required"),
        ("1", 428, "if_match_required"),
        ("abc", 428, "if_match_required"),
        ('"' + "9" * 40 + '"', 428, "if_match_required"),
        ('"2"', 412, "stale_version"),
        ('"0"', 412, "stale_version"),
    ],
)
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_a_write_needs_the_version_that_was_read(
    api: APIClient, method: str, if_match: str | None, status: int, code: str
):
    # given
    place = make_location()
    headers = {} if if_match is None else {"If-Match": if_match}

    # when
    response = getattr(api, method)(
        f"{URL}{place.pk}/", {"nonsense": 1}, headers=headers
    )

    # then
    assert (response.status_code, response.json()["code"]) == (status, code)
    if status == 412:
        assert response.json()["details"] == {"version": 1}
    assert Location.objects.get().version == 1


def test_delete(api: APIClient):
    place = make_location()

    response = api.delete(f"{URL}{place.pk}/", headers={"If-Match": '"1"'})

    assert (response.status_code, response.content) == (204, b"")
    assert not Location.objects.exists()


def test_leaving_the_clients_sight_is_refused_and_undone(call_as, monkeypatch):
    # given
    own, foreign = make_location(name="own"), make_company()
    client = make_client(scopes="companies:write", hierarchies=(own.company,))

    def move_away(view, serializer):
        place = serializer.instance
        Location.objects.filter(pk=place.pk).update(company=foreign)
        return place

    monkeypatch.setattr(
        "tests.integrations.places.PlaceViewSet.perform_update", move_away
    )

    # when
    response = call_as(client).patch(
        f"{URL}{own.pk}/", {"name": "x"}, headers={"If-Match": '"1"'}
    )

    # then
    assert (response.status_code, response.json()["code"]) == (403, "out_of_sight")
    assert Location.objects.get(pk=own.pk).company_id == own.company_id


@pytest.mark.parametrize(
    ("query", "parameter", "code"),
    [
        ("version=abc", "version", "invalid"),
        ("version=" + "9" * 40, "version", "invalid"),
        ("version=1e400000", "version", "invalid"),
        ("version=%D9%A1", "version", "invalid"),
        ("version=%2B1", "version", "invalid"),
        ("version=007", "version", "invalid"),
        ("is_shared=yes", "is_shared", "invalid"),
        ("is_shared=1", "is_shared", "invalid"),
        ("company=abc", "company", "does_not_exist"),
        ("company=0", "company", "does_not_exist"),
        ("company=" + "9" * 40, "company", "does_not_exist"),
        ("company=999999999", "company", "does_not_exist"),
        ("city=%00", "city", "unstorable_text"),
        ("city=" + "x" * 201, "city", "max_length"),
        ("city=a&city=b", "city", "repeated_parameter"),
    ],
)
def test_bad_filters_are_named(api: APIClient, query: str, parameter: str, code: str):
    response = api.get(f"{URL}?{query}")

    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert (error["parameter"], error["code"]) == (parameter, code)


def test_filters(call_as):
    # given
    own = make_location(city="Köln", is_shared=True)
    make_location(company=own.company, city="Bonn")
    foreign = make_location(city="Köln")
    http = call_as(make_client(scopes="companies:read", hierarchies=(own.company,)))

    def found(query: str) -> list[int]:
        return [row["id"] for row in http.get(f"{URL}?{query}").json()["results"]]

    # then
    assert found("city=K%C3%B6ln") == [own.pk]
    assert found("is_shared=true") == [own.pk]
    assert len(found(f"company={own.company_id}")) == 2
    assert http.get(f"{URL}?company={foreign.company_id}").status_code == 400


def test_no_answer_is_a_page(api: APIClient):
    for path in ("/api/v1/", "/api/schema/"):
        assert "html" not in api.get(path)["Content-Type"]


def test_the_root_lists_the_resources():
    response = APIClient().get("/api/v1/?x=1")
    assert response.status_code == 400

    response = APIClient().get("/api/v1/")
    assert response.status_code == 200
    assert json.loads(response.content) == response.json()


def test_the_token_is_not_taken_from_the_query():
    token = make_token(make_client(scopes="companies:read", sees_all=True))

    assert APIClient().get(f"{URL}?access_token={token}").status_code == 401
    assert Company.objects.count() == 0
