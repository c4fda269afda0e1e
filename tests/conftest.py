"""What the tests start from: baked services, their binaries, and what the machine has."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
from cookiecutter.main import cookiecutter
from ways import TEMPLATE as TEMPLATE
from ways import commit, commit_all, copy_work_tree, git, has_history

from tools import toolchain
from tools.service import Service


def pytest_report_header() -> list[str]:
    build_cache = Path(subprocess.check_output(["go", "env", "GOCACHE"], env=go_environment(), text=True).strip())
    warm = sum(1 for _ in build_cache.glob("*/*-d")) > 100
    return [
        f"go: {toolchain.go_bin_directory()}, build cache {'warm' if warm else 'cold'}",
        f"docker: {missing_engine() or 'runs'}",
    ]


@cache
def go_environment() -> dict[str, str]:
    return toolchain.environment()


@cache
def missing_engine() -> str:
    """Return why there is no container engine, nothing where there is one."""
    if not shutil.which("docker"):
        return "no docker command"
    told = subprocess.run(
        ["docker", "info", "--format", "{{.ServerVersion}}"],
        capture_output=True,
        text=True,
    )
    if told.returncode:
        return "no engine runs: " + (told.stderr.strip() or told.stdout.strip()).splitlines()[-1]
    buildx = subprocess.run(["docker", "buildx", "version"], capture_output=True)
    return "" if buildx.returncode == 0 or os.environ.get("DOCKER_BUILDKIT") == "1" else "it has no BuildKit"


def skip(reason: str) -> NoReturn:
    """Skip the test on a user's machine; in CI fail, since there whatever is needed has to be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True)
class Baked:
    """A baked service, and what its owner does with it."""

    path: Path

    def files(self) -> set[str]:
        return {str(file.relative_to(self.path)) for file in self.path.rglob("*") if file.is_file()}

    def read(self, name: str) -> str:
        return (self.path / name).read_text(encoding="utf-8")

    def run(self, *command: str, status: int = 0, timeout: float = 600) -> str:
        """Run a command in its folder; return what it printed. The test fails where the exit status is another one."""
        done = subprocess.run(
            command,
            cwd=self.path,
            env=go_environment(),
            text=True,
            capture_output=True,
            timeout=timeout,
        )
        assert done.returncode == status, (
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
        return done.stdout + done.stderr

    def make(self, *words: str) -> str:
        return self.run("make", "--no-print-directory", *words)

    def build(self) -> Path:
        self.make("build", "VERSION=1.2.3")
        return self.path / "bin/service"


def questions() -> dict[str, object]:
    """Return the questions of cookiecutter.json with their defaults: a text, or a list of choices."""
    context = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    return {name: default for name, default in context.items() if not name.startswith("_")}


CHOICES: dict[str, list[str]] = {name: default for name, default in questions().items() if isinstance(default, list)}


@pytest.fixture(scope="session", autouse=True)
def plain_git() -> Iterator[None]:
    """Keep the settings, the name and the language of the person who runs the tests out of them."""
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
    """Keep the answers of the person who runs the tests out of them."""
    config = tmp_path_factory.mktemp("config") / "cookiecutter.yaml"
    folders = {name: str(config.parent / name) for name in ("cookiecutters_dir", "replay_dir")}
    config.write_text(json.dumps(folders))
    Path(folders["cookiecutters_dir"]).mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COOKIECUTTER_CONFIG", str(config))
        yield


Bake = Callable[..., Baked]


@pytest.fixture(scope="session")
def bake(tmp_path_factory: pytest.TempPathFactory) -> Bake:
    """Return bake(**answers), which refuses the name of a question that does not exist."""

    def bake(**answers: str) -> Baked:
        unknown = answers.keys() - questions().keys()
        assert not unknown, f"no such questions: {unknown}"
        folder = tmp_path_factory.mktemp("bake")
        return Baked(Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(folder), extra_context=answers)))

    return bake


@pytest.fixture(scope="session")
def default(bake: Bake) -> Baked:
    """The service of the default answers. Tests read it and run its commands, but leave its files as they are."""
    return bake()


@pytest.fixture(scope="session")
def binary(default: Baked) -> Path:
    return default.build()


@pytest.fixture
def service(binary: Path) -> Iterator[Service]:
    """The default service, running."""
    with Service(binary, LOG_LEVEL="debug") as running:
        yield running


@pytest.fixture
def engine() -> None:
    """A container engine; without one the test is skipped."""
    if reason := missing_engine():
        skip(f"no container engine: {reason}")


@pytest.fixture
def curl() -> None:
    """The program of that name; without it the test is skipped."""
    if not shutil.which("curl"):
        skip("no curl command")


@pytest.fixture
def c_compiler() -> None:
    """What the race detector needs; without it the test is skipped."""
    if not shutil.which("cc") and not shutil.which("gcc"):
        skip("no C compiler, which the race detector needs")


@pytest.fixture
def port_8080(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The ports that services have by default, 8080 and 9090, for one test at a time of all that run side by side."""
    shared_by_workers = tmp_path_factory.getbasetemp().parent
    with (shared_by_workers / "port-8080.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


Linter = Callable[[Baked], str]


@pytest.fixture
def lint(tmp_path: Path) -> Linter:
    """Return lint(service), which is what "make lint" finds. It refuses to run twice by a file in the temporary folder.

    The test is skipped where the linter's module cannot be downloaded.
    """

    def lint(service: Baked) -> str:
        command = re.search(r"^GOLANGCI_LINT += (.*)$", service.read("Makefile"), re.MULTILINE)
        assert command
        try:
            service.run(*command[1].split(), "version", timeout=900)
        except AssertionError as failure:
            skip(f"golangci-lint is not to be had: {failure}")
        return service.run("env", f"TMPDIR={tmp_path}", "make", "lint")

    return lint


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The template as a git repository with one commit, which is what cruft wants."""
    folder = tmp_path / "repository/template"
    copy_work_tree(folder)
    commit_all(folder)
    return folder


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """The template with its history, but without tags, and on top of it a commit of what is in this work tree."""
    folder = tmp_path / "template"
    git(TEMPLATE, "clone", "-q", "--no-tags", str(TEMPLATE), str(folder))
    if not has_history():
        shutil.rmtree(folder / ".git")
        git(folder, "init", "-q")
    for name in git(folder, "ls-files", "-z").split("\0")[:-1]:
        (folder / name).unlink()
    copy_work_tree(folder)
    commit(folder, "The work tree")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to bake in."""
    (tmp_path / "in").mkdir()
    return tmp_path / "in"
