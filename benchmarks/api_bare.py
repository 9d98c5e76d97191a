"""The limit of benchmarks/api.py: the same answers without any framework.

A bare WSGI function: one prepared SQL statement per request, JSON made by PostgreSQL;
no authentication, no validation, no hierarchy check. Writes write what Konzern writes
(company, history, groups, event), so that only the work around it differs.
"""

import json
import os
import threading
from urllib.parse import parse_qs

import psycopg
from api_bare_sql import (
    ASSIGN,
    BELOW,
    BULK,
    CHECK,
    COMPANY,
    COUNT,
    CREATE,
    DEEP,
    PAGE,
    PATCH,
    PEOPLE,
    PRICING,
    SUBMIT,
)

STATEMENTS = {
    "people": PEOPLE,
    "pricing": PRICING,
    "submit": SUBMIT,
    "get": f"SELECT {COMPANY}::text FROM companies_company c WHERE c.id = %(id)s",
    "list": PAGE.format(where="c.id > %(after)s", order="id", count=""),
    "counted": PAGE.format(where="c.id > %(after)s", order="id", count=COUNT),
    "deep": PAGE.format(where=DEEP, order="name, id", count=""),
    "search": PAGE.format(
        # As Konzern asks: of words that are frequent, and never together, the order
        # asked for would be gone through to its end (see config/search.py).
        where="c.id = ANY (ARRAY(SELECT id FROM companies_company "
        "WHERE search_text LIKE %(first)s AND search_text LIKE %(second)s))",
        order="id",
        count="",
    ),
    "descendants": PAGE.format(where=BELOW, order="id", count=""),
    "create": CREATE,
    "patch": PATCH,
    "bulk": BULK,
    "assign": ASSIGN,
    "check": CHECK,
}
threads = threading.local()


def connected():
    """The connection of this thread."""
    if not hasattr(threads, "connection"):
        threads.connection = psycopg.connect(
            os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=0
        )
    return threads.connection


def application(environ, start_response):
    work = environ["PATH_INFO"].strip("/")
    if environ["REQUEST_METHOD"] == "GET":
        query = parse_qs(environ["QUERY_STRING"])
        values = {name: value[0] for name, value in query.items()}
        for name in ("id", "after", "offset", "contact", "company"):
            if name in values:
                values[name] = int(values[name])
    else:
        length = int(environ["CONTENT_LENGTH"])
        values = json.loads(environ["wsgi.input"].read(length))
        if work == "bulk":
            values = {"companies": json.dumps(values["companies"])}
    (body,) = connected().execute(STATEMENTS[work], values).fetchone()
    return answer(body.encode(), start_response)


def answer(body, start_response):
    length = ("Content-Length", str(len(body)))
    start_response("200 OK", [("Content-Type", "application/json"), length])
    return [body]
