"""What the OpenAPI document says of each operation beside its shapes.

An app keeps it in `api/operations.json`, by method and path: an example (`path`,
`query`, `headers`, `body` are sent, `status` and `answer` come back), and the
`refusals` of its rules, codes by status. A test sends all examples, and writes the
answers of new ones. What any operation of a kind can be refused for is added here.
"""

import json
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from django.apps import apps

PREFIX = "/api/v1"
SENT = {"path": "path", "query": "query", "header": "headers"}  # place in OpenAPI, here
WRITING = ("POST", "PUT", "PATCH", "DELETE")
TEXT = {"schema": {"type": "string"}}
HEADERS = {
    401: {"WWW-Authenticate": TEXT},
    429: {"Retry-After": TEXT},
    503: {"Retry-After": TEXT},
}

type Codes = dict[int, list[str]]


def operation_files() -> list[Path]:
    paths = (
        Path(app.path) / "api" / "operations.json" for app in apps.get_app_configs()
    )
    return [path for path in paths if path.exists()]


@cache
def all_operations() -> dict[str, Any]:
    """By method and path, such as `GET /companies/{id}/`."""
    found: dict[str, Any] = {}
    for path in operation_files():
        found |= json.loads(path.read_text(encoding="utf-8"))
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each with its method and the path behind the prefix of the API."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path.removeprefix(PREFIX)}", operation


def describe_operations(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Puts examples, refusals and ETags in (a hook of drf-spectacular)."""
    responses = result["components"].setdefault("responses", {})
    for name, operation in operations(result):
        told = all_operations().get(name, {})
        _add_example(operation, told)
        _add_etags(operation, result["components"]["schemas"])
        common = common_refusals(name.partition(" ")[0], operation)
        for status, codes in sorted(_with(common, told.get("refusals", {})).items()):
            shared = HTTPStatus(status).phrase.title().replace(" ", "")
            described = refusal_response(status, codes)
            if responses.setdefault(shared, described) == described:
                described = {"$ref": f"#/components/responses/{shared}"}
            operation["responses"][str(status)] = described
    return result


def common_refusals(method: str, operation: dict[str, Any]) -> Codes:
    """What any operation of this kind, with these parameters, can be refused for."""
    named = {
        parameter["name"]: parameter.get("required", False)
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "header"
    }
    places = {parameter["in"] for parameter in operation.get("parameters", ())}
    codes: Codes = {
        400: ["invalid", "bad_request"],
        406: ["not_acceptable"],
        500: ["server_error"],
        503: ["busy"],
    }
    if operation.get("security"):
        codes |= {
            401: ["not_authenticated", "invalid_token"],
            403: ["insufficient_scope"],
            429: ["rate_limited"],
        }
    if "path" in places or "Idempotency-Key" in named:  # of the first call's object
        codes[404] = ["not_found"]
    if method in WRITING:
        codes[409] = ["duplicate", "in_use"]
        codes[403].append("out_of_sight")
    if method in ("POST", "PUT", "PATCH"):
        codes[400].append("parse_error")
        codes |= {413: ["body_too_large"], 415: ["unsupported_media_type"]}
    if "If-Match" in named:
        codes |= {412: ["stale_version"], 428: ["if_match_required"]}
    if "Idempotency-Key" in named:
        codes[400].append("idempotency_key_invalid")
        if named["Idempotency-Key"]:
            codes[400].append("idempotency_key_required")
        codes[409].append("answer_forgotten")
        codes[422] = ["idempotency_key_reused"]
    return codes


def refusal_response(status: int, codes: list[str]) -> dict[str, Any]:
    """A problem document with one of these codes."""
    problem = {"$ref": "#/components/schemas/Problem"}
    known = {"properties": {"code": {"enum": codes}}}
    response: dict[str, Any] = {
        "description": ", ".join(f"`{code}`" for code in codes),
        "content": {
            "application/problem+json": {"schema": {"allOf": [problem, known]}}
        },
    }
    if status in HEADERS:
        response["headers"] = HEADERS[status]
    return response


def _with(common: Codes, own: dict[str, list[str]]) -> Codes:
    for status, codes in own.items():
        known = common.setdefault(int(status), [])
        known.extend(code for code in codes if code not in known)
    return common


def _add_example(operation: dict[str, Any], told: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        values = told.get(SENT[parameter["in"]], {})
        if parameter["name"] in values:
            parameter["example"] = values[parameter["name"]]
    if "body" in told:
        for content in operation["requestBody"]["content"].values():
            content["example"] = told["body"]
    if "answer" in told:
        response = operation["responses"][str(told["status"])]
        for content in response["content"].values():
            content["example"] = told["answer"]


def _add_etags(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """An object that has a version is answered with it."""
    for response in operation["responses"].values():
        for content in response.get("content", {}).values():
            name = content["schema"].get("$ref", "").rpartition("/")[2]
            whole = schemas.get(name, {})
            for one in (whole, *whole.get("oneOf", ())):
                other = schemas.get(one.get("$ref", "").rpartition("/")[2], one)
                if "version" in other.get("properties", {}):
                    response["headers"] = {"ETag": TEXT}
