"""The tool that a platform team keeps its services up to date with."""

from __future__ import annotations

import json
import os
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
from ways import TEMPLATE, commit, commit_all, git, made

RELEASES: dict[str, list[Change]] = {"9.0.0": [], "9.1.0": [new_file, new_setting], "9.2.0": [new_heads_and_tails]}


def say(template: Path, version: str, name: str = "") -> None:
    """Write the version where it stands, and commit it as a release does, but without a tag."""
    file = template / "{{cookiecutter.service_name}}/.template"
    old_name, _, address = file.read_text().split()
    file.write_text(f"{name or old_name} {version} {address}\n")
    commit(template, f"Release {version}")


@pytest.fixture
def released(template: Path) -> Path:
    """The template after three releases, and a commit that is none."""
    for version, changes in RELEASES.items():
        for change in changes:
            change(template)
        say(template, version)
    say(template, "9.2.1-dev")
    return template


def made_with(released: Path, folder: Path, version: str, name: str) -> Path:
    """Make a service with a release, in a folder of a name."""
    commit_of = git(released, "log", "--format=%H", f"--grep=^Release {version}$").strip()
    folder.mkdir(exist_ok=True)
    return made(released, folder.parent, commit_of).rename(folder / name)


@pytest.fixture
def old(released: Path, tmp_path: Path) -> Path:
    """A service two releases behind, edited as teams do, and alone in its folder."""
    service = made_with(released, tmp_path / "fleet", "9.0.0", "old")
    for change in (own_routes, own_package, own_words):
        change(service)
    commit(service, "What the team did")
    return service


@pytest.fixture
def fleet(released: Path, old: Path) -> Path:
    """A folder of services in the states that services get into, and of what is no service."""
    folder = old.parent
    made_with(released, folder, "9.2.0", "current")
    made_with(released, folder, "9.1.0", "rival")
    for name in ("broken", "forgot", "unlinked", "without git"):
        shutil.copytree(folder / "rival", folder / name)
    write(folder / "rival/AGENTS.md", "Ours.\n")
    write(folder / "broken/.cruft.json", "{")
    git(folder / "forgot", "rm", "-q", "--cached", ".cruft.json")
    git(folder / "forgot", "commit", "-qm", "Without it")
    (folder / "unlinked/.cruft.json").unlink()
    shutil.rmtree(folder / "without git/.git")
    for name in ("rival", "broken", "unlinked"):
        commit(folder / name, "What the team did")
    (folder / "notes").mkdir()
    (folder / "notes.txt").write_text("No service.\n")
    return folder


