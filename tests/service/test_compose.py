"""What "make up" starts, read from the files and asked of the programs themselves."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import yaml

from go_service_answers import template
from tests.support.baking import BakedService
from tests.support.commands import installed
from tests.support.fixtures import Bake
from tests.support.observability import FOLDER, compose
from tests.support.prometheus import command

WATCHED = [{"telemetry": telemetry} for telemetry in template.choices()["telemetry"][1:]]
STACKS = [*WATCHED, {"database": "postgres"}, {"database": "postgres", "telemetry": "both"}]
WITHOUT_HEALTHCHECK = {"service", "migrate", "collector", "jaeger"}  # its image has one; it ends; no program that could


def name_of(answers: dict[str, str]) -> str:
    return "-".join(answers.values())


@pytest.fixture(scope="module", params=STACKS, ids=name_of)
def stack(bake: Bake, request: pytest.FixtureRequest) -> BakedService:
    return bake(http_port="8081", **request.param)


@pytest.fixture(scope="module", params=WATCHED, ids=name_of)
def watched(bake: Bake, request: pytest.FixtureRequest) -> BakedService:
    return bake(http_port="8081", **request.param)


def test_a_service_alone_needs_no_compose_file(default: BakedService) -> None:
    assert "compose.yaml" not in default.files()
    assert not re.search(r"^  (up|down) ", default.make(), re.MULTILINE)


def test_compose_yaml_is_valid(stack: BakedService) -> None:
    words = [installed("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "compose.yaml"]
    done = subprocess.run(words, cwd=stack.path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_docker_compose_accepts_it(stack: BakedService) -> None:
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        pytest.skip("there is no docker compose command")
    stack.run("docker", "compose", "config", "--quiet")


def test_make_up_starts_it_and_says_where_to_look(stack: BakedService) -> None:
    assert {"up", "down"} <= {line.split()[0] for line in stack.make().splitlines()}
    start, told = stack.make("--dry-run", "up", "VERSION=1.2.3").splitlines()
    assert start == "VERSION=1.2.3 docker compose up --build --detach --wait"
    ports = [port for service in compose(stack).values() for port in service.get("ports", [])]
    addresses = re.findall(r"http://(127\.0\.0\.1:\d+)", told)
    assert addresses[0] == "127.0.0.1:8081"
    assert {port.rpartition(":")[0] for port in ports} >= set(addresses)
    assert stack.make("--dry-run", "down") == "docker compose down\n"


def test_only_this_machine_reaches_the_ports(stack: BakedService) -> None:
    ports = [port for service in compose(stack).values() for port in service.get("ports", [])]
    assert "127.0.0.1:8081:8081" in ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_every_image_has_a_version(stack: BakedService) -> None:
    images = [service["image"] for service in compose(stack).values() if "build" not in service]
    assert all(re.fullmatch(r"[a-z/-]+:v?\d+\.\d+(\.\d+)?", image) for image in images)


def test_every_part_that_can_has_a_health_check(stack: BakedService) -> None:
    parts = compose(stack)
    assert {name for name, part in parts.items() if "healthcheck" not in part} == WITHOUT_HEALTHCHECK & set(parts)
    assert "HEALTHCHECK" in stack.read("Dockerfile")


def test_the_service_starts_when_the_schema_is_there(stack: BakedService) -> None:
    parts = compose(stack)
    waits = {name: part["depends_on"] for name, part in parts.items() if "depends_on" in part}
    with_database = {
        "service": {"migrate": {"condition": "service_completed_successfully"}},
        "migrate": {"database": {"condition": "service_healthy"}},
    }
    assert waits == (with_database if "database" in parts else {})


def test_the_database_outlives_its_container(bake: Bake) -> None:
    """The image of PostgreSQL 18 has its volume one folder above that of its data."""
    everything = yaml.safe_load(bake(database="postgres").read("compose.yaml"))
    assert everything["services"]["database"]["volumes"] == ["database:/var/lib/postgresql"]
    assert list(everything["volumes"]) == ["database"]


def test_every_file_is_mounted_or_used_by_hand(watched: BakedService) -> None:
    mounts = [mount.split(":")[0] for service in compose(watched).values() for mount in service.get("volumes", [])]
    assert all((watched.path / mount).exists() for mount in mounts)
    files = {f"./{name}" for name in watched.files() if name.startswith(f"{FOLDER}/")}
    in_prometheus = {"prometheus.yml", "objectives.yml", "alerts.yml", "alerts_test.yml"}
    assert files == {*mounts} - {f"./{FOLDER}"} | {f"./{FOLDER}/{name}" for name in in_prometheus}


def test_the_parts_find_each_other(watched: BakedService) -> None:
    """Every host that a file names is a service of compose.yaml."""
    names = [
        file for file in watched.files() if file.startswith((FOLDER, "compose")) and file.endswith((".yml", ".yaml"))
    ]
    texts = "".join(watched.read(name) for name in names)
    hosts = set(re.findall(r"http://([a-z]+):\d+|\"([a-z]+):9464\"", texts))
    assert {host for pair in hosts for host in pair if host} <= set(compose(watched))


@pytest.mark.long
def test_promtool_accepts_the_configuration_of_prometheus(watched: BakedService) -> None:
    watched.run(command("promtool"), "check", "config", "--lint=all", "--lint-fatal", f"{FOLDER}/prometheus.yml")


@pytest.mark.long
def test_the_collector_accepts_its_configuration(watched: BakedService) -> None:
    if not (watched.path / FOLDER / "collector.yml").exists():
        assert "collector" not in compose(watched)
        return
    watched.run(command("otelcol"), "validate", "--config", f"{FOLDER}/collector.yml")


def test_the_collector_hands_metrics_to_prometheus_if_they_are_pushed(watched: BakedService) -> None:
    flags = compose(watched)["prometheus"]["command"]
    is_pushed = "OTEL_METRIC_EXPORT_INTERVAL" in compose(watched)["service"].get("environment", {})
    assert ("--web.enable-otlp-receiver" in flags) == is_pushed
    assert is_pushed != ("9464" in watched.read(f"{FOLDER}/prometheus.yml"))
