"""A receiver of OTLP over HTTP that keeps what services send. See https://opentelemetry.io/docs/specs/otlp/."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

Attributes = dict[str, Any]


class Span(NamedTuple):
    name: str
    kind: int  # 2 is a server's, 3 a client's
    trace_id: str
    span_id: str
    parent: str
    state: str  # the tracestate
    failed: bool
    attributes: Attributes
    events: list[str]
    resource: Attributes


class Metric(NamedTuple):
    name: str
    value: float  # of a histogram, its count
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
            attributes_of(span.attributes),
            [event.name for event in span.events],
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
                value = point.count if kind == "histogram" else getattr(point, str(point.WhichOneof("value")))
                labels = attributes_of(point.attributes)
                found.append(Metric(metric.name, value, labels, attributes_of(sender.resource.attributes)))
    return found


class Receiver:
    """Listens on a port of 127.0.0.1, a free one by default. Each request waits for `delay` and gets `status`."""

    def __init__(self, port: int = 0, status: int = 200, delay: float = 0) -> None:
        self.spans: list[Span] = []
        self.metrics: list[Metric] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
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

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def receive(self, path: str, headers: dict[str, str], body: bytes) -> None:
        time.sleep(self.delay)
        self.paths.append(path)
        self.headers.append(headers)
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if self.status == 200 and "traces" in path:
            self.spans += spans_of(body)
        elif self.status == 200:
            self.metrics += metrics_of(body)

    def span(self, wanted: Callable[[Span], bool], seconds: float = 10) -> Span:
        """Wait for a span and return it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for span in list(self.spans):
                if wanted(span):
                    return span
            time.sleep(0.02)
        raise AssertionError(f"the span did not come within {seconds} s: {self.spans}")

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
