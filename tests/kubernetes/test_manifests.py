"""What the manifests say, without a cluster."""

from __future__ import annotations

import re
from typing import Any

import kubernetes_validate
import pytest
import yaml

from go_service_answers import template
from tests.support.baking import BakedService
from tests.support.fixtures import Bake
from tests.support.kubernetes import OVERLAYS, render, use_components
from tests.support.team_edits import replace

BEYOND_KUBERNETES = {"HTTPRoute", "PodMonitor", "PrometheusRule"}  # test_cluster.py has their schemas
answers_that_matter = pytest.mark.parametrize(
    "answers",
    [
        {"telemetry": telemetry, "database": database, "rpc": rpc}
        for telemetry in template.choices()["telemetry"]
        for database, rpc in [("none", "none"), ("postgres", "connect")]
    ],
    ids=lambda answers: "-".join(answers.values()),
)


def read_yaml(service: BakedService, name: str) -> Any:
    return yaml.safe_load(service.read(f"deploy/{name}"))


@pytest.fixture
def deployment(manifests: BakedService) -> Any:
    return read_yaml(manifests, "base/deployment.yaml")["spec"]


@pytest.fixture
def pod(deployment: Any) -> Any:
    return deployment["template"]["spec"]


@pytest.fixture
def container(pod: Any) -> Any:
    (container,) = pod["containers"]
    return container


@pytest.fixture
def settings(manifests: BakedService) -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", manifests.read("deploy/base/settings.env"), re.MULTILINE))


def the(objects: list[Any], kind: str) -> Any:
    """Return the one object of a kind."""
    (found,) = (item for item in objects if item["kind"] == kind)
    return found


def seconds(text: str) -> int:
    """Return a duration such as 5s, in seconds."""
    assert re.fullmatch(r"\d+s", text), text
    return int(text[:-1])


def default_of(service: BakedService, variable: str) -> str:
    """Return the default of a setting."""
    (found,) = re.findall(rf'\{{"{variable}", "(.*?)"', service.read("internal/config/config.go"))
    return str(found)


@pytest.mark.contract("a service that is not made for Kubernetes")
def test_without_kubernetes_there_is_no_manifest(default: BakedService) -> None:
    words = re.compile("kustomize|kubectl apply|NetworkPolicy", re.IGNORECASE)
    assert [name for name in default.files() if name != "bin/service" and words.search(default.read(name))] == []


@pytest.mark.long
@answers_that_matter
@pytest.mark.contract("the manifests")
def test_the_manifests_are_valid_in_every_supported_version(
    bake: Bake, kustomize: None, answers: dict[str, str]
) -> None:
    service = bake(deploy="kubernetes", **answers)
    (oldest,) = re.findall(r"^Kubernetes (1\.\d+) or newer", service.read("docs/kubernetes.md"), re.MULTILINE)
    newest = kubernetes_validate.latest_version()
    use_components(service)
    for overlay in OVERLAYS:
        for item in render(service.path / f"deploy/overlays/{overlay}"):
            if item["kind"] not in BEYOND_KUBERNETES:
                for version in (oldest, newest):
                    kubernetes_validate.validate(item, version, strict=True)


def test_a_copy_has_the_time_that_its_stop_takes(settings: dict[str, str], pod: Any) -> None:
    stop = seconds(settings["SHUTDOWN_DELAY"]) + seconds(settings["SHUTDOWN_TIMEOUT"])
    assert pod["terminationGracePeriodSeconds"] >= stop + 5


@pytest.mark.parametrize("rpc", template.choices()["rpc"])
def test_the_memory_limit_has_room_for_what_the_settings_admit(bake: Bake, rpc: str) -> None:
    service = bake(deploy="kubernetes", rpc=rpc)
    admitted = dict(re.findall(r"^(MAX_\w+)=(.*)$", service.read("deploy/base/settings.env"), re.MULTILINE))
    body = int(default_of(service, "MAX_BODY_BYTES"))
    bodies = int(admitted["MAX_IN_FLIGHT"]) * body
    messages = int(admitted.get("MAX_STREAMS", 0)) * 2 * body
    connections = int(admitted["MAX_CONNECTIONS"]) * 25 * 1024
    at_rest = 16 * 1024**2
    (limit,) = re.findall(r"limits: {.*memory: (\d+)Mi}", service.read("deploy/base/deployment.yaml"))
    assert bodies + messages + connections + at_rest <= int(limit) * 1024**2


def test_liveness_is_asked_from_inside(container: Any) -> None:
    """So that a copy whose connections are all in use is not killed: see internal/health of the service."""
    assert container["livenessProbe"]["exec"]["command"] == ["./service", "-healthcheck"]


