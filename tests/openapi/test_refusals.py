"""The document names each refusal, with the codes that docs/api-errors.md explains."""

import re
from typing import Any

import pytest
from django.conf import settings

from config.api.document import CURRENT, read_document
from config.api.operations import operations
from config.errors import DomainError, Forbidden, StaleVersion
from integrations.api.permissions import READING
from tests.config.test_errors import refusals
from tests.http import codes_of

ROW = re.compile(r"^\| (\d{3}) \| ((?:`[a-z_]+`(?:, )?)+) \|", re.MULTILINE)
# No operation of the document: any path, commands, the base of others.
ELSEWHERE = {
    "method_not_allowed",
    "tree_not_repairable",
    "needs_confirmation",
    "plan_outdated",  # a fault of an import
}
GENERAL = {"forbidden"}  # of frameworks; our own refusals say more


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return read_document(CURRENT)


def named_in(document: dict[str, Any]) -> set[tuple[int, str]]:
    """Status and code of all refusals of all operations."""
    return {
        (int(status), code)
        for _name, operation in operations(document)
        for status, response in operation["responses"].items()
        for code in codes_of(document, response) or ()
    }


def explained() -> set[tuple[int, str]]:
    text = (settings.BASE_DIR / "docs" / "api-errors.md").read_text()
    return {
        (int(status), code)
        for status, codes in ROW.findall(text)
        for code in re.findall("[a-z_]+", codes)
    }


def status_of(refusal: type[DomainError]) -> int:
    if issubclass(refusal, StaleVersion):
        return 412
    return 403 if issubclass(refusal, Forbidden) else 409


def test_what_is_explained_is_in_the_document_and_the_reverse(
    document: dict[str, Any],
) -> None:
    named = named_in(document)

    assert named - explained() == set()
    left = {(status, code) for status, code in explained() if code not in ELSEWHERE}
    assert {(s, c) for s, c in left - named if c not in GENERAL} == set()


def test_each_rule_of_ours_refuses_some_operation_with_its_status(
    document: dict[str, Any],
) -> None:
    named = named_in(document)
    bases = {"domain_error", *ELSEWHERE, *GENERAL}

    for refusal in refusals():
        is_of_the_api = not refusal.__module__.startswith(("tests", "config.admin"))
        if refusal.code not in bases and is_of_the_api:
            assert (status_of(refusal), refusal.code) in named, refusal


def test_each_operation_names_the_scope_that_it_needs(
    document: dict[str, Any],
) -> None:
    existing = set(settings.OAUTH2_PROVIDER["SCOPES"])
    for name, operation in operations(document):
        if name == "GET /":
            continue
        scopes = [scope for way in operation["security"] for scope in way["oauth2"]]
        assert set(scopes) <= existing, name
        reads = name.partition(" ")[0] in READING
        if reads and scopes[0] not in ("act", "imports:write", "webhooks:write"):
            assert scopes[0].endswith(":read"), name
    ways = dict(operations(document))["POST /purchase-requests/check/"]["security"]
    assert ways == [{"oauth2": ["purchases:write"]}, {"oauth2": ["purchases:read"]}]
