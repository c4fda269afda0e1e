"""Each query of the dashboard returns data, of a running service and a real Prometheus."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import raw_http
from tests.support.baking import BakedService
from tests.support.fixtures import Once
from tests.support.machine import is_port_free
from tests.support.observability import FOLDER, compose
from tests.support.otlp import Receiver
from tests.support.prometheus import Prometheus, command, wait_until
from tests.support.watched import CHOICES, build_watched
from tools.running_service import RunningService, free_port

pytestmark = pytest.mark.long


@dataclass
class Observed:
    """A running service, and the Prometheus that has its metrics."""

    baked: BakedService
    service: RunningService
    prometheus: Prometheus
    jaeger: Receiver  # what the collector hands on

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
    metrics = f"127.0.0.1:{free_port()}"
    change(folder / "prometheus.yml", {"service:9464": metrics, "_interval: 5s": "_interval: 300ms"})
    variables = {"METRICS_ADDR": metrics, "OTEL_METRIC_EXPORT_INTERVAL": "300", "MAX_BODY_BYTES": "64"}
    flags = compose(baked)["prometheus"]["command"][2:]
    with (
        Prometheus(folder / "prometheus.yml", *flags) as prometheus,
        Receiver() as jaeger,
        collector(folder / "collector.yml", prometheus.url, jaeger.url) as endpoint,
        RunningService(baked.path / "bin/service", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **variables) as service,
    ):
        prometheus.wait_until_ready()
        yield Observed(baked, service, prometheus, jaeger)


@contextmanager
def collector(file: Path, prometheus: str, jaeger: str) -> Iterator[str]:
    """Run the collector, if there is one, with its own configuration but other addresses. Yield where it listens."""
    if not file.exists():
        yield ""
        return
    port = free_port()
    hosts = {"0.0.0.0:4318": f"127.0.0.1:{port}", "http://prometheus:9090": prometheus, "http://jaeger:4318": jaeger}
    change(file, hosts)
    words = [command("otelcol"), "--config", str(file), "--set", "service.telemetry.metrics.level=none"]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: not is_port_free(port), lambda: "the collector does not listen")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def change(file: Path, replacements: dict[str, str]) -> None:
    text = file.read_text()
    for old, new in replacements.items():
        text = text.replace(old, new)
    file.write_text(text)


def dashboard(baked: BakedService) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(baked.read(f"{FOLDER}/dashboard.json"))
    return loaded


def queries(baked: BakedService) -> list[str]:
    """Return the queries, with the value that Grafana puts in for all jobs."""
    expressions = [target["expr"] for panel in dashboard(baked)["panels"] for target in panel["targets"]]
    return [expression.replace("$job", "(my-service)") for expression in expressions]


@pytest.mark.contract("the dashboard")
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


def test_spans_reach_jaeger_through_the_collector(observed: Observed) -> None:
    observed.load()
    if "collector" in compose(observed.baked):
        wait_until(lambda: bool(observed.jaeger.spans), lambda: observed.service.lines)
    else:
        assert observed.jaeger.spans == []


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