def run(template: Path, folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the tool of a clone, which takes that clone for the template."""
    command = [sys.executable, "-m", "tools.fleet", str(folder), *words]
    environment = {**os.environ, **variables}
    return subprocess.run(command, cwd=template, env=environment, capture_output=True, text=True)


def row_of(template: Path, service: Path, *words: str, **variables: str) -> dict[str, Any]:
    """Return what the tool knows of one service."""
    (row,) = json.loads(run(template, service, "--json", *words, **variables).stdout)
    return dict(row)


def test_it_says_of_each_service_how_it_stands(released: Path, fleet: Path) -> None:
    told = run(released, fleet)
    assert told.stdout.splitlines() == [
        "service      version  behind  changes  edited  left out  outcome",
        "broken                                                   its .cruft.json is broken: git has an older one",
        "current      9.2.0    0                                  up to date",
        "forgot       9.1.0    1                                  its .cruft.json is not committed",
        "old          9.0.0    2       13       5                 updates without conflict",
        "rival        9.1.0    1       12       1                 conflict in AGENTS.md",
        "unlinked     9.1.0    1                                  not linked: its README says how",
        "without git                                              failed: fatal: not a git repository (or any of the"
        " parent directories): .git",
        "",
        "Services: 7. To look at: 5. Against: 9.2.0.",
    ]
    assert told.returncode == 1


def test_it_tells_machines_which_files(released: Path, old: Path) -> None:
    row = row_of(released, old)
    assert row["edited"] == [".dockerignore", "AGENTS.md", "CODEOWNERS", "README.md", "internal/api/openapi.yaml"]
    assert {*row["edited"], "internal/clock/clock.go"} < set(row["changed"])
    assert [row[name] for name in ("service", "version", "behind", "ok", "branch")] == ["old", "9.0.0", 2, True, ""]


def test_it_makes_the_branches_that_it_can_and_touches_nothing_else(released: Path, fleet: Path) -> None:
    write(fleet / "old/README.md", "Not committed yet.\n")
    git(fleet / "old", "switch", "-qc", "feature")
    before = {name: git(fleet / name, "status", "--porcelain", "--branch") for name in ("old", "rival")}
    told = run(released, fleet, "--branch")
    assert "updates without conflict; branch template-9.2.0 made from feature" in told.stdout
    for name, status in before.items():
        assert git(fleet / name, "status", "--porcelain", "--branch") == status
        assert len(git(fleet / name, "worktree", "list").splitlines()) == 1
    assert "template-" not in git(fleet / "rival", "branch")
    assert git(fleet / "old", "show", "template-9.2.0:.template").split()[1] == "9.2.0"
    assert "Ask the shop team" in git(fleet / "old", "show", "template-9.2.0:README.md")
    subject = git(fleet / "old", "log", "--format=%s", "-1", "template-9.2.0")
    assert subject == "Follow the template from 9.0.0 to 9.2.0\n"


def test_a_branch_that_waits_to_be_merged_is_no_trouble(released: Path, old: Path) -> None:
    assert run(released, old, "--branch").returncode == 0
    again = run(released, old, "--branch")
    assert "updates without conflict; branch template-9.2.0 is there already" in again.stdout
    assert again.returncode == 0


def test_a_branch_that_is_merged_brings_a_service_up_to_date(released: Path, old: Path) -> None:
    assert run(released, old, "--branch", "--to", "9.1.0").returncode == 0
    git(old, "merge", "-q", "template-9.1.0")
    assert row_of(released, old, "--to", "9.1.0")["outcome"] == "up to date"
    assert run(released, old, "--branch").returncode == 0
    git(old, "merge", "-q", "template-9.2.0")
    assert row_of(released, old)["outcome"] == "up to date"


def test_a_module_that_its_team_has_renamed_is_updated_by_its_new_name(released: Path, old: Path) -> None:
    """Also where search and replace went through cruft's file, so that no commit has the files as they were made."""
    renamed_module(old)
    write(old / ".cruft.json", (old / ".cruft.json").read_text().replace("github.com/acme/my-service", NEW_MODULE))
    commit(old, "Move to our own host")
    assert "updates without conflict; branch" in row_of(released, old, "--branch")["outcome"]
    git(old, "switch", "-q", "template-9.2.0")
    assert f'"{NEW_MODULE}/internal/config"' in (old / "internal/clock/clock.go").read_text()
    assert json.loads((old / ".cruft.json").read_text())["context"]["cookiecutter"]["module_path"] == NEW_MODULE


def test_a_service_that_was_edited_before_its_first_commit_is_updated_as_well(released: Path, old: Path) -> None:
    row = row_of(released, old)
    shutil.rmtree(old / ".git")
    commit_all(old)
    assert row_of(released, old) == row


def test_files_that_were_moved_or_deleted_are_named(released: Path, old: Path) -> None:
    git(old, "mv", "CODEOWNERS", "docs.txt")
    git(old, "rm", "-q", "internal/api/json.go")
    commit(old, "Our own order")
    assert row_of(released, old)["left_out"] == ["CODEOWNERS", "internal/api/json.go"]


def test_a_file_that_was_edited_and_gets_another_name_counts_as_edited(released: Path, old: Path) -> None:
    folder = released / "{{cookiecutter.service_name}}/internal/middleware"
    git(released, "mv", str(folder / "observe.go"), str(folder / "requests.go"))
    commit(released, "Another name")
    file = old / "internal/middleware/observe.go"
    write(file, file.read_text() + "\n// Ours.\n")
    commit(old, "Our own words")
    row = row_of(released, old, "--to", "HEAD", "--branch")
    assert "internal/middleware/observe.go" in row["edited"]
    assert git(old, "show", f"{row['branch']}:internal/middleware/requests.go").endswith("\n// Ours.\n")


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", ["AGENTS.md", "internal/admin/admin_test.go"], ids=["merged", "removed"])
def test_a_conflict_is_seen_in_any_language(released: Path, old: Path, language: str, name: str) -> None:
    """git speaks the language of the person who runs the tool, where it knows that."""
    write(old / name, "package admin\n")
    commit(old, "Our own words")
    removed_file(released)
    commit(released, "Go on")
    row = row_of(released, old, "--branch", "--to", "HEAD", LC_ALL="C.UTF-8", LANGUAGE=language)
    assert name in row["conflicts"]
    assert "template-" not in git(old, "branch")


def test_services_of_one_repository_have_branches_of_their_own(released: Path, old: Path) -> None:
    whole = old.parent / "whole"
    for name in ("shop/one", "shop/two"):
        shutil.copytree(old, whole / name, ignore=shutil.ignore_patterns(".git"))
    commit_all(whole)
    assert run(released, whole, "--branch").returncode == 0
    for name in ("one", "two"):
        branch = f"template-9.2.0-shop-{name}"
        changed = git(whole, "diff", "--name-only", "HEAD", branch).splitlines()
        assert len(changed) == 14
        assert all(file.startswith(f"shop/{name}/") for file in changed)


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        (".cruft.json", {"skip": ["VICTIM"]}, '"skip" in its .cruft.json has to be a list of paths in the service'),
        (
            ".cruft.json",
            {"skip": ["../../victim"]},
            '"skip" in its .cruft.json has to be a list of paths in the service',
        ),
        (".cruft.json", {"skip": "docs"}, '"skip" in its .cruft.json has to be a list of paths in the service'),
        (
            ".cruft.json",
            {"directory": "/proc/self/cwd"},
            'its .cruft.json has a "directory", which this template has not',
        ),
        (".cruft.json", {"commit": "HEAD"}, "its .cruft.json does not name a commit by its hash"),
        (".cruft.json", {"commit": "--output=x"}, "its .cruft.json does not name a commit by its hash"),
        ("pyproject.toml", '[tool.cruft]\nskip = ["VICTIM"]\n', "its pyproject.toml tells cruft what to skip"),
    ],
)
def test_what_a_service_says_does_no_harm_here(
    released: Path, old: Path, tmp_path: Path, file: str, text: str | dict[str, object], reason: str
) -> None:
    write(tmp_path / "victim/photos.txt", "Irreplaceable.\n")
    state = json.loads((old / ".cruft.json").read_text())
    text = json.dumps({**state, **text}) if isinstance(text, dict) else text
    write(old / file, text.replace("VICTIM", str(tmp_path / "victim")))
    commit(old, "A mistake, or worse")
    row = row_of(released, old)
    assert row["outcome"].startswith(reason)
    assert (tmp_path / "victim/photos.txt").exists()


