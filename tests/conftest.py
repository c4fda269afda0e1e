"""The fixtures: baked services, their binaries, copies of the template, and what the machine must have."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.baking import BakedService, bake_into
from tests.support.commands import create_by_cruft
from tests.support.fixtures import Bake, Create, Lint, Once
from tests.support.machine import is_port_free, missing_engine, skip
from tests.support.postgres import Postgres, programs
from tests.support.repository import TEMPLATE, clone_with_work_tree, copy_work_tree, init_repository
from tools import toolchain
from tools.modules import answers_with_modules
from tools.running_service import RunningService


def pytest_report_header(config: pytest.Config) -> list[str]:
    cache = BakedService(TEMPLATE).run("go", "env", "GOCACHE").strip()
    warm = sum(1 for _ in Path(cache).glob("*/*-d")) > 100
    return [
        f"go: {toolchain.go_bin_directory()}, build cache {'warm' if warm else 'cold'}",
        f"docker: {missing_engine() or 'runs'}",
        left_out(str(config.getoption("-m"))),
    ]


def left_out(tier: str) -> str:
    """Return which test files this tier leaves to the other one, in whole or in part."""
    if tier != "not long":
        return f"tier: {tier or 'all tests'}"
    tests = TEMPLATE / "tests"
    files = [str(file.relative_to(tests)) for file in sorted(tests.glob("*/test_*.py")) if ".long" in file.read_text()]
    return f"left to make test-long, in whole or in part: {', '.join(files)}"


@pytest.fixture(scope="session", autouse=True)
def plain_git() -> Iterator[None]:
    """Keep the git settings, the name and the language of the person who runs the tests out of them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"GLOBAL": os.devnull, "NOSYSTEM": "1"}.items():
            patch.setenv(f"GIT_CONFIG_{name}", value)
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Ada")
            patch.setenv(f"GIT_{role}_EMAIL", "ada@example.com")
        patch.setenv("LC_ALL", "C.UTF-8")
        patch.delenv("LANGUAGE", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_user_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the Cookiecutter config of the person who runs the tests out of them."""
    config = tmp_path_factory.mktemp("config") / "cookiecutter.yaml"
    folders = {name: str(config.parent / name) for name in ("cookiecutters_dir", "replay_dir")}
    config.write_text(json.dumps(folders))
    Path(folders["cookiecutters_dir"]).mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COOKIECUTTER_CONFIG", str(config))
        yield


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Once:
    """Return once(name, make): a folder that the first test process of this run to need it fills by make(folder)."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent  # "master" is a run without workers

    def once(name: str, make: Callable[[Path], object]) -> Path:
        folder = shared / "made-once" / name
        folder.parent.mkdir(exist_ok=True)
        with (folder.parent / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                partial = folder.with_name(f"{name}.partial")
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir()
                make(partial)
                partial.rename(folder)
        return folder

    return once


@pytest.fixture(scope="session")
def bake(tmp_path_factory: pytest.TempPathFactory) -> Bake:
    """Return bake(**answers), which bakes into a new folder."""
    return lambda **answers: bake_into(tmp_path_factory.mktemp("bake"), **answers)


@pytest.fixture(scope="session")
def default(once: Once) -> BakedService:
    """The service of the default answers, built. Tests read it and run its commands, but never change its files."""
    return BakedService(once("default", lambda folder: bake_into(folder).build()) / "my-service")


@pytest.fixture(scope="session")
def binary(default: BakedService) -> Path:
    """The default service's binary, of version 1.2.3."""
    return default.path / "bin/service"


@pytest.fixture
def service(binary: Path) -> Iterator[RunningService]:
    """The default service, running."""
    with RunningService(binary, LOG_LEVEL="debug") as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to bake in."""
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def repository(once: Once, tmp_path: Path) -> Path:
    """The template as a git repository with one commit."""

    def make(folder: Path) -> None:
        copy_work_tree(folder)
        init_repository(folder)

    return Path(shutil.copytree(once("repository", make), tmp_path / "repository/template"))


@pytest.fixture
def template(once: Once, tmp_path: Path) -> Path:
    """The template with its history, without tags, and with this work tree as its last commit."""
    return Path(shutil.copytree(once("template", clone_with_work_tree), tmp_path / "template"))


@pytest.fixture
def create(once: Once, tmp_path: Path) -> Create:
    """Return create(commit, **answers): a copy of a service that cruft made from that commit of the template."""

    def create(commit: str = "HEAD", **answers: str) -> Path:
        name = "-".join(["created", commit[:12], *answers.values()])
        template = once("template", clone_with_work_tree)
        made = once(name, lambda folder: create_by_cruft(template, folder, commit, **answers))
        return Path(shutil.copytree(made / "my-service", tmp_path / "my-service"))

    return create


@pytest.fixture
def engine() -> None:
    """A container engine."""
    if reason := missing_engine():
        skip(f"no container engine: {reason}")


@pytest.fixture(scope="session")
def modules(bake: Bake) -> None:
    """The Go modules that a choice requires, downloaded."""
    for answers in answers_with_modules():
        try:
            bake(**answers).run("go", "mod", "tidy")
        except AssertionError as failure:
            skip(f"Go modules cannot be downloaded: {str(failure).splitlines()[-1]}")


@pytest.fixture(scope="session")
def postgres_programs() -> None:
    """PostgreSQL's programs."""
    if not programs():
        skip("PostgreSQL is not installed")


@pytest.fixture(scope="session")
def postgres(postgres_programs: None) -> Iterator[Postgres]:
    """A server that no test stops."""
    with Postgres(fsync="off", max_connections="300") as server:
        yield server


@pytest.fixture
def database_url(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server for the tests of a baked service: it cannot start one if root runs them."""
    monkeypatch.setenv("DATABASE_URL", postgres.url())


@pytest.fixture
def haproxy() -> str:
    """The path of HAProxy, which Debian installs outside of a user's PATH."""
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    return shutil.which("haproxy", path=search) or skip("there is no haproxy command")


@pytest.fixture
def curl() -> None:
    """The curl command."""
    if not shutil.which("curl"):
        skip("there is no curl command")


@pytest.fixture
def c_compiler() -> None:
    """A C compiler, which Go's race detector needs."""
    if not shutil.which("cc") and not shutil.which("gcc"):
        skip("there is no C compiler, which the race detector needs")


@pytest.fixture
def port_8080(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ports 8080 and 9090, a service's defaults, for one test at a time."""
    with (tmp_path_factory.getbasetemp().parent / "port-8080.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for port in (8080, 9090):
            if not is_port_free(port):
                skip(f"another program uses port {port}")
        yield


@pytest.fixture(scope="session")
def make_lint(default: BakedService) -> list[str]:
    """The words of "make lint", with an installed golangci-lint if it has the version that the Makefile names."""
    command = re.search(r"^GOLANGCI_LINT += (.*)$", default.read("Makefile"), re.MULTILINE)
    assert command
    name, version = "golangci-lint", command[1].rpartition("@v")[2]
    others = [f"SQUAWK={Path(sys.executable).parent / 'squawk'}", *(["BUF=buf"] if shutil.which("buf") else [])]
    if shutil.which(name) and version in default.run(name, "version"):
        return ["make", "lint", f"GOLANGCI_LINT={name}", *others]
    try:
        default.run(*command[1].split(), "version", timeout=900)
    except AssertionError as failure:
        skip(f"golangci-lint cannot be downloaded: {failure}")
    return ["make", "lint", *others]


@pytest.fixture
def lint(make_lint: list[str], tmp_path: Path) -> Lint:
    """Return lint(service), which is what "make lint" prints. The linter refuses to run twice in one TMPDIR."""
    return lambda service: service.run("env", f"TMPDIR={tmp_path}", *make_lint)
