"""What `manage.py demo` makes, prints and refuses."""

import json
import socket
import sqlite3
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from approvals.demo import story
from approvals.models import PurchaseRequest
from companies.models import Company
from tests.factories import make_company


@pytest.fixture
def development(settings) -> None:
    settings.DEBUG = True


def documents(text: str) -> Iterator[Any]:
    """JSON documents, one after the other."""
    text = text.strip()
    while text:
        document, end = json.JSONDecoder().raw_decode(text)
        yield document
        text = text[end:].strip()


def everything() -> dict[str, list[Any]]:
    """All rows of all tables."""
    with connection.cursor() as cursor:
        tables = {}
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            tables[table] = sorted(map(repr, cursor.fetchall()))
    return tables


def test_the_printed_lines_work_as_they_are(server):
    # given
    lines = server.printed[server.printed.index("CLIENT=") :].partition("\n\n")[0]

    # when
    tree, check = documents(server.bash(lines))

    # then
    assert lines.count("curl") == 3
    assert (tree["code"], tree["descendants_count"]) == ("NIC-1275216", 398)
    assert all(
        child["children_count"] == len(child["children"]) or child["next"]
        for child in tree["children"]
    )
    assert check["outcome"] == "APPROVAL_REQUIRED"
    assert [reason["code"] for reason in check["reasons"]] == ["limit_exceeded"]
    assert [approver["name"] for approver in check["steps"][0]["approvers"]] == [
        "Grace Sample"
    ]


def test_the_console_answers(server):
    url = f"{server.address}/admin/"
    with urllib.request.urlopen(url, timeout=30) as page:  # noqa: S310
        assert page.status == 200
        assert "Username" in page.read().decode()


def test_reset_leaves_nothing_of_what_was_there(server):
    if connection.vendor != "sqlite":
        pytest.skip("--reset is for SQLite")

    # given a server that was started with --reset over a file with leftovers
    file = server.database.removeprefix("sqlite:///")

    # then
    with sqlite3.connect(file) as database:
        found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = {name for (name,) in found}
    database.close()
    assert "leftover" not in tables
    assert "companies_company" in tables


@pytest.mark.django_db
def test_telling_it_twice_changes_nothing(development, capsys):
    # given
    call_command("demo", no_server=True)
    printed, before = capsys.readouterr().out, everything()

    # when
    call_command("demo", no_server=True)

    # then
    after = everything()
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert changed == set()
    assert capsys.readouterr().out == printed
    assert Company.objects.count() == 641
    assert dict(PurchaseRequest.objects.values_list("reference", "status")) == {
        "demo-1": "ORDERED",
        "demo-2": "PENDING",
        "demo-3": "APPROVED",
        "demo-4": "DECLINED",
        "demo-5": "WITHDRAWN",
        "demo-6": "PENDING",
    }


@pytest.mark.django_db
def test_goes_on_where_an_earlier_run_ended(development, monkeypatch, capsys):
    # given
    def stop(*_args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(story, "buy", stop)
        with pytest.raises(KeyboardInterrupt):
            call_command("demo", no_server=True)

    # when
    call_command("demo", no_server=True)

    # then
    assert PurchaseRequest.objects.count() == 6


@pytest.mark.django_db
def test_is_refused_in_production(settings):
    settings.DEBUG = False

    with pytest.raises(CommandError, match="not in production"):
        call_command("demo", no_server=True)

    assert not Company.objects.exists()


@pytest.mark.django_db
def test_is_refused_where_other_companies_are(development):
    # given
    make_company()

    # when
    with pytest.raises(CommandError, match="empty database"):
        call_command("demo", no_server=True)

    # then
    assert Company.objects.count() == 1


@pytest.mark.django_db
def test_a_port_in_use_is_named_before_anything_is_made(development):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(CommandError, match=f"Port {port} is in use"):
            call_command("demo", port=port)

    assert not Company.objects.exists()


@pytest.mark.django_db
@pytest.mark.postgresql
def test_reset_does_not_empty_a_postgresql_database(development):
    # given
    make_company()

    # when
    with pytest.raises(CommandError, match="empty yours yourself"):
        call_command("demo", no_server=True, reset=True)

    # then
    assert Company.objects.count() == 1