def test_the_readiness_probe_waits_for_what_the_service_asks(container: Any) -> None:
    """/readyz asks the service for less than a second."""
    assert container["readinessProbe"]["timeoutSeconds"] > 1


def test_readiness_is_asked_by_grpc_where_clients_call_by_it(bake: Bake) -> None:
    service = bake(deploy="kubernetes", rpc="connect", service_name="orders", http_port="9000")
    (container,) = read_yaml(service, "base/deployment.yaml")["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["grpc"] == {"port": 9000, "service": "orders"}
    assert read_yaml(service, "base/service.yaml")["spec"]["ports"][0]["appProtocol"] == "kubernetes.io/h2c"


def test_the_ports_are_those_of_the_service(bake: Bake) -> None:
    service = bake(deploy="kubernetes", telemetry="prometheus", http_port="9000")
    (container,) = read_yaml(service, "base/deployment.yaml")["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {"name": "PORT", "value": "9000"} in container["env"]  # a setting must not move it
    assert ports == {"http": 9000, "metrics": int(default_of(service, "METRICS_ADDR").removeprefix(":"))}
    assert read_yaml(service, "base/service.yaml")["spec"]["ports"][0]["targetPort"] == "http"


def test_nothing_unready_is_counted_on_during_a_rollout(deployment: Any) -> None:
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert "replicas" not in deployment  # each release would undo what the autoscaler did


@pytest.mark.parametrize(("database", "optional"), [("none", {"optional": True}), ("postgres", {})])
def test_secrets_are_there_by_reference_only(bake: Bake, database: str, optional: dict[str, bool]) -> None:
    service = bake(deploy="kubernetes", database=database)
    (container,) = read_yaml(service, "base/deployment.yaml")["spec"]["template"]["spec"]["containers"]
    assert {"secretRef": {"name": "my-service", **optional}} in container["envFrom"]
    manifests = [name for name in service.files() if name.startswith("deploy/")]
    assert [name for name in manifests if "kind: Secret" in service.read(name)] == []


@pytest.mark.long
def test_production_runs_an_image_by_digest(manifests: BakedService, kustomize: None) -> None:
    objects = render(manifests.path / "deploy/overlays/production")
    (container,) = the(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert re.fullmatch(r"my-service@sha256:[0-9a-f]{64}", container["image"])


@pytest.mark.long
def test_a_changed_setting_is_another_config_map(bake: Bake, kustomize: None) -> None:
    """So that it is a rollout, and a rollback has the old settings."""
    service = bake(deploy="kubernetes")
    overlay = service.path / "deploy/overlays/staging"
    before = the(render(overlay), "ConfigMap")["metadata"]["name"]
    replace(overlay / "settings.env", "LOG_LEVEL=debug", "LOG_LEVEL=warn")
    after = the(render(overlay), "ConfigMap")
    assert after["metadata"]["name"] != before
    assert after["data"]["SHUTDOWN_DELAY"] == "5s"


@pytest.mark.parametrize("name", ["alerts", "objectives"])
def test_the_alerts_are_those_of_observability(manifests: BakedService, name: str) -> None:
    rule = yaml.safe_load(manifests.read(f"deploy/components/alerts/{name}.yaml"))
    assert rule["spec"] == yaml.safe_load(manifests.read(f"observability/{name}.yml"))


def test_a_changed_objective_reaches_the_alerts(bake: Bake) -> None:
    service = bake(deploy="kubernetes", telemetry="prometheus")
    names = [f"deploy/components/alerts/{name}.yaml" for name in ("alerts", "objectives")]
    before = [service.read(name) for name in names]
    service.make("alerts")
    assert [service.read(name) for name in names] == before
    replace(service.path / "observability/objectives.yml", "0.999", "0.9")
    assert "objectives.yml has changed: type make alerts" in service.run("make", "lint-alerts", status=2)
    service.make("alerts")
    service.make("lint-alerts")
    assert service.read(names[0]) == before[0]
    assert service.read(names[1]) == before[1].replace("0.999", "0.9")


def test_the_page_names_every_component(manifests: BakedService) -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", manifests.read("docs/kubernetes.md"), re.MULTILINE)
    assert sorted(rows) == sorted(path.name for path in (manifests.path / "deploy/components").iterdir())


def test_the_overlays_do_not_depend_on_other_options(bake: Bake, manifests: BakedService) -> None:
    """They are the team's: turning an option on does not touch them."""
    plain = bake(deploy="kubernetes")
    overlays = {name for name in plain.files() if name.startswith("deploy/overlays/")}
    assert overlays == {name for name in manifests.files() if name.startswith("deploy/overlays/")}
    assert all(plain.read(name) == manifests.read(name) for name in overlays)
