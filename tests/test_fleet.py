"""The tool that a platform team keeps its services up to date with."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from edits import (
    NEW_MODULE,
    Change,
    new_file,
    new_heads_and_tails,
    new_setting,
    own_package,
    own_routes,
    own_words,
    removed_file,
    renamed_module,
    write,
)
from ways import TEMPLATE, commit, git, made

RELEASES: dict[str, list[Change]] = {"9.0.0": [], "9.1.0": [new_file, new_setting], "9.2.0": [new_heads_and_tails]}


def say_version(template: Path, version: str) -> None:
    """Write the version where it stands, and commit it as a release does, but without a tag."""
    file = template / "{{cookiecutter.service_name}}/.template"
    name, _, address = file.read_text().split()
    file.write_text(f"{name} {version} {address}\n")
    commit(template, f"Release {version}")


@pytest.fixture
def released(template: Path) -> Path:
    """The template after three releases, and a commit that is none."""
    for version, changes in RELEASES.items():
        for change in changes:
            change(template)
        say_version(template, version)
    say_version(template, "9.2.1-dev")
    return template


def commit_of(template: Path, version: str) -> str:
    return git(template, "log", "--format=%H", f"--grep=^Release {version}$").strip()


@pytest.fixture
def fleet(released: Path, tmp_path: Path) -> Path:
    """A folder of services in the states that services get into, and of what is no service."""
    folder = tmp_path / "fleet"
    folder.mkdir()
    for name, version in {"current": "9.2.0", "old": "9.0.0", "rival": "9.1.0"}.items():
        shutil.move(made(released, tmp_path, commit_of(released, version)), folder / name)
    for name in ("broken", "unlinked"):
        shutil.copytree(folder / "rival", folder / name)
    for change in (own_routes, own_package, own_words):
        change(folder / "old")
    write(folder / "rival/AGENTS.md", "Ours.\n")
    write(folder / "broken/.cruft.json", "{")
    (folder / "unlinked/.cruft.json").unlink()
    for service in folder.iterdir():
        commit(service, "What the team did")
    shutil.copytree(folder / "old", folder / "without git", ignore=shutil.ignore_patterns(".git"))
    (folder / "notes").mkdir()
    (folder / "notes.txt").write_text("No service.\n")
    return folder


def run(template: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the tool of a clone, which takes that clone for the template."""
    command = [sys.executable, "-m", "tools.fleet", str(folder), *words]
    return subprocess.run(command, cwd=template, capture_output=True, text=True)


def test_it_says_of_each_service_how_it_stands(released: Path, fleet: Path) -> None:
    told = run(released, fleet)
    assert told.stdout.splitlines() == [
        "service      version  behind  changes  edited  outcome",
        "broken                                         not linked: its .cruft.json names no commit",
        "current      9.2.0    0                        up to date",
        "old          9.0.0    2       13       5       updates without conflict",
        "rival        9.1.0    1       12       1       conflict in AGENTS.md",
        "unlinked     9.1.0    1                        not linked: run cruft link in it, as its README says",
        "without git                                    failed: fatal: not a git repository (or any of the parent"
        " directories): .git",
        "",
        "Services: 6. To look at: 4. Against: 9.2.0.",
    ]
    assert told.returncode == 1


def test_it_tells_machines_which_files(released: Path, fleet: Path) -> None:
    rows: dict[str, dict[str, Any]] = {row["service"]: row for row in json.loads(run(released, fleet, "--json").stdout)}
    assert set(rows["old"]["edited"]) == {
        ".dockerignore",
        "AGENTS.md",
        "CODEOWNERS",
        "README.md",
        "internal/api/openapi.yaml",
    }
    assert set(rows["old"]["edited"]) < set(rows["old"]["changed"])
    assert "internal/clock/clock.go" in rows["old"]["changed"]
    assert rows["rival"]["conflicts"] == ["AGENTS.md"]
    assert [rows["current"][name] for name in ("version", "behind", "ok", "branch")] == ["9.2.0", 0, True, ""]


