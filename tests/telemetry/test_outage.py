"""A collector that is down, slow or gone changes nothing for clients, and what is lost is counted."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from statistics import median

import pytest

from tests.support import raw_http
from tests.support.clients import Client
from tests.support.collector import Collector
from tests.support.otlp import Receiver
from tests.support.prometheus import Prometheus, wait_until
from tests.support.watched import TRACED, metrics_port, requests_of, scrape, series_of
from tools.running_service import RunningService, free_port, wait_for_answer

pytestmark = pytest.mark.long
traced = pytest.mark.parametrize("choice", TRACED)


@contextmanager
def nobody() -> Iterator[str]:
    yield f"http://127.0.0.1:{free_port()}"


@contextmanager
def silent() -> Iterator[str]:
    """Accept connections and never respond."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def deaf() -> Iterator[str]:
    """Do not even accept connections: the queue of the listener is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as stack:
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def refusing() -> Iterator[str]:
    with Receiver(status=503) as receiver:
        yield receiver.url


@contextmanager
def unknown() -> Iterator[str]:
    yield "http://collector.invalid:4318"


Broken = Callable[[], AbstractContextManager[str]]
BROKEN = [nobody, silent, deaf, refusing, unknown]
EAGER = {"OTEL_BSP_SCHEDULE_DELAY": "10", "OTEL_METRIC_EXPORT_INTERVAL": "50"}


def seconds_to_start(binary: Path, **variables: str) -> float:
    """Return how long it takes until /readyz is 200."""
    port = free_port()
    with RunningService(binary, PORT=str(port), **variables) as service:
        while True:
            try:
                if raw_http.ask(("127.0.0.1", port), "GET", "/readyz").status == 200:
                    return time.perf_counter() - service.started
            except ConnectionError:
                time.sleep(0.001)


@pytest.mark.contract("a collector that is down, slow or gone")
@traced
@pytest.mark.parametrize("collector", BROKEN)
def test_a_collector_that_does_not_work_delays_no_start(watched: Path, collector: Broken) -> None:
    with collector() as url:
        usual = median(seconds_to_start(watched) for _ in range(5))
        slowed = median(seconds_to_start(watched, OTEL_EXPORTER_OTLP_ENDPOINT=url, **EAGER) for _ in range(5))
        assert slowed < usual + 0.1


REQUESTS = 200


@pytest.mark.contract("a collector that is down, slow or gone")
@traced
@pytest.mark.parametrize("collector", BROKEN)
def test_a_collector_that_does_not_work_delays_nothing(watched: Path, collector: Broken) -> None:
    with collector() as url, RunningService(watched, OTEL_EXPORTER_OTLP_ENDPOINT=url, **EAGER) as service:
        service.wait_until_ready()
        begin = time.monotonic()
        for _ in range(REQUESTS):
            assert raw_http.ask(service.address(), "GET", "/version").status == 200
        assert time.monotonic() - begin < 5  # one connection after the other takes a tenth of a second
        assert raw_http.ask(service.address(), "GET", "/readyz").status == 200
        begin = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - begin < 2 + 1
        assert "stopped" in [line["msg"] for line in service.lines[-3:]]
        warnings = [line for line in service.lines if line["msg"] == "telemetry lost"]
        assert 1 <= len(warnings) <= 2  # one at once, if something is lost at once, and one for the rest, at the end
        assert sum(line["spans"] for line in warnings) == REQUESTS
        assert {line["level"] for line in warnings} == {"WARN"}
        assert all(line["error"] for line in warnings)


@traced
def test_a_second_signal_does_not_wait_for_the_collector(watched: Path) -> None:
    with silent() as url, RunningService(watched, OTEL_EXPORTER_OTLP_ENDPOINT=url) as service:
        raw_http.ask(service.address(), "GET", "/version")
        service.drain()
        service.wait_for(lambda line: line["msg"] == "stopped")
        begin = time.monotonic()
        service.signal()
        assert service.wait() == 1
        assert time.monotonic() - begin < 1


@traced
def test_the_stop_waits_for_a_collector_that_is_slow_but_works(watched: Path) -> None:
    with Receiver(delay=1) as receiver:
        with RunningService(watched, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url) as service:
            raw_http.ask(service.address(), "GET", "/version")
            begin = time.monotonic()
            assert service.stop() == 0
            assert 1 <= time.monotonic() - begin < 2 + 1
        assert [span.name for span in receiver.spans] == ["GET /version"]
        assert not [line for line in service.lines if line["msg"] == "telemetry lost"]


@pytest.mark.parametrize("choice", ["both"])
def test_every_span_is_received_or_counted_as_lost(watched: Path) -> None:
    """The collector is slow at first, with a queue that is too small, and then works."""
    small = {"MAX_QUEUE_SIZE": "10", "MAX_EXPORT_BATCH_SIZE": "5", "SCHEDULE_DELAY": "10"}
    variables = {f"OTEL_BSP_{name}": value for name, value in small.items()}
    with (
        Receiver(delay=1) as receiver,
        RunningService(watched, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **variables) as service,
    ):
        for _ in range(100):
            raw_http.ask(service.address(), "GET", "/version")
        receiver.delay = 0
        lost = series_of(scrape(metrics_port(service)))["trace_spans_lost_total"]
        assert 0 < lost < 100
        assert service.stop() == 0
        assert len(receiver.spans) + lost == 100
        warnings = [line for line in service.lines if line["msg"] == "telemetry lost"]
        assert len(warnings) == 2  # the first at once, the second for the rest, at the end
        assert sum(line["spans"] for line in warnings) == lost


@pytest.mark.parametrize("choice", ["opentelemetry"])
def test_spans_that_were_lost_are_pushed_as_a_metric_later(watched: Path) -> None:
    """Traces have nowhere to go, metrics have."""
    with Receiver() as receiver, nobody() as url:
        variables = {
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{receiver.url}/v1/metrics",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{url}/v1/traces",
            "OTEL_BSP_MAX_QUEUE_SIZE": "1",
            "OTEL_BSP_SCHEDULE_DELAY": "60000",
            "OTEL_METRIC_EXPORT_INTERVAL": "50",
        }
        with RunningService(watched, **variables) as service:
            for _ in range(50):
                raw_http.ask(service.address(), "GET", "/version")
            wait_until(lambda: [lost.value for lost in receiver.values("trace.spans.lost")] == [50], lambda: "not 50")


@traced
def test_a_collector_that_comes_back_gets_spans_again_without_a_restart(watched: Path) -> None:
    port = free_port()
    with RunningService(watched, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}", **EAGER) as service:
        raw_http.ask(service.address(), "GET", "/version")  # nobody is there yet
        for path in ("/openapi.yaml", "/", "/nothing"):
            with Receiver(port) as receiver:
                raw_http.ask(service.address(), "GET", path)
                receiver.span(lambda span, path=path: span.attributes["url.path"] == path, seconds=30)  # type: ignore[misc]


@pytest.mark.contract("a collector that is down, slow or gone")
@pytest.mark.parametrize("choice", ["both"])
def test_one_warning_a_minute_says_what_was_lost(watched: Path) -> None:
    variables = EAGER | {"OTEL_BSP_MAX_QUEUE_SIZE": "1"}
    with silent() as url, RunningService(watched, OTEL_EXPORTER_OTLP_ENDPOINT=url, **variables) as service:
        begin, asked = time.monotonic(), 0
        while time.monotonic() - begin < 63:
            raw_http.ask(service.address(), "GET", "/version")
            asked += 1
            time.sleep(0.1)
        warnings = [line for line in service.lines if line["msg"] == "telemetry lost"]
        assert len(warnings) == 2
        assert warnings[0]["spans"] == 1
        assert 300 < warnings[1]["spans"] < asked
        lost = series_of(scrape(metrics_port(service)))["trace_spans_lost_total"]
        assert service.stop() == 0
        warnings = [line for line in service.lines if line["msg"] == "telemetry lost"]
        assert len(warnings) == 3
        assert lost <= sum(line["spans"] for line in warnings) == asked


def prometheus(folder: Path, *ports: int) -> Prometheus:
    """Scrape the ports every second, and receive what is pushed."""
    targets = [f"127.0.0.1:{port}" for port in ports]
    file = folder / "prometheus.yml"
    file.write_text(f"scrape_configs: [{{job_name: x, scrape_interval: 1s, static_configs: [{{targets: {targets}}}]}}]")
    return Prometheus(file, "--web.enable-otlp-receiver")


SECONDS = 60
TOTAL = 'sum(http_server_request_duration_seconds_count{http_route!="/livez"})'


@pytest.mark.contract("a collector that is down, slow or gone")
@traced
def test_a_collector_that_dies_and_comes_back_costs_no_request(watched: Path, choice: str, tmp_path: Path) -> None:
    """Under load, scraped every second or pushing: no request fails, and all who count agree."""
    address, scraped_at, sent_to = (free_port() for _ in range(3))
    is_scraped = choice == "both"
    clients = [Client(("127.0.0.1", address)) for _ in range(4)]
    collector = Collector(tmp_path, sent_to)
    with prometheus(tmp_path, *([scraped_at] if is_scraped else [])) as watching:
        watching.wait_until_ready()
        variables = {
            "PORT": str(address),
            "METRICS_ADDR": f"127.0.0.1:{scraped_at}",
            "LOG_LEVEL": "warn",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{sent_to}",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{watching.url}/api/v1/otlp/v1/metrics",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        }
        with RunningService(watched, **variables) as service:
            wait_for_answer(address)
            with collector:
                for client in clients:
                    client.start()
                time.sleep(SECONDS / 3)
            time.sleep(SECONDS / 3)
            with collector:
                time.sleep(SECONDS / 3)
                for client in clients:
                    client.stop()
                answers = sum(client.answers for client in clients)
                assert [client.failures for client in clients if client.failures] == []
                assert answers > 1000
                if is_scraped:
                    assert counted(scrape(scraped_at)) == answers
                wait_until(lambda: [n for _, n in watching.query(TOTAL)] == [answers], lambda: watching.query(TOTAL))
                if is_scraped:
                    assert watching.query("min_over_time(up[55s])")[0][1] == 1
                assert service.stop() == 0
        warnings = [line for line in service.lines if line["msg"] == "telemetry lost"]
        assert len(warnings) <= 3
        lost = sum(line["spans"] for line in warnings)
        assert 0 < lost < answers
        assert collector.spans() + lost == answers


def counted(exposition: str) -> int:
    """Return the number of requests, probes apart."""
    return sum(number for (_, route, _), number in requests_of(series_of(exposition)).items() if route != "/livez")
