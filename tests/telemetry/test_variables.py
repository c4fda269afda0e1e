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
from tests.support.prometheus import wait_until
from tests.support.watched import TRACED
from tools.running_service import RunningService

pytestmark = pytest.mark.long
traced = pytest.mark.parametrize("choice", TRACED)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED, NOT_SAMPLED = (f"Traceparent: 00-{TRACE}-00f067aa0ba902b7-0{flag}" for flag in (1, 0))

# Variables and what the receiver has after a request with a sampled parent, one with a parent that is not, and one
# without a parent.
Check = Callable[[Receiver], bool]


def spans(number: int) -> Check:
    return lambda got: len(got.spans) == number


def sampled_by(sampler: str, argument: str = "") -> dict[str, str]:
    return {"OTEL_TRACES_SAMPLER": sampler} | ({"OTEL_TRACES_SAMPLER_ARG": argument} if argument else {})


def described_as(**attributes: str) -> Check:
    """Both signals have the attributes, whose dots are underscores here."""
    wanted = {(name.replace("_", "."), value) for name, value in attributes.items()}

    def check(got: Receiver) -> bool:
        senders = [span.resource for span in got.spans] + [metric.resource for metric in got.metrics]
        return all(wanted <= set(sender.items()) for sender in senders) and len(senders) > 1

    return check


