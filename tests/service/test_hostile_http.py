"""HTTP as attackers and broken clients speak it: bytes that each get their answer, and leave nothing behind."""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.support import raw_http
from tests.support.footprint import holds, wait_until_it_holds
from tools.running_service import RunningService

GREETING = b'{"name":"Ada"}'
CHUNKED = b"Transfer-Encoding: chunked"


def message(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([line, *headers, b"", body])


def get(target: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return message(b"GET " + target + b" HTTP/1.1", b"Host: test", *headers, body=body)


def post(*headers: bytes, body: bytes = GREETING) -> bytes:
    line = b"POST /v1/greetings HTTP/1.1"
    return message(line, b"Host: test", b"Content-Type: application/json", *headers, body=body)


def chunked(body: bytes) -> bytes:
    return post(CHUNKED, body=body)


def asking(method: bytes, target: bytes = b"/version") -> bytes:
    return message(method + b" " + target + b" HTTP/1.1", b"Host: test")


def version(name: bytes) -> bytes:
    return message(b"GET /version " + name, b"Host: test")


OPEN, CLOSED = True, False
Exchange = tuple[bytes, list[int], bool]

# What is sent, the statuses of the answers, and whether the connection may be used further. RFC 9112 leaves some of
# them to the server (400 or 501 for a coding that it does not know); there it is what net/http does.
BODIES: dict[str, Exchange] = {
    "a chunk with an extension": (chunked(b"e;a=b\r\n" + GREETING + b"\r\n0\r\n\r\n"), [200], OPEN),
    "a trailer": (chunked(b"e\r\n" + GREETING + b"\r\n0\r\nX: y\r\n\r\n"), [200], OPEN),
    "a chunk longer than its size": (chunked(b"5\r\n" + GREETING + b"\r\n0\r\n\r\n"), [400], CLOSED),
    "a chunk without its end": (chunked(b"e\r\n" + GREETING + b"0\r\n\r\n"), [400], CLOSED),
    "a chunk size that is not hex": (chunked(b"xyz\r\n" + GREETING + b"\r\n0\r\n\r\n"), [400], CLOSED),
    "a chunk size with a prefix": (chunked(b"0xe\r\n" + GREETING + b"\r\n0\r\n\r\n"), [400], CLOSED),
    "a negative chunk size": (chunked(b"-e\r\n" + GREETING + b"\r\n0\r\n\r\n"), [400], CLOSED),
    "a chunk size beyond 64 bits": (chunked(b"f" * 17 + b"\r\n" + GREETING + b"\r\n0\r\n\r\n"), [400], CLOSED),
    "chunks without carriage returns": (chunked(b"e\n" + GREETING + b"\n0\n\n"), [400], CLOSED),
    "a trailer that is none": (chunked(b"e\r\n" + GREETING + b"\r\n0\r\nX y\r\n\r\n"), [400], CLOSED),
    "a flood of chunk extensions": (chunked(b"1;" + b"x" * 10_000 + b"\r\n{\r\n0\r\n\r\n"), [400], CLOSED),
    "an unknown coding": (post(b"Transfer-Encoding: gzip, chunked"), [501], CLOSED),
    "a coding that is nearly chunked": (post(b"Transfer-Encoding: xchunked"), [501], CLOSED),
    "chunked twice": (post(CHUNKED, CHUNKED), [501], CLOSED),
    "a coding after a vertical tab": (post(b"Transfer-Encoding:\x0bchunked"), [400], CLOSED),
    "a coding with a space before its colon": (post(b"Transfer-Encoding : chunked"), [400], CLOSED),
    "two lengths that agree": (post(b"Content-Length: 14", b"Content-Length: 14"), [200], OPEN),
    "two lengths that differ": (post(b"Content-Length: 14", b"Content-Length: 4"), [400], CLOSED),
    "a list of lengths": (post(b"Content-Length: 14, 14"), [400], CLOSED),
    "a length with a sign": (post(b"Content-Length: +14"), [400], CLOSED),
    "a negative length": (post(b"Content-Length: -14"), [400], CLOSED),
    "a length in hex": (post(b"Content-Length: 0xe"), [400], CLOSED),
    "a length without digits": (post(b"Content-Length:"), [400], CLOSED),
    "a length beyond 64 bits": (post(b"Content-Length: 99999999999999999999"), [400], CLOSED),
    "the largest length": (post(b"Content-Length: 9223372036854775807"), [413], CLOSED),
    "a body longer than its length": (post(b"Content-Length: 13"), [400, 400], CLOSED),
    "a body without length or coding": (post(), [400, 400], CLOSED),
    "a body on GET": (get(b"/version", b"Content-Length: 14", body=GREETING), [200], OPEN),
    "a chunked body on GET": (get(b"/version", CHUNKED, body=b"3\r\nabc\r\n0\r\n\r\n"), [200], OPEN),
    "a chunked body on GET that lies": (get(b"/version", CHUNKED, body=b"xyz\r\n"), [200], CLOSED),
    "too large a body on GET": (get(b"/version", b"Content-Length: 9999999"), [413], CLOSED),
}
HEADERS: dict[str, Exchange] = {
    "no colon": (get(b"/version", b"X"), [400], CLOSED),
    "a space before the colon": (get(b"/version", b"X : y"), [400], CLOSED),
    "no name": (get(b"/version", b": y"), [400], CLOSED),
    "a name that is not ASCII": (get(b"/version", "Ä: y".encode()), [400], CLOSED),
    "NUL in a value": (get(b"/version", b"X: a\0b"), [400], CLOSED),
    "a bare carriage return": (get(b"/version", b"X: a\rb"), [400], CLOSED),
    "bad UTF-8 in a value": (get(b"/version", b"X: \xff\xfe"), [200], OPEN),
    "a folded value": (get(b"/version", b"X: y", b" z"), [200], OPEN),
    "a fold before the first": (message(b"GET /version HTTP/1.1", b" X: y", b"Host: test"), [400], CLOSED),
    "no host": (message(b"GET /version HTTP/1.1"), [400], CLOSED),
    "two hosts": (get(b"/version", b"Host: other"), [400], CLOSED),
    "an empty host": (message(b"GET /version HTTP/1.1", b"Host:"), [200], OPEN),
    "a space in the host": (message(b"GET /version HTTP/1.1", b"Host: a b"), [400], CLOSED),
    "a path in the host": (message(b"GET /version HTTP/1.1", b"Host: a/b"), [400], CLOSED),
    "an expectation that cannot be met": (get(b"/version", b"Expect: 200-maybe"), [417], CLOSED),
    "as many as are allowed": (get(b"/version", *[b"X: y"] * 99), [200], OPEN),
    "one more, all of one name": (get(b"/version", *[b"X: y"] * 100), [431], CLOSED),
    "a hundred thousand": (get(b"/version", *[b"X:"] * 100_000), [431], CLOSED),
    "as large as is allowed": (get(b"/version", b"X: " + b"x" * 60_000), [200], OPEN),
    "ten megabytes": (get(b"/version", b"X: " + b"x" * 10_000_000), [431], CLOSED),
    "a name of a hundred kilobytes": (get(b"/version", b"x" * 100_000 + b": y"), [431], CLOSED),
}
REQUEST_LINES: dict[str, Exchange] = {
    "a method in lower case": (asking(b"get"), [405], OPEN),
    "TRACE": (asking(b"TRACE"), [405], OPEN),
    "CONNECT": (asking(b"CONNECT", b"other:443"), [400], CLOSED),
    "CONNECT to a path": (asking(b"CONNECT"), [400], CLOSED),
    "no method": (asking(b""), [400], CLOSED),
    "a method that is no token": (asking(b"G(T"), [400], CLOSED),
    "a method that is not ASCII": (asking("GÉT".encode()), [400], CLOSED),
    "NUL in a method": (asking(b"G\0T"), [400], CLOSED),
    "a method of a hundred kilobytes": (asking(b"G" * 100_000), [431], CLOSED),
    "HTTP/0.9": (b"GET /version\r\n\r\n", [400], CLOSED),
    "HTTP/1.0, which needs no host": (message(b"GET /version HTTP/1.0"), [200], CLOSED),
    "HTTP/1.2": (version(b"HTTP/1.2"), [200], OPEN),
    "HTTP/1.10": (version(b"HTTP/1.10"), [400], CLOSED),
    "HTTP/2 without an upgrade": (version(b"HTTP/2.0"), [505], CLOSED),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400], CLOSED),
    "a version in lower case": (version(b"http/1.1"), [400], CLOSED),
    "absolute form": (get(b"http://other/version"), [200], OPEN),
    "absolute form without a path": (get(b"http://other"), [307], OPEN),
    "absolute form with half an address": (get(b"http://[::1/version"), [400], CLOSED),
    "asterisk form": (asking(b"OPTIONS", b"*"), [400], CLOSED),
    "asterisk form with a body": (
        message(b"OPTIONS * HTTP/1.1", b"Host: test", b"Content-Length: 14", body=GREETING), [400], CLOSED,
    ),
    "asterisk form for GET": (get(b"*"), [400], CLOSED),
    "no slash": (get(b"version"), [400], CLOSED),
    "two slashes": (get(b"//version"), [307], OPEN),
    "only slashes": (get(b"/" * 60_000), [307], OPEN),
    "a dot": (get(b"/./version"), [307], OPEN),
    "two dots": (get(b"/../version"), [307], OPEN),
    "only dots": (get(b"/.." * 20_000), [307], OPEN),
    "encoded dots": (get(b"/x/%2e%2e/version"), [404], OPEN),
    "an encoded slash": (get(b"/%2fversion"), [404], OPEN),
    "an encoded letter": (get(b"/v%65rsion"), [200], OPEN),
    "an encoded NUL": (get(b"/version%00"), [404], OPEN),
    "bad UTF-8, encoded": (get(b"/%ff"), [404], OPEN),
    "bad UTF-8": (get(b"/\xff"), [404], OPEN),
    "NUL": (get(b"/\0"), [400], CLOSED),
    "a space": (get(b"/ver sion"), [400], CLOSED),
    "a fragment": (get(b"/version#x"), [404], OPEN),
    "an encoding that is none": (get(b"/%zz"), [400], CLOSED),
    "half an encoding": (get(b"/%"), [400], CLOSED),
    "a bad query": (get(b"/version?%zz&;\xff"), [200], OPEN),
    "a path of sixty kilobytes": (get(b"/" + b"x" * 60_000), [404], OPEN),
    "a path of a megabyte": (get(b"/" + b"x" * 1_000_000), [431], CLOSED),
    "lines that end in a line feed": (b"GET /version HTTP/1.1\nHost: test\n\n", [200], OPEN),
    "nothing but NUL": (b"\0" * 1_000_000, [431], CLOSED),
    "every byte there is": (bytes(range(256)), [400], CLOSED),
}  # fmt: skip
EXCHANGES = {**BODIES, **HEADERS, **REQUEST_LINES}
LAST = get(b"/version", b"X-Request-ID: last", b"Connection: close")


