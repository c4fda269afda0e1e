"""The metrics: what they count, and that no client can make them grow."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import raw_http
from tests.support.baking import BakedService
from tests.support.otlp import Receiver
from tests.support.prometheus import Prometheus, command, wait_until
from tests.support.team_edits import write
from tests.support.watched import (
    CHOICES,
    SCRAPED,
    TRACED,
    Requests,
    metrics_port,
    observed,
    refusals_of,
    requests_of,
    scrape,
    series_of,
)
from tools.running_service import RunningService, free_port, wait_for_answer

pytestmark = pytest.mark.long
each_choice = pytest.mark.parametrize("choice", CHOICES)
scraped = pytest.mark.parametrize("choice", SCRAPED)
pushed = pytest.mark.parametrize("choice", ["opentelemetry"])

BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
CHUNK = b"100000\r\n" + b" " * 0x100000 + b"\r\n"  # MAX_BODY_BYTES, of which no header tells
GREET = b"POST /v1/greetings HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"

# Every way in which a request can end, and how it is counted: method, route and status.
WAYS = [
    (b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/version", 200)),
    (b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n" * 3, ("GET", "/version", 200)),
    (b"HEAD /version HTTP/1.1\r\nHost: a\r\n\r\n", ("HEAD", "/version", 200)),
    (b"GET /version HTTP/1.0\r\n\r\n", ("GET", "/version", 200)),
    (b"GET http://other.example/version HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/version", 200)),
    (b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/livez", 200)),
    (b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/readyz", 200)),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/{$}", 200)),
    (b"GET //version HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/version", 307)),
    (b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "", 404)),
    (b"DELETE /version HTTP/1.1\r\nHost: a\r\n\r\n", ("DELETE", "", 405)),
    (b"BREW /version HTTP/1.1\r\nHost: a\r\n\r\n", ("_OTHER", "", 405)),
    (b"get /version HTTP/1.1\r\nHost: a\r\n\r\n", ("_OTHER", "", 405)),
    (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ("OPTIONS", "", 400)),
    (b"CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n", ("CONNECT", "", 400)),
    (b"GET /v1/panics HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/v1/panics", 500)),
    (b"GET /v1/late HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/v1/late", 200)),
    (b"GET /v1/cut HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/v1/cut", 200)),
    (b"GET /v1/silent HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/v1/silent", 0)),
    (b"GET /v1/taken HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/v1/taken", 101)),
    (b"GET /v1/status?code=204 HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/v1/status", 204)),
    (b"GET /v1/status?code=599 HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/v1/status", 599)),
    (GREET + b"Content-Length: 9000000\r\n\r\n", ("POST", "/v1/greetings", 413)),
    (GREET + b"Content-Length: 9\r\n\r\n{", ("POST", "/v1/greetings", 400)),
    (GREET + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK * 2, ("POST", "/v1/greetings", 413)),
    (b"POST /version HTTP/1.1\r\nHost: a\r\nSec-Fetch-Site: cross-site\r\n\r\n", ("POST", "", 403)),
]  # fmt: skip


def send_all_ways(service: RunningService) -> None:
    for sent, _ in WAYS:
        with raw_http.connect(service.address()) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            raw_http.received(connection)
    many = sum(counted_ways().values())  # the log line comes after the metrics
    wait_until(lambda: sum("duration" in line for line in service.lines) >= many, lambda: service.lines)


def counted_ways() -> Requests:
    ways = [counted for sent, counted in WAYS for _ in range(sent.count(b" HTTP/1."))]
    return {way: ways.count(way) for way in ways}


@pytest.mark.contract("every request")
@each_choice
def test_every_request_is_counted_once_however_it_ends(watched: Path, choice: str) -> None:
    with observed(watched, choice, LOG_LEVEL="debug") as seen:
        send_all_ways(seen.service)
        series = seen.series()
        assert requests_of(series) == counted_ways()
        assert series["http_server_panics_total"] == 2
        assert refusals_of(series) == {"MAX_BODY_BYTES": 2, "TRUSTED_ORIGINS": 1}
        assert series["http_server_active_requests"] == 0
        assert series["log_lines_lost_total"] == 0


@each_choice
def test_requests_are_counted_whose_log_lines_are_turned_off(watched: Path, choice: str) -> None:
    port, metrics = free_port(), free_port()
    where = {"PORT": str(port), "LOG_LEVEL": "error"} | ({"METRICS_ADDR": f":{metrics}"} if choice in SCRAPED else {})
    with observed(watched, choice, **where) as seen:
        wait_for_answer(port)
        raw_http.ask(("127.0.0.1", port), "GET", "/version")
        series = series_of(scrape(metrics)) if choice in SCRAPED else seen.series()
        assert requests_of(series)["GET", "/version", 200] == 1


@each_choice
def test_a_client_that_goes_away_is_counted_once(watched: Path, choice: str) -> None:
    with observed(watched, choice) as seen:
        for sent in (
            raw_http.request("GET", "/v1/waits"),
            raw_http.request("POST", "/v1/greetings", '{"name":"A"}')[:-1],
        ):
            with raw_http.connect(seen.service.address()) as connection:
                connection.sendall(sent)
                wait_until(lambda: seen.series()["http_server_active_requests"] == 1, seen.series)
            wait_until(lambda: seen.series()["http_server_active_requests"] == 0, seen.series)
        assert seen.requests() == {("GET", "/v1/waits", 499): 1, ("POST", "/v1/greetings", 400): 1}


@pytest.mark.contract("every request")
@each_choice
def test_each_refusal_has_the_limit_that_the_log_line_has(watched: Path, choice: str) -> None:
    limits = {"MAX_IN_FLIGHT": "1", "MAX_STREAMS": "1", "REQUEST_TIMEOUT": "500ms"}
    greeting = raw_http.request("POST", "/v1/greetings", '{"name":"Ada"}')
    with observed(watched, choice, **limits) as seen, ExitStack() as stack:
        address = seen.service.address()
        held, stream = (stack.enter_context(raw_http.connect(address)) for _ in range(2))
        held.sendall(greeting[:-1])
        stream.sendall(raw_http.request("GET", "/v1/stream"))
        wait_until(lambda: seen.series()["http_server_active_requests"] == 2, seen.series)
        assert [raw_http.ask(address, "GET", path).status for path in ("/version", "/v1/stream")] == [503, 503]
        held.sendall(greeting[-1:])
        assert raw_http.read_answer(held).status == 200
        assert raw_http.ask(address, "GET", "/v1/waits").status == 504
        assert raw_http.ask(address, "POST", "/v1/greetings", None, "Content-Length: 9000000").status == 413
        assert raw_http.ask(address, "POST", "/version", "{}", "Origin: http://evil.example").status == 403
        expected = dict.fromkeys([*limits, "MAX_BODY_BYTES", "TRUSTED_ORIGINS"], 1)
        assert refusals_of(seen.series()) == expected
        logged = Counter[str]()

        def all_are_logged() -> bool:
            logged.clear()
            logged.update(line["refused_by"] for line in list(seen.service.lines) if "refused_by" in line)
            return logged == expected

        wait_until(all_are_logged, lambda: logged)


# The series of the service's own with their labels, in each choice; "le" apart.
SERIES = {
    "http_server_request_duration_seconds": {"http_request_method", "http_route", "http_response_status_code"},
    "http_server_active_requests": set(),
    "http_server_refused_requests_total": {"reason"},
    "http_server_panics_total": set(),
    "log_lines_lost_total": set(),
    "trace_spans_lost_total": set(),
    "service_build_info": {"version", "commit", "go_version"},
}
# Some of the Go runtime's and the process' series, which have the same names whether scraped or pushed.
PROCESS = set(
    """go_goroutines go_memstats_heap_alloc_bytes process_cpu_seconds_total process_resident_memory_bytes
    process_open_fds process_max_fds process_start_time_seconds""".split()
)


CONFIGURATION = """
scrape_configs:
- job_name: x
  scrape_interval: 200ms
  scrape_native_histograms: true
  always_scrape_classic_histograms: true
  static_configs: [{{targets: {targets}}}]
