"""A template with releases, services made from them, and the tool that keeps these up to date."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.commands import Done, create_by_cruft
from tests.support.repository import clone_with_work_tree, git, write_version
from tests.support.team_edits import Change
from tests.support.template_changes import new_file, new_heads_and_tails, new_setting

RELEASES: dict[str, list[Change]] = {"9.0.0": [], "9.1.0": [new_file, new_setting], "9.2.0": [new_heads_and_tails]}

FIRST_RELEASE = ":/^Release 1.0.0[^0-9+]"
ANSWERS_OF_1_0 = {
    "service_name": "order-api",
    "description": 'Takes "orders", and 100 % of them.',
    "module_path": "git.example/shop/orders",
    "owner": "@shop/orders",
    "http_port": "8088",
    "go_version": "1.28",
    "base_image": "scratch",
    "license": "MIT",
}


def make_releases(template: Path) -> None:
    """Clone the template, with three more releases and a commit that is none."""
    clone_with_work_tree(template)
    for version, changes in RELEASES.items():
        for change in changes:
            change(template)
        write_version(template, version)
    write_version(template, "9.2.1-dev")


def release_commit(template: Path, version: str) -> str:
    return git(template, "log", "--format=%H", f"--grep=^Release {version}$").strip()


def make_services(template: Path, folder: Path) -> None:
    """Make an unchanged service of each release, in folders named after it."""
    for version in RELEASES:
        create_by_cruft(template, folder, release_commit(template, version)).rename(folder / version)


def link(service: Path, **entries: object) -> None:
    """Change entries of a service's .cruft.json."""
    file = service / ".cruft.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **entries}))


@dataclass(frozen=True)
class Fleet:
    """tools/fleet of a clone of the template, which is the template of its services."""

    template: Path
    command: tuple[str, ...] = ()  # ("link",), or nothing for a report

    def run(self, folder: Path, *words: str, **variables: str) -> Done:
        """Run the tool on a folder. A variable that is "" is not set at all."""
        program = [sys.executable, "-m", "fleet", *self.command, str(folder), *words]
        environment = {name: value for name, value in {**os.environ, **variables}.items() if value}
        return subprocess.run(program, cwd=self.template, env=environment, capture_output=True, text=True)

    def rows(self, folder: Path, *words: str, **variables: str) -> dict[str, dict[str, Any]]:
        """Return what the tool says about each service."""
        done = self.run(folder, "--json", *words, **variables)
        assert done.stdout, done.stderr
        return {row["service"]: row for row in json.loads(done.stdout)}

    def row(self, service: Path, *words: str, **variables: str) -> dict[str, Any]:
        """Return what the tool says about one service."""
        (row,) = self.rows(service, *words, **variables).values()
        return row
