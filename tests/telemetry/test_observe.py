"""What "make observe" starts."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from go_service_answers import template
from tests.support.baking import BakedService
from tests.support.commands import installed
from tests.support.fixtures import Bake
from tests.support.observability import FOLDER, compose
from tests.support.prometheus import command


@pytest.fixture(scope="module", params=template.choices()["telemetry"][1:])
def baked(bake: Bake, request: pytest.FixtureRequest) -> BakedService:
    return bake(telemetry=request.param, http_port="8081")


def test_compose_yaml_is_valid(baked: BakedService) -> None:
    words = [installed("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "compose.yaml"]
    done = subprocess.run(words, cwd=baked.path / FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_docker_compose_accepts_it(baked: BakedService) -> None:
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        pytest.skip("there is no docker compose command")
    baked.run("docker", "compose", "-f", f"{FOLDER}/compose.yaml", "config", "--quiet")


def test_make_observe_is_listed_and_starts_it(baked: BakedService) -> None:
    assert re.search(r"^  observe +run ", baked.make(), re.MULTILINE)
    assert "docker compose -f observability/compose.yaml up --build" in baked.make("--dry-run", "observe")


def test_only_this_machine_reaches_the_ports(baked: BakedService) -> None:
    ports = [port for service in compose(baked).values() for port in service.get("ports", [])]
    assert "127.0.0.1:8081:8081" in ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_every_image_has_a_version(baked: BakedService) -> None:
    images = [service["image"] for name, service in compose(baked).items() if name != "service"]
    assert all(re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+", image) for image in images)


def test_every_file_is_mounted_or_used_by_hand(baked: BakedService) -> None:
    mounts = [mount.split(":")[0] for service in compose(baked).values() for mount in service.get("volumes", [])]
    assert all((baked.path / FOLDER / mount).exists() for mount in mounts)
    files = {str(file.relative_to(baked.path / FOLDER)) for file in (baked.path / FOLDER).rglob("*.*")}
    in_prometheus = {"prometheus.yml", "objectives.yml", "alerts.yml", "alerts_test.yml"}
    assert files == {mount.removeprefix("./") for mount in mounts if mount != "."} | in_prometheus | {"compose.yaml"}


def test_the_parts_find_each_other(baked: BakedService) -> None:
    """Every host that a file names is a service of compose.yaml."""
    names = [file for file in baked.files() if file.startswith(FOLDER) and file.endswith((".yml", ".yaml"))]
    texts = "".join(baked.read(name) for name in names)
    hosts = set(re.findall(r"http://([a-z]+):\d+|\"([a-z]+):9464\"", texts))
    assert {host for pair in hosts for host in pair if host} <= set(compose(baked))


@pytest.mark.long
def test_promtool_accepts_the_configuration_of_prometheus(baked: BakedService) -> None:
    baked.run(command("promtool"), "check", "config", "--lint=all", "--lint-fatal", f"{FOLDER}/prometheus.yml")


@pytest.mark.long
def test_the_collector_accepts_its_configuration(baked: BakedService) -> None:
    if not (baked.path / FOLDER / "collector.yml").exists():
        assert "collector" not in compose(baked)
        return
    baked.run(command("otelcol"), "validate", "--config", f"{FOLDER}/collector.yml")


def test_the_collector_hands_metrics_to_prometheus_if_they_are_pushed(baked: BakedService) -> None:
    flags = compose(baked)["prometheus"]["command"]
    is_pushed = "OTEL_METRIC_EXPORT_INTERVAL" in compose(baked)["service"].get("environment", {})
    assert ("--web.enable-otlp-receiver" in flags) == is_pushed
    assert is_pushed != ("9464" in baked.read(f"{FOLDER}/prometheus.yml"))
