"""docs/platform-teams.md, as a platform team goes through it: a fork that follows upstream."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.baking import BakedService
from tests.support.commands import Done, cookiecutter, cruft
from tests.support.documents import blocks
from tests.support.machine import go_environment
from tests.support.repository import (
    PUBLIC_ADDRESS,
    SERVICE_FOLDER,
    commit,
    git,
    init_repository,
    published_as,
    read,
    write_version,
)
from tests.support.team_edits import replace

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif("org/go-service-template" not in PUBLIC_ADDRESS, reason="this is a fork already"),
]

PAGE = read("docs/platform-teams.md")
_, NAMING, FOLLOWING = blocks(PAGE, "sh")


def type_in(folder: Path, commands: str, upstream: Path) -> Done:
    """Run commands of the page. The address of upstream leads to a repository on this machine."""
    return subprocess.run(
        ["bash", "-ec", commands], cwd=folder, env=published_as(upstream), capture_output=True, text=True
    )


def change_usual_places(fork: Path) -> None:
    """Change what the page's table names."""
    dockerfile = fork / SERVICE_FOLDER / "Dockerfile"
    replace(dockerfile, "golang:{{ cookie", "registry.example/golang:{{ cookie")
    replace(dockerfile, '"alpine": "', '"alpine": "registry.example/')
    replace(dockerfile, "    go build ", "    GOPRIVATE=git.example \\\n    go build ")
    (fork / SERVICE_FOLDER / "docs.txt").write_text("{{ not Jinja here\n")
    questions = fork / "cookiecutter.json"
    replace(questions, '    ".dockerignore",\n', '    ".dockerignore",\n    "docs.txt",\n')
    replace(questions, "github.com/acme/{{", "git.example/acme/{{")


@pytest.fixture
def fork(template: Path, tmp_path: Path) -> Path:
    """A fork that changed the usual places, and its own published repository."""
    git(template, "switch", "-qC", "main")  # as the page calls it, whatever branch is tested
    write_version(template, "1.0.1")
    git(template, "clone", "-q", "--bare", str(template), str(tmp_path / "origin"))
    git(tmp_path, "clone", "-q", str(tmp_path / "origin"), str(tmp_path / "fork"))
    done = type_in(tmp_path / "fork", NAMING, template)
    assert done.returncode == 0, done.stderr
    change_usual_places(tmp_path / "fork")
    commit(tmp_path / "fork", "Be a standard of our own")
    return tmp_path / "fork"


@pytest.fixture
def release(template: Path, fork: Path) -> None:
    """Upstream goes on after the fork was made: in a file, with a file, and with its own version."""
    with (template / SERVICE_FOLDER / "internal/middleware/middleware.go").open("a") as file:
        file.write("\n// Upstream goes on.\n")
    (template / SERVICE_FOLDER / "internal/api/new.go").write_text("package api\n")
    with (template / "CHANGELOG.md").open("a") as file:
        file.write("\n## [1.1.0]\n")
    write_version(template, "1.1.0")
    write_version(template, "1.1.1-dev")


def assert_is_the_forks(service: BakedService) -> None:
    dockerfile = service.read("Dockerfile")
    assert all("registry.example/" in line for line in dockerfile.splitlines() if line.startswith("FROM "))
    assert "GOPRIVATE=git.example " in dockerfile
    assert service.read("docs.txt") == "{{ not Jinja here\n"
    assert "\nmodule git.example/acme/my-service\n" in service.read("go.mod")
    assert "cruft link https://git.example/acme/go-service " in service.read("docs/template.md")


def test_a_fork_makes_services_of_its_own(fork: Path, folder: Path) -> None:
    done = cookiecutter(folder, "--no-input", template=str(fork))
    assert done.returncode == 0, done.stderr
    assert_is_the_forks(BakedService(folder / "my-service"))


def test_a_suggestion_has_the_default_of_the_fork(fork: Path, folder: Path) -> None:
    done = cookiecutter(folder, "--no-input", "module_path=fmt", template=str(fork))
    assert "Try: git.example/acme/fmt" in done.stderr


def test_a_fork_follows_upstream_and_keeps_what_it_changed(
    template: Path, fork: Path, release: None, folder: Path, tmp_path: Path
) -> None:
    done = type_in(fork, FOLLOWING, template)
    assert done.returncode == 0, done.stdout + done.stderr
    assert git(fork, "status", "--porcelain") == ""
    created = cruft(folder, "create", str(tmp_path / "origin"), "--checkout", "1.1.0+acme.1", "--no-input")
    assert created.returncode == 0, created.stderr
    service = BakedService(folder / "my-service")
    assert_is_the_forks(service)
    assert service.read("internal/middleware/middleware.go").endswith("\n// Upstream goes on.\n")
    assert service.read("internal/api/new.go") == "package api\n"
    assert service.read(".template") == "acme-service 1.1.0+acme.1 https://git.example/acme/go-service\n"


def test_without_the_merge_driver_only_the_version_conflicts(template: Path, fork: Path, release: None) -> None:
    git(fork, "config", "--unset", "merge.ours.driver")
    assert type_in(fork, FOLLOWING, template).returncode == 1
    assert git(fork, "diff", "--name-only", "--diff-filter=U") == f"{SERVICE_FOLDER}/.template\n"


def test_the_documents_of_a_fork_are_written_again(fork: Path) -> None:
    for module in ("gallery", "picture"):  # make docs
        subprocess.run([sys.executable, "-m", f"tools.{module}"], cwd=fork, check=True, capture_output=True)
    assert "registry.example/alpine" in (fork / "docs/gallery.md").read_text()


def test_modules_of_the_private_host_are_not_requested_from_a_proxy(fork: Path, folder: Path, tmp_path: Path) -> None:
    assert cookiecutter(folder, "--no-input", template=str(fork)).returncode == 0
    service = BakedService(folder / "my-service")
    library = tmp_path / "library"
    library.mkdir()
    (library / "go.mod").write_text("module git.example/acme/library.git\n")
    init_repository(library)
    git(library, "tag", "v1.0.0")
    (variable,) = re.findall(r"^    (GOPRIVATE=\S+) \\$", service.read("Dockerfile"), re.MULTILINE)
    environment = {
        **go_environment(), "GOPROXY": "off", "GOMODCACHE": str(tmp_path / "modules"), "GOFLAGS": "-modcacherw",
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{library}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://git.example/acme/library",
    }  # fmt: skip
    require = ["go", "get", "git.example/acme/library.git@v1.0.0"]
    refused = subprocess.run(require, cwd=service.path, env=environment, capture_output=True, text=True)
    assert "disabled by GOPROXY=off" in refused.stderr
    subprocess.run(["env", variable, *require], cwd=service.path, env=environment, check=True)
