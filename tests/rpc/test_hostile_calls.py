"""HTTP/2 and calls as attackers and broken clients send them: others do not notice, and nothing is left behind."""

from __future__ import annotations

import gzip
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from tests.support import http2, raw_http
from tests.support.footprint import begin_peak, cpu_seconds, holds, peak, wait_until_it_holds
from tests.support.grpc_clients import Caller, Greetings, text
from tests.support.http2 import Connection, Field, block, data, frame, headers, request
from tests.support.raw_http import Address
from tools.running_service import RunningService, wait_for_answer

pytestmark = pytest.mark.long

GREET, STREAM = (f"/greetings.v1.GreetingService/{name}" for name in ("Greet", "StreamGreetings"))
CHECK, WATCH = (f"/grpc.health.v1.Health/{name}" for name in ("Check", "Watch"))
GRPC, GRPC_WEB, CONNECT = "application/grpc", "application/grpc-web", "application/connect+proto"


def message(payload: bytes, flags: int = 0) -> bytes:
    return struct.pack("!BI", flags, len(payload)) + payload


def call(path: str, *fields: Field, content_type: str = GRPC) -> bytes:
    return request(path, ("content-type", content_type), ("te", "trailers"), *fields)


ADA = message(text("Ada"))
CLAIM_OF_4_GIB, CLAIM_OF_A_MEBIBYTE = b"\0\xff\xff\xff\xff", b"\0\0\x10\0\0"
RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, UNAVAILABLE = "8", "4", "14"
SHORT = {"READ_HEADER_TIMEOUT": "500ms", "READ_TIMEOUT": "500ms", "WRITE_TIMEOUT": "1s", "IDLE_TIMEOUT": "2s"}


@contextmanager
def frugal(service: RunningService) -> Iterator[None]:
    """Fail if the service needs much memory for what happens to it, if it keeps something of it, or takes the blame."""
    held, before = holds(service), begin_peak(service)
    yield
    assert peak(service) - before < 32 << 10
    wait_until_it_holds(service, held)
    assert [line for line in service.lines if line["level"] == "ERROR"] == []


@contextmanager
def spared(service: RunningService) -> Iterator[None]:
    """Fail too if other clients notice what happens to the service."""
    address = service.address()
    with frugal(service), raw_http.asking_all_the_while(address) as statuses, Caller(address) as caller:
        yield
    assert (set(statuses), set(caller.ended)) == ({200}, {"OK"})


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
    with (
        RunningService(rpc_binary, **SHORT, MAX_STREAMS="20000") as service,
        spared(service),
        Connection(service.address()) as connection,
        suppress(ConnectionError),  # the service hangs up where it has enough
    ):
        connection.send(sent)
        connection.wait_until_processed()


VERSION, OPENAPI = (request(path, method="GET") for path in ("/version", "/openapi.yaml"))
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
    with RunningService(rpc_binary, **SHORT) as service, spared(service), Connection(service.address()) as connection:
        for stream in range(1, 200, 2):
            connection.send(headers(stream, bomb, http2.END_STREAM))
            assert connection.answer(stream).fields[":status"] == "431"
        connection.send(headers(201, VERSION, http2.END_STREAM))
        assert connection.answer(201).fields[":status"] == "200"


@pytest.mark.contract("a hostile client")
def test_a_frame_that_claims_a_mebibyte_is_refused_before_it_comes(rpc_binary: Path) -> None:
    with RunningService(rpc_binary, **SHORT) as service, Connection(service.address()) as connection:
        connection.send(frame(http2.DATA, 1, bytes(1 << 20))[:9])
        goaway = next(came.payload for came in connection.frames() if came.kind == http2.GOAWAY)
        assert int.from_bytes(goaway[4:8], "big") == http2.FRAME_SIZE_ERROR


def unfinished(path: str = GREET, sent: bytes = b"") -> bytes:
    """Return a call on stream 1 that sends something and could send more."""
    return headers(1, call(path)) + (data(1, sent, flags=0) if sent else b"")


