"""The traces: a span for each request, and what connects it with others."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import raw_http
from tests.support.otlp import Receiver
from tests.support.prometheus import wait_until
from tests.support.watched import TRACED, metrics_port, scrape
from tools.running_service import RunningService, free_port

pytestmark = pytest.mark.long
traced = pytest.mark.parametrize("choice", TRACED)

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"Traceparent: 00-{TRACE}-{PARENT}-01"
SERVER, CLIENT = 2, 3


def running(binary: Path, receiver: Receiver, **variables: str) -> RunningService:
    return RunningService(
        binary,
        **{"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "50", **variables},
    )


@pytest.mark.contract("a trace")
@traced
def test_a_request_is_a_span_of_its_callers_trace_and_so_are_its_log_lines(watched: Path) -> None:
    with Receiver() as receiver, running(watched, receiver) as service:
        headers = (TRACEPARENT, "Tracestate: vendor=1")
        assert raw_http.ask(service.address(), "GET", "/v1/slow?token=secret", None, *headers).status == 204
        span = receiver.span(lambda span: True)
        assert (span.name, span.kind, span.failed, span.events) == ("GET /v1/slow", SERVER, False, [])
        assert (span.trace_id, span.parent, span.state) == (TRACE, PARENT, "vendor=1")
        assert span.attributes == {
            "http.request.method": "GET",
            "http.response.status_code": 204,
            "http.route": "/v1/slow",
            "url.scheme": "http",
            "url.path": "/v1/slow",
            "server.address": "localhost",
            "client.address": "127.0.0.1",
            "user_agent.original": "",
            "network.protocol.version": "1.1",
        }
        assert "secret" not in str(span)
        assert span.resource["service.name"] == "my-service"
        assert span.resource["service.version"] == "1.2.3"
        assert span.resource["service.instance.id"]
        for message in ("slept", "request"):
            line = service.wait_for(lambda line, message=message: line["msg"] == message)  # type: ignore[misc]
            assert (line["trace_id"], line["span_id"]) == (span.trace_id, span.span_id)
            assert "request_id" in line


@traced
def test_a_request_without_a_caller_begins_a_trace_of_its_own(watched: Path) -> None:
    with Receiver() as receiver, running(watched, receiver) as service:
        for _ in range(2):
            raw_http.ask(service.address(), "GET", "/version")
        wait_until(lambda: len(receiver.spans) == 2, lambda: receiver.spans)
        assert {span.parent for span in receiver.spans} == {""}
        assert len({span.trace_id for span in receiver.spans}) == 2
        service.stop()
        logged = {(line["trace_id"], line["span_id"]) for line in service.lines if line["msg"] == "request"}
        assert logged == {(span.trace_id, span.span_id) for span in receiver.spans}


@traced
@pytest.mark.parametrize(
    ("method", "path", "name", "error"),
    [
        ("GET", "/nothing", "GET", None),
        ("DELETE", "/version", "DELETE", None),
        ("HEAD", "/version", "HEAD /version", None),
        ("BREW", "/nothing", "HTTP", None),
        ("BREW", "/version", "HTTP", None),
        ("GET", "/v1/panics", "GET /v1/panics", "panic"),
        ("GET", "/v1/late", "GET /v1/late", "panic"),
        ("GET", "/v1/cut", "GET /v1/cut", "aborted"),
        ("GET", "/v1/silent", "GET /v1/silent", "aborted"),
        ("GET", "/v1/status?code=500", "GET /v1/status", "500"),
        ("GET", "/v1/status?code=503", "GET /v1/status", "503"),
        ("GET", "/v1/status?code=499", "GET /v1/status", None),
        ("GET", "/v1/taken", "GET /v1/taken", None),
        ("POST", "/v1/greetings", "POST /v1/greetings", None),
    ],
)
def test_a_span_has_a_name_that_is_bounded_and_says_why_it_failed(
    watched: Path, method: str, path: str, name: str, error: str | None
) -> None:
    with Receiver() as receiver, running(watched, receiver) as service:
        with raw_http.connect(service.address()) as connection:
            connection.sendall(raw_http.request(method, path, None, "Connection: close"))
            raw_http.received(connection)
        span = receiver.span(lambda span: True)
        assert (span.name, span.kind) == (name, SERVER)
        assert span.attributes.get("error.type") == error
        assert span.failed == (error is not None)
        assert span.attributes.get("http.request.method_original") == (method if name == "HTTP" else None)
        assert [event.name for event in span.events] == (["exception"] if error == "panic" else [])
        if error == "panic":
            told = span.events[0].attributes
            assert told.keys() == {"exception.type", "exception.message", "exception.stacktrace"}
            assert ("boom" if path == "/v1/panics" else "late") in told["exception.message"]
            assert "internal/api/watched.go" in told["exception.stacktrace"]


@traced
def test_a_client_that_goes_away_ends_its_span(watched: Path) -> None:
    with Receiver() as receiver, running(watched, receiver) as service:
        with raw_http.connect(service.address()) as connection:
            connection.sendall(raw_http.request("GET", "/v1/waits"))
            time.sleep(0.1)
        span = receiver.span(lambda span: True)
        assert (span.name, span.attributes["http.response.status_code"], span.failed) == ("GET /v1/waits", 499, False)


@traced
def test_probes_are_not_traced_and_the_last_request_is(watched: Path) -> None:
    with Receiver() as receiver, running(watched, receiver, OTEL_BSP_SCHEDULE_DELAY="60000") as service:
        raw_http.ask(service.address(), "GET", "/livez", None, TRACEPARENT)
        raw_http.ask(service.address(), "GET", "/readyz")
        raw_http.ask(service.address("ADMIN_ADDR"), "GET", "/debug/vars")
        raw_http.ask(service.address(), "GET", "/version")
        assert service.stop() == 0
        assert [span.name for span in receiver.spans] == ["GET /version"]


@pytest.mark.contract("a trace")
@traced
def test_an_outgoing_request_is_a_span_and_hands_the_trace_on(watched: Path) -> None:
    with Receiver() as receiver, running(watched, receiver) as service:
        target = f"http://127.0.0.1:{service.address()[1]}/version"
        headers = (TRACEPARENT, "Baggage: tenant=acme")
        assert raw_http.ask(service.address(), "GET", f"/v1/outgoing?url={target}", None, *headers).status == 204
        outer = receiver.span(lambda span: span.name == "GET /v1/outgoing")
        client = receiver.span(lambda span: span.kind == CLIENT)
        inner = receiver.span(lambda span: span.name == "GET /version")
        assert (client.parent, inner.parent) == (outer.span_id, client.span_id)
        assert {outer.trace_id, client.trace_id, inner.trace_id} == {TRACE}
        assert inner.attributes["server.port"] == service.address()[1]
        assert (client.name, client.failed) == ("GET", False)
        assert client.attributes == {
            "http.request.method": "GET",
            "http.response.status_code": 200,
            "server.address": "127.0.0.1",
            "server.port": service.address()[1],
            "url.full": target,
        }


@contextmanager
def upstream(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Give each request this answer, and note what it was."""
    asked: list[bytes] = []

    def serve(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                request = b""
                while not request.endswith(b"\r\n\r\n") and (part := connection.recv(1 << 16)):
                    request += part
                asked.append(request)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/up", asked
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def header(request: bytes, name: str) -> list[str]:
    lines = request.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")[1:]
    return [value.strip() for key, _, value in (line.partition(":") for line in lines) if key.lower() == name]


@traced
def test_what_goes_out_is_the_span_the_state_and_the_baggage(watched: Path) -> None:
    no_content = b"HTTP/1.1 204 No Content\r\n\r\n"
    with Receiver() as receiver, running(watched, receiver) as service, upstream(no_content) as (url, asked):
        headers = (TRACEPARENT, "Tracestate: vendor=1,other=2", "Baggage: a=1;level=x,b=%0D%0AEvil:%201")
        assert raw_http.ask(service.address(), "GET", f"/v1/outgoing?url={url}", None, *headers).status == 204
        client = receiver.span(lambda span: span.kind == CLIENT)
        assert header(asked[0], "traceparent") == [f"00-{TRACE}-{client.span_id}-01"]
        assert header(asked[0], "tracestate") == ["vendor=1,other=2"]
        (baggage,) = header(asked[0], "baggage")
        assert sorted(baggage.split(",")) == ["a=1;level=x", "b=%0D%0AEvil:%201"]
        assert header(asked[0], "evil") == []


@traced
@pytest.mark.parametrize(
    ("answer", "failed", "error"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", True, "404"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", True, "500"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", True, None),
        (b"", True, None),
        (b"HTTP/1.1 200 OK\r\nbad \xff\xfe header\r\n\r\n", True, None),
        (b"\xff\xfe\r\n\r\n", True, None),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 2_000_000, True, None),
    ],
    ids=["404", "500", "half a body", "no answer", "a bad header", "no HTTP", "a huge header"],
)
def test_an_outgoing_request_that_fails_says_so_and_takes_no_other_span_along(
    watched: Path, answer: bytes, failed: bool, error: str | None
) -> None:
    with Receiver() as receiver, running(watched, receiver) as service, upstream(answer) as (url, _):
        raw_http.ask(service.address(), "GET", f"/v1/outgoing?url={url}")
        client = receiver.span(lambda span: span.kind == CLIENT)
        assert client.failed == failed
        assert client.attributes["error.type"] == error if error else client.attributes["error.type"]
        assert len(str(client)) < 5000
        outer = receiver.span(lambda span: span.name == "GET /v1/outgoing")
        assert outer.trace_id == client.trace_id


