import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from rest_framework.test import APIClient

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integrations.places")]


@pytest.fixture
def schema():
    with GENERATOR_STATS.silence():
        return SchemaGenerator().get_schema(request=None, public=True)


def parameters(operation) -> set[str]:
    return {parameter["name"] for parameter in operation["parameters"]}


def test_the_document_is_valid_and_public(schema):
    validate_schema(schema)
    assert APIClient().get("/api/schema/").status_code == 200
    assert APIClient().get("/api/docs/").status_code == 200


def test_a_list_is_described_by_envelope_parameters_and_scope(schema):
    # given
    operation = schema["paths"]["/api/v1/places/"]["get"]

    # then
    assert parameters(operation) == {
        "cursor", "page_size", "count", "ordering", "fields", "expand",
        "city", "company", "is_shared", "version",
    }  # fmt: skip
    assert operation["security"] == [{"oauth2": ["companies:read"]}]
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    page = schema["components"]["schemas"][answer["$ref"].split("/")[-1]]
    assert set(page["properties"]) == {"results", "next", "previous", "count"}
    place = {"$ref": "#/components/schemas/Place"}
    assert page["properties"]["results"] == {"type": "array", "items": place}


def test_a_write_is_described_with_if_match_and_its_problems(schema):
    # given
    operation = schema["paths"]["/api/v1/places/{id}/"]["patch"]

    # then
    assert "If-Match" in parameters(operation)
    assert operation["security"] == [{"oauth2": ["companies:write"]}]
    stale = operation["responses"]["412"]
    assert stale == {"$ref": "#/components/responses/PreconditionFailed"}
    response = schema["components"]["responses"]["PreconditionFailed"]
    problem = response["content"]["application/problem+json"]["schema"]
    assert problem["allOf"] == [
        {"$ref": "#/components/schemas/Problem"},
        {"properties": {"code": {"enum": ["stale_version"]}}},
    ]


def test_an_object_is_described_with_its_groups(schema):
    place = schema["components"]["schemas"]["Place"]["properties"]

    assert place["address"] == {"$ref": "#/components/schemas/Address"}
    assert place["version"]["readOnly"] is True