@pytest.fixture(scope="module")
def target(binary: Path) -> Iterator[RunningService]:
    """A service that sees all this one after the other, and would wait long for what is not sent to it."""
    limits = ("READ_HEADER_TIMEOUT", "READ_TIMEOUT", "WRITE_TIMEOUT", "IDLE_TIMEOUT")
    with RunningService(binary, **dict.fromkeys(limits, "1m")) as running:
        yield running


def is_of_net_http(answer: raw_http.Answer) -> bool:
    """Report whether net/http refused the request by itself, before any middleware saw it."""
    return answer.status in {400, 417, 431, 501, 505} and answer.headers["X-Request-ID"] is None


@pytest.mark.contract("any error of a handler or middleware")
@pytest.mark.contract("too many or too large headers")
@pytest.mark.contract("`CONNECT`, `*`")
@pytest.mark.parametrize(("sent", "statuses", "stays_open"), EXCHANGES.values(), ids=EXCHANGES.keys())
def test_odd_requests_are_answered(target: RunningService, sent: bytes, statuses: list[int], stays_open: bool) -> None:
    answers = raw_http.exchange(target.address(), sent + LAST)
    assert [answer.status for answer in answers] == [*statuses, 200][: len(statuses) + stays_open]
    assert (answers[-1].headers["X-Request-ID"] == "last") is stays_open
    for answer in answers:
        assert answer.status < 400 or is_of_net_http(answer) or answer.is_problem()