@traced
def test_an_outgoing_request_that_nobody_takes_fails_and_has_no_secret(watched: Path) -> None:
    with Receiver() as receiver, running(watched, receiver) as service:
        url = f"http://user:password@localhost:{free_port()}/up?token=secret"
        assert raw_http.ask(service.address(), "GET", f"/v1/outgoing?url={url}").status == 500
        client = receiver.span(lambda span: span.kind == CLIENT)
        assert client.failed
        assert "refused" in client.message
        assert "http.response.status_code" not in client.attributes
        assert "password" not in str(client)
        assert "secret" not in str(client)


@pytest.mark.parametrize("choice", ["both"])
def test_a_histogram_points_to_sampled_traces(watched: Path) -> None:
    with Receiver() as receiver, running(watched, receiver) as service:
        raw_http.ask(service.address(), "GET", "/version", None, TRACEPARENT)
        raw_http.ask(service.address(), "GET", "/openapi.yaml", None, TRACEPARENT.removesuffix("1") + "0")
        raw_http.ask(service.address(), "GET", "/livez", None, TRACEPARENT)
        span = receiver.span(lambda span: True)
        exemplars = [line for line in scrape(metrics_port(service), True).splitlines() if " # {" in line]
        assert len(exemplars) == 1
        assert f'trace_id="{TRACE}"' in exemplars[0]
        assert f'span_id="{span.span_id}"' in exemplars[0]
        assert 'http_route="/version"' in exemplars[0]
        assert " # {" not in scrape(metrics_port(service))


