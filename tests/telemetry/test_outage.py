"""A collector that is down, slow or gone changes nothing for clients, and what is lost is counted."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.support import raw_http
from tests.support.clients import Client
from tests.support.machine import is_port_free
from tests.support.otlp import Receiver
from tests.support.prometheus import Prometheus, command, wait_until
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
def refusing() -> Iterator[str]:
    with Receiver(status=503) as receiver:
        yield receiver.url


Collector = Callable[[], AbstractContextManager[str]]


@traced
@pytest.mark.parametrize("collector", [nobody, silent, refusing])
def test_a_collector_that_does_not_work_delays_nothing(watched: Path, collector: Collector) -> None:
    with collector() as url:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "10"}
        with RunningService(watched, **variables) as service:
            assert raw_http.ask(service.address(), "GET", "/readyz").status == 200
            begin = time.monotonic()
            for _ in range(200):
                assert raw_http.ask(service.address(), "GET", "/version").status == 200
            assert time.monotonic() - begin < 5  # 200 connections, one after the other, take a tenth of a second
            begin = time.monotonic()
            assert service.stop() == 0
            assert time.monotonic() - begin < 2 + 1
            assert [line["spans"] for line in service.lines if line["msg"] == "telemetry lost"][-1] > 0


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


COLLECTOR = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
exporters: {{file: {{path: "{file}", append: true, flush_interval: 100ms}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [file]}}}}
"""


@contextmanager
def collector(folder: Path, port: int) -> Iterator[None]:
    """Run an OpenTelemetry Collector that writes the spans to a file, and kill it at the end."""
    file = folder / "collector.yml"
    file.write_text(COLLECTOR.format(port=port, file=folder / "received.jsonl"))
    process = subprocess.Popen([command("otelcol"), "--config", file], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: not is_port_free(port), lambda: "the collector does not listen")
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def prometheus(folder: Path, port: int) -> Iterator[Prometheus]:
    """Scrape the port every second."""
    target = f"[{{targets: ['127.0.0.1:{port}']}}]"
    file = folder / "prometheus.yml"
    file.write_text(f"scrape_configs: [{{job_name: x, scrape_interval: 1s, static_configs: {target}}}]")
    with Prometheus(file) as running:
        running.wait_until_ready()
        yield running


SECONDS = 60


@pytest.mark.parametrize("choice", ["both"])
def test_a_collector_that_dies_and_comes_back_costs_no_request(watched: Path, tmp_path: Path) -> None:
    """Under load, and scraped every second: no request fails, and all who count agree."""
    address, scraped_at, sent_to = (free_port() for _ in range(3))
    variables = {
        "PORT": str(address),
        "METRICS_ADDR": f"127.0.0.1:{scraped_at}",
        "LOG_LEVEL": "error",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{sent_to}",
    }
    clients = [Client(("127.0.0.1", address)) for _ in range(4)]
    with prometheus(tmp_path, scraped_at) as scraping, RunningService(watched, **variables):
        wait_for_answer(address)
        with collector(tmp_path, sent_to):
            for client in clients:
                client.start()
            time.sleep(SECONDS / 3)
        time.sleep(SECONDS / 3)
        with collector(tmp_path, sent_to):
            time.sleep(SECONDS / 3)
            for client in clients:
                client.stop()
        assert [client.failures for client in clients if client.failures] == []
        answers = sum(client.answers for client in clients)
        assert counted(scrape(scraped_at)) == answers > 1000
        total = 'sum(http_server_request_duration_seconds_count{http_route!="/livez"})'
        wait_until(lambda: scraping.query(total)[0][1] == answers, lambda: (answers, scraping.query(total)))
        assert scraping.query("max_over_time(up[1m]) - min_over_time(up[1m])")[0][1] == 0
    assert (tmp_path / "received.jsonl").stat().st_size > 0


def counted(exposition: str) -> int:
    """Return the number of requests, probes apart."""
    return sum(number for (_, route, _), number in requests_of(series_of(exposition)).items() if route != "/livez")
