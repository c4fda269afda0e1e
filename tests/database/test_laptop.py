"""Tests and `make run` need no database that is installed: the service downloads one, and starts and ends it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import raw_http
from tests.support.baking import BakedService
from tests.support.development import Development
from tests.support.machine import skip
from tests.support.postgres import unprivileged
from tests.support.prometheus import wait_until
from tests.support.team_edits import write
from tools.running_service import free_port, wait_for_answer

pytestmark = pytest.mark.long


@pytest.fixture
def laptop(stateful: BakedService) -> Iterator[Path]:
    """A copy of the built service that belongs to somebody who is not root, and has no database."""
    home = Path(tempfile.mkdtemp(prefix="laptop-"))
    service = Path(shutil.copytree(stateful.path, home / "service"))
    for package in ("database", "api"):
        stateful.run("go", "test", "-c", "-o", str(service / f"internal/{package}/tests"), f"./internal/{package}")
    stateful.run("go", "build", "-o", str(service / "bin/with"), "./internal/database/local/with")
    if os.geteuid() == 0:
        for path in (home, *home.rglob("*")):
            shutil.chown(path, "nobody", "nogroup")
    yield home
    shutil.rmtree(home)


def on(laptop: Path, *command: str, folder: str = ".") -> subprocess.Popen[str]:
    environment = {"PATH": os.defpath, "HOME": str(laptop), "TMPDIR": str(laptop)}
    process: subprocess.Popen[str] = subprocess.Popen(
        command, cwd=laptop / "service" / folder, env=environment | {"PORT": PORT, "ADMIN_ADDR": ""},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **unprivileged(),  # type: ignore[call-overload]
    )  # fmt: skip
    return process


PORT = str(free_port())


def air_of(service: BakedService, folder: Path) -> str:
    """Install the air of `make dev` into a folder, for a user whose module cache is empty."""
    address = re.search(r"^AIR += go run (.*)$", service.read("Makefile"), re.MULTILINE)
    assert address
    try:
        service.run("env", f"GOBIN={folder}", "go", "install", address[1])
    except AssertionError as failure:
        skip(f"air cannot be downloaded: {failure}")
    return str(folder / "air")


def servers(laptop: Path) -> list[str]:
    """Return the servers that still run on the laptop."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in listed if str(laptop) in line]


def test_tests_start_a_server_that_ends_with_them_however_they_end(laptop: Path) -> None:
    tests = [on(laptop, "./tests", folder=f"internal/{package}") for package in ("database", "api")]
    for told in [test.communicate()[0] for test in tests]:
        if "unable to" in told or "no version found" in told:
            skip(f"PostgreSQL cannot be downloaded: {told.splitlines()[-1]}")
        assert told.rstrip().endswith("PASS")
    wait_until(lambda: not servers(laptop), lambda: servers(laptop))
    killed = on(laptop, "./tests", "-test.count=50", folder="internal/database")
    wait_until(lambda: any("bin/postgres -D" in server for server in servers(laptop)), lambda: "no server")
    killed.kill()
    killed.communicate()
    wait_until(lambda: not servers(laptop), lambda: servers(laptop))
    wait_until(lambda: not list(laptop.glob("postgres-*")), lambda: "its data are still there")


def test_make_run_keeps_what_was_stored(laptop: Path) -> None:
    for title in ("Milk", "Bread"):
        service = on(laptop, "bin/with", "sh", "-c", "bin/service migrate && exec bin/service")
        wait_for_answer(int(PORT))
        address = ("127.0.0.1", int(PORT))
        wait_until(lambda: raw_http.ask(address, "GET", "/readyz").status == 200, lambda: "not ready")  # noqa: B023
        assert raw_http.ask(address, "POST", "/v1/notes", f'{{"title": "{title}"}}').status == 201
        notes = raw_http.ask(address, "GET", "/v1/notes").json()["notes"]
        service.send_signal(signal.SIGTERM)
        assert service.wait(10) == 0
        service.communicate()
        wait_until(lambda: not servers(laptop), lambda: servers(laptop))
    assert [note["title"] for note in notes] == ["Bread", "Milk"]


def test_make_dev_starts_one_server_and_migrates_before_each_start(laptop: Path, stateful: BakedService) -> None:
    service, air = laptop / "service", air_of(stateful, laptop)
    go = Path(stateful.run("go", "env", "GOROOT").strip()) / "bin"
    environment = {"PATH": f"{go}:{os.defpath}", "HOME": str(laptop), "TMPDIR": str(laptop), "GOFLAGS": "-mod=vendor"}
    BakedService(service).run("go", "mod", "vendor")  # the modules, for somebody who has downloaded none
    with Development(service, int(PORT), environment, f"PORT={PORT}", f"AIR={air}", **unprivileged()) as development:
        development.wait_for("Milk", "POST", "/v1/notes", '{"title": "Milk"}')
        (server,) = [line for line in servers(laptop) if "bin/postgres -D" in line]
        write(service / "internal/queries/migrations/00002_more.sql", "-- +goose Up\nCREATE TABLE more (id uuid);\n")
        development.wait_for_line("applied 00002_more.sql")
        development.wait_for("Milk", "GET", "/v1/notes")
        assert [line for line in servers(laptop) if "bin/postgres -D" in line] == [server]
        development.interrupt()
        wait_until(lambda: not development.processes(), development.processes)
    wait_until(lambda: not servers(laptop), lambda: servers(laptop))


def test_root_is_told_what_to_do(stateful: BakedService) -> None:
    if os.geteuid() != 0:
        pytest.skip("root alone is refused")
    told = stateful.run("go", "test", "-count=1", "./internal/database", status=1)
    assert "PostgreSQL does not run as root: set DATABASE_URL, or use another user" in told
