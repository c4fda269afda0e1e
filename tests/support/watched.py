"""A service whose requests are counted and traced, with routes that fail in every way."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path

from tests.support.baking import bake_into
from tests.support.team_edits import add_routes, write
from tools.running_service import RunningService

CHOICES = ["prometheus", "opentelemetry", "both"]
SCRAPED = ["prometheus", "both"]
TRACED = ["opentelemetry", "both"]

ROUTES = """package api

import (
	"net/http"
	"time"
MORE_IMPORTS
)

METRIC

func (s *Service) panics(http.ResponseWriter, *http.Request) { panic("boom") }

func (s *Service) cut(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write(make([]byte, 1<<16))
	panic(http.ErrAbortHandler)
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
	_ = response.Body.Close()
	w.WriteHeader(http.StatusNoContent)
}
"""

PATHS = """  /v1/NAME:
    get:
      operationId: NAME
      responses:
        "204": { description: Done. }

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
    names = ["panics", "cut", "slow", "counted"]
    if choice in TRACED:
        write(service.path / "internal/api/outgoing.go", OUTGOING)
        names.append("outgoing")
    add_routes(service.path, *(f'r.Handle("GET /v1/{name}", s.{name})' for name in names))
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


def requests_of(series: Series) -> dict[tuple[str, str, int], int]:
    """Return the number of requests by method, route and status."""
    pattern = r'http_server_request_duration_seconds_count\{http_request_method="(.*)",'
    pattern += r'http_response_status_code="(.*)",http_route="(.*)"\}'
    found = {}
    for name, value in series.items():
        if match := re.fullmatch(pattern, name):
            method, status, route = match.groups()
            found[method, route, int(status)] = int(value)
    return found
