"""Schemathesis calls each operation with what fits the document and what does not.

Three callers: an integrator with all scopes, and a shop that acts for an admin and for
a buyer. The world is as before after each call. `KONZERN_FUZZ_CALLS` says how many
calls of each kind an operation gets, others in each run; by default it is a few, always
the same.
"""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from config.api.document import CURRENT, read_document
from config.api.operations import PREFIX, all_operations
from tests import figures
from tests.matrix.test_matrix import undone
from tests.openapi.world import Acme, make_acme

pytestmark = [pytest.mark.long, pytest.mark.django_db]

CALLS = int(os.environ.get("KONZERN_FUZZ_CALLS", "0"))
RUN = settings(
    max_examples=CALLS or 4,
    derandomize=not CALLS,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
]
SHAPING = {"fields", "expand"}  # no schema can say what they do to an answer
SCHEMA = schemathesis.openapi.from_dict(read_document(CURRENT))
# A stale version comes before the body is looked at, and a large body is not looked at.
SCHEMA.config.checks.negative_data_rejection.expected_statuses += ["412", "413"]
OPERATIONS = {one.ok().label: one.ok() for one in SCHEMA.get_all_operations()}
APP = get_wsgi_application()
TRIED: Counter[str] = Counter()


def callers(label: str) -> list[str]:
    return ["admin", "buyer"] if "/as/" in label else ["integrator"]


CASES = [(label, caller) for label in sorted(OPERATIONS) for caller in callers(label)]


@pytest.fixture(scope="module")
def acme(django_db_setup: None, django_db_blocker: Any) -> Iterator[Acme]:
    signals = (request_started, request_finished)
    with django_db_blocker.unblock(), undone():
        acme = make_acme()
        for signal in signals:  # as Django's own test client: the transaction goes on
            signal.disconnect(close_old_connections)
        yield acme
        for signal in signals:
            signal.connect(close_old_connections)
    if TRIED:
        calls = ", ".join(f"{kind} {count:,}" for kind, count in sorted(TRIED.items()))
        figures.show(f"fuzzing: {TRIED.total():,} calls ({calls})")


def told(label: str) -> dict[str, Any]:
    method, path = label.split()
    return all_operations()[f"{method} {path.removeprefix(PREFIX)}"]


def example(label: str, caller: str, acme: Acme) -> dict[str, Any]:
    """The path of the example, for the person who calls."""
    path = dict(told(label).get("path", {}))
    if caller in ("admin", "buyer"):
        path["contact"] = getattr(acme, caller).pk
    return path


def varied(body: dict[str, Any], other: dict[str, Any]) -> st.SearchStrategy[Any]:
    """The body with up to two of its members as in the other one."""
    if not other:
        return st.just(body)
    taken = st.sets(st.sampled_from(sorted(other)), max_size=2)
    return taken.map(lambda some: body | {name: other[name] for name in some})


def call(case: Case, acme: Acme, check: list[Any]) -> None:
    token = acme.callers["shop" if "/as/" in case.path else "integrator"]
    headers = {"Authorization": token._credentials["HTTP_AUTHORIZATION"]}
    with undone():
        response = case.call(headers=headers, app=APP)
    TRIED[f"{response.status_code // 100}xx"] += 1
    if not SHAPING & set(case.query):
        check = [*check, checks.response_schema_conformance]
    case.validate_response(response, checks=check)


@pytest.mark.parametrize(("label", "caller"), CASES)
def test_what_fits_is_answered_as_the_document_says(
    label: str, caller: str, acme: Acme
) -> None:
    """The example with one part of it replaced by another that fits."""
    operation, path = OPERATIONS[label], example(label, caller, acme)
    sent = told(label)

    @RUN
    @given(case=operation.as_strategy(path_parameters=path), data=st.data())
    def run(case: Case, data: Any) -> None:
        if "body" in sent and isinstance(case.body, dict):
            case.body = data.draw(varied(sent["body"], case.body))
        case.headers.update(sent.get("headers", {}))
        call(case, acme, CHECKS)

    run()


@pytest.mark.parametrize(("label", "caller"), CASES)
def test_what_does_not_fit_is_refused(label: str, caller: str, acme: Acme) -> None:
    path = example(label, caller, acme)
    strategy = OPERATIONS[label].as_strategy(
        generation_mode=GenerationMode.NEGATIVE, path_parameters=path
    )

    @RUN
    @given(case=strategy)
    def run(case: Case) -> None:
        call(case, acme, [*CHECKS, checks.negative_data_rejection])

    try:
        run()
    except Unsatisfiable:
        pytest.skip("nothing of it can be wrong")
