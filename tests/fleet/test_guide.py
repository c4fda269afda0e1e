"""docs/fleet.md, as a platform team goes through it: from linking to the merged request."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from fleet.report import Row
from tests.support.commands import Done
from tests.support.documents import blocks, table_rows
from tests.support.fleets import Fleet
from tests.support.repository import git, read

pytestmark = pytest.mark.long

PAGE = read("docs/fleet.md")


def test_every_name_of_a_json_row_is_explained() -> None:
    explained = re.findall(r"`(\w+)`", "".join(names for names, _ in table_rows(PAGE, "| name | content |")))
    assert sorted(explained) == sorted(field.name for field in fields(Row))


def test_the_commands_lead_to_merged_updates(fleet: Fleet, made: Path, tmp_path: Path) -> None:
    services = made.rename(tmp_path / "services")
    service = services / "9.0.0"
    git(service, "rm", "-q", ".cruft.json")
    git(service, "commit", "-qm", "As by Cookiecutter 1.0.0")
    use_this_environment(fleet.template)
    sandbox = tmp_path / "bin/docker"
    sandbox.parent.mkdir()
    sandbox.write_text('#!/bin/sh\ntest "$1" = run && test -f main.go\n')
    sandbox.chmod(0o755)

    def type_in(command: str) -> Done:
        environment = {**os.environ, "HOME": str(tmp_path), "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
        environment["GIT_ALLOW_PROTOCOL"] = "file"
        return subprocess.run(
            ["bash", "-ec", command], cwd=fleet.template, env=environment, capture_output=True, text=True
        )

    (look, dry, link, branch, run, push, publish) = [
        line for block in blocks(PAGE, "sh") for line in block.splitlines()
    ]
    assert "not linked: type tools/fleet link" in type_in(look).stdout
    assert "made with the defaults" in type_in(dry).stdout
    assert "branch template-link made from master" in type_in(link).stdout
    git(service, "merge", "-q", "template-link")
    assert "passed; branch template-9.2.0 made from master" in type_in(run).stdout
    assert "branch template-9.2.0 is up to date" in type_in(branch).stdout
    git(tmp_path, "clone", "-q", "--bare", str(service), "remote.git")
    git(service, "remote", "add", "origin", str(tmp_path / "remote.git"))
    assert "; pushed" in type_in(push).stdout
    assert "is no repository on GitHub or GitLab" in type_in(publish).stdout
    git(service, "pull", "-q", "--ff-only", "origin", "template-9.2.0")
    (row,) = json.loads(type_in(f"{look} --only 9.0.0 --json").stdout)
    assert row["state"] == "up to date"


def use_this_environment(template: Path) -> None:
    """Let the .venv-fleet of a clone be the one in which the tests run."""
    (template / ".venv-fleet/bin").mkdir(parents=True)
    (template / ".venv-fleet/bin/python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (template / ".venv-fleet/bin/python").chmod(0o755)
    (template / ".venv-fleet/ready").touch()