# Headers of a trace that are not believed, or not in full. The request itself is none the worse.
STRANGE = {
    "nonsense": ["Traceparent: nonsense"],
    "empty": ["Traceparent:", "Tracestate:", "Baggage:"],
    "two parents": [TRACEPARENT, TRACEPARENT.replace("4bf9", "0000")],
    "two equal parents": [TRACEPARENT, TRACEPARENT],
    "upper case": [TRACEPARENT.replace(TRACE, TRACE.upper())],
    "no trace": [TRACEPARENT.replace(TRACE, "0" * 32)],
    "no span": [TRACEPARENT.replace(PARENT, "0" * 16)],
    "version ff": [TRACEPARENT.replace(": 00-", ": ff-")],
    "too long": [TRACEPARENT + "-00"],
    "too short": [TRACEPARENT[:-1]],
    "not UTF-8": ["Traceparent: \u00ff\u00fe", "Tracestate: \u00ff=\u00fe", "Baggage: \u00ff=\u00fe"],
    "huge": [f"Traceparent: {'0' * 50_000}"],
}
BELIEVED = {
    "a later version": [TRACEPARENT.replace(": 00-", ": 01-") + "-more"],
    "huge state": [TRACEPARENT, "Tracestate: " + ",".join(f"k{i}={'v' * 250}" for i in range(32))],  # as much as may be
    "huge state in parts": [TRACEPARENT, *(f"Tracestate: k{i}={'v' * 250}" for i in range(32))],
    "endless state": [TRACEPARENT, f"Tracestate: {'a=b,' * 5000}"],
    "huge value of a state": [TRACEPARENT, f"Tracestate: a={'b' * 5000}"],
    "many states": [TRACEPARENT, *(f"Tracestate: a{i}=b" for i in range(90))],
    "a state twice": [TRACEPARENT, "Tracestate: a=b,a=b"],
    "a bad state": [TRACEPARENT, "Tracestate: \u00ff\u00fe=;;=,,="],
    "huge baggage": [TRACEPARENT, "Baggage: " + ",".join(f"k{i}={'v' * 120}" for i in range(60))],  # nearly 8192 bytes
    "endless baggage": [TRACEPARENT, f"Baggage: {'a=b,' * 5000}"],
    "huge value of a baggage": [TRACEPARENT, f"Baggage: a={'b' * 20_000}"],
    "many baggages": [TRACEPARENT, *(f"Baggage: a{i}=b" for i in range(90))],
    "bad baggage": [TRACEPARENT, "Baggage: %zz=\u00ff;=;,,=%00%ff%"],
    "agent not UTF-8": [TRACEPARENT, "User-Agent: \u00ff\u00fe"],
    "huge agent": [TRACEPARENT, f"User-Agent: {'x' * 50_000}"],
    "half a letter": [TRACEPARENT, f"User-Agent: {'x' * 199}\u00c3\u00a4"],
}


