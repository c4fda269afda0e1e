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
from tests.support.fixtures import Once
from tests.support.prometheus import Prometheus, command, wait_until
from tests.support.watched import CHOICES, SCRAPED, build_watched, metrics_port
from tools.running_service import RunningService

FOLDER = "observability"


@dataclass
class Observed:
    """A running service, and the Prometheus that has its metrics."""

    baked: BakedService
    service: RunningService
    prometheus: Prometheus

    def load(self) -> None:
        """Be greeted, be refused, and make a handler panic."""
        address = self.service.address()
        for body, status in (('{"name":"Ada"}', 200), (" " * 100, 413)):
            assert raw_http.ask(address, "POST", "/v1/greetings", body).status == status
        assert raw_http.ask(address, "GET", "/v1/panics").status == 500


@pytest.fixture(scope="module", params=CHOICES)
def observed(
    modules: None, once: Once, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Observed]:
    """A service, and Prometheus with the configuration of compose.yaml, but other addresses and intervals."""
    command("prometheus")
    choice = request.param
    baked = BakedService(once(f"watched-{choice}", lambda folder: build_watched(folder, choice)) / "my-service")
    folder = tmp_path_factory.mktemp("prometheus") / "folder"
    shutil.copytree(baked.path / FOLDER, folder)
    binary, configuration = baked.path / "bin/service", folder / "prometheus.yml"
    if choice in SCRAPED:
        with RunningService(binary, MAX_BODY_BYTES="64") as service:
            write_configuration(configuration, f"127.0.0.1:{metrics_port(service)}")
            with Prometheus(configuration) as prometheus:
                prometheus.wait_until_ready()
                yield Observed(baked, service, prometheus)
        return
    write_configuration(configuration)
    with Prometheus(configuration, "--web.enable-otlp-receiver") as prometheus:
        prometheus.wait_until_ready()
        endpoint = f"{prometheus.url}/api/v1/otlp/v1/metrics"
        variables = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": endpoint, "OTEL_METRIC_EXPORT_INTERVAL": "300"}
        with RunningService(binary, MAX_BODY_BYTES="64", **variables) as service:
            yield Observed(baked, service, prometheus)


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


def test_each_query_of_the_dashboard_returns_data(observed: Observed) -> None:
    empty: list[str] = []

    def each_has_data() -> bool:
        observed.load()
        empty[:] = [query for query in queries(observed.baked) if not has_data(observed.prometheus, query)]
        return not empty

    wait_until(each_has_data, lambda: empty)


def has_data(prometheus: Prometheus, query: str) -> bool:
    values = [value for _, value in prometheus.query(query)]
    return bool(values) and not any(math.isnan(value) for value in values)


def test_the_dashboard_finds_the_jobs_of_the_service(observed: Observed) -> None:
    (variable,) = (each for each in dashboard(observed.baked)["templating"]["list"] if each["name"] == "job")
    found = re.fullmatch(r"label_values\((.*), (job)\)", variable["query"])
    assert found
    wait_until(lambda: bool(observed.prometheus.query(found[1])), lambda: found[1])
    assert {labels[found[2]] for labels, _ in observed.prometheus.query(found[1])} == {"my-service"}


def test_a_legend_names_only_labels_that_its_query_keeps(observed: Observed) -> None:
    for panel in dashboard(observed.baked)["panels"]:
        for target in panel["targets"]:
            kept = re.findall(r"\w+", " ".join(re.findall(r"\bby \(([^)]*)\)", target["expr"])))
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= set(kept), target


def test_the_rules_record_and_no_alert_misses_an_objective(observed: Observed) -> None:
    prometheus = observed.prometheus
    recorded = [f"job:http_{name}" for name in ("requests:rate5m", "errors:ratio5m", "slow:ratio5m")]

    def all_are_recorded() -> bool:
        observed.load()
        return all(has_data(prometheus, series) for series in recorded)

    wait_until(all_are_recorded, prometheus.output)
    groups = prometheus.api("rules")["groups"]
    assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}
    assert prometheus.query('ALERTS{alertname=~"Objectives.*|.*Down"}') == []


def test_objectives_yml_names_the_buckets_as_prometheus_does(observed: Observed) -> None:
    """A threshold under another name would be none."""
    observed.load()
    buckets = 'count by (le) (http_server_request_duration_seconds_bucket{le!="+Inf"})'
    wait_until(lambda: bool(observed.prometheus.query(buckets)), observed.prometheus.output)
    comment = (
        observed.baked.read(f"{FOLDER}/objectives.yml").partition("bucket of the histogram")[2].partition("- rec")[0]
    )
    assert {labels["le"] for labels, _ in observed.prometheus.query(buckets)} == set(re.findall(r'"([\d.]+)"', comment))
