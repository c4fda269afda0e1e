"""What the documents say of following the template, as a team and a platform team type it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest
from conftest import TEMPLATE, Baked, go_environment
from test_documents import commands
from test_fleet import say
from ways import commit, cruft, git, made, published

README = (TEMPLATE / "README.md").read_text(encoding="utf-8")
UPGRADING = (TEMPLATE / "UPGRADING.md").read_text(encoding="utf-8")

Type = Callable[[Path, str], tuple[int, str]]


@pytest.fixture
def type_in(template: Path, tmp_path: Path) -> Type:
    """Return type_in(folder, command), which types a command at a terminal there, and Enter at each question.

    It returns the exit status and what was shown. uvx, which would get cruft from the network, runs the one installed
    here; the public address leads to the template in its fixture; home and the temporary folder are new ones.
    """
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/uvx").write_text(f'#!/bin/sh\nexec "{Path(sys.executable).parent}/$@"\n')
    (tmp_path / "bin/uvx").chmod(0o755)
    caches = {name: Baked(tmp_path).run("go", "env", name).strip() for name in ("GOCACHE", "GOMODCACHE")}
    plain = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "GIT_PAGER": "cat", "TERM": "dumb"}
    environment = {**published(template), **go_environment(), **caches, **plain}
    environment["PATH"] = f"{tmp_path}/bin{os.pathsep}{environment['PATH']}"

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


def grow(template: Path, version: str) -> None:
    """Release something new."""
    (template / "{{cookiecutter.service_name}}/internal/api/new.go").write_text("package api\n")
    say(template, version)


@pytest.mark.parametrize("version", ["1.2.3", "1.2.4-dev"])
def test_the_service_readme_links_and_updates(template: Path, tmp_path: Path, type_in: Type, version: str) -> None:
    say(template, version)
    baked = unlinked(made(template, tmp_path))
    link, keep, check, update = commands(baked.read("README.md"))[-4:]
    if version == "1.2.3":
        git(template, "tag", version)
    else:
        link = link.split(" --checkout ")[0]
    assert type_in(baked.path, link)[0] == 0
    assert cruft(baked.path, "diff").stdout == ""
    assert type_in(baked.path, keep)[0] == 0
    grow(template, "9.0.0")
    assert type_in(baked.path, check)[0] == 1
    assert type_in(baked.path, update)[0] == 0
    assert baked.read("internal/api/new.go") == "package api\n"
    assert baked.read(".template").split()[1] == "9.0.0"
    commit(baked.path, "Update")
    assert type_in(baked.path, check)[0] == 0


def unlinked(service: Path) -> Baked:
    """Make a service one that nobody has linked."""
    (service / ".cruft.json").unlink()
    commit(service, "All")
    return Baked(service)


def test_the_commands_of_upgrading_work(template: Path, tmp_path: Path, type_in: Type) -> None:
    service = Baked(made(template, tmp_path))
    grow(template, "9.0.0")
    update, diff, *checks, change = commands(UPGRADING)
    assert type_in(service.path, update)[0] == 0
    assert "+package api" in type_in(service.path, diff)[1]
    for check in checks:
        status, shown = type_in(service.path, check)
        assert status == 0, shown
    commit(service.path, "Update")
    assert type_in(service.path, change)[0] == 0
    assert "/distroless/" in service.read("Dockerfile")


def test_the_commands_for_a_fleet_work(template: Path, tmp_path: Path, type_in: Type) -> None:
    """As the README has them, in a clone of the template."""
    create, create_at_once = (command for command in commands(README) if command.startswith("uvx "))
    (tmp_path / "services").mkdir()
    say(template, "9.0.0")
    assert type_in(tmp_path / "services", create)[0] == 0
    assert type_in(tmp_path, create_at_once)[0] == 0
    assert "@acme/orders" in (tmp_path / "order-api/CODEOWNERS").read_text()
    git(tmp_path / "services/my-service", "init", "-q")
    commit(tmp_path / "services/my-service", "Bake")
    grow(template, "9.1.0")
    use_this_environment(template)
    report, with_branch, json = (command for command in commands(README) if command.startswith("tools/fleet "))
    assert "my-service  9.0.0    1 " in type_in(template, report)[1]
    assert "branch template-9.1.0" in type_in(template, with_branch)[1]
    assert '"version": "9.0.0",' in type_in(template, json)[1]


def use_this_environment(template: Path) -> None:
    """Let a clone's .venv be the one that the tests run in."""
    (template / ".venv/bin").mkdir(parents=True)
    (template / ".venv/bin/python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (template / ".venv/bin/python").chmod(0o755)
    (template / ".venv/ready").touch()
