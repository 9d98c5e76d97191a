import json
import time
from decimal import Decimal
from io import BytesIO

import pytest
from rest_framework import exceptions

from config.api.errors import BodyTooLarge
from config.api.parsers import NotAcceptedJSON, StrictJSONParser, parse_object

DEEP = b'{"a":' * 20 + b"1" + b"}" * 20
LONG = b'{"a":[' + b"1," * 999 + b"1]}"


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b"{}", {}),
        (b' {"a": 1}\n', {"a": 1}),
        (b'{"a": 1.10}', {"a": Decimal("1.10")}),
        (b'{"a": 1e300}', {"a": Decimal("1e300")}),
        ('{"a": "Ä"}'.encode(), {"a": "Ä"}),
        (rb'{"a": "\ud83d\ude00"}', {"a": "😀"}),
        (rb'{"a": "\\u0000"}', {"a": r"\u0000"}),
        (DEEP, json.loads(DEEP)),
        (LONG, {"a": [1] * 1000}),
    ],
)
def test_accepts(body: bytes, read: object):
    assert parse_object(body) == read


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"12",
        b'{"a": 1',
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": 1} // comment',
        b'{"a": 1} {"b": 2}',
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-32"),
        b'{"a": "\xff"}',
        b'{"a": "\xc0\xaf"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": 1, "a": 2}',
        b'{"b": {"a": 1, "a": 1}}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e400}',
        b'{"a": -1e1000000}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\0"}',
        rb'{"a": "\u0000"}',
        rb'{"\u0000": 1}',
        rb'{"a": ["\u0000"]}',
        rb'{"a": [[{"b": "\ud800"}]]}',
        rb'{"\udfff": 1}',
        rb'{"a": "\ude00\ud83d"}',
        b'{"a":' * 21 + b"1" + b"}" * 21,
        b'{"a":' + b"[" * 20 + b"]" * 20 + b"}",
        b'{"a":' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 100_000,
        b'{"a":[' + b"1," * 1000 + b"1]}",
    ],
)
def test_refuses(body: bytes):
    with pytest.raises(NotAcceptedJSON):
        parse_object(body)


def test_says_where_it_is_not_json():
    with pytest.raises(NotAcceptedJSON) as refused:
        parse_object(b'{\n  "a": 1,\n  b\n}')
    assert refused.value.details == {"line": 3, "column": 3}


def test_names_the_key_that_comes_twice():
    with pytest.raises(NotAcceptedJSON, match="'name'"):
        parse_object(b'{"code": 1, "name": 1, "name": 1}')


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        'application/json; charset="UTF8"',
    ],
)
def test_takes_utf_8(media_type: str):
    assert StrictJSONParser().parse(BytesIO(b"{}"), media_type) == {}


@pytest.mark.parametrize("charset", ["utf-7", "latin-1", "utf-16", "foo-bar", "a b"])
def test_refuses_other_charsets(charset: str):
    with pytest.raises(exceptions.UnsupportedMediaType):
        StrictJSONParser().parse(BytesIO(b"{}"), f"application/json; charset={charset}")


def test_refuses_more_than_a_mebibyte():
    # given
    body = b'{"a": "' + b"x" * (1024 * 1024 - 9) + b'"}'
    assert len(body) == 1024 * 1024

    # then
    StrictJSONParser().parse(BytesIO(body))
    with pytest.raises(BodyTooLarge):
        StrictJSONParser().parse(BytesIO(body + b" "))


def test_judges_the_worst_mebibyte_in_half_a_second():
    # given
    body = b'{"a":{' + b",".join(b'"%d":"\\u0041"' % n for n in range(60_000)) + b"}}"

    # when
    started = time.process_time()
    parse_object(body)

    # then
    assert time.process_time() - started < 0.5
