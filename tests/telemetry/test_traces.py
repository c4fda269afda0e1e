"""The traces: a span for each request, and what connects it with others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import raw_http
from tests.support.otlp import Receiver
from tests.support.watched import TRACED, metrics_port, scrape
from tools.running_service import RunningService

pytestmark = pytest.mark.long
traced = pytest.mark.parametrize("choice", TRACED)

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"Traceparent: 00-{TRACE}-{PARENT}-01"


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
        assert (span.name, span.kind, span.failed) == ("GET /v1/slow", 2, False)
        assert (span.trace_id, span.parent, span.state) == (TRACE, PARENT, "vendor=1")
        assert span.attributes["http.route"] == "/v1/slow"
        assert span.attributes["url.path"] == "/v1/slow"
        assert span.attributes["http.response.status_code"] == 204
        assert "secret" not in str(span)
        assert span.resource["service.name"] == "my-service"
        assert span.resource["service.version"] == "1.2.3"
        for message in ("slept", "request"):
            line = service.wait_for(lambda line: line["msg"] == message)  # noqa: B023
            assert (line["trace_id"], line["span_id"]) == (span.trace_id, span.span_id)
            assert "request_id" in line


@traced
@pytest.mark.parametrize(
    ("method", "path", "name", "error"),
    [
        ("GET", "/nothing", "GET", None),
        ("BREW", "/nothing", "HTTP", None),
        ("GET", "/v1/panics", "GET /v1/panics", "panic"),
        ("POST", "/v1/greetings", "POST /v1/greetings", None),
    ],
)
def test_a_span_has_a_name_that_is_bounded_and_says_why_it_failed(
    watched: Path, method: str, path: str, name: str, error: str | None
) -> None:
    with Receiver() as receiver, running(watched, receiver) as service:
        raw_http.ask(service.address(), method, path)
        span = receiver.span(lambda span: True)
        assert span.name == name
        assert span.attributes.get("error.type") == error
        assert span.failed == (error is not None)
        assert [event.name for event in span.events] == (["exception"] if error == "panic" else [])


@traced
def test_probes_are_not_traced_and_the_last_request_is(watched: Path) -> None:
    with Receiver() as receiver, running(watched, receiver, OTEL_BSP_SCHEDULE_DELAY="60000") as service:
        raw_http.ask(service.address(), "GET", "/livez")
        raw_http.ask(service.address(), "GET", "/readyz")
        raw_http.ask(service.address(), "GET", "/version")
        assert service.stop() == 0
        assert [span.name for span in receiver.spans] == ["GET /version"]


@traced
def test_an_outgoing_request_is_a_span_and_hands_the_trace_on(watched: Path) -> None:
    with Receiver() as receiver, running(watched, receiver) as service:
        target = f"http://127.0.0.1:{service.address()[1]}/version"
        headers = (TRACEPARENT, "Baggage: tenant=acme")
        assert raw_http.ask(service.address(), "GET", f"/v1/outgoing?url={target}", None, *headers).status == 204
        outer = receiver.span(lambda span: span.name == "GET /v1/outgoing")
        client = receiver.span(lambda span: span.kind == 3)
        inner = receiver.span(lambda span: span.name == "GET /version")
        assert (client.parent, inner.parent) == (outer.span_id, client.span_id)
        assert {outer.trace_id, client.trace_id, inner.trace_id} == {TRACE}
        assert client.attributes["url.full"] == target


@pytest.mark.parametrize("choice", ["both"])
def test_a_histogram_points_to_sampled_traces(watched: Path) -> None:
    with Receiver() as receiver, running(watched, receiver) as service:
        raw_http.ask(service.address(), "GET", "/version", None, TRACEPARENT)
        raw_http.ask(service.address(), "GET", "/openapi.yaml", None, TRACEPARENT.removesuffix("1") + "0")
        exemplars = [line for line in scrape(metrics_port(service), openmetrics=True).splitlines() if " # {" in line]
        assert len(exemplars) == 1
        assert f'trace_id="{TRACE}"' in exemplars[0]
        assert 'http_route="/version"' in exemplars[0]


@pytest.mark.contract("hostile trace headers")
@traced
@pytest.mark.parametrize(
    "headers",
    [
        ["Traceparent: nonsense"],
        [TRACEPARENT, TRACEPARENT.replace("4bf9", "0000")],
        [TRACEPARENT, f"Tracestate: {'a=b,' * 5000}"],
        [TRACEPARENT, f"Baggage: {'a=b,' * 5000}"],
        [TRACEPARENT, "User-Agent: \u00ff\u00fe"],
        [TRACEPARENT, f"User-Agent: {'x' * 50_000}"],
    ],
    ids=["nonsense", "two parents", "huge state", "huge baggage", "not UTF-8", "huge agent"],
)
def test_hostile_headers_harm_no_other_span(watched: Path, headers: list[str]) -> None:
    with Receiver() as receiver, running(watched, receiver) as service:
        assert raw_http.ask(service.address(), "GET", "/version", None, *headers).status == 200
        assert raw_http.ask(service.address(), "GET", "/openapi.yaml").status == 200
        receiver.span(lambda span: span.name == "GET /openapi.yaml")
        span = receiver.span(lambda span: span.name == "GET /version")
        assert len(str(span)) < 5000
        assert not [line for line in service.lines if line["level"] == "ERROR"]