@pytest.mark.contract("unknown path")
@pytest.mark.parametrize(
    "path", [b"//evil.example/..", b"/x/..//evil.example", b"/x/../\\evil.example", b"/%2f/../%2fevil.example"]
)
def test_no_path_leads_to_another_site(target: RunningService, path: bytes) -> None:
    (answer, _) = raw_http.exchange(target.address(), get(path) + LAST)
    assert answer.status == 307
    assert re.fullmatch(r"/([^/\\].*)?", answer.headers["Location"])


BOTH_FRAMINGS = post(CHUNKED, b"Content-Length: 4", body=b"e\r\n" + GREETING + b"\r\n0\r\n\r\n")


@pytest.mark.contract("`POST /v1/greetings`")
def test_chunks_win_over_content_length(target: RunningService) -> None:
    assert raw_http.exchange(target.address(), BOTH_FRAMINGS + LAST)[0].json() == {"message": "Hello, Ada!"}


@pytest.mark.contract("`POST /v1/greetings`")
@pytest.mark.xfail(reason="net/http keeps the connection, and hides the Content-Length from handlers")
def test_chunks_with_a_content_length_close_the_connection(target: RunningService) -> None:
    assert len(raw_http.exchange(target.address(), BOTH_FRAMINGS + LAST)) == 1


