"""The commands of the service's README and Makefile, typed as its owner does."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import raw_http
from tests.support.baking import BakedService
from tests.support.documents import shell_commands
from tests.support.fixtures import Bake
from tests.support.machine import go_environment, skip
from tools.running_service import free_port


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def checkout(bake: Bake, port: int) -> BakedService:
    """A service under git, as its owner has it, whose README names a free port."""
    service = bake(http_port=str(port))
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "Bake"], ["tag", "v0.1.0"]):
        service.run("git", *words)
    return service


@contextmanager
def in_background(service: BakedService, command: str, port: int, **variables: str) -> Iterator[None]:
    """Run a command that serves until it is stopped, from the moment that it listens."""
    process = subprocess.Popen(
        command, shell=True, cwd=service.path, env={**go_environment(), **variables}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, f"{command} ended before it listened"
                assert time.monotonic() < deadline, f"{command} does not listen"
                time.sleep(0.1)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
        raw_http.wait_until_refused(("127.0.0.1", port))  # Docker gives a port back a moment later


@pytest.mark.long
def test_every_command_of_the_readme_works(checkout: BakedService, port: int, curl: None) -> None:
    """Other tests run those of cruft, git and Docker, and the linters."""
    pages = ["README.md", "docs/operations.md", "docs/template.md"]
    run, *commands = (command for page in pages for command in shell_commands(checkout.read(page)))
    assert run == "make run"
    admin = free_port()
    with in_background(checkout, run, port, ADMIN_ADDR=f"127.0.0.1:{admin}"):
        for command in commands:
            if command != "make lint" and command.split()[0] not in {"docker", "uvx", "git"}:
                typed = command.replace("127.0.0.1:9090", f"127.0.0.1:{admin}")
                assert "about:blank" not in checkout.run("bash", "-ec", typed)  # which every problem has


@pytest.mark.long
def test_every_docker_command_of_the_readme_works(checkout: BakedService, port: int, engine: None) -> None:
    build, run = (line for line in shell_commands(checkout.read("README.md")) if line.startswith("docker"))
    checkout.run("bash", "-ec", build)
    with in_background(checkout, run, port):
        assert raw_http.ask(("127.0.0.1", port), "GET", "/").json()["version"] == "0.0.1"


def test_every_command_for_agents_is_a_target_of_make(checkout: BakedService) -> None:
    targets = {f"make {line.split()[0]}" for line in checkout.make().splitlines()}
    commands = shell_commands(checkout.read("AGENTS.md"))
    assert commands
    assert set(commands) <= targets


def test_make_alone_lists_every_command(checkout: BakedService) -> None:
    listed = [line.split()[0] for line in checkout.make().splitlines()]
    (phony,) = re.findall(r"^\.PHONY: (.*)$", checkout.read("Makefile"), re.MULTILINE)
    assert listed == phony.split()


@pytest.mark.long
def test_make_builds_the_version_of_git_and_cleans_up(checkout: BakedService) -> None:
    before = checkout.files()
    checkout.make("build")
    assert checkout.run("bin/service", "-version") == "my-service v0.1.0\n"
    assert re.search(r"^total:.*\d%$", checkout.make("cover"), re.MULTILINE)
    assert checkout.run("git", "status", "--porcelain") == ""
    checkout.make("clean")
    assert checkout.files() == before


@pytest.mark.long
def test_make_image_ships_the_version_and_the_commit(checkout: BakedService, port: int, engine: None) -> None:
    checkout.make("image")
    labels = checkout.run("docker", "inspect", "--format", "{{json .Config.Labels}}", "my-service:v0.1.0")
    assert '"org.opencontainers.image.version":"v0.1.0"' in labels
    assert checkout.run("git", "rev-parse", "HEAD").strip() in labels
    with in_background(checkout, "make image-run", port):
        assert raw_http.ask(("127.0.0.1", port), "GET", "/version").json()["version"] == "v0.1.0"


@pytest.mark.long
def test_make_vuln_asks_the_database(checkout: BakedService, tmp_path: Path) -> None:
    """The real database is not reachable everywhere. An empty one of the same form answers here."""
    (tmp_path / "index").mkdir()
    (tmp_path / "index/db.json").write_text('{"modified":"2026-01-01T00:00:00Z"}')
    for name in ("modules", "vulns"):
        (tmp_path / f"index/{name}.json").write_text("[]")
    tool = re.search(r"^GOVULNCHECK += (.*)$", checkout.read("Makefile"), re.MULTILINE)
    assert tool
    try:
        done = checkout.make("vuln", f"GOVULNCHECK={tool[1]} -db file://{tmp_path}")
    except AssertionError as failure:
        if "dial tcp" not in str(failure):
            raise
        skip(f"govulncheck cannot be downloaded: {failure}")
    assert "No vulnerabilities found." in done


def test_the_table_of_files_has_every_file_and_package(checkout: BakedService) -> None:
    page = checkout.read("docs/template.md")
    for name in checkout.files():
        package, _, file = name.rpartition("/")
        shown = [f"`{name}`", f"`{file}`", f"`{package}/`", f"`{package.removeprefix('internal/')}/`"]
        assert name.startswith(".") or name.endswith("_test.go") or any(form in page for form in shown), name


def test_make_run_reads_the_settings_of_env(checkout: BakedService, port: int) -> None:
    (checkout.path / ".env").write_text("MAX_BODY_BYTES=10 # small\nLOG_FORMAT='json'\n")
    with in_background(checkout, "make run", port, ADMIN_ADDR=""):
        assert raw_http.ask(("127.0.0.1", port), "POST", "/v1/greetings", '{"name":"Ada"}').status == 413
    assert ".env" not in checkout.run("git", "status", "--porcelain")
