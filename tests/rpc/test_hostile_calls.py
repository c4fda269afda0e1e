"""HTTP/2 and calls as attackers and broken clients send them: others do not notice, and nothing is left behind."""

from __future__ import annotations

import gzip
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest

from tests.support import http2, raw_http
from tests.support.footprint import begin_peak, cpu_seconds, holds, peak, wait_until_it_holds
from tests.support.grpc_clients import Greetings, text
from tests.support.http2 import Connection, Field, block, data, frame, headers, request
from tests.support.raw_http import Address
from tools.running_service import Line, RunningService

GREET, STREAM = (f"/greetings.v1.GreetingService/{name}" for name in ("Greet", "StreamGreetings"))
CHECK, WATCH = (f"/grpc.health.v1.Health/{name}" for name in ("Check", "Watch"))
GRPC = "application/grpc"


def message(payload: bytes, flags: int = 0) -> bytes:
    return struct.pack("!BI", flags, len(payload)) + payload


def call(path: str, *fields: Field, content_type: str = GRPC) -> bytes:
    return request(path, ("content-type", content_type), ("te", "trailers"), *fields)


ADA = message(text("Ada"))
CLAIM_OF_4_GIB = b"\0\xff\xff\xff\xff"
SHORT = {"READ_HEADER_TIMEOUT": "500ms", "READ_TIMEOUT": "500ms", "WRITE_TIMEOUT": "1s", "IDLE_TIMEOUT": "2s"}


@contextmanager
def calling_all_the_while(address: Address) -> Iterator[list[str]]:
    """Be another client, and note the codes that it gets."""
    codes: list[str] = []
    stop = threading.Event()
    client = Greetings(address)

    def keep_calling() -> None:
        while not stop.is_set():
            try:
                client.greet("Ada")
                codes.append("OK")
            except grpc.RpcError as error:
                codes.append(error.code().name)

    thread = threading.Thread(target=keep_calling)
    thread.start()
    try:
        yield codes
    finally:
        stop.set()
        thread.join()
        client.close()


@contextmanager
def frugal(service: RunningService, mebibytes: int = 32) -> Iterator[None]:
    """Fail if the service needs more memory for what happens to it, if it keeps something of it, or blames itself."""
    held, before = holds(service), begin_peak(service)
    yield
    assert peak(service) - before < mebibytes << 10
    wait_until_it_holds(service, held)
    assert [line for line in service.lines if line["level"] == "ERROR"] == []


@contextmanager
def unnoticed(address: Address) -> Iterator[None]:
    """Fail if other clients notice what happens to the service."""
    with raw_http.asking_all_the_while(address) as statuses, calling_all_the_while(address) as codes:
        yield
    assert (set(statuses), set(codes)) == ({200}, {"OK"})


def each(streams: int, make: Callable[[int], bytes]) -> bytes:
    return b"".join(make(stream) for stream in range(1, 2 * streams, 2))


FLOODS: dict[str, Callable[[], bytes]] = {
    "streams": lambda: each(10_000, lambda stream: headers(stream, call(STREAM)) + data(stream, ADA)),
    "resets": lambda: each(5_000, lambda stream: headers(stream, call(GREET)) + http2.reset(stream)),
    "mistakes that are answered by a reset": lambda: each(
        5_000, lambda stream: headers(stream, call(GREET)) + http2.window_update(stream, 0)
    ),
    "settings": lambda: http2.settings({http2.INITIAL_WINDOW_SIZE: 1}) * 20_000,
    "pings": lambda: frame(http2.PING, 0, b"a flood!") * 20_000,
    "empty data": lambda: headers(1, call(GREET)) + data(1, b"", flags=0) * 20_000,
    "empty continuations": lambda: frame(http2.HEADERS, 1, call(GREET)) + frame(http2.CONTINUATION, 1) * 20_000,
    "continuations": lambda: (
        frame(http2.HEADERS, 1, call(GREET)) + frame(http2.CONTINUATION, 1, block(("x", "y" * 10_000))) * 1_000
    ),
}


