"""What breaks callers, case by case; each beside a change like it that does not."""

from copy import deepcopy
from typing import Any

import pytest

from config.api.contract import breaking_changes, contract

GONE = object()
THING = {
    "type": "object",
    "required": ["id", "name", "kind", "secret"],
    "properties": {
        "id": {"type": "integer", "readOnly": True},
        "name": {"type": "string", "maxLength": 100},
        "kind": {"enum": ["A", "B"], "type": "string"},
        "note": {"type": "string"},
        "secret": {"type": "string", "writeOnly": True},
        "weight": {"type": ["number", "null"]},
        "rate": {"type": ["number", "null"], "readOnly": True},
        "found": {
            "oneOf": [{"type": "integer"}, {"type": "string"}],
            "readOnly": True,
        },
        "made_on": {"type": "string", "format": "date"},
        "inner": {"$ref": "#/components/schemas/Inner"},
        "below": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
        "what": {"oneOf": [{"type": "integer"}, {"type": "string"}]},
    },
}
DOCUMENT = {
    "paths": {
        "/things/": {
            "get": {
                "operationId": "things_list",
                "security": [{"oauth2": ["things:read"]}],
                "parameters": [
                    {"in": "query", "name": "q", "schema": {"type": "string"}},
                    {
                        "in": "query",
                        "name": "kind",
                        "schema": {"enum": ["A", "B"], "type": "string"},
                    },
                    {"in": "header", "name": "If-Match", "schema": {"type": "string"}},
                ],
                "responses": {
                    "200": {
                        "headers": {"ETag": {"schema": {"type": "string"}}},
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "array",
                                    "items": {"$ref": "#/components/schemas/Thing"},
                                }
                            }
                        },
                    },
                    "404": {"$ref": "#/components/responses/NotFound"},
                },
            },
            "post": {
                "operationId": "things_create",
                "security": [{"oauth2": ["things:write"]}],
                "parameters": [],
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {"$ref": "#/components/schemas/Thing"}
                        }
                    },
                },
                "responses": {
                    "201": {
                        "content": {"application/json": {"schema": {"type": "object"}}}
                    }
                },
            },
        }
    },
    "webhooks": {
        "thing.created": {
            "post": {
                "parameters": [{"in": "header", "name": "webhook-id"}],
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {"thing": {"type": "integer"}},
                            }
                        }
                    }
                },
            }
        }
    },
    "components": {
        "responses": {
            "NotFound": {
                "description": "Not there.",
                "content": {"application/problem+json": {"schema": {"type": "object"}}},
            }
        },
        "schemas": {
            "Thing": THING,
            "Inner": {
                "type": "object",
                "required": ["size"],
                "properties": {"size": {"type": "integer", "minimum": 1}},
            },
        },
    },
}

LIST, CREATE = "paths|/things/|get", "paths|/things/|post"
FIELDS = "components|schemas|Thing|properties"
READ = "GET /things/: the answer 200 at *"
SENT = "POST /things/: the body"
MESSAGE = "webhooks|thing.created|post|requestBody|content|application/json|schema"
NEW = {"in": "query", "name": "new", "schema": {"type": "string"}}


def kind(*values: str) -> dict[str, Any]:
    schema = {"enum": list(values), "type": "string"}
    return {"in": "query", "name": "kind", "schema": schema}


def changed(edits: dict[str, Any]) -> dict[str, Any]:
    """The document with other values; callables make them of what is there."""
    document = deepcopy(DOCUMENT)
    for place, value in edits.items():
        *outer, last = place.split("|")
        inside: Any = document
        for name in outer:
            inside = inside[name]
        if value is GONE:
            del inside[last]
        else:
            inside[last] = value(inside[last]) if callable(value) else value
    return document


