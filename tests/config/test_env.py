from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.env import env, env_bool, env_database, env_int, env_list

NAME = "KONZERN_TEST"


def test_a_missing_variable_is_named():
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env(NAME)
    assert env(NAME, "default") == "default"


@pytest.mark.parametrize(
    ("value", "read"),
    [("1", True), ("yes", True), (" On ", True), ("0", False), ("", False)],
)
def test_booleans(monkeypatch, value: str, read: bool):
    monkeypatch.setenv(NAME, value)

    assert env_bool(NAME, default=not read) is read


@pytest.mark.parametrize("read", [env_bool, env_int])
def test_what_is_neither_is_refused(monkeypatch, read):
    monkeypatch.setenv(NAME, "maybe")

    with pytest.raises(ImproperlyConfigured, match=NAME):
        read(NAME, default=1)


def test_lists_and_numbers(monkeypatch):
    monkeypatch.setenv(NAME, " 12 ,, b ")
    assert env_list(NAME) == ["12", "b"]

    monkeypatch.setenv(NAME, " 12 ")
    assert env_int(NAME, default=1) == 12
    assert env_int("KONZERN_OTHER", default=1) == 1


def test_without_a_database_url_it_is_an_sqlite_file():
    database = env_database(
        NAME, default=Path("/data/konzern.sqlite3"), pool_size=4, timeouts={}
    )

    assert database["NAME"] == "/data/konzern.sqlite3"
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


def test_a_sqlite_url(monkeypatch):
    monkeypatch.setenv(NAME, "sqlite:////data/a%20b.sqlite3")

    assert (
        env_database(NAME, default=Path(), pool_size=4, timeouts={})["NAME"]
        == "/data/a b.sqlite3"
    )


def test_a_postgresql_url(monkeypatch):
    # given
    url = "postgres://us%40er:p%2Fw@db.example.com:6432/kon%20zern?sslmode=require"
    monkeypatch.setenv(NAME, url)

    # when
    database = env_database(NAME, default=Path(), pool_size=4, timeouts={})

    # then
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["USER"], database["PASSWORD"]) == ("us@er", "p/w")
    assert (database["HOST"], database["PORT"]) == ("db.example.com", "6432")
    assert database["NAME"] == "kon zern"
    assert database["OPTIONS"]["sslmode"] == "require"
    assert database["OPTIONS"]["pool"]["max_size"] == 4
    assert database["OPTIONS"]["prepare_threshold"] == 5

    # when: a pooler is between that knows no prepared statements
    database = env_database(
        NAME, default=Path(), pool_size=4, timeouts={}, prepare=False
    )

    # then
    assert database["OPTIONS"]["prepare_threshold"] is None


def test_limits_of_time_are_options_of_each_connection(monkeypatch):
    # given
    monkeypatch.setenv(NAME, "postgres://db/konzern?options=-c%20work_mem=8MB")
    timeouts = {"lock_timeout": 3, "statement_timeout": 0}

    # when
    options = env_database(NAME, default=Path(), pool_size=4, timeouts=timeouts)[
        "OPTIONS"
    ]

    # then
    assert options["options"] == (
        "-c lock_timeout=3s -c statement_timeout=0s -c work_mem=8MB"
    )
    assert options["pool"]["timeout"] == 3


def test_a_wrong_url_is_not_repeated(monkeypatch):
    monkeypatch.setenv(NAME, "mysql://root:secret@db/konzern")

    with pytest.raises(ImproperlyConfigured, match=NAME) as refused:
        env_database(NAME, default=Path(), pool_size=4, timeouts={})
    assert "secret" not in str(refused.value)
