"""A service whose requests are counted and traced, with routes that fail in every way."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.baking import bake_into
from tests.support.otlp import Metric, Receiver
from tests.support.prometheus import wait_until
from tests.support.team_edits import add_routes, write
from tools.running_service import RunningService

CHOICES = ["prometheus", "opentelemetry", "both"]
SCRAPED = ["prometheus", "both"]
TRACED = ["opentelemetry", "both"]

ROUTES = r"""package api

import (
	"net/http"
	"strconv"
	"time"
MORE_IMPORTS
)

METRIC

func (s *Service) panics(http.ResponseWriter, *http.Request) { panic("boom") }

func (s *Service) cut(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write(make([]byte, 1<<16))
	panic(http.ErrAbortHandler)
}

func (s *Service) silent(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func (s *Service) late(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write(make([]byte, 1<<16))
	panic("late \xff")
}

func (s *Service) status(w http.ResponseWriter, r *http.Request) {
	code, _ := strconv.Atoi(r.URL.Query().Get("code"))
	w.WriteHeader(code)
}

func (s *Service) waits(w http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
	fail(w, r, r.Context().Err())
}

func (s *Service) taken(w http.ResponseWriter, r *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		fail(w, r, err)
		return
	}
	_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"))
	_ = conn.Close()
}

func (s *Service) slow(w http.ResponseWriter, r *http.Request) {
	time.Sleep(time.Second)
	s.Logger.InfoContext(r.Context(), "slept")
	w.WriteHeader(http.StatusNoContent)
}

func (s *Service) counted(w http.ResponseWriter, r *http.Request) {
	COUNT
	w.WriteHeader(http.StatusNoContent)
}
"""

OUTGOING = """package api

import (
	"io"
	"net/http"

	"github.com/acme/my-service/internal/telemetry"
)

func (s *Service) outgoing(w http.ResponseWriter, r *http.Request) {
	request, err := http.NewRequestWithContext(r.Context(), "GET", r.URL.Query().Get("url"), nil)
	if err != nil {
		fail(w, r, err)
		return
	}
	client := http.Client{Transport: telemetry.Transport(http.DefaultTransport)}
	response, err := client.Do(request)
	if err != nil {
		fail(w, r, err)
		return
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
"""


def page_example(page: str) -> str:
    """Return the line of code by which docs/telemetry.md adds a metric."""
    found = re.search(r"```go\n(var greetings.*)\n```", page)
    assert found
    return found[1]


def build_watched(folder: Path, choice: str) -> None:
    """Bake, add the routes and build."""
    service = bake_into(folder, telemetry=choice)
    scraped = choice in SCRAPED
    modules = ["prometheus/client_golang/prometheus", "prometheus/client_golang/prometheus/promauto"]
    imports = [f"github.com/{name}" for name in modules] if scraped else ["go.opentelemetry.io/otel"]
    code = ROUTES.replace("MORE_IMPORTS", "\n" + "\n".join(f'\t"{name}"' for name in imports))
    code = code.replace("METRIC", page_example(service.read("docs/telemetry.md")))
    code = code.replace("COUNT", "greetings.Inc()" if scraped else "greetings.Add(r.Context(), 1)")
    write(service.path / "internal/api/watched.go", code)
    names = ["panics", "cut", "silent", "late", "status", "waits", "taken", "slow", "counted"]
    if choice in TRACED:
        write(service.path / "internal/api/outgoing.go", OUTGOING)
        names.append("outgoing")
    lines = [f'r.Handle("GET /v1/{name}", s.{name})' for name in names]
    add_routes(service.path, *lines, 'r.Handle("GET /v1/stream", s.waits, Stream())')
    service.run("gofmt", "-w", "internal/api/watched.go")
    service.build()


def metrics_port(service: RunningService) -> int:
    return service.address("METRICS_ADDR")[1]


def scrape(port: int, openmetrics: bool = False) -> str:
    """Return what Prometheus gets."""
    accept = "application/openmetrics-text" if openmetrics else "text/plain"
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as response:
        return str(response.read().decode())


Series = dict[str, float]


def series_of(exposition: str) -> Series:
    """Return the values by their series, with its labels in alphabetical order."""
    lines = (line.partition(" # ")[0] for line in exposition.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


UNITS = {"s": "_seconds", "By": "_bytes"}


def pushed_series(metrics: Iterable[Metric]) -> Series:
    """Return what was pushed under the names that Prometheus gives it. Of a histogram it has the count alone."""
    series = {}
    for metric in metrics:
        ends = {"histogram": "_count", "counter": "_total"}
        name = metric.name.replace(".", "_") + UNITS.get(metric.unit, "") + ends.get(metric.kind, "")
        pairs = (f'{key.replace(".", "_")}="{value}"' for key, value in sorted(metric.attributes.items()))
        labels = ",".join(pairs)
        series[f"{name}{{{labels}}}" if labels else name] = metric.value
    return series


class Observed:
    """A running service and what is known of it by its metrics, whether they are scraped or pushed."""

    def __init__(self, service: RunningService, receiver: Receiver | None) -> None:
        self.service, self._receiver = service, receiver

    def series(self) -> Series:
        if not self._receiver:
            return series_of(scrape(metrics_port(self.service)))
        wanted = self._receiver.pushes() + 2  # the next one may be on its way already
        wait_until(lambda: self._receiver is None or self._receiver.pushes() >= wanted, lambda: "no metrics")
        return pushed_series(self._receiver.metrics)

    def requests(self) -> Requests:
        return requests_of(self.series())


@contextmanager
def observed(binary: Path, choice: str, **variables: str) -> Iterator[Observed]:
    """Run a service and observe it, in the way that the choice offers."""
    if choice in SCRAPED:
        with RunningService(binary, **variables) as service:
            yield Observed(service, None)
        return
    with Receiver() as receiver:
        pushing = {
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{receiver.url}/v1/metrics",
            "OTEL_METRIC_EXPORT_INTERVAL": "100",
        }
        with RunningService(binary, **pushing, **variables) as service:
            yield Observed(service, receiver)


Requests = dict[tuple[str, str, int], int]


def requests_of(series: Series) -> Requests:
    """Return the number of requests by method, route and status."""
    pattern = r'http_server_request_duration_seconds_count\{http_request_method="(.*)",'
    pattern += r'http_response_status_code="(.*)",http_route="(.*)"\}'
    found = {}
    for name, value in series.items():
        if match := re.fullmatch(pattern, name):
            method, status, route = match.groups()
            found[method, route, int(status)] = int(value)
    return found


def refusals_of(series: Series) -> dict[str, int]:
    """Return the number of refused requests by the limit."""
    pattern = r'http_server_refused_requests_total\{reason="(.*)"\}'
    found = ((re.fullmatch(pattern, name), value) for name, value in series.items())
    return {match[1]: int(value) for match, value in found if match}