VARIABLES: dict[str, tuple[dict[str, str], Check]] = {
    "default": ({}, spans(2)),
    "always_on": (sampled_by("always_on"), spans(3)),
    "always_off": (sampled_by("always_off"), spans(0)),
    "ratio 1": (sampled_by("traceidratio", "1"), spans(3)),
    "ratio 0": (sampled_by("traceidratio", "0"), spans(0)),
    "ratio without a number": (sampled_by("traceidratio"), spans(3)),
    "always_on by parent": (sampled_by("parentbased_always_on"), spans(2)),
    "always_off by parent": (
        sampled_by("parentbased_always_off"),
        lambda got: [span.trace_id for span in got.spans] == [TRACE],
    ),
    "ratio 0 by parent": (
        sampled_by("parentbased_traceidratio", "0"),
        lambda got: [span.trace_id for span in got.spans] == [TRACE],
    ),
    "ratio 1 by parent": (sampled_by("parentbased_traceidratio", "1"), spans(2)),
    "no propagator": (
        {"OTEL_PROPAGATORS": "none"},
        lambda got: {span.parent for span in got.spans} == {""} and len(got.spans) == 3,
    ),
    "baggage alone": ({"OTEL_PROPAGATORS": "baggage"}, spans(3)),
    "trace alone": ({"OTEL_PROPAGATORS": "tracecontext"}, spans(2)),
    "both, with a space": ({"OTEL_PROPAGATORS": "baggage, tracecontext"}, spans(2)),
    "no name": ({}, described_as(service_name="my-service", service_version="1.2.3")),
    "empty name": ({"OTEL_SERVICE_NAME": ""}, described_as(service_name="my-service")),
    "name": ({"OTEL_SERVICE_NAME": "till"}, described_as(service_name="till")),
    "attributes": (
        {"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=prod,service.version=2,service.instance.id=a%20b"},
        described_as(deployment_environment_name="prod", service_version="2", service_instance_id="a b"),
    ),
    "name in the attributes": (
        {"OTEL_RESOURCE_ATTRIBUTES": "service.name=till,service.namespace=shop"},
        described_as(service_name="till", service_namespace="shop"),
    ),
    "name and attributes": (
        {"OTEL_RESOURCE_ATTRIBUTES": "service.name=till", "OTEL_SERVICE_NAME": "shop"},
        described_as(service_name="shop"),
    ),
    "headers": (
        {"OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20abc,X-Team=shop"},
        lambda got: {(sent["authorization"], sent["x-team"]) for sent in got.headers} == {("Bearer abc", "shop")},
    ),
    "no compression": ({}, lambda got: not [sent for sent in got.headers if "content-encoding" in sent]),
    "compression": (
        {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"},
        lambda got: {sent["content-encoding"] for sent in got.headers} == {"gzip"} and len(got.spans) == 2,
    ),
    "batch": (
        {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1"},
        lambda got: len([path for path in got.paths if path == "/v1/traces"]) == 2,
    ),
    "exporter": ({"OTEL_TRACES_EXPORTER": "none"}, spans(0)),
    "exporter of metrics": ({"OTEL_METRICS_EXPORTER": "none"}, lambda got: set(got.paths) == {"/v1/traces"}),
    "exporters by name": ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp"}, spans(2)),
    "disabled": ({"OTEL_SDK_DISABLED": "TRUE"}, lambda got: got.paths == []),
    "not disabled": ({"OTEL_SDK_DISABLED": "false"}, spans(2)),
}  # fmt: skip


def ask_three_times(service: RunningService) -> None:
    for headers in ([SAMPLED], [NOT_SAMPLED], []):
        assert raw_http.ask(service.address(), "GET", "/version", None, *headers).status == 200


@pytest.mark.contract("`OTEL_` variables")
@traced
@pytest.mark.parametrize("case", VARIABLES)
def test_a_variable_does_what_the_page_says(watched: Path, case: str) -> None:
    variables, holds = VARIABLES[case]
    with Receiver() as receiver:
        with RunningService(watched, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **variables) as service:
            ask_three_times(service)
            assert service.stop() == 0
        assert holds(receiver), (receiver.spans, receiver.headers)


@pytest.mark.parametrize("choice", ["opentelemetry"])
def test_both_signals_go_to_one_endpoint_which_may_have_a_path(watched: Path) -> None:
    for ending in ("", "/", "/in", "/in/"):
        with Receiver() as receiver:
            with RunningService(watched, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url + ending) as service:
                ask_three_times(service)
                assert service.stop() == 0
            assert set(receiver.paths) == {f"{ending.rstrip('/')}/v1/{signal}" for signal in ("traces", "metrics")}


@traced
def test_disabled_the_service_hands_the_trace_on_and_has_no_ids_of_its_own(watched: Path) -> None:
    with Receiver() as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_SDK_DISABLED": "true"}
        with RunningService(watched, **variables) as service:
            ask_three_times(service)
            assert service.stop() == 0
            lines = [line for line in service.lines if line["msg"] == "request"]
        assert [line.get("trace_id") for line in lines] == [TRACE, TRACE, None]
        assert receiver.paths == []


@traced
def test_an_attempt_to_send_has_as_much_time_as_the_variable_says(watched: Path) -> None:
    """The next one comes 2.5 to 7.5 s later."""
    with Receiver(delay=60) as receiver:
        variables = {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.url}/v1/traces",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "300",
            "OTEL_BSP_SCHEDULE_DELAY": "10",
        }
        with RunningService(watched, **variables) as service:
            ask_three_times(service)
            wait_until(lambda: receiver.attempts == 2, lambda: receiver.attempts, seconds=10)


@traced
def test_no_more_spans_wait_than_the_queue_holds(watched: Path) -> None:
    variables = {"OTEL_BSP_MAX_QUEUE_SIZE": "7", "OTEL_BSP_SCHEDULE_DELAY": "60000"}
    with Receiver() as receiver:
        with RunningService(watched, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **variables) as service:
            for _ in range(5):  # fewer than the queue holds: they wait until the end
                raw_http.ask(service.address(), "GET", "/version")
            time.sleep(0.3)
            assert "/v1/traces" not in receiver.paths
            assert service.stop() == 0
        assert len(receiver.spans) == 5


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
            wait_until(lambda: bool(receiver.values("http.server.request.duration")), lambda: receiver.paths, seconds=5)


@pytest.mark.contract("`OTEL_` variables")
@traced
def test_without_an_endpoint_nothing_is_sent_and_the_callers_trace_is_handed_on(
    watched: Path, default_collector: socket.socket
) -> None:
    with RunningService(watched, OTEL_BSP_SCHEDULE_DELAY="10", OTEL_METRIC_EXPORT_INTERVAL="10") as service:
        ask_three_times(service)
        time.sleep(0.1)
        assert service.stop() == 0
        lines = [line for line in service.lines if line["msg"] == "request"]
        assert [line.get("trace_id") for line in lines] == [TRACE, TRACE, None]
        assert not [line for line in service.lines if line["level"] in ("WARN", "ERROR")]
    with pytest.raises(BlockingIOError):
        default_collector.accept()


@traced
@pytest.mark.parametrize(
    "value", ["http://", "http://bad host:4318", "http://[::1", "collector:4318", "//collector:4318"]
)
def test_with_a_bad_endpoint_nothing_is_sent(watched: Path, value: str, default_collector: socket.socket) -> None:
    with RunningService(watched, OTEL_EXPORTER_OTLP_ENDPOINT=value, OTEL_BSP_SCHEDULE_DELAY="10") as service:
        ask_three_times(service)
        assert service.stop() == 0
        warned = [line for line in service.lines if line["level"] in ("WARN", "ERROR")]
        assert "OTEL_EXPORTER_OTLP_ENDPOINT" in str(warned)
        assert not [line for line in warned if line["msg"] == "telemetry lost"]
    with pytest.raises(BlockingIOError):
        default_collector.accept()


BAD = [
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4318"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "abc"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "zstd"),
    ("OTEL_TRACES_SAMPLER", "sometimes"),
    ("OTEL_TRACES_SAMPLER_ARG", "much"),
    ("OTEL_TRACES_SAMPLER_ARG", "2"),
    ("OTEL_PROPAGATORS", "b3"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "-1"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "99999999999"),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "-1"),
    ("OTEL_BSP_SCHEDULE_DELAY", "0"),
    ("OTEL_RESOURCE_ATTRIBUTES", "no equals sign"),
    ("OTEL_TRACES_EXPORTER", "jaeger"),
    ("OTEL_SDK_DISABLED", "yes"),
]