@pytest.mark.contract("a hostile client")
@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS.keys())
def test_floods(rpc_binary: Path, flood: Callable[[], bytes]) -> None:
    sent = flood()
    with RunningService(rpc_binary, **SHORT, LOG_LEVEL="warn", MAX_STREAMS="200") as service:
        with frugal(service), unnoticed(service.address()), Connection(service.address()) as connection:
            with suppress(ConnectionError):  # the service hangs up where it has enough
                connection.send(sent)
                connection.wait_until_processed()
        with Connection(service.address()) as connection:  # MAX_STREAMS are free again
            connection.send(*(headers(stream, call(STREAM)) for stream in range(1, 400, 2)))
            connection.send(headers(401, call(STREAM)))
            assert connection.answer(401).fields["grpc-status"] == "14"


VERSION = request("/version", method="GET")
REMEMBERED = b"\x40" + http2.literal("x") + http2.literal("y" * 4_000)
FIRST_OF_THE_TABLE = b"\xbe"
HEADER_BOMBS = {
    "references to one large field": VERSION + REMEMBERED + FIRST_OF_THE_TABLE * 12_000,
    "more than MAX_HEADER_BYTES": VERSION + block(("x", "y" * 1_000)) * 64,
    "more than MAX_HEADER_COUNT": VERSION + block(("x", "y")) * 101,
}


@pytest.mark.contract("a hostile client")
@pytest.mark.contract("too many or too large headers")
@pytest.mark.parametrize("bomb", HEADER_BOMBS.values(), ids=HEADER_BOMBS.keys())
def test_header_bombs(rpc_binary: Path, bomb: bytes) -> None:
    with RunningService(rpc_binary, **SHORT, LOG_LEVEL="warn") as service:
        with frugal(service), unnoticed(service.address()), Connection(service.address()) as connection:
            for stream in range(1, 200, 2):
                connection.send(headers(stream, bomb, http2.END_STREAM))
                assert connection.answer(stream).fields[":status"] == "431"
            connection.send(headers(201, VERSION, http2.END_STREAM))
            assert connection.answer(201).fields[":status"] == "200"


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """A gzip file of a MiB that is a GiB of zeros."""
    return gzip.compress(bytes(64 << 20)) * 16


@pytest.mark.contract("a hostile client")
@pytest.mark.parametrize("protocol", ["gRPC", "gRPC-Web", "Connect"])
def test_compressed_bombs(rpc_binary: Path, bomb: bytes, protocol: str) -> None:
    headers, body = {
        "gRPC": (["Content-Type: application/grpc", "Grpc-Encoding: gzip"], message(bomb, flags=1)),
        "gRPC-Web": (["Content-Type: application/grpc-web", "Grpc-Encoding: gzip"], message(bomb, flags=1)),
        "Connect": (["Content-Type: application/proto", "Content-Encoding: gzip"], bomb),
    }[protocol]
    with RunningService(rpc_binary) as service, frugal(service):
        before = cpu_seconds(service)
        for _ in range(8):
            raw_http.ask(service.address(), "POST", GREET, body, *headers)
        assert cpu_seconds(service) - before < 0.5, "all of it was decompressed"
        assert [line["code"] for line in service.lines if "code" in line] == ["RESOURCE_EXHAUSTED"] * 8


@pytest.mark.contract("a hostile client")
def test_frames_that_claim_to_be_large(rpc_binary: Path) -> None:
    begin_of_a_mebibyte = frame(0x77, 0, bytes(1 << 20))[: 1 << 19]
    with RunningService(rpc_binary, **SHORT) as service:
        with frugal(service, mebibytes=16), ExitStack() as stack:
            for _ in range(50):
                connection = stack.enter_context(Connection(service.address()))
                with suppress(ConnectionError):
                    connection.send(begin_of_a_mebibyte)
