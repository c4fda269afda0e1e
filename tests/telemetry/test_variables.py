"""Each OTEL_ variable that docs/telemetry.md explains does what it says, and a bad value does no harm."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import raw_http
from tests.support.fixtures import Bake
from tests.support.otlp import Receiver
from tests.support.watched import TRACED
from tools.running_service import RunningService

pytestmark = pytest.mark.long
traced = pytest.mark.parametrize("choice", TRACED)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED, NOT_SAMPLED = (f"Traceparent: 00-{TRACE}-00f067aa0ba902b7-0{flag}" for flag in (1, 0))

# Variables and what the receiver has after a request with a sampled parent, one with a parent that is not, and one
# without a parent.
Check = Callable[[Receiver], bool]
VARIABLES: dict[str, tuple[dict[str, str], Check]] = {
    "default": ({}, lambda got: len(got.spans) == 2),
    "always_on": ({"OTEL_TRACES_SAMPLER": "always_on"}, lambda got: len(got.spans) == 3),
    "always_off": ({"OTEL_TRACES_SAMPLER": "always_off"}, lambda got: len(got.spans) == 0),
    "ratio 1": (
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1"},
        lambda got: len(got.spans) == 3,
    ),
    "ratio 0": (
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
        lambda got: len(got.spans) == 0,
    ),
    "ratio 0 by parent": (
        {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
        lambda got: [span.trace_id for span in got.spans] == [TRACE],
    ),
    "no propagator": ({"OTEL_PROPAGATORS": "none"}, lambda got: {span.parent for span in got.spans} == {""}),
    "name": (
        {"OTEL_SERVICE_NAME": "till"},
        lambda got: {span.resource["service.name"] for span in got.spans} == {"till"},
    ),
    "attributes": (
        {"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=prod"},
        lambda got: {span.resource["deployment.environment.name"] for span in got.spans} == {"prod"},
    ),
    "headers": (
        {"OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20abc"},
        lambda got: got.headers[0]["authorization"] == "Bearer abc",
    ),
    "compression": (
        {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"},
        lambda got: got.headers[0]["content-encoding"] == "gzip" and len(got.spans) == 2,
    ),
    "batch": (
        {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1"},
        lambda got: len([path for path in got.paths if path == "/v1/traces"]) == 2,
    ),
    "exporter": ({"OTEL_TRACES_EXPORTER": "none"}, lambda got: len(got.spans) == 0),
    "exporter of metrics": ({"OTEL_METRICS_EXPORTER": "none"}, lambda got: set(got.paths) == {"/v1/traces"}),
    "disabled": ({"OTEL_SDK_DISABLED": "TRUE"}, lambda got: got.paths == []),
}


def ask_three_times(service: RunningService) -> None:
    for headers in ([SAMPLED], [NOT_SAMPLED], []):
        assert raw_http.ask(service.address(), "GET", "/version", None, *headers).status == 200


@traced
@pytest.mark.parametrize("case", VARIABLES)
def test_a_variable_does_what_the_page_says(watched: Path, case: str) -> None:
    variables, holds = VARIABLES[case]
    with Receiver() as receiver:
        with RunningService(watched, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **variables) as service:
            ask_three_times(service)
            assert service.stop() == 0
        assert holds(receiver), (receiver.spans, receiver.headers)


@traced
def test_a_signal_can_have_an_endpoint_of_its_own(watched: Path) -> None:
    with Receiver() as receiver:
        variables = {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.url}/in/traces",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{receiver.url}/in/metrics",
        }
        with RunningService(watched, **variables) as service:
            ask_three_times(service)
            assert service.stop() == 0
        assert len(receiver.spans) == 2
        assert {"/in/traces"} <= set(receiver.paths) <= {"/in/traces", "/in/metrics"}


@traced
def test_spans_are_sent_after_the_delay(watched: Path) -> None:
    with Receiver() as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with RunningService(watched, **variables) as service:
            ask_three_times(service)
            receiver.span(lambda span: True, seconds=3)


@pytest.mark.parametrize("choice", ["opentelemetry"])
def test_metrics_are_sent_at_their_interval(watched: Path) -> None:
    with Receiver() as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_METRIC_EXPORT_INTERVAL": "100"}
        with RunningService(watched, **variables) as service:
            ask_three_times(service)
            deadline = time.monotonic() + 5
            while not receiver.values("http.server.request.duration"):
                assert time.monotonic() < deadline
                time.sleep(0.02)


@traced
def test_without_an_endpoint_nothing_is_sent_and_the_callers_trace_is_handed_on(watched: Path) -> None:
    with socket.create_server(("127.0.0.1", 4318)) as collector:
        collector.settimeout(0)
        with RunningService(watched, OTEL_BSP_SCHEDULE_DELAY="10") as service:
            ask_three_times(service)
            assert service.wait_for(lambda line: line["msg"] == "request")["trace_id"] == TRACE
            assert service.stop() == 0
        with pytest.raises(BlockingIOError):
            collector.accept()


@traced
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "much"),
        ("OTEL_PROPAGATORS", "b3"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "-1"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
        ("OTEL_RESOURCE_ATTRIBUTES", "no equals sign"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
    ],
)
def test_a_bad_value_is_in_the_log_and_stops_nothing(watched: Path, variable: str, value: str) -> None:
    with Receiver() as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_TRACES_SAMPLER": "traceidratio"}
        with RunningService(watched, **{**variables, variable: value}) as service:
            ask_three_times(service)
            assert service.stop() == 0
            complaints = [line for line in service.lines if line["level"] in ("WARN", "ERROR")]
            assert len(complaints) >= 1, service.lines


@traced
def test_every_variable_of_the_page_is_tried(bake: Bake, choice: str) -> None:
    page = bake(telemetry=choice).read("docs/telemetry.md")
    documented = {
        name for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for name in re.findall(r"OTEL_\w+", row)
    }
    tried = set(re.findall(r'"(OTEL_\w+)"|(OTEL_\w+)=', Path(__file__).read_text(encoding="utf-8")))
    assert documented <= {name for names in tried for name in names}
