"""What changes cost in SQL statements: pinned, so that a slip is seen at once.

Without those that begin and end transactions, on PostgreSQL and on SQLite: the one is
asked for locks of the tree, the other needs two statements for counter and event. Lists
are in test_api_lists.
"""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import (
    make_assignment,
    make_company,
    make_contact,
    make_link,
    make_location,
)

pytestmark = pytest.mark.django_db
FRAMES = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")


@pytest.fixture
def cost(api) -> Callable[..., list[str]]:
    """The statements of a call that succeeds."""

    def call(method: str, path: str, body: dict | None = None) -> list[str]:
        version = {"HTTP_IF_MATCH": '"1"'} if method != "post" else {}
        with CaptureQueriesContext(connection) as queries:
            answer = getattr(api, method)(f"/api/v1/{path}/", body, **version)
        assert answer.status_code in (200, 201, 204), answer.content
        return [q["sql"] for q in queries if not q["sql"].startswith(FRAMES)]

    return call


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("post", "companies", {"name": "New"}, (9, 9)),
        ("post", "companies", {"name": "New", "parent": "{low}"}, (11, 11)),
        ("patch", "companies/{low}", {"name": "New"}, (6, 7)),
        ("patch", "companies/{low}", {"name": "Low"}, (3, 3)),
        ("put", "companies/{low}", {"name": "New"}, (6, 7)),
        ("post", "companies/{low}/hold", {"reason": "Unpaid"}, (10, 9)),
        ("post", "companies/{low}/move", {"parent": "{other}"}, (16, 15)),
        ("delete", "companies/{other}", None, (41, 40)),
        ("post", "locations", {"company": "{low}", "type": "OFFICE"}, (9, 10)),
        ("patch", "locations/{location}", {"name": "New"}, (7, 8)),
        ("post", "contacts", {"email": "new@example.com"}, (7, 8)),
        ("patch", "contacts/{contact}", {"last_name": "New"}, (7, 8)),
        (
            "post",
            "contact-assignments",
            {"contact": "{contact}", "company": "{low}"},
            (9, 10),
        ),
        ("patch", "contact-assignments/{assignment}", {"role": "BUYER"}, (11, 12)),
        (
            "post",
            "company-links",
            {"company": "{low}", "other": "{other}", "kind": "OWNS"},
            (11, 12),
        ),
        ("patch", "company-links/{link}", {"kind": "BILLS_TO"}, (9, 10)),
    ],
)
def test_a_change_costs_a_known_number_of_statements(
    cost, method, path, body, expected
):
    # given
    head = make_company()
    low = make_company(name="Low", parent=head)
    things = {
        "low": low,
        "other": make_company(),
        "contact": make_contact(),
        "location": make_location(company=head),
        "assignment": make_assignment(company=head),
        "link": make_link(company=head, other=make_company()),
    }
    keys = {name: thing.pk for name, thing in things.items()}
    sent = body and {
        name: keys.get(value.strip("{}"), value) for name, value in body.items()
    }
    # when
    found = cost(method, path.format(**keys), sent)
    # then
    assert len(found) == expected[connection.vendor == "sqlite"], "\n".join(found)
