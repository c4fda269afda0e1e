"""The container image: built and run by the two commands that every article on Go and Docker shows, on each base."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from go_service_answers import template
from tests.support.baking import BakedService
from tests.support.commands import installed
from tests.support.fixtures import Bake

NAME = "go-docker-demo:0.0.1"


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"docker {' '.join(words)}:\n{done.stderr}"
    return done.stdout.strip()


def inspect(what: str) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(docker("inspect", what))[0]
    return described


@pytest.fixture(scope="module", params=template.choices()["base_image"])
def base(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def shipped(bake: Bake, base: str) -> BakedService:
    return bake(base_image=base)


@pytest.fixture
def image(shipped: BakedService, engine: None) -> str:
    """The service's image. Only the first build compiles; later ones come from the builder's cache."""
    shipped.run("docker", "build", "--build-arg", "VERSION=0.0.1", "-t", NAME, ".")
    return NAME


@pytest.fixture
def container(image: str, port_8080: None) -> Iterator[str]:
    identity = docker("run", "--detach", "-p", "8080:8080", image)
    yield identity
    docker("rm", "--force", identity)


def get(path: str, seconds: float = 10) -> bytes:
    """Ask the container on port 8080 until it listens."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:8080{path}", timeout=2) as answer:
                content: bytes = answer.read()
                return content
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_hadolint_finds_nothing(shipped: BakedService) -> None:
    assert shipped.run(installed("hadolint"), "Dockerfile") == ""


@pytest.mark.long
@pytest.mark.contract("image")
def test_it_runs_and_stops_as_typed(container: str) -> None:
    assert json.loads(get("/version"))["version"] == "0.0.1"
    begin = time.monotonic()
    docker("stop", container)
    assert time.monotonic() - begin < 3
    assert inspect(container)["State"]["ExitCode"] == 0
    log = [json.loads(line) for line in docker("logs", container).splitlines()]
    assert (log[0]["msg"], log[0]["version"], log[-1]["msg"]) == ("listening", "0.0.1", "stopped")


@pytest.mark.long
@pytest.mark.contract("image")
def test_it_runs_read_only_without_capabilities_and_turns_healthy(image: str, port_8080: None) -> None:
    hardened = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--health-interval=500ms"]
    container = docker("run", "--detach", *hardened, "-p", "8080:8080", image)
    try:
        assert json.loads(get("/readyz")) == {"status": "ok"}
        deadline = time.monotonic() + 15
        while inspect(container)["State"]["Health"]["Status"] != "healthy" and time.monotonic() < deadline:
            time.sleep(0.2)
        assert inspect(container)["State"]["Health"]["Status"] == "healthy"
        assert docker("exec", container, "./service", "-version") == "my-service 0.0.1"
        (row,) = docker("top", container, "-o", "pid,uid,args").splitlines()[1:]
        assert row.split()[1:] == ["65532", "./service"]
    finally:
        docker("rm", "--force", container)


@pytest.mark.long
@pytest.mark.contract("image")
@pytest.mark.contract("version")
def test_its_configuration_says_what_it_is(image: str) -> None:
    configuration = inspect(image)["Config"]
    assert configuration["Entrypoint"] == ["./service"]
    assert configuration["User"] == "65532:65532"
    assert configuration["ExposedPorts"] == {"8080/tcp": {}}
    assert configuration["Healthcheck"]["Test"] == ["CMD", "./service", "-healthcheck"]
    labels = {name.removeprefix("org.opencontainers.image."): label for name, label in configuration["Labels"].items()}
    assert labels == {
        "title": "my-service",
        "description": "A Go service.",
        "source": "https://github.com/acme/my-service",
        "version": "0.0.1",
        "revision": "unknown",
    }


OUTWARD = """package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"time"
)

func init() {
	if len(os.Args) > 1 && os.Args[1] == "outward" {
		berlin, err := time.LoadLocation("Europe/Berlin")
		pool, poolErr := x509.SystemCertPool()
		fmt.Println(berlin, err, poolErr, pool != nil && !pool.Equal(x509.NewCertPool()))
		os.Exit(0)
	}
}
"""


@pytest.mark.long
@pytest.mark.contract("image")
def test_certificates_and_time_zones_are_there(bake: Bake, base: str, engine: None) -> None:
    service = bake(base_image=base)
    (service.path / "outward.go").write_text(OUTWARD)
    service.run("docker", "build", "-t", "outward:test", ".")
    assert docker("run", "--rm", "outward:test", "outward") == "Europe/Berlin <nil> <nil> true"


@pytest.mark.long
@pytest.mark.contract("image minus its base")
def test_the_image_is_its_base_and_the_binary(image: str, shipped: BakedService, base: str, tmp_path: Path) -> None:
    """On scratch the certificates count as the base: every other base has them."""
    identity = docker("create", image)
    for path in ("/app/service", "/etc/ssl/certs/ca-certificates.crt"):
        docker("cp", f"{identity}:{path}", str(tmp_path))
    docker("rm", identity)
    binary, certificates = (tmp_path / name for name in ("service", "ca-certificates.crt"))
    runtime = re.findall(r"^FROM (\S+)$", shipped.read("Dockerfile"), re.MULTILINE)[-1]
    below = certificates.stat().st_size if base == "scratch" else inspect(runtime)["Size"]
    assert inspect(image)["Size"] - below <= binary.stat().st_size + 64 * 1024


@pytest.mark.long
def test_only_what_the_build_needs_reaches_the_builder(bake: Bake, engine: None) -> None:
    """Changing any other file rebuilds nothing."""
    service = bake()
    first = service.run("docker", "build", "--quiet", ".")
    for name in ("README.md", "main_test.go", "Makefile", "notes.txt", "internal/api/handler_test.go"):
        with (service.path / name).open("a") as file:
            file.write("\n")
    assert service.run("docker", "build", "--quiet", ".") == first
