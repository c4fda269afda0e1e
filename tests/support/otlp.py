"""A receiver of OTLP over HTTP that keeps what services send. See https://opentelemetry.io/docs/specs/otlp/."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

Attributes = dict[str, Any]


class Event(NamedTuple):
    name: str
    attributes: Attributes


class Span(NamedTuple):
    name: str
    kind: int  # 2 is a server's, 3 a client's
    trace_id: str
    span_id: str
    parent: str
    state: str  # the tracestate
    failed: bool
    message: str  # of the status
    attributes: Attributes
    events: list[Event]
    resource: Attributes


class Metric(NamedTuple):
    name: str
    kind: str  # histogram, exponential_histogram, counter, sum or gauge
    unit: str
    value: float  # of a histogram, its count
    bounds: list[float]  # of a histogram
    attributes: Attributes
    resource: Attributes


def attributes_of(pairs: Iterable[Any]) -> Attributes:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}


def spans_of(body: bytes) -> list[Span]:
    return [
        Span(
            span.name,
            span.kind,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.trace_state,
            span.status.code == 2,
            span.status.message,
            attributes_of(span.attributes),
            [Event(event.name, attributes_of(event.attributes)) for event in span.events],
            attributes_of(sender.resource.attributes),
        )
        for sender in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in sender.scope_spans
        for span in scope.spans
    ]


def metrics_of(body: bytes) -> list[Metric]:
    found = []
    for sender in ExportMetricsServiceRequest.FromString(body).resource_metrics:
        for metric in (metric for scope in sender.scope_metrics for metric in scope.metrics):
            kind = str(metric.WhichOneof("data"))
            for point in getattr(metric, kind).data_points:
                counts = kind in ("histogram", "exponential_histogram")
                value = point.count if counts else getattr(point, str(point.WhichOneof("value")))
                shown = "counter" if kind == "sum" and metric.sum.is_monotonic else kind
                bounds = list(point.explicit_bounds) if kind == "histogram" else []
                labels, resource = attributes_of(point.attributes), attributes_of(sender.resource.attributes)
                found.append(Metric(metric.name, shown, metric.unit, value, bounds, labels, resource))
    return found


class Server(ThreadingHTTPServer):
    """A server that ends its connections when it is closed, as the end of its process would."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, client = super().get_request()
        self._open.add(connection)
        return connection, client

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients may go away."""

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Receiver:
    """Listens on a port of 127.0.0.1, a free one by default. Each request waits for `delay` and gets `status`.

    After the end of the `with` another one can listen on the same port.
    """

    def __init__(self, port: int = 0, status: int = 200, delay: float = 0) -> None:
        self.spans: list[Span] = []
        self.metrics: list[Metric] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.attempts = 0
        self.status, self.delay = status, delay
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = self.headers["Content-Length"]
                body = self.rfile.read(int(length)) if length else b"".join(self.chunks())
                receiver.receive(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def chunks(self) -> Iterator[bytes]:
                while size := int(self.rfile.readline(), 16):
                    yield self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()

            def log_message(self, *_: object) -> None:
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def receive(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.attempts += 1
        time.sleep(self.delay)
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if self.status == 200 and "traces" in path:
            self.spans += spans_of(body)
        elif self.status == 200:
            self.metrics += metrics_of(body)
        self.headers.append(headers)
        self.paths.append(path)  # the last, so that what came is there when it is counted

    def span(self, wanted: Callable[[Span], bool], seconds: float = 10) -> Span:
        """Wait for a span and return it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for span in list(self.spans):
                if wanted(span):
                    return span
            time.sleep(0.02)
        raise AssertionError(f"the span did not come within {seconds} s: {self.spans}")

    def pushes(self) -> int:
        """Return how often metrics came."""
        return sum("metrics" in path for path in self.paths)

    def values(self, name: str) -> list[Metric]:
        """Return the last value of a metric for each of its attributes."""
        last = {str(sorted(m.attributes.items())): m for m in self.metrics if m.name == name}
        return list(last.values())

    def __enter__(self) -> Receiver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
