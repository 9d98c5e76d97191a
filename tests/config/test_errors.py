import ast
import json
import re
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.conf import settings
from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.db import DataError, IntegrityError, OperationalError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404
from rest_framework import exceptions

from config.api.errors import exception_handler, invalid_parameter
from config.errors import DomainError, Forbidden, StaleVersion


class Cause(Exception):
    def __init__(self, **attributes: object) -> None:
        vars(self).update(attributes)


def caused(error: Exception, **attributes: object) -> Exception:
    error.__cause__ = Cause(**attributes)
    return error


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (DomainError(), 409, "domain_error"),
        (Forbidden(), 403, "forbidden"),
        (StaleVersion(version=7), 412, "stale_version"),
        (Http404(), 404, "not_found"),
        (PermissionDenied(), 403, "forbidden"),
        (ProtectedError("", set()), 409, "in_use"),
        (RestrictedError("", set()), 409, "in_use"),
        (caused(IntegrityError(), sqlstate="23505"), 409, "duplicate"),
        (
            caused(IntegrityError(), sqlite_errorname="SQLITE_CONSTRAINT_UNIQUE"),
            409,
            "duplicate",
        ),
        (caused(IntegrityError(), sqlstate="23503"), 409, "in_use"),
        (caused(IntegrityError(), sqlstate="23514"), 400, "invalid"),
        (DataError(), 400, "invalid"),
        (caused(OperationalError(), sqlstate="55P03"), 503, "busy"),
        (caused(OperationalError(), sqlite_errorname="SQLITE_BUSY"), 503, "busy"),
        (RequestDataTooBig(), 413, "body_too_large"),
        (SuspiciousOperation(), 400, "bad_request"),
        (exceptions.NotAuthenticated(), 401, "not_authenticated"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (exceptions.NotAcceptable(), 406, "not_acceptable"),
        (exceptions.Throttled(wait=3), 429, "throttled"),
    ],
)
def test_an_expected_exception_is_a_problem(error: Exception, status: int, code: str):
    response = exception_handler(error, {})

    problem = json.loads(response.content)
    assert (response.status_code, problem["code"]) == (status, code)
    assert response["Content-Type"] == "application/problem+json"
    assert list(problem)[:6] == [
        "type", "title", "status", "code", "detail", "request_id"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError(),
        caused(IntegrityError(), sqlstate="23502"),
        caused(OperationalError(), sqlite_errorname="SQLITE_ERROR"),
    ],
)
def test_a_bug_stays_an_exception(error: Exception):
    assert exception_handler(error, {}) is None


def test_those_who_should_wait_are_told():
    busy = exception_handler(caused(OperationalError(), sqlstate="40P01"), {})
    throttled = exception_handler(exceptions.Throttled(wait=3), {})

    assert (busy["Retry-After"], throttled["Retry-After"]) == ("1", "3")


def test_details_name_what_it_is_about():
    response = exception_handler(StaleVersion(version=7), {})

    assert json.loads(response.content)["details"] == {"version": 7}


@pytest.mark.parametrize(
    ("error", "errors"),
    [
        (ValidationError("No.", code="no"), [("", "no")]),
        (
            ValidationError({"lei": ValidationError("No.", code="lei_checksum")}),
            [("/lei", "lei_checksum")],
        ),
        (
            exceptions.ValidationError({"legal_info": {"lei": ["a", "b"]}}),
            [("/legal_info/lei", "invalid")] * 2,
        ),
        (
            exceptions.ValidationError({"items": [{}, {"amount": ["No."]}]}),
            [("/items/1/amount", "invalid")],
        ),
        (
            exceptions.ValidationError({"non_field_errors": ["No."]}),
            [("", "invalid")],
        ),
        (exceptions.ValidationError({"a/b~c": ["No."]}), [("/a~1b~0c", "invalid")]),
        (
            exceptions.ValidationError({"x" * 5000: ["No."]}),
            [("/" + "x" * 100, "invalid")],
        ),
    ],
)
def test_places_in_the_body_are_json_pointers(error, errors):
    problem = json.loads(exception_handler(error, {}).content)

    assert problem["code"] == "invalid"
    assert [(e["pointer"], e["code"]) for e in problem["errors"]] == errors


def test_parameters_are_named_as_such():
    error = invalid_parameter("page_size", "Too many.", "page_size")

    assert json.loads(exception_handler(error, {}).content)["errors"] == [
        {"parameter": "page_size", "code": "page_size", "message": "Too many."}
    ]


def refusals(base: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for refusal in base.__subclasses__():
        yield refusal
        yield from refusals(refusal)


def validation_codes() -> Iterator[str]:
    """Codes written in ValidationErrors, validators and constraints of our apps."""
    for app in ("config", "integrations", "companies", "groups", "approvals"):
        for path in (settings.BASE_DIR / app).rglob("*.py"):
            if {"admin", "migrations", "management"} & set(path.parts):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                name = isinstance(node, ast.Call) and ast.unparse(node.func)
                if name in ("ValidationError", "RegexValidator"):
                    yield from (
                        keyword.value.value
                        for keyword in node.keywords
                        if keyword.arg == "code"
                        and isinstance(keyword.value, ast.Constant)
                    )
    for model in apps.get_models():
        if (settings.BASE_DIR / model._meta.app_label).is_dir():
            for constraint in model._meta.constraints:
                yield constraint.violation_error_code


def test_every_code_is_documented():
    # given
    text = (settings.BASE_DIR / "docs" / "api-errors.md").read_text()
    documented = set(re.findall(r"`([a-z_]+)`", text))
    bases = {"domain_error"}

    # when
    codes = {refusal.code for refusal in refusals()} | set(validation_codes())

    # then
    assert sorted(codes - documented - bases - {None}) == []