@pytest.mark.contract("`OTEL_` variables")
@traced
@pytest.mark.parametrize(("variable", "value"), BAD)
def test_a_bad_value_is_in_the_log_and_stops_nothing(watched: Path, variable: str, value: str) -> None:
    with Receiver() as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_TRACES_SAMPLER": "traceidratio"}
        with RunningService(watched, **{**variables, variable: value}) as service:
            ask_three_times(service)
            complaints = [line for line in service.lines if line["level"] in ("WARN", "ERROR")]
            assert service.stop() == 0
        assert complaints, "the log says nothing"
        assert not [line for line in complaints if line["msg"] == "telemetry lost"]
        told = [variable, value, "header"] if "HEADERS" in variable else [variable, value]
        assert any(word in str(complaints) for word in told), "nobody knows which setting it is"
        if variable.endswith("ENDPOINT"):
            assert receiver.spans == []
        else:
            assert len(receiver.spans) >= 2


@traced
def test_a_header_that_cannot_be_read_is_not_in_the_log(watched: Path) -> None:
    """It may be a password."""
    with Receiver() as receiver:
        for value in ("Bearer-secret", "a b=secret", "Authorization=secret%zz"):
            variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_EXPORTER_OTLP_HEADERS": value}
            with RunningService(watched, **variables) as service:
                ask_three_times(service)
                assert service.stop() == 0
                assert [line for line in service.lines if line["level"] in ("WARN", "ERROR")]
                assert "secret" not in str(service.lines)


@pytest.mark.parametrize("choice", ["opentelemetry"])
@pytest.mark.parametrize("value", ["-1", "0", "soon"])
def test_a_bad_interval_of_the_metrics_is_in_the_log_and_stops_nothing(watched: Path, value: str) -> None:
    with Receiver() as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_METRIC_EXPORT_INTERVAL": value}
        with RunningService(watched, **variables) as service:
            ask_three_times(service)
            complaints = [line for line in service.lines if line["level"] in ("WARN", "ERROR")]
            assert "OTEL_METRIC_EXPORT_INTERVAL" in str(complaints)
            assert service.stop() == 0
        assert receiver.values("http.server.request.duration")[0].value == 3


@traced
def test_good_values_are_no_news(watched: Path) -> None:
    with Receiver() as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "LOG_LEVEL": "debug"}
        with RunningService(watched, **variables) as service:
            ask_three_times(service)
            assert service.stop() == 0
        assert not [line for line in service.lines if "error" in line or "err" in line]


@traced
def test_every_variable_of_the_page_is_tried(bake: Bake, choice: str) -> None:
    page = bake(telemetry=choice).read("docs/telemetry.md")
    documented = {
        name for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for name in re.findall(r"OTEL_\w+", row)
    }
    tried = set(re.findall(r'"(OTEL_\w+)"|(OTEL_\w+)=', Path(__file__).read_text(encoding="utf-8")))
    assert documented <= {name for names in tried for name in names}