CASES = {
    "an operation is gone": (
        {LIST: GONE},
        ["GET /things/: is gone."],
        {"paths|/others/": {"get": {}}},
    ),
    "a path is gone": (
        {"paths|/things/": GONE},
        ["GET /things/: is gone.", "POST /things/: is gone."],
        {"paths|/things/|delete": {"operationId": "things_destroy"}},
    ),
    "an operation is called otherwise": (
        {f"{LIST}|operationId": "list_things"},
        ["GET /things/: its operationId was things_list, and is list_things."],
        {f"{LIST}|summary": "Other words"},
    ),
    "another scope is needed": (
        {f"{LIST}|security": [{"oauth2": ["things:read", "secrets:read"]}]},
        ["GET /things/: needs secrets:read, which it did not."],
        {f"{LIST}|security": [{"oauth2": ["other"]}, {"oauth2": ["things:read"]}]},
    ),
    "a way of signing in is gone": (
        {f"{LIST}|security": [{"key": []}]},
        ["GET /things/: needs a token, which it did not."],
        {f"{LIST}|security": []},
    ),
    "a query parameter is gone": (
        {f"{LIST}|parameters": lambda old: old[1:]},
        ["GET /things/: the query parameter q is gone."],
        {f"{LIST}|parameters": lambda old: old[:2]},  # unknown headers are no error
    ),
    "a new parameter is required": (
        {f"{LIST}|parameters": lambda old: [*old, NEW | {"required": True}]},
        ["GET /things/: the query parameter new is new and required."],
        {f"{LIST}|parameters": lambda old: [*old, NEW]},
    ),
    "a parameter became required": (
        {f"{LIST}|parameters": lambda old: [old[0] | {"required": True}, *old[1:]]},
        ["GET /things/: the query parameter q is required, which it was not."],
        {f"{LIST}|parameters": lambda old: [old[0] | {"required": False}, *old[1:]]},
    ),
    "a parameter takes less": (
        {f"{LIST}|parameters": lambda old: [old[0], kind("A"), old[2]]},
        ["GET /things/: the query parameter kind no longer takes B."],
        {f"{LIST}|parameters": lambda old: [old[0], kind("A", "B", "C"), old[2]]},
    ),
    "a body is required": (
        {f"{CREATE}|requestBody|required": True},
        [f"{SENT} is required, which it was not."],
        {f"{CREATE}|requestBody|required": False},
    ),
    "a body of that type is not taken": (
        {f"{CREATE}|requestBody|content": lambda old: {"text/csv": {}}},
        [f"{SENT} is no longer application/json."],
        {f"{CREATE}|requestBody|content": lambda old: old | {"text/csv": {}}},
    ),
    "a new field is required": (
        {
            f"{FIELDS}|new": {"type": "string"},
            "components|schemas|Thing|required": lambda old: [*old, "new"],
        },
        [f"{SENT} needs the new field new."],
        {f"{FIELDS}|new": {"type": "string"}},
    ),
    "a field became required": (
        {"components|schemas|Thing|required": lambda old: [*old, "note"]},
        [f"{SENT} at note is required, which it was not."],
        # What only we write is in every answer, and asked of nobody.
        {
            "components|schemas|Thing|required": lambda old: [*old, "on"],
            f"{FIELDS}|on": {"type": "string", "readOnly": True},
        },
    ),
    "a field is gone": (
        {f"{FIELDS}|note": GONE},
        [f"{READ}/note is gone.", f"{SENT} at note is gone."],
        {f"{FIELDS}|more": {"type": "string"}},
    ),
    "a field is no longer read": (
        {f"{FIELDS}|note|writeOnly": True},
        [f"{READ}/note is gone."],
        {f"{FIELDS}|secret|writeOnly": False},
    ),
    "a field is no longer written": (
        {f"{FIELDS}|note|readOnly": True},
        [f"{SENT} at note is gone."],
        {f"{FIELDS}|rate|readOnly": False},
    ),
    "a field can be missing": (
        {"components|schemas|Inner|required": []},
        [f"{READ}/inner/size can be missing, which it could not."],
        {"components|schemas|Thing|required": lambda old: old[:3]},  # not the secret
    ),
    "a field has another type": (
        {f"{FIELDS}|note|type": "integer"},
        [
            f"{READ}/note was string, and can be integer.",
            f"{SENT} at note no longer takes string.",
        ],
        {f"{FIELDS}|note|description": "A number, in words."},
    ),
    "a field can be null": (
        {f"{FIELDS}|id|type": ["integer", "null"]},
        [f"{READ}/id was integer, and can be null."],
        {f"{FIELDS}|secret|type": ["string", "null"]},
    ),
    "a field takes no null": (
        {f"{FIELDS}|weight": {"type": "number", "writeOnly": False}},
        [f"{SENT} at weight no longer takes null."],
        {f"{FIELDS}|rate|type": "number"},
    ),
    "a whole number became any number": (
        {f"{FIELDS}|id|type": "number"},
        [f"{READ}/id was integer, and can be number."],
        {f"{FIELDS}|rate|type": ["integer", "null"]},
    ),
    "a field has another format": (
        {f"{FIELDS}|made_on|format": "date-time"},
        [
            f"{READ}/made_on had the format date, and has date-time.",
            f"{SENT} at made_on had the format date, and has date-time.",
        ],
        {f"{FIELDS}|secret|description": "Of the other side."},
    ),
    "a field takes fewer values": (
        {f"{FIELDS}|kind|enum": ["A"]},
        [f"{SENT} at kind no longer takes B."],
        {f"{FIELDS}|kind|enum": ["A", "B", "C"]},
    ),
    "a field takes only some values": (
        {f"{FIELDS}|note|enum": ["x", "y"]},
        [f"{SENT} at note takes only x, y, which it did not."],
        {f"{FIELDS}|kind|enum": GONE},
    ),
    "a field takes shorter texts": (
        {f"{FIELDS}|name|maxLength": 50},
        [f"{SENT} at name has maxLength 50, and had 100."],
        {f"{FIELDS}|name|maxLength": 200},
    ),
    "a field takes larger numbers only": (
        {"components|schemas|Inner|properties|size|minimum": 2},
        [f"{SENT} at inner/size has minimum 2, and had 1."],
        {"components|schemas|Inner|properties|size|minimum": 0},
    ),
    "a field has a new pattern": (
        {f"{FIELDS}|note|pattern": "^x"},
        [f"{SENT} at note has another pattern."],
        {f"{FIELDS}|id|pattern": "^x"},
    ),
    "other fields are refused": (
        {"components|schemas|Inner|additionalProperties": False},
        [f"{SENT} at inner takes no other fields, which it did."],
        {"components|schemas|Inner|additionalProperties": {}},
    ),
    "an alternative is not taken": (
        {f"{FIELDS}|what|oneOf": [{"type": "integer"}]},
        [f"{SENT} at what no longer takes string."],
        {f"{FIELDS}|what|oneOf": lambda old: old[::-1]},
    ),
    "an alternative is new to readers": (
        {f"{FIELDS}|what|oneOf": lambda old: [*old, {"type": "boolean"}]},
        [f"{READ}/what can now be boolean."],
        {f"{FIELDS}|found|oneOf": lambda old: old[:1]},
    ),
    "the only alternative takes no null": (
        {f"{FIELDS}|note": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
        [
            f"{READ}/note can be null, which it could not.",
            f"{READ}/note was string, and can be integer.",
            f"{SENT} at note no longer takes string.",
        ],
        {f"{FIELDS}|weight": {"anyOf": [{"type": "number"}, {"type": "null"}]}},
    ),
    "an enumeration can be null": (
        {
            f"{FIELDS}|kind": {
                "anyOf": [{"enum": ["A", "B"], "type": "string"}, {"enum": [None]}],
                "readOnly": True,
            }
        },
        [
            f"{READ}/kind can be null, which it could not.",
            f"{SENT} at kind is gone.",
        ],
        {
            f"{FIELDS}|kind": {
                "anyOf": [{"enum": ["A", "B"], "type": "string"}, {"enum": [""]}]
            }
        },
    ),
    "one of two alternatives is gone": (
        {f"{FIELDS}|what": {"type": "integer"}},
        [f"{SENT} at what no longer takes string."],
        {f"{FIELDS}|found": {"type": "string", "readOnly": True}},
    ),
    "an object that can be null lost a field": (
        {
            f"{FIELDS}|inner": {
                "anyOf": [
                    {"type": "object", "properties": {}},
                    {"type": "null"},
                ],
                "readOnly": True,
            },
        },
        [
            f"{READ}/inner can be null, which it could not.",
            f"{READ}/inner/size is gone.",
            f"{SENT} at inner is gone.",
        ],
        {f"{FIELDS}|found": {"anyOf": [{"type": "integer"}], "readOnly": True}},
    ),
    "a status is gone": (
        {f"{LIST}|responses|404": GONE},
        ["GET /things/: the status 404 is gone."],
        {f"{LIST}|responses|409": {"$ref": "#/components/responses/NotFound"}},
    ),
    "a success is another one": (
        {f"{LIST}|responses": lambda old: {"202": old["200"], "404": old["404"]}},
        [
            "GET /things/: the status 200 is gone.",
            "GET /things/: the status 202 is new: no caller expects it.",
        ],
        {"components|responses|NotFound|description": "Other words."},
    ),
    "an answer is of another type": (
        {"components|responses|NotFound|content": {"text/html": {}}},
        ["GET /things/: the answer 404 is no longer application/problem+json."],
        {
            "components|responses|NotFound|content": lambda old: (
                old | {"application/json": {}}
            )
        },
    ),
    "an answer has no ETag": (
        {f"{LIST}|responses|200|headers": {}},
        ["GET /things/: the answer 200 no longer has the header ETag."],
        {f"{LIST}|responses|200|headers|Link": {}},
    ),
    "a webhook is gone": (
        {"webhooks|thing.created": GONE},
        ["Webhook thing.created: is gone."],
        {"webhooks|thing.changed": {"post": {}}},
    ),
    "a message has no such field": (
        {f"{MESSAGE}|properties": {}},
        ["Webhook thing.created: the message at thing is gone."],
        {f"{MESSAGE}|properties|more": {"type": "string"}},
    ),
    "a message has no such header": (
        {"webhooks|thing.created|post|parameters": []},
        ["Webhook thing.created: the header webhook-id is gone."],
        {"webhooks|thing.created|post|responses": {"2XX": {}}},
    ),
}


@pytest.mark.parametrize(("edits", "sentences", "control"), CASES.values(), ids=CASES)
def test_a_break_is_told_and_its_like_is_not(
    edits: dict[str, Any], sentences: list[str], control: dict[str, Any]
) -> None:
    told = breaking_changes(DOCUMENT, changed(edits))

    assert len(told) == len(sentences), told
    for sentence, start in zip(sorted(told), sorted(sentences), strict=True):
        assert sentence.startswith(start)
    harmless = changed(control)
    assert harmless != DOCUMENT
    assert breaking_changes(DOCUMENT, harmless) == []


def test_a_contract_has_no_texts_but_fields_that_are_called_so() -> None:
    document = {
        "description": "Of all",
        "properties": {"description": {"type": "string", "description": "A text."}},
    }

    assert contract(document) == {"properties": {"description": {"type": "string"}}}