@pytest.mark.contract("HTTP/1.0")
@pytest.mark.parametrize(
    ("length", "body"),
    [pytest.param([], b"", id="alone"), pytest.param([b"Content-Length: 14"], GREETING, id="with a length")],
)
def test_a_coding_in_http_1_0_smuggles_no_request(target: RunningService, length: list[bytes], body: bytes) -> None:
    headers = [b"Connection: keep-alive", b"Content-Type: application/json", CHUNKED, *length]
    sent = message(b"POST /v1/greetings HTTP/1.0", *headers, body=body)
    assert len(raw_http.exchange(target.address(), sent + LAST)) == 1


@pytest.mark.contract("`POST /v1/greetings`")
def test_pipelined_requests_are_answered_in_their_order(target: RunningService) -> None:
    bodies = [b'{"name":"%d"}' % n if n % 3 else b"x" for n in range(60)]
    sent = b"".join(post(b"Content-Length: %d" % len(body), b"X-Request-ID: %d" % n, body=body)
                    for n, body in enumerate(bodies))  # fmt: skip
    answers = raw_http.exchange(target.address(), sent + LAST)
    assert [answer.headers["X-Request-ID"] for answer in answers] == [*map(str, range(60)), "last"]
    assert [answer.status for answer in answers] == [200 if n % 3 else 400 for n in range(60)] + [200]


@pytest.mark.contract("any error of a handler or middleware")
@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"GET /version HTTP/1.1\r\nHo", [400], id="half a header"),
        pytest.param(get(b"/version"), [200], id="a request"),
        pytest.param(post(b"Content-Length: 14"), [200], id="a request with its body"),
        pytest.param(post(b"Content-Length: 15"), [400], id="half a body"),
        pytest.param(chunked(b"e\r\n" + GREETING), [400], id="chunks without an end"),
        pytest.param(chunked(b"f" * 16 + b"\r\n" + GREETING), [400], id="a chunk of the largest size"),
    ],
)
def test_half_closed_connections_are_answered_and_closed(
    target: RunningService, sent: bytes, statuses: list[int]
) -> None:
    with raw_http.connect(target.address()) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert [answer.status for answer in raw_http.answers_until_closed(connection)] == statuses


@pytest.mark.contract("`POST /v1/greetings`")
def test_a_client_that_expects_100_gets_100_continue(target: RunningService) -> None:
    with raw_http.connect(target.address()) as connection:
        connection.sendall(post(b"Expect: 100-continue", b"Content-Length: 14", body=b""))
        assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(GREETING + LAST)
        assert [answer.status for answer in raw_http.answers_until_closed(connection)] == [200, 200]


EXPECTING = (b"Expect: 100-continue", b"Content-Length: 14")