@contextmanager
def dripping(connection: Connection, part: bytes) -> Iterator[None]:
    """Send the part again and again for some seconds, with a moment between."""
    stop = threading.Event()

    def drip() -> None:
        with suppress(ConnectionError):
            for _ in range(200):
                if stop.wait(0.02):
                    return
                connection.send(part)

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def slow_message(address: Address) -> None:
    with Connection(address) as connection:
        connection.send(unfinished(sent=CLAIM_OF_A_MEBIBYTE))
        with dripping(connection, data(1, b"x", flags=0)):
            assert connection.answer(1).fields["grpc-status"] == DEADLINE_EXCEEDED


def claimed_message(address: Address) -> None:
    with Connection(address) as connection:
        connection.send(unfinished(sent=CLAIM_OF_4_GIB))
        assert connection.answer(1).fields["grpc-status"] == RESOURCE_EXHAUSTED


def idle_stream(address: Address) -> None:
    with Connection(address) as connection:
        connection.send(unfinished(STREAM))
        assert connection.answer(1).fields["grpc-status"] == UNAVAILABLE


def endless_message(address: Address) -> None:
    with Connection(address) as connection:
        connection.send(unfinished(STREAM, CLAIM_OF_4_GIB))
        with dripping(connection, data(1, bytes(1_000), flags=0)):
            assert connection.answer(1).fields["grpc-status"] == UNAVAILABLE


def unread_answer(address: Address) -> None:
    cut_without_a_window(address, GREET)


def unread_stream(address: Address) -> None:
    cut_without_a_window(address, STREAM)


def cut_without_a_window(address: Address, path: str) -> None:
    with Connection(address, {http2.INITIAL_WINDOW_SIZE: 0}) as connection:
        connection.send(headers(1, call(path)), data(1, ADA))
        assert connection.answer(1).reset is not None


def no_request(address: Address) -> None:
    with Connection(address) as connection, dripping(connection, frame(http2.PING, 0, b"not idle")):
        assert raw_http.is_closed(connection.socket)


def endless_headers(address: Address) -> None:
    with Connection(address) as connection:
        connection.send(frame(http2.HEADERS, 1, call(GREET)))
        with dripping(connection, frame(http2.CONTINUATION, 1)):
            assert raw_http.is_closed(connection.socket)


def slow_preface(address: Address) -> None:
    with raw_http.connect(address) as connection:
        connection.sendall(http2.PREFACE[:-1])
        assert raw_http.is_closed(connection)


SLOW: dict[str, tuple[str, Callable[[Address], None]]] = {
    "a message byte by byte": ("READ_TIMEOUT", slow_message),
    "a message that is claimed": ("READ_TIMEOUT", claimed_message),
    "a message without an end": ("IDLE_TIMEOUT", endless_message),
    "an idle stream": ("IDLE_TIMEOUT", idle_stream),
    "a stream that is not read": ("IDLE_TIMEOUT", unread_stream),
    "an answer that is not read": ("WRITE_TIMEOUT", unread_answer),
    "a connection with pings alone": ("IDLE_TIMEOUT", no_request),
    "headers without an end": ("IDLE_TIMEOUT", endless_headers),
    "half a preface": ("READ_HEADER_TIMEOUT", slow_preface),
}


@pytest.mark.contract("a hostile client")
@pytest.mark.contract("slow header, slow body, slow reader")
@pytest.mark.parametrize(("limit", "attack"), SLOW.values(), ids=SLOW.keys())
def test_slow_clients_are_cut_off(rpc_binary: Path, limit: str, attack: Callable[[Address], None]) -> None:
    with RunningService(rpc_binary, **dict.fromkeys(SHORT, "1m") | {limit: "300ms"}) as service, frugal(service):
        attack(service.address())