"""


@pytest.mark.contract("pushed metrics")
@each_choice
def test_prometheus_has_the_same_series_whether_they_are_scraped_or_pushed(
    watched: Path, choice: str, tmp_path: Path
) -> None:
    port = free_port() if choice in SCRAPED else 0
    flags = [] if port else ["--web.enable-otlp-receiver"]
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(CONFIGURATION.format(targets=[f"127.0.0.1:{port}"] if port else []))
    with Prometheus(configuration, *flags) as prometheus:
        prometheus.wait_until_ready()
        endpoint = f"{prometheus.url}/api/v1/otlp/v1/metrics"
        pushing = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": endpoint, "OTEL_METRIC_EXPORT_INTERVAL": "200"}
        scraping = {"METRICS_ADDR": f"127.0.0.1:{port}"}
        with RunningService(watched, LOG_LEVEL="debug", **(scraping if port else pushing)) as service:
            send_all_ways(service)
            many = sum(counted_ways().values())
            total = "sum(http_server_request_duration_seconds_count)"
            wait_until(lambda: [value for _, value in prometheus.query(total)] == [many], prometheus.output)

            apart = {"__name__", "job", "instance", "le"}
            found: dict[str, set[str]] = {}
            for labels in prometheus.api("series", **{"match[]": '{__name__=~"(http_server|log|trace|service)_.*"}'}):
                name = re.sub("_seconds_(bucket|count|sum)$", "_seconds", labels["__name__"])
                found.setdefault(name, set()).update(labels.keys() - apart)
            wanted = {name: labels for name, labels in SERIES.items() if choice in TRACED or "trace" not in name}
            assert found == wanted
            assert {labels["__name__"] for labels, _ in prometheus.query('{__name__=~"(go|process)_.*"}')} >= PROCESS
            buckets = prometheus.query('http_server_request_duration_seconds_bucket{http_route="/{$}"}')
            assert sorted(float(labels["le"]) for labels, _ in buckets) == [*BOUNDS, float("inf")]

            values = {labels["__name__"]: value for labels, value in prometheus.query('{__name__=~"(go|process)_.*"}')}
            assert 1 < values["go_goroutines"] < 1000
            assert 4 < values["process_open_fds"] < 100 < values["process_max_fds"]
            assert 1 << 20 < values["process_resident_memory_bytes"] < 1 << 30
            assert abs(values["process_start_time_seconds"] - time.time()) < 60
            assert 0 <= values["process_cpu_seconds_total"] < 60
            (build,) = prometheus.query("service_build_info")
            assert (build[0]["version"], build[1]) == ("1.2.3", 1)
            assert build[0]["go_version"].startswith("go1.")
            assert build[0]["job"] == ("x" if port else "my-service")
            if port:
                native = prometheus.query("histogram_count(sum(http_server_request_duration_seconds))")
                assert [value for _, value in native] == [many]
                median = "histogram_quantile(0.5, sum(http_server_request_duration_seconds))"
                assert 0 < prometheus.query(median)[0][1] < 1


@scraped
def test_promtool_has_nothing_to_say_about_the_metrics(watched: Path) -> None:
    promtool = command("promtool")
    with RunningService(watched, LOG_LEVEL="debug") as service:
        send_all_ways(service)
        said = subprocess.run(
            [promtool, "check", "metrics"], input=scrape(metrics_port(service)), capture_output=True, text=True
        )
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


REQUESTS = 100_000


@pytest.mark.contract("labels")
@each_choice
def test_no_client_can_make_series(watched: Path, choice: str) -> None:
    """Methods, paths and hosts that are made up, on a connection that stays open, twenty at a time."""
    with observed(watched, choice) as seen:
        sent = [
            f"METHOD{i} /path/{i}?{i} HTTP/1.1\r\nHost: host{i}\r\nUser-Agent: {i}\r\nX-Request-ID: {i}\r\n"
            f"X-Forwarded-For: 10.0.{i % 256}.1\r\nAuthorization: Bearer {i}\r\n\r\n".encode()
            for i in range(REQUESTS)
        ]
        assert raw_http.ask(seen.service.address(), "BREW", "/nothing").status == 404
        before = seen.series().keys()
        with raw_http.connect(seen.service.address()) as connection:
            for begin in range(0, REQUESTS, 20):
                connection.sendall(b"".join(sent[begin : begin + 20]))
                received = b""
                while received.count(b"HTTP/1.1 404") < 20 or not received.endswith(b"}"):
                    received += connection.recv(1 << 16)
        series = seen.series()
        assert requests_of(series) == {("_OTHER", "", 404): REQUESTS + 1}
        assert series.keys() == before
        assert seen.service.stop() == 0


@pytest.mark.contract("`METRICS_ADDR`")
@scraped
def test_metrics_are_on_their_own_listener_alone(watched: Path) -> None:
    with RunningService(watched) as service:
        assert raw_http.ask(service.address(), "GET", "/metrics").status == 404
        assert raw_http.ask(service.address("ADMIN_ADDR"), "GET", "/metrics").status == 404
        for path in ("/debug/pprof/", "/debug/vars", "/livez", "/version", "/"):
            assert raw_http.ask(service.address("METRICS_ADDR"), "GET", path).status == 404
        assert raw_http.ask(service.address("METRICS_ADDR"), "POST", "/metrics", "{}").status == 405
        assert requests_of(series_of(scrape(metrics_port(service)))) == {("GET", "", 404): 1}
    with RunningService(watched, METRICS_ADDR="") as service:
        service.address()
        assert service.stop() == 0
        assert "METRICS_ADDR" not in [line.get("variable") for line in service.lines]


@scraped
def test_the_listener_of_the_metrics_has_limits(watched: Path) -> None:
    """A client of it can neither hold it up by being slow, nor make it work for many scrapes at once."""
    limits = {"READ_HEADER_TIMEOUT": "300ms", "MAX_HEADER_COUNT": "5", "MAX_CONNECTIONS": "2"}
    with RunningService(watched, **limits) as service, ExitStack() as stack:
        address = service.address("METRICS_ADDR")
        slow = stack.enter_context(raw_http.connect(address))
        slow.sendall(b"GET /metrics HT")
        assert raw_http.is_closed(slow, 10)
        assert raw_http.ask(address, "GET", "/metrics", None, *(f"X-{n}: 1" for n in range(6))).status == 431
        for _ in range(20):  # more than MAX_CONNECTIONS, which is for PORT
            stack.enter_context(raw_http.connect(address))
        with ThreadPoolExecutor(20) as pool:
            statuses = set(pool.map(lambda _: raw_http.ask(address, "GET", "/metrics").status, range(200)))
        assert 200 in statuses <= {200, 503}
        assert raw_http.ask(service.address(), "GET", "/version").status == 200


@scraped
def test_a_taken_metrics_address_is_named(watched: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with RunningService(watched, METRICS_ADDR=address) as service:
            assert service.wait() == 1
            assert service.lines[-1]["level"] == "ERROR"
            assert "METRICS_ADDR" in service.lines[-1]["error"]
            assert address in service.lines[-1]["error"]


@pytest.mark.contract("`METRICS_ADDR`")
@scraped
def test_metrics_can_be_scraped_until_the_last_request_is_done(watched: Path) -> None:
    with RunningService(watched, SHUTDOWN_DELAY="500ms") as service, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(raw_http.ask, service.address(), "GET", "/v1/slow")
        wait_until(lambda: series_of(scrape(metrics_port(service)))["http_server_active_requests"] == 1, lambda: "0")
        service.drain()
        assert raw_http.ask(service.address(), "GET", "/readyz").status == 503
        raw_http.wait_until_refused(service.address())
        series = series_of(scrape(metrics_port(service)))
        assert series["http_server_active_requests"] == 1
        assert requests_of(series)["GET", "/readyz", 503] == 1
        assert asking.result().status == 204
        assert service.wait() == 0


@pytest.mark.contract("pushed metrics")
@pushed
def test_the_last_request_before_the_stop_is_pushed(watched: Path) -> None:
    with Receiver() as receiver, ThreadPoolExecutor(1) as pool:
        with RunningService(watched, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url) as service:
            asking = pool.submit(raw_http.ask, service.address(), "GET", "/v1/slow")
            time.sleep(0.3)
            assert service.stop() == 0
            assert asking.result().status == 204
        (last,) = receiver.values("http.server.request.duration")
        assert (last.attributes["http.route"], last.value) == ("/v1/slow", 1)
        assert (last.unit, last.bounds) == ("s", BOUNDS)


@pytest.mark.contract("a metric of the team's own")
@each_choice
def test_a_metric_of_the_teams_own_is_there(watched: Path, choice: str) -> None:
    with observed(watched, choice) as seen:
        assert raw_http.ask(seen.service.address(), "GET", "/v1/counted").status == 204
        assert seen.series()["greetings_total"] == 1


@scraped
def test_lines_of_the_log_that_are_lost_are_counted(watched: Path) -> None:
    """Nobody reads the log until it is full."""
    port, metrics, many = free_port(), free_port(), 10_000
    environment = {"PORT": str(port), "ADMIN_ADDR": "", "METRICS_ADDR": f"127.0.0.1:{metrics}"}
    with subprocess.Popen([watched], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            wait_for_answer(port)
            raw_http.ask_often(("127.0.0.1", port), many)
            series = series_of(scrape(metrics))
            assert requests_of(series)["GET", "/version", 200] == many
            lost = series["log_lines_lost_total"]
            assert 0 < lost < many
            too_late = threading.Timer(20, process.kill)
            too_late.start()
            assert process.stdout
            for line in process.stdout:  # that some lines were lost is said once there is room again
                if "log lines lost" in line:
                    break
            too_late.cancel()
            assert series_of(scrape(metrics))["log_lines_lost_total"] == lost
        finally:
            process.kill()


TEAM_TESTS = {
    "scraped": """package api

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestGreetingsAreCounted(t *testing.T) {
	testHandler(t).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/v1/counted", nil))
	if got := testutil.ToFloat64(greetings); got != 1 {
		t.Errorf("greetings_total = %v, want 1", got)
	}
}
""",
    "pushed": """package api

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

func TestGreetingsAreCounted(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	testHandler(t).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/v1/counted", nil))
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	sum := collected.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64])
	if got := sum.DataPoints[0].Value; got != 1 {
		t.Errorf("greetings = %v, want 1", got)
	}
}
""",
}


@each_choice
def test_a_team_sees_its_metric_in_a_test_without_another_module(watched: Path, choice: str, tmp_path: Path) -> None:
    service = BakedService(Path(shutil.copytree(watched.parents[1], tmp_path / "service")))
    write(service.path / "internal/api/counted_test.go", TEAM_TESTS["scraped" if choice in SCRAPED else "pushed"])
    service.run("go", "test", "-run", "TestGreetingsAreCounted", "./internal/api")
    assert service.run("go", "mod", "tidy", "-diff") == ""
