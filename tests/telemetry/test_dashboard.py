"""Each query of the dashboard returns data, of a running service and a real Prometheus."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import raw_http
from tests.support.baking import BakedService
from tests.support.fixtures import Bake, Once
from tests.support.prometheus import Prometheus, command, wait_until
from tools.running_service import RunningService

FOLDER = "observability"
GREETING = '{"name":"Ada"}'


@dataclass
class Watched:
    """A running service, and the Prometheus that has its metrics."""

    baked: BakedService
    service: RunningService
    prometheus: Prometheus

    def load(self) -> None:
        """Greet, probe, and let MAX_IN_FLIGHT refuse one of two requests at once."""
        address = self.service.address()
        assert raw_http.ask(address, "GET", "/readyz").status == 200
        wait_until(self._one_of_two_is_refused, lambda: "no 503")
        wait_until(lambda: raw_http.ask(address, "POST", "/v1/greetings", GREETING).status == 200, lambda: "no 200")

    def _one_of_two_is_refused(self) -> bool:
        address = self.service.address()
        held = raw_http.request("POST", "/v1/greetings", GREETING)
        with raw_http.connect(address) as connection:
            connection.sendall(held[:-1])
            other = raw_http.ask(address, "POST", "/v1/greetings", GREETING)
            connection.sendall(held[-1:])
            return 503 in (other.status, raw_http.read_answer(connection).status)


@pytest.fixture(scope="module", params=["prometheus", "opentelemetry", "both"])
def watched(
    modules: None, once: Once, bake: Bake, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Watched]:
    """A service, and Prometheus with the configuration of compose.yaml, but other addresses and intervals."""
    command("prometheus")
    baked = bake(telemetry=request.param)
    binary = baked.build()
    folder = shutil.copytree(baked.path / FOLDER, tmp_path_factory.mktemp("prometheus") / "folder")
    configuration = Path(folder) / "prometheus.yml"
    if request.param == "opentelemetry":
        write_configuration(configuration)
        with Prometheus(configuration, "--web.enable-otlp-receiver") as prometheus:
            prometheus.wait_until_ready()
            variables = {
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{prometheus.url}/api/v1/otlp/v1/metrics",
                "OTEL_METRIC_EXPORT_INTERVAL": "300",
            }
            with RunningService(binary, MAX_IN_FLIGHT="1", **variables) as service:
                yield Watched(baked, service, prometheus)
    else:
        with RunningService(binary, MAX_IN_FLIGHT="1", METRICS_ADDR="127.0.0.1:0") as service:
            host, port = service.address("METRICS_ADDR")
            write_configuration(configuration, f"{host}:{port}")
            with Prometheus(configuration) as prometheus:
                prometheus.wait_until_ready()
                yield Watched(baked, service, prometheus)


def write_configuration(file: Path, target: str = "") -> None:
    text = file.read_text()
    assert ("service:9464" in text) == bool(target)
    file.write_text(text.replace("service:9464", target).replace("_interval: 5s", "_interval: 300ms"))


def dashboard(baked: BakedService) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(baked.read(f"{FOLDER}/dashboard.json"))
    return loaded


def queries(baked: BakedService) -> list[str]:
    """Return the queries, with the value that Grafana puts in for all jobs."""
    expressions = [target["expr"] for panel in dashboard(baked)["panels"] for target in panel["targets"]]
    return [expression.replace("$job", "(my-service)") for expression in expressions]


def test_each_query_of_the_dashboard_returns_data(watched: Watched) -> None:
    empty: list[str] = []

    def each_has_data() -> bool:
        watched.load()
        empty[:] = [query for query in queries(watched.baked) if not has_data(watched.prometheus, query)]
        return not empty

    wait_until(each_has_data, lambda: empty)


def has_data(prometheus: Prometheus, query: str) -> bool:
    values = [value for _, value in prometheus.query(query)]
    return bool(values) and not any(math.isnan(value) for value in values)


def test_the_dashboard_finds_the_jobs_of_the_service(watched: Watched) -> None:
    (variable,) = (each for each in dashboard(watched.baked)["templating"]["list"] if each["name"] == "job")
    found = re.fullmatch(r"label_values\((.*), (job)\)", variable["query"])
    assert found
    wait_until(lambda: bool(watched.prometheus.query(found[1])), lambda: found[1])
    assert {labels[found[2]] for labels, _ in watched.prometheus.query(found[1])} == {"my-service"}


def test_a_legend_names_only_labels_that_its_query_keeps(watched: Watched) -> None:
    for panel in dashboard(watched.baked)["panels"]:
        for target in panel["targets"]:
            kept = re.findall(r"\w+", " ".join(re.findall(r"\bby \(([^)]*)\)", target["expr"])))
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= set(kept), target


def test_the_rules_record_and_no_alert_misses_an_objective(watched: Watched) -> None:
    watched.load()
    prometheus = watched.prometheus
    for series in ("http_requests:rate5m", "http_errors:ratio5m", "http_slow:ratio5m"):
        wait_until(lambda series=series: has_data(prometheus, f"job:{series} > -1"), prometheus.output)  # type: ignore[misc]
    groups = prometheus.api("rules")["groups"]
    assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}
    assert prometheus.query("ALERTS") == [] or prometheus.query('ALERTS{alertname=~"Objectives.*|.*Down"}') == []


def test_objectives_yml_names_the_buckets_as_prometheus_does(watched: Watched) -> None:
    """A threshold under another name would be none."""
    watched.load()
    buckets = 'count by (le) (http_server_request_duration_seconds_bucket{le!="+Inf"})'
    wait_until(lambda: bool(watched.prometheus.query(buckets)), watched.prometheus.output)
    comment = (
        watched.baked.read(f"{FOLDER}/objectives.yml").partition("bucket of the histogram")[2].partition("- rec")[0]
    )
    assert {labels["le"] for labels, _ in watched.prometheus.query(buckets)} == set(re.findall(r'"([\d.]+)"', comment))