@contextmanager
def deaf_client(service: RunningService) -> Iterator[socket.socket]:
    """Read nothing until all that may be in flight waits for it."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(service.address())
        connection.sendall(http2.PREFACE + http2.settings({http2.INITIAL_WINDOW_SIZE: 1 << 30}))
        connection.sendall(http2.window_update(0, 1 << 30))
        with suppress(ConnectionError):
            for stream in count(1, 2):
                connection.sendall(headers(stream, OPENAPI, http2.END_STREAM))
                if all(raw_http.ask(service.address(), "GET", "/version").status == 503 for _ in range(100)):
                    break
        yield connection


@pytest.mark.contract("a hostile client")
@pytest.mark.contract("slow header, slow body, slow reader")
def test_a_connection_that_is_not_read_is_closed(rpc_binary: Path) -> None:
    limits = {"WRITE_TIMEOUT": "1s", "MAX_IN_FLIGHT": "20"}
    with RunningService(rpc_binary, **limits) as service, frugal(service), deaf_client(service) as connection:
        wait_for_answer(service.address()[1], "/version")
        assert raw_http.is_closed(connection)


@pytest.mark.contract("a stop with calls")
def test_a_connection_that_is_not_read_does_not_hold_the_stop(rpc_binary: Path) -> None:
    with RunningService(rpc_binary, SHUTDOWN_TIMEOUT="4s", MAX_IN_FLIGHT="20") as service, deaf_client(service):
        assert service.stop() == 0


HEALTHY = {"status": "SERVING_STATUS_SERVING"}


def check(service: RunningService) -> object:
    """Return what the probe of a platform is told."""
    return raw_http.ask(service.address(), "POST", CHECK, "{}").json()


def first_greeting(service: RunningService) -> str:
    client = Greetings(service.address())
    try:
        return next(client.stream("Ada"))
    finally:
        client.close()


def half_a_check(stream: int) -> bytes:
    return headers(stream, call(CHECK))


def watch(stream: int) -> bytes:
    return headers(stream, call(WATCH)) + data(stream, message(b""))


@pytest.mark.contract("health by gRPC")
@pytest.mark.parametrize("probe", [half_a_check, watch])
def test_probes_are_answered_however_many_are_in_flight(rpc_binary: Path, probe: Callable[[int], bytes]) -> None:
    limits = {"MAX_IN_FLIGHT": "10", "MAX_STREAMS": "10"}
    with RunningService(rpc_binary, **limits) as service, frugal(service), Connection(service.address()) as connection:
        connection.send(each(50, probe))
        connection.wait_until_processed()
        assert [check(service) for _ in range(100)] == [HEALTHY] * 100
        assert first_greeting(service) == "Hello, Ada!"


class Garbage(NamedTuple):
    """A call that cannot be served, and the status and the code that count it."""

    counts: tuple[int, str]
    sent: bytes = ADA
    fields: tuple[Field, ...] = ()
    content_type: str = GRPC


def timeout(value: str) -> Garbage:
    return Garbage(INVALID, fields=(("grpc-timeout", value),))


def connect_timeout(value: str) -> Garbage:
    return Garbage(INVALID, fields=(("connect-timeout-ms", value),), content_type=CONNECT)


def compressed(sent: bytes, encoding: str = "gzip") -> tuple[bytes, tuple[Field, ...]]:
    return message(sent, flags=1), (("grpc-encoding", encoding),)


INVALID, UNREADABLE, UNKNOWN, TOO_LARGE = (
    (400, "INVALID_ARGUMENT"),
    (400, "INTERNAL"),
    (400, "UNIMPLEMENTED"),
    (429, "RESOURCE_EXHAUSTED"),
)
UNSUPPORTED = (415, "UNKNOWN")
GARBAGE: dict[str, Garbage] = {
    "no message": Garbage(UNKNOWN, b""),
    "two messages": Garbage(UNKNOWN, ADA + ADA),
    "half a prefix": Garbage(UNREADABLE, b"\0\0"),
    "half a message": Garbage(UNREADABLE, ADA[:-1]),
    "more than a message": Garbage(UNREADABLE, ADA + b"\0"),
    "a message of 4 GiB": Garbage(TOO_LARGE, CLAIM_OF_4_GIB),
    "a message that is none": Garbage(INVALID, message(b"\xff\xff")),
    "a text that is no UTF-8": Garbage(INVALID, message(b"\n\2\xff\xfe")),
    "flags of other protocols": Garbage(UNREADABLE, message(b"{}", flags=0x82)),
    "every flag": Garbage(UNREADABLE, message(b"", flags=0xFF)),
    "compressed without a coding": Garbage(UNREADABLE, message(b"x", flags=1)),
    "an unknown coding": Garbage(UNKNOWN, *compressed(b"x", "br")),
    "gzip that is none": Garbage(INVALID, *compressed(b"x")),
    "half of gzip": Garbage(INVALID, *compressed(gzip.compress(text("Ada"))[:-9])),
    "gzip with another checksum": Garbage(INVALID, *compressed(gzip.compress(text("Ada"))[:-8] + bytes(8))),
    "a negative timeout": timeout("-1S"),
    "a timeout without a number": timeout("S"),
    "a timeout without a unit": timeout("1"),
    "a timeout with a fraction": timeout("1.5S"),
    "a timeout of nine digits": timeout("123456789S"),
    "a timeout in other digits": timeout("\u0661S"),
    "a timeout of Connect that is no number": connect_timeout("x"),
    "a negative timeout of Connect": connect_timeout("-1"),
    "a timeout of Connect of eleven digits": connect_timeout("12345678901"),
    "no Content-Type": Garbage(UNSUPPORTED, content_type=""),
    "another Content-Type": Garbage(UNSUPPORTED, content_type="text/plain"),
    "a codec that there is not": Garbage(UNSUPPORTED, content_type="application/grpc+xml"),
    "a parameter of Content-Type": Garbage(UNSUPPORTED, content_type="application/grpc; charset=utf-16"),
    "gRPC-Web as text": Garbage(UNSUPPORTED, content_type="application/grpc-web-text"),
    "an end before a message": Garbage(UNKNOWN, message(b"{}", flags=2), content_type="application/connect+json"),
    "an end that is no JSON": Garbage(UNREADABLE, message(b"x", flags=2), content_type="application/connect+json"),
    "JSON without an end": Garbage(INVALID, message(b"[" * 1_000), content_type="application/grpc+json"),
}  # fmt: skip


@pytest.fixture(scope="module")
def target(rpc_binary: Path) -> Iterator[RunningService]:
    """A service that sees all this one after the other."""
    with RunningService(rpc_binary, LOG_LEVEL="debug") as running:
        yield running


request_ids = map(str, count())


def counted(service: RunningService, variable: str, path: str, call: Garbage, method: str = "POST") -> tuple[int, str]:
    """Call, and return what counts the call. Fail if there is no answer, or if the service takes the blame."""
    request_id = next(request_ids)
    fields = (("content-type", call.content_type), ("te", "trailers"), ("x-request-id", request_id), *call.fields)
    with Connection(service.address(variable)) as connection:
        connection.send(headers(1, request(path, *fields, method=method)), data(1, call.sent))
        assert connection.answer(1).reset in (None, 0)
    line = service.wait_for(lambda line: line.get("request_id") == request_id and line["msg"] == "request")
    assert "ERROR" not in {line["level"] for line in service.lines if line.get("request_id") == request_id}
    return line["status"], line["code"]


@pytest.mark.contract("a hostile client")
@pytest.mark.parametrize("path", [GREET, STREAM, WATCH])
@pytest.mark.parametrize("call", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_answered_and_counts_as_the_clients(target: RunningService, path: str, call: Garbage) -> None:
    is_supported = path != GREET or not call.content_type.startswith("application/connect+")
    assert counted(target, "PORT", path, call) == (call.counts if is_supported else UNSUPPORTED)


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """A gzip file of less than a MiB that is a GiB of zeros."""
    return gzip.compress(bytes(64 << 20)) * 16


@pytest.mark.contract("a hostile client")
@pytest.mark.parametrize(
    ("content_type", "coding"),
    [(GRPC, "grpc-encoding"), (GRPC_WEB, "grpc-encoding"), ("application/proto", "content-encoding")],
)
def test_compressed_bombs(rpc_binary: Path, bomb: bytes, content_type: str, coding: str) -> None:
    sent = bomb if coding == "content-encoding" else message(bomb, flags=1)
    call = Garbage(TOO_LARGE, sent, ((coding, "gzip"),), content_type)
    with RunningService(rpc_binary) as service, frugal(service):
        before = cpu_seconds(service)
        assert {counted(service, "PORT", GREET, call) for _ in range(8)} == {call.counts}
        assert cpu_seconds(service) - before < 0.5, "all of it was decompressed"


WITHOUT_TIME: Field = ("grpc-timeout", "0n")
FROM_ANOTHER_PAGE: Field = ("sec-fetch-site", "cross-site")
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
REFUSED: dict[str, tuple[str, str, Garbage]] = {
    "a call of a JSON route": ("POST", "/v1/greetings", Garbage(UNSUPPORTED)),
    "a call of a route for GET": ("POST", "/version", Garbage((405, "UNIMPLEMENTED"))),
    "GET of a procedure": ("GET", f"{GREET}?connect=v1&encoding=json&message=x", Garbage((405, "UNIMPLEMENTED"))),
    "an unknown procedure": ("POST", f"{GREET}s", Garbage((404, "UNIMPLEMENTED"))),
    "reflection": ("POST", REFLECTION, Garbage((404, "UNIMPLEMENTED"))),
    "a call without time": ("POST", GREET, Garbage((499, "DEADLINE_EXCEEDED"), fields=(WITHOUT_TIME,))),
    "a stream without time": ("POST", STREAM, Garbage((499, "DEADLINE_EXCEEDED"), fields=(WITHOUT_TIME,))),
    **{
        f"{content_type} from another page": (
            "POST", GREET, Garbage((403, "PERMISSION_DENIED"), fields=(FROM_ANOTHER_PAGE,), content_type=content_type),
        )
        for content_type in (GRPC, GRPC_WEB, CONNECT)
    },
}  # fmt: skip


@pytest.mark.contract("a hostile client")
@pytest.mark.contract("a browser's cross-origin state-changing request")
@pytest.mark.contract("reflection")
@pytest.mark.parametrize(("method", "path", "call"), REFUSED.values(), ids=REFUSED.keys())
def test_refusals_count_as_the_clients(target: RunningService, method: str, path: str, call: Garbage) -> None:
    assert counted(target, "PORT", path, call, method) == call.counts


@pytest.mark.contract("its callers")
def test_reflection_is_refused_to_a_name_that_leads_to_this_machine(target: RunningService) -> None:
    assert counted(target, "ADMIN_ADDR", REFLECTION, Garbage(UNKNOWN)) == (421, "UNKNOWN")


@pytest.mark.parametrize(
    "field",
    [
        ("grpc-timeout", "99999999H"), ("any-bin", "!"), ("grpc-status-details-bin", "%"), ("grpc-status", "13"),
        ("grpc-message", "%0A"), ("trailer", "grpc-status"), ("expect", "100-continue"),
    ],
    ids="=".join,
)  # fmt: skip
def test_fields_that_mean_nothing_do_no_harm(target: RunningService, field: Field) -> None:
    assert counted(target, "PORT", GREET, Garbage(UNKNOWN, fields=(field,))) == (200, "OK")


METHOD, SCHEME, HOST, PATH = (":method", "GET"), (":scheme", "http"), (":authority", "test"), (":path", "/version")
LINE = '\n{"level":"ERROR","msg":"forged"}'
CUT = "cut"
ODD_REQUESTS: dict[str, tuple[tuple[Field, ...], str]] = {
    "no scheme": ((METHOD, HOST, PATH), CUT),
    "no path": ((METHOD, SCHEME, HOST), CUT),
    "two paths": ((METHOD, SCHEME, HOST, PATH, (":path", "/livez")), CUT),
    "a path after a field": ((METHOD, SCHEME, HOST, ("x", "y"), PATH), CUT),
    "a pseudo-header of answers": ((METHOD, SCHEME, HOST, PATH, (":status", "200")), CUT),
    "a path that is a URL": ((METHOD, SCHEME, HOST, (":path", "http://other/version")), CUT),
    "no slash": ((METHOD, SCHEME, HOST, (":path", "version")), CUT),
    "an asterisk": ((METHOD, SCHEME, HOST, (":path", "*")), "400"),
    "CONNECT": (((":method", "CONNECT"), HOST), "400"),
    "a WebSocket": (((":method", "CONNECT"), SCHEME, HOST, PATH, (":protocol", "websocket")), CUT),
    "a name in capitals": ((METHOD, SCHEME, HOST, PATH, ("X", "y")), CUT),
    "a coding": ((METHOD, SCHEME, HOST, PATH, ("transfer-encoding", "chunked")), "400"),
    "a field of the connection": ((METHOD, SCHEME, HOST, PATH, ("connection", "close")), "400"),
    "two lengths": ((METHOD, SCHEME, HOST, PATH, ("content-length", "0"), ("content-length", "1")), CUT),
    "a line of the log in the path": ((METHOD, SCHEME, HOST, (":path", f"/{LINE}")), CUT),
    "a line of the log in the path, encoded": ((METHOD, SCHEME, HOST, (":path", f"/{quote(LINE)}")), "404"),
    "a line of the log in the method": (((":method", LINE), SCHEME, HOST, PATH), CUT),
    "a line of the log in the host": ((METHOD, SCHEME, (":authority", LINE), PATH), CUT),
    "a line of the log in metadata": ((METHOD, SCHEME, HOST, PATH, ("grpc-message", LINE)), CUT),
    "a line of the log in the id": ((METHOD, SCHEME, HOST, PATH, ("x-request-id", LINE)), CUT),
}


@pytest.mark.contract("forgery")
@pytest.mark.contract("`CONNECT`, `*`")
@pytest.mark.parametrize(("fields", "outcome"), ODD_REQUESTS.values(), ids=ODD_REQUESTS.keys())
def test_odd_requests_by_http2(target: RunningService, fields: tuple[Field, ...], outcome: str) -> None:
    last, before = next(request_ids), len(target.lines)
    with Connection(target.address()) as connection:
        connection.send(headers(1, block(*fields), http2.END_STREAM))
        answer = connection.answer(1)
        assert (CUT if answer.reset == http2.PROTOCOL_ERROR else answer.fields[":status"]) == outcome
        connection.send(headers(3, block(METHOD, SCHEME, HOST, PATH, ("x-request-id", last)), http2.END_STREAM))
        assert connection.answer(3).fields[":status"] == "200"
    target.wait_for(lambda line: line.get("request_id") == last)
    assert {line["level"] for line in target.lines[before:]} == {"INFO"}


FIRST = raw_http.request("GET", "/version")
LAST = raw_http.request("GET", "/version", None, "Connection: close")
BY_HTTP2 = http2.PREFACE + http2.settings({}) + headers(1, VERSION, http2.END_STREAM)
UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
SWITCHES = {
    "an upgrade": (raw_http.request("GET", "/version", None, *UPGRADE) + LAST, [200, 200]),
    "an upgrade and what follows it": (raw_http.request("GET", "/version", None, *UPGRADE) + BY_HTTP2, [200, 400]),
    "the preface after a request": (FIRST + BY_HTTP2, [200, 400]),
    "the preface as a body": (raw_http.request("POST", "/none", BY_HTTP2) + LAST, [404, 200]),
    "half a preface before a request": (http2.PREFACE[:18] + LAST, [400]),
}


@pytest.mark.contract("what is refused before its body was read")
@pytest.mark.parametrize(("sent", "statuses"), SWITCHES.values(), ids=SWITCHES.keys())
def test_a_connection_stays_with_the_protocol_that_it_began_with(
    target: RunningService, sent: bytes, statuses: list[int]
) -> None:
    assert [answer.status for answer in raw_http.exchange(target.address(), sent)] == statuses
