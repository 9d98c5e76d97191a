"""Every example of the OpenAPI document is sent, and answered as the document says.

With `--renew-examples` the answers of new and changed ones are written first.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from jsonschema import Draft202012Validator

from config.api.document import current_document
from config.api.operations import (
    PREFIX,
    all_operations,
    operation_files,
    operations,
)
from tests.matrix.test_matrix import undone
from tests.openapi.world import Acme, make_acme

pytestmark = pytest.mark.django_db

MOST_SHOWN = 2  # of a list
RENEW = "uv run pytest -n0 --renew-examples tests/openapi/test_examples.py"
NAMES = sorted(all_operations())
# What our tests make up, and what readers should see.
IN_DOCS = {
    r"http://testserver": "https://konzern.example",
    r"whsec_[A-Za-z0-9+/=]+": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return current_document()


@pytest.fixture(scope="module")
def acme(django_db_setup: None, django_db_blocker: Any) -> Iterator[Acme]:
    """One for all: each call is undone."""
    with django_db_blocker.unblock(), undone():
        yield make_acme()


def sent(acme: Acme, operation: dict[str, Any], name: str) -> Any:
    """What the document shows, as a call."""
    method, path = name.split()
    values: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
    for parameter in operation.get("parameters", ()):
        if "example" in parameter:
            values[parameter["in"]][parameter["name"]] = parameter["example"]
    for key, value in values["path"].items():
        path = path.replace(f"{{{key}}}", quote(str(value), safe=""))
    query = {k: json.dumps(v) if v is True else v for k, v in values["query"].items()}
    url = f"{PREFIX}{path}?{urlencode(query)}".removesuffix("?")
    send = getattr(acme.caller(path), method.lower())
    content = operation.get("requestBody", {}).get("content", {})
    headers = values["header"]
    if form := content.get("multipart/form-data"):
        file = SimpleUploadedFile("records.csv", form["example"]["file"].encode())
        form = form["example"] | {"file": file}
        return send(url, form, format="multipart", headers=headers)
    body = content.get("application/json", {}).get("example", {})
    if method in ("GET", "DELETE"):
        return send(url, headers=headers)
    return send(url, body, format="json", headers=headers)


def shape(value: Any) -> Any:
    """Names and types, whatever the values are; a list is like its first element."""
    match value:
        case dict():
            return {name: shape(inner) for name, inner in value.items()}
        case list():
            return [shape(value[0])] if value else []
        case bool() | None:
            return (value is None and "null") or "bool"
        case int() | float():
            return "number"
    return "text"


def fits(answer: Any, example: Any) -> bool:
    """Of the same shape; what is null or empty may have any."""
    if "null" in (answer, example) or [] in (answer, example):
        return True
    if isinstance(answer, dict) and isinstance(example, dict):
        return answer.keys() == example.keys() and all(
            fits(answer[name], example[name]) for name in answer
        )
    if isinstance(answer, list) and isinstance(example, list):
        return fits(answer[0], example[0])
    return answer == example


def problems_of(document: dict[str, Any], schema: Any, value: Any) -> list[str]:
    """Where the value is not as the schema says."""
    rooted = {"components": document["components"], **schema}
    found = Draft202012Validator(rooted).iter_errors(value)
    return [f"{error.json_path}: {error.message[:200]}" for error in found]


def shown(answer: Any) -> Any:
    """An answer as readers should see it: short, with nothing of our tests."""
    if isinstance(answer, dict) and isinstance(answer.get("results"), list):
        answer = answer | {"results": answer["results"][:MOST_SHOWN]}
    text = json.dumps(answer, ensure_ascii=False)
    for ours, theirs in IN_DOCS.items():
        text = re.sub(ours, theirs, text)
    return json.loads(text)


def renew(name: str, answer: Any) -> None:
    """Keep the answer in the file of the example, if it is a new one."""
    (path,) = (p for p in operation_files() if name in json.loads(p.read_text("utf-8")))
    _write(path, name, answer)
    all_operations.cache_clear()


def _write(path: Path, name: str, answer: Any) -> None:
    examples = json.loads(path.read_text("utf-8"))
    before = examples[name].get("answer")
    if before is None or not fits(shape(answer), shape(before)):
        examples[name]["answer"] = shown(answer)
        text = json.dumps(examples, ensure_ascii=False, indent=1)
        path.write_text(f"{text}\n", "utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_answered_as_the_document_says(
    name: str, document: dict[str, Any], acme: Acme, request: pytest.FixtureRequest
) -> None:
    # given
    operation = dict(operations(document))[name]
    example = all_operations()[name]
    # when
    with undone():
        answer = sent(acme, operation, name)
    # then
    status = str(example["status"])
    assert str(answer.status_code) == status, answer.content
    content = operation["responses"][status].get("content", {})
    if not content:
        assert answer.content == b""
        return
    told = operation["responses"][status].get("headers", {})
    assert ("ETag" in told) == ("ETag" in answer.headers)
    body = answer.json()
    if request.config.getoption("--renew-examples"):
        renew(name, body)
        return
    described = content["application/json"]
    schema = described["schema"]
    assert problems_of(document, schema, body) == []
    assert "example" in described, f"{name} has no answer yet: {RENEW}"
    assert problems_of(document, schema, described["example"]) == []
    assert fits(shape(body), shape(described["example"])), (body, described["example"])


def test_every_operation_has_an_example_of_which_nothing_is_lost(
    document: dict[str, Any],
) -> None:
    assert sorted(name for name, _operation in operations(document)) == NAMES
    for name, operation in operations(document):
        example = all_operations()[name]
        places = {"path": "path", "query": "query", "header": "headers"}
        for place, ours in places.items():
            told = {
                parameter["name"]: parameter["example"]
                for parameter in operation.get("parameters", ())
                if parameter["in"] == place and "example" in parameter
            }
            assert told == example.get(ours, {}), (name, place)
        assert ("body" in example) == ("requestBody" in operation), name


def test_examples_of_bodies_are_as_the_document_says(document: dict[str, Any]) -> None:
    asked = without_ours(document)
    for name, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert problems_of(asked, content["schema"], content["example"]) == [], name


def without_ours(document: Any) -> Any:
    """The document in which nobody has to send what only we write."""
    match document:
        case {"properties": dict() as fields, "required": list() as required}:
            ours = {name for name, one in fields.items() if one.get("readOnly")}
            rest = {name: without_ours(value) for name, value in document.items()}
            return rest | {"required": [one for one in required if one not in ours]}
        case dict():
            return {name: without_ours(value) for name, value in document.items()}
        case list():
            return [without_ours(value) for value in document]
    return document
