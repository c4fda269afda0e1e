"""The commands of the service's README and of UPGRADING.md, as a team types them at a terminal."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from tests.support.baking import BakedService
from tests.support.commands import create_by_cruft, cruft
from tests.support.documents import shell_commands
from tests.support.fixtures import Create
from tests.support.machine import go_environment
from tests.support.repository import SERVICE_FOLDER, commit, git, published_as, read, write_version

pytestmark = pytest.mark.long

Type = Callable[[Path, str], tuple[int, str]]


@pytest.fixture
def type_in(template: Path, tmp_path: Path) -> Type:
    """Return type_in(folder, command), which types a command there, and Enter at each question.

    It returns the exit status and what was shown. `uvx`, which would download cruft, runs the one that is installed.
    The public address leads to the template. The home folder is an empty one.
    """
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/uvx").write_text(f'#!/bin/sh\nexec "{Path(sys.executable).parent}/$@"\n')
    (tmp_path / "bin/uvx").chmod(0o755)
    caches = {name: BakedService(tmp_path).run("go", "env", name).strip() for name in ("GOCACHE", "GOMODCACHE")}
    plain = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "GIT_PAGER": "cat", "TERM": "dumb"}
    environment = {**go_environment(), **published_as(template), **caches, **plain}
    environment["PATH"] = f"{tmp_path}/bin{os.pathsep}{go_environment()['PATH']}"

    def type_in(folder: Path, command: str) -> tuple[int, str]:
        shell = pexpect.spawn("bash", ["-ec", command], cwd=folder, env=environment, encoding="utf-8", timeout=300)
        shown = ""
        while shell.expect([r"[:?)\]] $", pexpect.EOF]) == 0:
            shown += f"{shell.before}{shell.after}"
            shell.sendline()
        shell.close()
        assert shell.exitstatus is not None
        return shell.exitstatus, f"{shown}{shell.before}"

    return type_in


def release_something_new(template: Path, version: str) -> None:
    (template / SERVICE_FOLDER / "internal/api/new.go").write_text("package api\n")
    write_version(template, version)


@pytest.mark.parametrize("version", ["1.2.3", "1.2.3+acme.1", "1.2.4-dev"])
def test_the_readme_of_a_service_links_and_updates_it(
    template: Path, tmp_path: Path, type_in: Type, version: str
) -> None:
    write_version(template, version)
    created = git(template, "rev-parse", "HEAD").strip()
    service = BakedService(create_by_cruft(template, tmp_path))
    (service.path / ".cruft.json").unlink()
    commit(service.path, "A service that nobody has linked")
    link, keep, check, update = shell_commands(service.read("docs/template.md"))
    if version.endswith("-dev"):
        link = link.split(" --checkout ")[0]
    else:
        release_something_new(template, "1.2.30")  # which begins with the same digits
    assert type_in(service.path, link)[0] == 0
    assert created in service.read(".cruft.json")
    assert cruft(service.path, "diff", template=template).stdout == ""
    assert type_in(service.path, keep)[0] == 0
    release_something_new(template, "9.0.0")
    assert type_in(service.path, check)[0] == 1
    assert type_in(service.path, update)[0] == 0
    assert service.read("internal/api/new.go") == "package api\n"
    assert service.read(".template").split()[1] == "9.0.0"
    commit(service.path, "Update")
    assert type_in(service.path, check)[0] == 0


def test_the_commands_of_upgrading_work(create: Create, template: Path, type_in: Type, make_lint: list[str]) -> None:
    service = BakedService(create())
    release_something_new(template, "1.1.0")
    write_version(template, "1.1.1-dev")
    update, diff, test, lint, change = shell_commands(read("UPGRADING.md").partition("## [Unreleased]")[0])
    (to_release,) = re.findall(r"`(--checkout [^`]+)`", read("UPGRADING.md"))
    assert type_in(service.path, f"{update} {to_release}")[0] == 0
    assert service.read(".template").split()[1] == "1.1.0"
    assert "+package api" in type_in(service.path, diff)[1]
    assert lint == "make lint"
    for command in (test, " ".join(make_lint)):
        status, shown = type_in(service.path, command)
        assert status == 0, shown
    commit(service.path, "Update")
    assert type_in(service.path, change)[0] == 0
    assert "/distroless/" in service.read("Dockerfile")
    assert service.read(".template").split()[1] == "1.1.1-dev"


def test_a_service_is_created_by_cruft_as_the_readme_says(template: Path, tmp_path: Path, type_in: Type) -> None:
    create, create_at_once = (command for command in shell_commands(read("README.md")) if "cruft create" in command)
    (tmp_path / "services").mkdir()
    assert type_in(tmp_path / "services", create)[0] == 0
    assert type_in(tmp_path, create_at_once)[0] == 0
    assert "@acme/orders" in (tmp_path / "order-api/CODEOWNERS").read_text()
