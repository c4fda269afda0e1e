"""JSON as attackers and broken clients write it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import raw_http
from tools.running_service import RunningService


@pytest.fixture(scope="module")
def target(binary: Path) -> Iterator[RunningService]:
    """A service that sees all this one after the other."""
    with RunningService(binary) as running:
        yield running


def greet(service: RunningService, body: bytes) -> raw_http.Answer:
    return raw_http.ask(service.address(), "POST", "/v1/greetings", body)


def named(value: bytes) -> bytes:
    return b'{"name":' + value + b"}"


UNREADABLE = {
    "a duplicate that is escaped": b'{"name":"Ada","\\u006eame":"Bob"}',
    "a duplicate that says the same": b'{"name":"Ada","name":"Ada"}',
    "a duplicate in a value of the wrong type": named(b'{"a":1,"a":2}'),
    "a member in another case": b'{"Name":"Ada"}',
    "a duplicate in another case": b'{"name":"Ada","NAME":"Bob"}',
    "arrays within the depth of json": named(b"[" * 9_000 + b"]" * 9_000),
    "arrays without an end": b"[" * 500_000,
    "arrays too deep": named(b"[" * 100_000 + b"]" * 100_000),
    "objects too deep": b'{"name":' * 50_000 + b"1" + b"}" * 50_000,
    "a number beyond floats": named(b"1e400"),
    "a number of a megabyte": named(b"9" * 1_000_000),
    "a huge exponent": b"1e999999999",
    "a number that starts with 0": named(b"01"),
    "not a number": named(b"NaN"),
    "the high half of a surrogate pair": named(b'"\\ud83e"'),
    "the low half of a surrogate pair": named(b'"\\uddab"'),
    "surrogates the wrong way round": named(b'"\\uddab\\ud83e"'),
    "two high halves": named(b'"\\ud83e\\ud83e"'),
    "half a surrogate pair in a name": b'{"\\ud83e":"Ada"}',
    "a surrogate in UTF-8": named(b'"\xed\xa0\x80"'),
    "overlong UTF-8": named(b'"\xc0\xaf"'),
    "half a character": named(b'"\xf0\x9f\xa6"'),
    "a character beyond Unicode": named(b'"\xf4\x90\x80\x80"'),
    "bad UTF-8 in a name": b'{"na\xffme":"Ada"}',
    "an unknown escape": named(b'"\\x41"'),
    "half an escape": named(b'"\\u00"'),
    "a line feed in a text": named(b'"A\nB"'),
    "NUL in a text": named(b'"A\0B"'),
    "a bracket after the end": named(b'"Ada"') + b"]",
    "NUL after the end": named(b'"Ada"') + b"\0",
    "a second value": named(b'"Ada"') * 2,
    "a comma after the last member": b'{"name":"Ada",}',
    "a comment": b'{"name":"Ada"/**/}',
    "apostrophes": b"{'name':'Ada'}",
    "a name without quotes": b'{name:"Ada"}',
    "nothing but a byte-order mark": b"\xef\xbb\xbf",
    "UTF-16": '{"name":"Ada"}'.encode("utf-16"),
    "UTF-16 without a byte-order mark": '{"name":"Ada"}'.encode("utf-16-be"),
    "space that JSON does not know": b'\xc2\xa0{"name":"Ada"}',
    "a megabyte of space": b" " * 1_000_000,
    "a text, not an object": b'"Ada"',
    "an object in an array": b'[{"name":"Ada"}]',
    "a hundred thousand members": b"{" + b",".join(b'"%d":1' % n for n in range(100_000)) + b"}",
}


@pytest.mark.contract("body not JSON, trailing data, unknown member, duplicate member, invalid UTF-8")
@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_invalid_json_is_rejected_with_the_place(target: RunningService, body: bytes) -> None:
    answer = greet(target, body)
    assert (answer.status, answer.is_problem()) == (400, True)
    assert " at #" in answer.json()["detail"]


@pytest.mark.contract("body not JSON, trailing data, unknown member, duplicate member, invalid UTF-8")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"' + b"\xc3\xa9" * 500_000 + b'":1}', id="a long name"),
        pytest.param(named(b"[" * 10_001), id="deep arrays"),
        pytest.param(named(b'{"":' * 10_001), id="deep objects"),
    ],
)
def test_a_long_place_does_not_make_a_long_response(target: RunningService, body: bytes) -> None:
    answer = greet(target, body)
    assert answer.status == 400
    assert len(answer.body) < 1000


@pytest.mark.contract("`POST /v1/greetings`")
@pytest.mark.parametrize(
    ("body", "name"),
    [
        pytest.param(named(b'"\\ud83e\\uddab"'), "🦫", id="a surrogate pair"),
        pytest.param(b'{"\\u006eame":"Ada"}', "Ada", id="a name that is escaped"),
        pytest.param(b"\r\n\t " + named(b'"Ada"') + b"\r\n\t ", "Ada", id="space around"),
        pytest.param(b" " * 1_000_000 + named(b'"Ada"'), "Ada", id="a megabyte of space before"),
        pytest.param(named(b'"\xef\xbf\xbd"'), "�", id="the replacement character"),
        pytest.param(named(b'"<b>\\"&\\u2028"'), '<b>"&\u2028', id="what HTML and JavaScript care for"),
    ],
)
def test_unusual_json_is_read_as_it_is_meant(target: RunningService, body: bytes, name: str) -> None:
    assert greet(target, body).json() == {"message": f"Hello, {name}!"}


@pytest.mark.contract("value out of range")
@pytest.mark.parametrize("body", [b"{}", named(b"null"), named(b'"' + b"x" * 1_000_000 + b'"')])
def test_a_missing_or_huge_name_gets_an_entry_for_its_field(target: RunningService, body: bytes) -> None:
    answer = greet(target, body)
    assert (answer.status, answer.is_problem()) == (422, True)
    assert [field["pointer"] for field in answer.json()["errors"]] == ["#/name"]
