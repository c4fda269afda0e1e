"""What the metrics and the traces of a service tell of its calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.support.baking import bake_into
from tests.support.fixtures import Once
from tests.support.grpc_clients import SERVICE, Greetings
from tests.support.otlp import Receiver
from tests.support.watched import metrics_port, scrape, series_of
from tools.running_service import RunningService

pytestmark = pytest.mark.long

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GREET, STREAM = f"/{SERVICE}/Greet", f"/{SERVICE}/StreamGreetings"


@pytest.fixture(scope="module")
def watched_binary(once: Once, modules: None) -> Path:
    """The binary of a service that is scraped and traced."""

    def make(folder: Path) -> None:
        bake_into(folder, rpc="connect", telemetry="both").build()

    return once("rpc-watched", make) / "my-service/bin/service"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def service(watched_binary: Path, receiver: Receiver) -> Iterator[RunningService]:
    """The service, which sends its spans to the receiver."""
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    with RunningService(watched_binary, **variables) as running:
        yield running


@pytest.fixture
def greetings(service: RunningService) -> Iterator[Greetings]:
    with closing(Greetings(service.address())) as client:
        yield client


@pytest.mark.contract("a call")
def test_each_call_is_one_observation(service: RunningService, greetings: Greetings) -> None:
    greetings.greet("Ada")
    for _ in range(2):
        with pytest.raises(grpc.RpcError):
            greetings.greet("")
    list(greetings.stream("Ada", count=1))
    unknown: Any = greetings.channel.unary_unary(f"/{SERVICE}/Unknown", bytes, bytes)
    with pytest.raises(grpc.RpcError):
        unknown(b"")
    assert observations(service) == {
        (GREET, "200", "OK"): 1,
        (GREET, "400", "INVALID_ARGUMENT"): 2,
        (STREAM, "200", "OK"): 1,
        ("", "404", "UNIMPLEMENTED"): 1,
    }


def observations(service: RunningService) -> dict[tuple[str, str, str], float]:
    """Return the number of requests by route, status and code."""
    pattern = r'http_server_request_duration_seconds_count\{http_request_method="POST",'
    pattern += r'http_response_status_code="(.*)",http_route="(.*)",rpc_response_status_code="(.*)"\}'
    found = {}
    for name, value in series_of(scrape(metrics_port(service))).items():
        if match := re.fullmatch(pattern, name):
            status, route, code = match.groups()
            found[route, status, code] = value
    return found


@pytest.mark.contract("a trace")
@pytest.mark.parametrize(("name", "status", "code"), [("Ada", 200, "OK"), ("", 400, "INVALID_ARGUMENT")])
def test_a_call_is_a_span_of_its_callers_trace(
    service: RunningService, receiver: Receiver, greetings: Greetings, name: str, status: int, code: str
) -> None:
    with suppress(grpc.RpcError):
        greetings.greet(name, metadata=[("traceparent", f"00-{TRACE}-{PARENT}-01")])
    span = receiver.span(lambda span: True)
    assert (span.name, span.trace_id, span.parent, span.failed) == (f"POST {GREET}", TRACE, PARENT, False)
    told = {
        key: span.attributes[key] for key in ("http.route", "http.response.status_code", "rpc.response.status_code")
    }
    assert told == {"http.route": GREET, "http.response.status_code": status, "rpc.response.status_code": code}
    line = service.wait_for(lambda line: line.get("route") == GREET)
    assert (line["trace_id"], line["span_id"]) == (TRACE, span.span_id)