def test_paths_in_the_service_may_be_skipped(released: Path, old: Path) -> None:
    state = json.loads((old / ".cruft.json").read_text())
    write(old / ".cruft.json", json.dumps({**state, "skip": ["README.md", "internal/api"]}))
    commit(old, "Our own words, for good")
    row = row_of(released, old)
    assert row["outcome"] == "updates without conflict"
    assert "README.md" not in row["changed"]


def test_hooks_and_watchers_of_a_service_do_not_run(released: Path, old: Path) -> None:
    ran = old.parent / "ran"
    for name in ("post-checkout", "pre-commit", "commit-msg", "reference-transaction", "post-index-change"):
        hook = old / f".git/hooks/{name}"
        write(hook, f"#!/bin/sh\ntouch {ran}\nexit 1\n")
        hook.chmod(0o755)
    git(old, "config", "core.fsmonitor", str(old / ".git/hooks/pre-commit"))
    assert run(released, old, "--branch").returncode == 0
    assert not ran.exists()


def test_a_fork_takes_over_the_services_of_the_template_that_it_is_from(released: Path, old: Path) -> None:
    say(released, "9.2.0+acme.1", name="acme-service")
    row = row_of(released, old, "--branch")
    assert row["branch"] == "template-9.2.0+acme.1"
    address = (released / "{{cookiecutter.service_name}}/.template").read_text().split()[2]
    assert json.loads(git(old, "show", f"{row['branch']}:.cruft.json"))["template"] == address


def test_what_is_not_released_yet_can_be_looked_at(released: Path, fleet: Path) -> None:
    """So that a platform team knows what a release would meet."""
    removed_file(released)
    commit(released, "Go on")
    assert row_of(released, fleet / "current", "--to", "HEAD")["changed"] == [
        ".template",
        "internal/admin/admin_test.go",
    ]
    assert row_of(released, fleet / "current")["outcome"] == "up to date"


def test_a_service_that_is_ahead_is_left_alone(released: Path, fleet: Path) -> None:
    assert row_of(released, fleet / "current", "--to", "9.1.0", "--branch")["outcome"] == "up to date"
    assert "template-" not in git(fleet / "current", "branch")


def test_a_service_of_a_commit_that_the_clone_lacks_is_named(released: Path, old: Path) -> None:
    state = json.loads((old / ".cruft.json").read_text())
    write(old / ".cruft.json", json.dumps({**state, "commit": "1" * 40}))
    commit(old, "Another template")
    told = row_of(released, old)["outcome"]
    assert told == "made from 111111111111, a commit that this clone of the template does not have"


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


def test_a_clone_without_history_is_refused(released: Path, old: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{released}", "shallow")
    assert "git fetch --unshallow" in run(tmp_path / "shallow", old).stderr


def test_it_runs_from_any_folder(tmp_path: Path) -> None:
    command = [str(TEMPLATE / "tools/fleet"), "--help"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout.startswith("usage: tools/fleet ")
