"""The commands in the documents, as a reader types them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import wire
from conftest import TEMPLATE, Bake, Baked, go_environment, questions, skip

from answers.rules import RULES


def commands(document: str) -> list[str]:
    """Return the lines of the sh blocks of a Markdown text."""
    blocks = re.findall(r"^```sh\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def rows(document: str, header: str) -> list[list[str]]:
    """Return the cells of the table that has this header line."""
    table = re.search(rf"^{re.escape(header)}\n\|[ -|]+\|\n((?:\|.*\|\n)+)", document, re.MULTILINE)
    assert table, f"no table {header}"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()]


@contextmanager
def in_background(service: Baked, command: str) -> Iterator[None]:
    """Run a command that ends when it is told to, from the moment that it listens on port 8080."""
    process = subprocess.Popen(
        command, shell=True, cwd=service.path, env=go_environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", 8080), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, f"{command} ended before it listened"
                assert time.monotonic() < deadline, f"{command} does not listen"
                time.sleep(0.1)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
        wire.wait_until_refused(("127.0.0.1", 8080))  # Docker gives a port back a moment later


def get(path: str) -> str:
    return wire.ask(("127.0.0.1", 8080), "GET", path).body.decode()


@pytest.fixture
def checkout(bake: Bake) -> Baked:
    """A service under git, as its owner has it."""
    service = bake()
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "Bake"], ["tag", "v0.1.0"]):
        service.run("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", *words)
    return service


def test_every_command_of_the_service_readme_works(checkout: Baked, curl: None, port_8080: None) -> None:
    typed = commands(checkout.read("README.md"))
    assert typed[0] == "make run"
    with in_background(checkout, typed[0]):
        for command in typed[1:]:
            if command.split()[0] not in {"docker", "uvx", "git"}:  # tests/test_following.py has the last two
                assert "about:blank" not in checkout.run("bash", "-ec", command)  # which every problem has


def test_every_docker_command_of_the_service_readme_works(checkout: Baked, engine: None, port_8080: None) -> None:
    build, run = (command for command in commands(checkout.read("README.md")) if command.startswith("docker"))
    checkout.run("bash", "-ec", build)
    with in_background(checkout, run):
        assert "my-service" in get("/")


def test_every_command_for_agents_is_a_target_of_make(checkout: Baked) -> None:
    """Each target is run by a test: here, or in tests/test_go.py."""
    targets = {f"make {line.split()[0]}" for line in checkout.make().splitlines()}
    typed = commands(checkout.read("AGENTS.md"))
    assert typed
    assert set(typed) <= targets


def test_make_alone_lists_every_command(checkout: Baked) -> None:
    listed = [line.split()[0] for line in checkout.make().splitlines()]
    (phony,) = re.findall(r"^\.PHONY: (.*)$", checkout.read("Makefile"), re.MULTILINE)
    assert listed == phony.split()


def test_make_builds_the_version_of_git_and_cleans_up(checkout: Baked) -> None:
    before = checkout.files()
    checkout.make("build")
    assert checkout.run("bin/service", "-version") == "my-service v0.1.0\n"
    assert re.search(r"^total:.*\d%$", checkout.make("cover"), re.MULTILINE)
    assert checkout.run("git", "status", "--porcelain") == ""
    checkout.make("clean")
    assert {name for name in checkout.files() if not name.startswith(".git/")} == {
        name for name in before if not name.startswith(".git/")
    }


def test_make_image_ships_the_version_and_the_commit(checkout: Baked, engine: None, port_8080: None) -> None:
    checkout.make("image")
    labels = checkout.run("docker", "inspect", "--format", "{{json .Config.Labels}}", "my-service:v0.1.0")
    assert '"org.opencontainers.image.version":"v0.1.0"' in labels
    assert checkout.run("git", "rev-parse", "HEAD").strip() in labels
    with in_background(checkout, "make image-run"):
        assert "v0.1.0" in get("/version")


def test_make_vuln_asks_the_database(checkout: Baked, tmp_path: Path) -> None:
    """The real database is not to be had everywhere: here an empty one of the same form answers."""
    (tmp_path / "index").mkdir()
    (tmp_path / "index/db.json").write_text('{"modified":"2026-01-01T00:00:00Z"}')
    for name in ("modules", "vulns"):
        (tmp_path / f"index/{name}.json").write_text("[]")
    tool = re.search(r"^GOVULNCHECK += (.*)$", checkout.read("Makefile"), re.MULTILINE)
    assert tool
    try:
        told = checkout.make("vuln", f"GOVULNCHECK={tool[1]} -db file://{tmp_path}")
    except AssertionError as failure:
        if "dial tcp" not in str(failure):
            raise
        skip(f"govulncheck is not to be had: {failure}")
    assert "No vulnerabilities found." in told


def test_the_service_readme_shows_each_package(checkout: Baked) -> None:
    packages = {path.name for path in (checkout.path / "internal").iterdir()}
    tree = re.search(r"```text\n(.*?)```", checkout.read("README.md"), re.DOTALL)
    assert tree
    assert set(re.findall(r"\b([a-z]+)/", tree[1])) - {"internal"} == packages


README = (TEMPLATE / "README.md").read_text(encoding="utf-8")


def test_the_readme_explains_every_question() -> None:
    table = {cells[0].strip("`"): cells[1:] for cells in rows(README, "| question | default | accepted |")}
    assert list(table) == list(questions())
    for name, default in questions().items():
        shown_default, accepted = table[name]
        if isinstance(default, list):
            assert (shown_default, accepted) == (f"`{default[0]}`", ", ".join(f"`{choice}`" for choice in default))
        else:
            assert shown_default == f"`{default}`"
            assert accepted == RULES[name].accepted


def test_the_readme_lists_what_comes_out(bake: Bake) -> None:
    (listing,) = re.findall(r"```text\nmy-service/\n(.*?)```", README, re.DOTALL)
    listed = {line.split()[0].rstrip("/") for line in listing.splitlines()}
    assert listed == {
        name.split("/")[0] if "/" not in name else "/".join(name.split("/")[:2]) for name in bake().files()
    }


def test_the_readme_bakes(tmp_path: Path) -> None:
    """Each command for cookiecutter works with this folder in place of the public address."""
    bakes = [command for command in commands(README) if command.startswith("cookiecutter ")]
    assert len(bakes) >= 2
    for number, command in enumerate(bakes):
        folder = tmp_path / str(number)
        folder.mkdir()
        local = command.replace(
            "cookiecutter gh:org/go-service-template", f"{sys.executable} -m cookiecutter '{TEMPLATE}'"
        )
        assert local != command
        done = subprocess.run(
            local,
            shell=True,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        interactive = "--no-input" not in command
        assert done.returncode == (1 if interactive else 0), done.stderr
        assert len(list(folder.iterdir())) == (0 if interactive else 1)


def test_the_demo_shows_a_running_service(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.demo"], cwd=TEMPLATE, capture_output=True, text=True, check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '{"message":"Hello, Ada!"}' in done.stdout
    assert "exit status 0" in done.stdout
    shutil.rmtree(tmp_path)


def test_every_make_target_of_the_template_is_listed() -> None:
    listed = subprocess.check_output(["make", "--no-print-directory", "-C", str(TEMPLATE)], text=True)
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (TEMPLATE / "Makefile").read_text(), re.MULTILINE)
    assert [line.split()[0] for line in listed.splitlines()] == phony.split()
    for command in commands(README):
        assert not command.startswith("make ") or command.split()[1] in phony.split()