@pytest.mark.contract("hostile trace headers")
@traced
@pytest.mark.parametrize("case", [*STRANGE, *BELIEVED])
def test_hostile_headers_harm_neither_their_request_nor_another_span(watched: Path, case: str) -> None:
    headers = (STRANGE | BELIEVED)[case]
    no_content = b"HTTP/1.1 204 No Content\r\n\r\n"
    with Receiver() as receiver, running(watched, receiver) as service, upstream(no_content) as (url, asked):
        text = "\r\n".join([f"GET /v1/outgoing?url={url} HTTP/1.1", "Host: a", "Connection: close", *headers, "", ""])
        (answer,) = raw_http.exchange(service.address(), text.encode("latin-1"))
        assert answer.status == 204
        assert raw_http.ask(service.address(), "GET", "/version").status == 200
        other = receiver.span(lambda span: span.name == "GET /version")
        span = receiver.span(lambda span: span.name == "GET /v1/outgoing")
        client = receiver.span(lambda span: span.kind == CLIENT)
        assert (span.trace_id == TRACE) == (case in BELIEVED)
        assert span.parent == (PARENT if case in BELIEVED else "")
        assert len(span.state) <= 2048
        assert (client.trace_id, client.parent) == (span.trace_id, span.span_id)
        assert other.trace_id != TRACE
        assert len(str(span)) < 5000
        assert header(asked[0], "traceparent") == [f"00-{client.trace_id}-{client.span_id}-01"]
        assert sum(len(value) for name in ("tracestate", "baggage") for value in header(asked[0], name)) < 12_000
        assert not [line for line in service.lines if line["level"] in ("WARN", "ERROR")]


@pytest.mark.contract("hostile trace headers")
@traced
def test_random_bytes_from_clients_cost_no_span(watched: Path) -> None:
    """Every request that reached a handler has a span that the receiver could read."""
    many, chance = 2000, random.Random(15)
    names = ["Traceparent", "Tracestate", "Baggage", "User-Agent", "X-Request-ID", "X-Forwarded-For"]

    def made_up() -> bytes:
        """Return what net/http accepts as the value of a header."""
        letters = [chance.randrange(32, 256) for _ in range(chance.randrange(300))]
        return bytes(letter for letter in letters if letter != 127)

    with (
        Receiver() as receiver,
        running(watched, receiver, LOG_LEVEL="debug") as service,
        raw_http.connect(service.address()) as connection,
    ):
        for _ in range(many):
            path = made_up().translate(None, b" #?%")
            header = b"%s: %s" % (chance.choice(names).encode(), made_up())
            connection.sendall(b"GET /%s HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n" % (path, header))
            assert raw_http.read_answer(connection).status in (200, 307, 404)
        assert service.stop() == 0
        requests = [line for line in service.lines if line["msg"] == "request"]
        assert len(requests) == many
        assert {line["span_id"] for line in requests} == {span.span_id for span in receiver.spans}
        assert not [line for line in service.lines if line["level"] in ("WARN", "ERROR")]