@pytest.mark.contract("what is refused before its body was read")
@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (403, post(b"Sec-Fetch-Site: cross-site", *EXPECTING, body=b"")),
        (404, message(b"POST /none HTTP/1.1", b"Host: test", *EXPECTING)),
        (405, message(b"POST /version HTTP/1.1", b"Host: test", *EXPECTING)),
        (413, post(b"Expect: 100-continue", b"Content-Length: 9999999", body=b"")),
        (415, message(b"POST /v1/greetings HTTP/1.1", b"Host: test", b"Content-Type: text/plain", *EXPECTING)),
    ],
)
def test_a_rejected_request_gets_its_response_instead_of_100_continue(
    target: RunningService, status: int, sent: bytes
) -> None:
    with raw_http.connect(target.address()) as connection:
        connection.sendall(sent)
        begin = connection.recv(4096)
    assert begin.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nConnection: close\r\n" in begin


SMUGGLED = get(b"/livez")


@pytest.mark.contract("what is refused before its body was read")
@pytest.mark.parametrize(
    ("status", "line", "header"),
    [
        (400, b"POST /v1/greetings HTTP/1.1", b"Content-Type: application/json"),
        (403, b"POST /v1/greetings HTTP/1.1", b"Sec-Fetch-Site: cross-site"),
        (404, b"POST /none HTTP/1.1", b"X-Any: thing"),
        (405, b"POST /version HTTP/1.1", b"X-Any: thing"),
        (415, b"POST /v1/greetings HTTP/1.1", b"Content-Type: text/plain"),
    ],
)
def test_the_body_of_a_refused_request_is_never_a_request(
    target: RunningService, status: int, line: bytes, header: bytes
) -> None:
    head, length = (line, b"Host: test", header), len(SMUGGLED)
    whole = message(*head, b"Content-Length: %d" % length, body=SMUGGLED)
    chunks = message(*head, CHUNKED, body=b"%x\r\n%s\r\n0\r\n\r\n" % (length, SMUGGLED))
    large = message(*head, b"Content-Length: 500000", body=SMUGGLED * (500000 // length))
    for sent, statuses in ((whole, [status, 200]), (chunks, [status, 200]), (large, [status])):
        answers = raw_http.exchange(target.address(), sent + get(b"/version", b"Connection: close"))
        assert [answer.status for answer in answers] == statuses
        assert all(answer.is_problem() or b"version" in answer.body for answer in answers)


@pytest.mark.contract("what is refused before its body was read")
@pytest.mark.parametrize("size", [len(SMUGGLED), 500000])
def test_a_body_that_comes_after_the_refusal_is_never_a_request(target: RunningService, size: int) -> None:
    with raw_http.connect(target.address()) as connection:
        begin = time.monotonic()
        connection.sendall(message(b"POST /none HTTP/1.1", b"Host: test", b"Content-Length: %d" % size))
        refused = raw_http.read_answer(connection)
        assert (refused.status, refused.headers["Connection"]) == (404, "close")
        assert time.monotonic() - begin < 1
        with suppress(ConnectionError):
            connection.sendall(SMUGGLED)
        assert raw_http.answers_until_closed(connection) == []


@pytest.mark.contract("what is refused before its body was read")
def test_refusals_keep_their_connection(target: RunningService) -> None:
    with raw_http.connect(target.address()) as connection:
        for _ in range(3):
            connection.sendall(raw_http.request("POST", "/none", GREETING))
            refused = raw_http.read_answer(connection)
            assert (refused.status, refused.headers["Connection"]) == (404, None)
        connection.sendall(raw_http.request("GET", "/version"))
        assert raw_http.read_answer(connection).status == 200


def slow_header(address: raw_http.Address) -> None:
    with raw_http.connect(address) as connection:
        connection.sendall(b"GET /version HTTP/1.1\r\nHost: ")
        assert drip(connection, b"x") == []


def slow_body(address: raw_http.Address) -> None:
    with raw_http.connect(address) as connection:
        connection.sendall(post(b"Content-Length: 100000", body=b""))
        assert drip(connection, b" ") == [408]


def slow_chunks(address: raw_http.Address) -> None:
    with raw_http.connect(address) as connection:
        connection.sendall(chunked(b""))
        assert drip(connection, b"1\r\n \r\n") == [408]


def drip(connection: socket.socket, part: bytes) -> list[int]:
    """Send the part again and again until the other side has enough, and return the statuses of its answers."""
    deadline = time.monotonic() + 10
    connection.settimeout(0.02)
    with suppress(ConnectionError):
        while not has_something_to_read(connection):
            assert time.monotonic() < deadline, "it was not cut off"
            connection.sendall(part)
    connection.settimeout(10)
    return [answer.status for answer in raw_http.answers_until_closed(connection)]


def has_something_to_read(connection: socket.socket) -> bool:
    """Wait a moment for bytes, or for the end of the connection, and report whether they came."""
    try:
        connection.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return False
    return True


def slow_reader(address: raw_http.Address) -> None:
    with raw_http.connect(address) as connection, suppress(ConnectionError):
        while True:  # a time-out, which is an error, ends it where the service does not
            connection.sendall(get(b"/openapi.yaml") * 100)


def silent_by_the_hundred(address: raw_http.Address) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(raw_http.connect(address)) for _ in range(200)]
        for connection in connections[::2]:
            connection.sendall(b"GET /version HTTP/1.1\r\nHo")
        assert all(raw_http.is_closed(connection, 10) for connection in connections)


SLOW: dict[str, tuple[str, Callable[[raw_http.Address], None]]] = {
    "slow header": ("READ_HEADER_TIMEOUT", slow_header),
    "silent connections": ("READ_HEADER_TIMEOUT", silent_by_the_hundred),
    "slow body": ("READ_TIMEOUT", slow_body),
    "slow chunks": ("READ_TIMEOUT", slow_chunks),
    "slow reader": ("WRITE_TIMEOUT", slow_reader),
}


@pytest.mark.contract("slow header, slow body, slow reader")
@pytest.mark.parametrize(("limit", "attack"), SLOW.values(), ids=SLOW.keys())
def test_slow_clients_are_cut_off(binary: Path, limit: str, attack: Callable[[raw_http.Address], None]) -> None:
    limits = {"READ_HEADER_TIMEOUT": "1m", "READ_TIMEOUT": "1m", "WRITE_TIMEOUT": "1m", limit: "300ms"}
    with RunningService(binary, **limits) as service:
        attack(service.address())


def resets(address: raw_http.Address) -> None:
    """Hang up in the rudest way, at every stage of a request."""
    for sent in (b"", b"GET / HT", post(b"Content-Length: 14")[:-1], get(b"/openapi.yaml") * 50):
        for _ in range(25):
            with raw_http.connect(address) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.sendall(sent)


def everything(address: raw_http.Address) -> None:
    """Send all that this module has."""
    with ThreadPoolExecutor() as pool:
        slow = [pool.submit(attack, address) for _, attack in SLOW.values()]
        for sent, _, _ in EXCHANGES.values():
            raw_http.exchange(address, sent + LAST)
        resets(address)
        for attack in slow:
            attack.result()


def live_heap(service: RunningService) -> int:
    """Return how many bytes are in use, and hardly any that are not: the service runs with a small GOGC."""
    return int(raw_http.ask(service.address("ADMIN_ADDR"), "GET", "/debug/vars").json()["memstats"]["HeapAlloc"])


def wait_until_live_heap_is(service: RunningService, most: int) -> None:
    deadline = time.monotonic() + 10
    while (now := live_heap(service)) > most:
        assert time.monotonic() < deadline, f"{now} bytes in use, not {most}"
        time.sleep(0.05)


@pytest.mark.contract("slow header, slow body, slow reader")
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc")
def test_attacks_leave_nothing_behind_and_others_do_not_notice(binary: Path) -> None:
    limits = {"READ_HEADER_TIMEOUT": "500ms", "READ_TIMEOUT": "500ms", "WRITE_TIMEOUT": "1s", "IDLE_TIMEOUT": "500ms"}
    with RunningService(binary, GOGC="5", **limits) as service:
        held = holds(service)
        everything(service.address())  # once before memory is measured: it fills pools that stay
        wait_until_it_holds(service, held)
        heap = live_heap(service)

        with raw_http.asking_all_the_while(service.address()) as statuses:
            for _ in range(3):
                everything(service.address())
        assert set(statuses) == {200}
        wait_until_it_holds(service, held)
        wait_until_live_heap_is(service, heap + (512 << 10))
