"""How tests call the API."""

import re
from functools import cache
from itertools import count
from typing import Any

from rest_framework.test import APIClient

from config.api.document import CURRENT, read_document

NUMBERS = count(1)
NEED_A_KEY = ("/purchase-requests/", "/approve/", "/decline/", "/change/")


@cache
def documented() -> dict[tuple[str, str], dict[int, set[str] | None]]:
    """The codes of refusals by method, path and status; None: it is no refusal."""
    document = read_document(CURRENT)
    found = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            codes = {
                int(status): codes_of(document, response)
                for status, response in operation["responses"].items()
            }
            found[method.upper(), re.sub("{[a-z]+}", "{}", path)] = codes
    return found


def codes_of(document: dict[str, Any], response: dict[str, Any]) -> set[str] | None:
    """Of a response of the document, which may be one that many operations share."""
    if name := response.get("$ref", "").rpartition("/")[2]:
        response = document["components"]["responses"][name]
    problem = response.get("content", {}).get("application/problem+json")
    if problem is None:
        return None
    _any, known = problem["schema"]["allOf"]
    return set(known["properties"]["code"]["enum"])


def check_documented(method: str, response: Any) -> None:
    """Nobody gets a status or a code that the OpenAPI document does not name."""
    match = response.resolver_match
    path = "/" + re.sub(r"\(\?P<[a-z]+>.*?\)(?=[/$])", "{}", match.route).rstrip("$")
    codes = documented().get((method, path), {})
    status = response.status_code
    if not codes or status == 405:
        return
    assert status in codes, (method, path, status, response.content[:300])
    if (known := codes[status]) is not None:
        code = response.json()["code"]
        assert code in known, (method, path, status, code)


class KeyedClient(APIClient):
    """Sends a new Idempotency-Key with each call that needs one; a crash is a 500.

    All that it is answered has to be in the OpenAPI document.
    """

    def __init__(self, *, token: str) -> None:
        super().__init__(raise_request_exception=False)
        self.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    def generic(self, method: str, *args: Any, **options: Any) -> Any:
        response = super().generic(method, *args, **options)
        check_documented(method, response)
        return response

    def post(self, path: str, *args: Any, **options: Any) -> Any:
        headers = dict(options.pop("headers", None) or {})
        if path.partition("?")[0].endswith(NEED_A_KEY):
            headers.setdefault("Idempotency-Key", f"test-{next(NUMBERS)}")
        return super().post(path, *args, headers=headers, **options)
