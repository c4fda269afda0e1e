"""The metrics: what they count, and that no client can make them grow."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from tests.support import raw_http
from tests.support.otlp import Receiver
from tests.support.watched import SCRAPED, metrics_port, requests_of, scrape, series_of
from tools.running_service import RunningService

pytestmark = pytest.mark.long
scraped = pytest.mark.parametrize("choice", SCRAPED)
pushed = pytest.mark.parametrize("choice", ["opentelemetry"])

# Every way in which a request can end, and how it is counted: method, route and status.
WAYS = [
    (b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/version", 200)),
    (b"HEAD /version HTTP/1.1\r\nHost: a\r\n\r\n", ("HEAD", "/version", 200)),
    (b"GET /version HTTP/1.0\r\n\r\n", ("GET", "/version", 200)),
    (b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/livez", 200)),
    (b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "", 404)),
    (b"DELETE /version HTTP/1.1\r\nHost: a\r\n\r\n", ("DELETE", "", 405)),
    (b"BREW /version HTTP/1.1\r\nHost: a\r\n\r\n", ("_OTHER", "", 405)),
    (b"GET /v1/panics HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/v1/panics", 500)),
    (b"GET /v1/cut HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/v1/cut", 200)),
    (b"POST /v1/greetings HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n", ("POST", "/v1/greetings", 413)),
    (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ("OPTIONS", "", 400)),
]


def send_all_ways(service: RunningService) -> None:
    for sent, _ in WAYS:
        with raw_http.connect(service.address()) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 20):
                pass
    for _ in WAYS:  # the log line comes after the metrics
        service.wait_for(lambda _: sum("duration" in line for line in service.lines) >= len(WAYS))


def counted_ways() -> dict[tuple[str, str, int], int]:
    ways = [counted for _, counted in WAYS]
    return {way: ways.count(way) for way in ways}


@scraped
def test_every_request_is_counted_once_however_it_ends(watched: Path) -> None:
    with RunningService(watched, LOG_LEVEL="debug") as service:
        send_all_ways(service)
        series = series_of(scrape(metrics_port(service)))
        assert requests_of(series) == counted_ways()
        assert series["http_server_panics_total"] == 1
        assert series['http_server_refused_requests_total{reason="MAX_BODY_BYTES"}'] == 1
        assert series["http_server_active_requests"] == 0
        assert series["log_lines_lost_total"] == 0
        assert any(name.startswith("service_build_info{") and 'version="1.2.3"' in name for name in series)
        assert {"go_goroutines", "process_start_time_seconds"} <= series.keys()


@pushed
def test_pushed_metrics_count_every_request_once_too(watched: Path) -> None:
    with Receiver() as receiver:
        with RunningService(watched, LOG_LEVEL="debug", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url) as service:
            send_all_ways(service)
            assert service.stop() == 0  # sends the last values
        counted = {
            (
                str(metric.attributes["http.request.method"]),
                str(metric.attributes["http.route"]),
                int(metric.attributes["http.response.status_code"]),
            ): metric.value
            for metric in receiver.values("http.server.request.duration")
        }
        assert counted == counted_ways()
        values = {name: receiver.values(name)[0].value for name in {metric.name for metric in receiver.metrics}}
        assert values["http.server.panics"] == 1
        assert values["http.server.refused_requests"] == 1
        assert values["http.server.active_requests"] == 0
        assert values["log.lines.lost"] == values["trace.spans.lost"] == 0
        assert values["service.build.info"] == 1
        assert values["process.resident_memory"] > 1 << 20
        assert values["process.open_fds"] > 3
        assert abs(values["process.start_time"] - time.time()) < 60


REQUESTS = 100_000


@scraped
def test_no_client_can_make_series(watched: Path) -> None:
    """Methods, paths and hosts that are made up, on connections that stay open, twenty at a time."""
    with RunningService(watched) as service:
        before = len(series_of(scrape(metrics_port(service))))
        sent = [
            f"METHOD{i} /path/{i}?{i} HTTP/1.1\r\nHost: host{i}\r\nUser-Agent: {i}\r\n\r\n".encode()
            for i in range(REQUESTS)
        ]
        with raw_http.connect(service.address()) as connection:
            for begin in range(0, REQUESTS, 20):
                connection.sendall(b"".join(sent[begin : begin + 20]))
                received = b""
                while received.count(b"HTTP/1.1 404") < 20 or not received.endswith(b"}"):
                    received += connection.recv(1 << 16)
        series = series_of(scrape(metrics_port(service)))
        assert requests_of(series) == {("_OTHER", "", 404): REQUESTS}
        assert len(series) - before <= 17  # the histogram of one set of labels: 14 buckets, +Inf, sum and count
        assert service.stop() == 0


@scraped
def test_metrics_are_on_their_own_listener_alone(watched: Path) -> None:
    with RunningService(watched) as service:
        assert raw_http.ask(service.address(), "GET", "/metrics").status == 404
        assert raw_http.ask(service.address("ADMIN_ADDR"), "GET", "/metrics").status == 404
        for path in ("/debug/pprof/", "/livez", "/version"):
            assert raw_http.ask(service.address("METRICS_ADDR"), "GET", path).status == 404
    with RunningService(watched, METRICS_ADDR="") as service:
        service.address()
        assert service.stop() == 0
        assert "METRICS_ADDR" not in [line.get("variable") for line in service.lines]


@scraped
def test_a_taken_metrics_address_is_named(watched: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with RunningService(watched, METRICS_ADDR=address) as service:
            assert service.wait() == 1
            assert "METRICS_ADDR" in service.lines[-1]["error"]


@scraped
def test_metrics_can_be_scraped_until_the_last_request_is_done(watched: Path) -> None:
    with RunningService(watched) as service:
        asking = threading.Thread(target=raw_http.ask, args=(service.address(), "GET", "/v1/slow"))
        asking.start()
        while series_of(scrape(metrics_port(service)))["http_server_active_requests"] != 1:
            time.sleep(0.01)
        service.drain()
        raw_http.wait_until_refused(service.address())
        assert series_of(scrape(metrics_port(service)))["http_server_active_requests"] == 1
        asking.join()
        assert service.wait() == 0


@scraped
def test_a_metric_of_the_teams_own_is_scraped(watched: Path) -> None:
    with RunningService(watched) as service:
        assert raw_http.ask(service.address(), "GET", "/v1/counted").status == 204
        assert series_of(scrape(metrics_port(service)))["greetings_total"] == 1


@pushed
def test_a_metric_of_the_teams_own_is_pushed(watched: Path) -> None:
    with Receiver() as receiver:
        with RunningService(watched, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url) as service:
            assert raw_http.ask(service.address(), "GET", "/v1/counted").status == 204
            service.stop()
        assert [metric.value for metric in receiver.values("greetings")] == [1]
