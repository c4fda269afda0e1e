"""tools/fleet says how far each service is behind, and names the files that an update meets."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fleets import Fleet, link
from tests.support.repository import SERVICE_FOLDER, commit, git, write_version
from tests.support.team_edits import write
from tests.support.template_changes import removed_file


@pytest.fixture
def services(made: Path, old: Path) -> Path:
    """A folder of services in the states that services get into, and of other files."""
    folder = old.parent
    shutil.copytree(made / "9.2.0", folder / "current")
    for name in ("rival", "broken", "forgot", "unlinked", "without git"):
        shutil.copytree(made / "9.1.0", folder / name)
    write(folder / "rival/AGENTS.md", "Ours.\n")
    write(folder / "broken/.cruft.json", "{")
    git(folder / "forgot", "rm", "-q", "--cached", ".cruft.json")
    git(folder / "forgot", "commit", "-qm", "Without it")
    (folder / "unlinked/.cruft.json").unlink()
    shutil.rmtree(folder / "without git/.git")
    for name in ("rival", "broken", "unlinked"):
        commit(folder / name, "What the team did")
    (folder / "notes").mkdir()
    shutil.copytree(made / "9.0.0", folder / "other template")
    (folder / "other template/.template").unlink()
    link(folder / "other template", commit="f" * 40)
    commit(folder / "other template", "A service of another template")
    return folder


def test_it_says_of_each_service_how_it_stands(fleet: Fleet, services: Path) -> None:
    done = fleet.run(services)
    assert done.stdout.splitlines() == [
        "service      version  behind  changes  edited  left out  outcome",
        "broken       9.1.0    1                                  failed: its .cruft.json is broken: git has an older"
        " one",
        "current      9.2.0    0                                  up to date",
        "forgot       9.1.0    1                                  its .cruft.json is not committed",
        "old          9.0.0    2       58       2                 updates without conflict",
        "rival        9.1.0    1       58       1                 conflict in AGENTS.md",
        "unlinked     9.1.0    1                                  not linked: type tools/fleet link",
        "without git                                              failed: not a git repository (or any of the parent"
        " directories): .git",
        "",
        "Services: 7. To look at: 5. Against: 9.2.0.",
    ]
    assert done.returncode == 1


@pytest.mark.long
def test_json_has_what_a_script_needs(fleet: Fleet, old: Path) -> None:
    git(old, "remote", "add", "origin", "https://oauth2:secret@git.example/shop/old.git")
    git(old, "switch", "-qc", "trunk")
    row = fleet.row(old, "--branch")
    commit_of_branch = git(old, "rev-parse", "template-9.2.0").strip()
    changed = row.pop("changed")
    assert {*row["edited"], ".template", "internal/clock/clock.go"} < set(changed)
    assert row == {
        "service": "old",
        "path": str(old),
        "remote": "https://git.example/shop/old.git",
        "base": "trunk",
        "version": "9.0.0",
        "target": "9.2.0",
        "behind": 2,
        "state": "update",
        "outcome": "updates without conflict; branch template-9.2.0 made from trunk",
        "edited": [".dockerignore", "AGENTS.md"],
        "left_out": [],
        "conflicts": [],
        "differs": [],
        "answers": {},
        "branch": "template-9.2.0",
        "branch_state": "new",
        "commit": commit_of_branch,
        "run": "",
        "pushed": False,
        "request": "",
        "ok": True,
    }


@pytest.mark.long
def test_a_row_names_no_branch_that_does_not_exist(fleet: Fleet, made: Path) -> None:
    write(made / "9.1.0/AGENTS.md", "Ours.\n")
    commit(made / "9.1.0", "Our own words")
    rows = fleet.rows(made)
    assert [row["branch"] for row in [*rows.values(), *fleet.rows(made, "--branch").values()]] == [
        "", "", "", "template-9.2.0", "", "",
    ]  # fmt: skip


@pytest.mark.long
def test_services_can_be_chosen(fleet: Fleet, made: Path) -> None:
    assert list(fleet.rows(made, "--only", "9.[01]*", "--exclude", "*.1.*")) == ["9.0.0"]
    assert "No service matches --only and --exclude." in fleet.run(made, "--only", "x").stderr


@pytest.mark.long
def test_a_terminal_shows_the_progress(fleet: Fleet, made: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "fleet", str(made)]
    done = subprocess.run(command, cwd=fleet.template, stdout=subprocess.PIPE, stderr=theirs, text=True)
    shown = os.read(ours, 4096).decode()
    assert "0/3" in shown
    assert "3/3 9.2.0" in shown
    assert "/3" not in done.stdout
    os.close(ours)
    os.close(theirs)


@pytest.mark.long
def test_the_config_of_the_person_at_work_changes_nothing(fleet: Fleet, old: Path, tmp_path: Path) -> None:
    before = fleet.row(old)
    write(tmp_path / "cookiecutter.yaml", "default_context: {license: BSD-3-Clause, owner: nobody}\n")
    write(
        tmp_path / "gitconfig", f'[url "/nowhere/"]\n\tinsteadOf = {fleet.template}\n[merge]\n\tconflictStyle = diff3\n'
    )
    variables = {
        "COOKIECUTTER_CONFIG": str(tmp_path / "cookiecutter.yaml"),
        "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"),
        "GIT_DIR": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "LANGUAGE": "de",
    }
    assert fleet.row(old, **variables) == before


@pytest.mark.long
def test_what_is_not_released_yet_can_be_looked_at(fleet: Fleet, made: Path) -> None:
    """So that a platform team knows what a release would meet."""
    removed_file(fleet.template)
    commit(fleet.template, "Go on")
    row = fleet.row(made / "9.2.0", "--to", "HEAD")
    assert row["changed"] == [".template", "internal/admin/admin_test.go"]
    assert fleet.row(made / "9.2.0")["outcome"] == "up to date"


@pytest.mark.long
def test_a_service_that_is_ahead_is_left_alone(fleet: Fleet, made: Path) -> None:
    assert fleet.row(made / "9.2.0", "--to", "9.1.0", "--branch")["outcome"] == "up to date"
    assert "template-" not in git(made / "9.2.0", "branch")


@pytest.mark.long
def test_a_fork_takes_over_the_services_of_the_template_that_it_is_from(fleet: Fleet, old: Path) -> None:
    write_version(fleet.template, "9.2.0+acme.1", name="acme-service")
    row = fleet.row(old, "--branch")
    assert row["branch"] == "template-9.2.0+acme.1"
    address = (fleet.template / SERVICE_FOLDER / ".template").read_text().split()[2]
    assert json.loads(git(old, "show", f"{row['branch']}:.cruft.json"))["template"] == address


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nowhere"], "nowhere is no folder"),
        (["tests"], "has no services"),
        ([".", "--to", "8.0.0"], "'8.0.0' is no release and no commit. The releases are: "),
        ([".", "--to", "--help"], "expected one argument"),
        ([".", "--jobs", "0"], "'0' is not a number from 1 to 64"),
    ],
)
@pytest.mark.long
def test_a_wrong_command_is_explained_in_one_line(fleet: Fleet, words: list[str], complaint: str) -> None:
    done = fleet.run(fleet.template / words[0], *words[1:])
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode != 0


@pytest.mark.long
def test_a_clone_without_history_is_refused(fleet: Fleet, old: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{fleet.template}", "shallow")
    assert "git fetch --unshallow" in Fleet(tmp_path / "shallow").run(old).stderr


@pytest.mark.long
def test_it_runs_from_any_folder_and_installs_only_what_it_needs(fleet: Fleet, old: Path) -> None:
    done = subprocess.run([fleet.template / "tools/fleet", "."], cwd=old, capture_output=True, text=True)
    assert "updates without conflict" in done.stdout, done.stderr
    installed = {path.name for path in (fleet.template / ".venv-fleet/bin").iterdir()}
    assert "cookiecutter" in installed
    assert not installed & {"cruft", "go", "pytest"}
    assert not (fleet.template / ".venv").exists()