def test_it_makes_the_branches_that_it_can_and_touches_nothing_else(released: Path, fleet: Path) -> None:
    write(fleet / "old/README.md", "Not committed yet.\n")
    before = {name: git(fleet / name, "status", "--porcelain", "--branch") for name in ("old", "rival")}
    told = run(released, fleet, "--branch")
    assert "updates without conflict; branch template-9.2.0" in told.stdout
    for name, status in before.items():
        assert git(fleet / name, "status", "--porcelain", "--branch") == status
        assert len(git(fleet / name, "worktree", "list").splitlines()) == 1
    assert "template-" not in git(fleet / "rival", "branch")
    assert git(fleet / "old", "show", "template-9.2.0:.template").split()[1] == "9.2.0"
    assert "Ask the shop team" in git(fleet / "old", "show", "template-9.2.0:README.md")
    assert (
        git(fleet / "old", "log", "--format=%s", "-1", "template-9.2.0") == "Follow the template from 9.0.0 to 9.2.0\n"
    )
    assert "there is a branch template-9.2.0 already" in run(released, fleet / "old", "--branch").stdout


def test_a_module_that_its_team_has_renamed_is_updated_by_its_new_name(released: Path, fleet: Path) -> None:
    renamed_module(fleet / "old")
    commit(fleet / "old", "Move to our own host")
    assert "updates without conflict; branch" in run(released, fleet / "old", "--branch").stdout
    git(fleet / "old", "switch", "-q", "template-9.2.0")
    assert f'"{NEW_MODULE}/internal/config"' in (fleet / "old/internal/clock/clock.go").read_text()
    assert json.loads((fleet / "old/.cruft.json").read_text())["context"]["cookiecutter"]["module_path"] == NEW_MODULE


def test_hooks_of_a_service_do_not_run(released: Path, fleet: Path) -> None:
    for name in ("post-checkout", "pre-commit", "commit-msg"):
        hook = fleet / f"old/.git/hooks/{name}"
        write(hook, f"#!/bin/sh\ntouch {fleet}/ran\nexit 1\n")
        hook.chmod(0o755)
    assert run(released, fleet / "old", "--branch").returncode == 0
    assert not (fleet / "ran").exists()


def test_a_branch_that_is_merged_brings_a_service_up_to_date(released: Path, fleet: Path) -> None:
    assert run(released, fleet / "old", "--branch", "--to", "9.1.0").returncode == 0
    git(fleet / "old", "merge", "-q", "template-9.1.0")
    assert "9.1.0    0" in run(released, fleet / "old", "--to", "9.1.0").stdout
    assert run(released, fleet / "old", "--branch").returncode == 0
    git(fleet / "old", "merge", "-q", "template-9.2.0")
    assert run(released, fleet / "old").stdout.splitlines()[1].endswith("up to date")


def test_what_is_not_released_yet_can_be_looked_at(released: Path, fleet: Path) -> None:
    """So that a platform team knows what a release would meet."""
    removed_file(released)
    commit(released, "Go on")
    assert (
        "9.2.0    0       2                updates without conflict"
        in run(released, fleet / "current", "--to", "HEAD").stdout
    )
    assert run(released, fleet / "current").stdout.splitlines()[1].endswith("up to date")


def test_a_service_that_is_ahead_is_left_alone(released: Path, fleet: Path) -> None:
    told = run(released, fleet / "current", "--to", "9.1.0", "--branch")
    assert told.stdout.splitlines()[1].endswith("up to date")
    assert "template-" not in git(fleet / "current", "branch")


def test_a_service_of_a_commit_that_the_clone_lacks_is_named(released: Path, fleet: Path) -> None:
    state = json.loads((fleet / "old/.cruft.json").read_text())
    write(fleet / "old/.cruft.json", json.dumps({**state, "commit": "1" * 40}))
    commit(fleet / "old", "Another template")
    assert (
        "made from 111111111111, a commit that this clone of the template does not have" in run(released, fleet).stdout
    )


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nowhere"], "nowhere is no folder"),
        (["tests"], "has no services"),
        ([".", "--to", "8.0.0"], "'8.0.0' is no release and no commit. The releases are: "),
        ([".", "--to", "--help"], "expected one argument"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(released: Path, words: list[str], complaint: str) -> None:
    told = run(released, released / words[0], *words[1:])
    assert complaint in told.stderr
    assert "Traceback" not in told.stderr
    assert told.returncode != 0


def test_it_runs_from_any_folder(tmp_path: Path) -> None:
    told = subprocess.run(
        [TEMPLATE / "tools/fleet", "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert told.stdout.startswith("usage: tools/fleet ")
