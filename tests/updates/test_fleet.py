"""tools/fleet reports on a folder of services, makes the branches that update them, and harms nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Done, create_by_cruft
from tests.support.fixtures import Once
from tests.support.repository import (
    SERVICE_FOLDER,
    TEMPLATE,
    clone_with_work_tree,
    commit,
    git,
    init_repository,
    write_version,
)
from tests.support.team_edits import (
    NEW_MODULE,
    Change,
    own_package,
    own_routes,
    own_words,
    renamed_module,
    write,
)
from tests.support.template_changes import new_file, new_heads_and_tails, new_setting, removed_file

RELEASES: dict[str, list[Change]] = {"9.0.0": [], "9.1.0": [new_file, new_setting], "9.2.0": [new_heads_and_tails]}


def make_releases(template: Path) -> None:
    """Clone the template, with three more releases and a commit that is none."""
    clone_with_work_tree(template)
    for version, changes in RELEASES.items():
        for change in changes:
            change(template)
        write_version(template, version)
    write_version(template, "9.2.1-dev")


@pytest.fixture
def released(once: Once, tmp_path: Path) -> Path:
    """The template after three releases, and a commit that is none."""
    return Path(shutil.copytree(once("released", make_releases), tmp_path / "template"))


@pytest.fixture
def fleet_folder(once: Once, tmp_path: Path) -> Path:
    """A folder with an unchanged service of each release, in folders named after it."""
    template = once("released", make_releases)

    def make(folder: Path) -> None:
        for version in RELEASES:
            commit_of = git(template, "log", "--format=%H", f"--grep=^Release {version}$").strip()
            create_by_cruft(template, folder, commit_of).rename(folder / version)

    return Path(shutil.copytree(once("fleet", make), tmp_path / "made"))


@pytest.fixture
def old(fleet_folder: Path, tmp_path: Path) -> Path:
    """A service two releases behind, edited as teams do, and alone in its folder."""
    service = Path(shutil.copytree(fleet_folder / "9.0.0", tmp_path / "fleet/old"))
    for change in (own_routes, own_package, own_words):
        change(service)
    commit(service, "What the team did")
    return service


@pytest.fixture
def fleet(fleet_folder: Path, old: Path) -> Path:
    """A folder of services in the states that services get into, and of other files."""
    folder = old.parent
    shutil.copytree(fleet_folder / "9.2.0", folder / "current")
    for name in ("rival", "broken", "forgot", "unlinked", "without git"):
        shutil.copytree(fleet_folder / "9.1.0", folder / name)
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


def run(template: Path, folder: Path, *words: str, **variables: str) -> Done:
    """Run the tool of a clone. Its template is that clone."""
    command = [sys.executable, "-m", "tools.fleet", str(folder), *words]
    environment = {**os.environ, **variables}
    return subprocess.run(command, cwd=template, env=environment, capture_output=True, text=True)


def row_of(template: Path, service: Path, *words: str, **variables: str) -> dict[str, Any]:
    """Return what the tool says about one service."""
    (row,) = json.loads(run(template, service, "--json", *words, **variables).stdout)
    return dict(row)


def test_it_says_of_each_service_how_it_stands(released: Path, fleet: Path) -> None:
    done = run(released, fleet)
    assert done.stdout.splitlines() == [
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
    assert done.returncode == 1


@pytest.mark.long
def test_json_lists_the_names_of_the_files(released: Path, old: Path) -> None:
    row = row_of(released, old)
    assert row["edited"] == [".dockerignore", "AGENTS.md", "CODEOWNERS", "README.md", "internal/api/openapi.yaml"]
    assert {*row["edited"], "internal/clock/clock.go"} < set(row["changed"])
    assert [row[name] for name in ("service", "version", "behind", "ok", "branch")] == ["old", "9.0.0", 2, True, ""]


def test_it_makes_the_branches_that_it_can_and_touches_nothing_else(released: Path, fleet: Path) -> None:
    write(fleet / "old/README.md", "Not committed yet.\n")
    git(fleet / "old", "switch", "-qc", "feature")
    before = {name: git(fleet / name, "status", "--porcelain", "--branch") for name in ("old", "rival")}
    done = run(released, fleet, "--branch")
    assert "updates without conflict; branch template-9.2.0 made from feature" in done.stdout
    for name, status in before.items():
        assert git(fleet / name, "status", "--porcelain", "--branch") == status
        assert len(git(fleet / name, "worktree", "list").splitlines()) == 1
    assert "template-" not in git(fleet / "rival", "branch")
    assert git(fleet / "old", "show", "template-9.2.0:.template").split()[1] == "9.2.0"
    assert "Ask the shop team" in git(fleet / "old", "show", "template-9.2.0:README.md")
    subject = git(fleet / "old", "log", "--format=%s", "-1", "template-9.2.0")
    assert subject == "Follow the template from 9.0.0 to 9.2.0\n"


def test_the_config_of_the_person_at_work_changes_nothing(released: Path, old: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("default_context: {license: BSD-3-Clause, owner: nobody}\n")
    config = str(tmp_path / "config.yaml")
    assert row_of(released, old, COOKIECUTTER_CONFIG=config)["outcome"] == "updates without conflict"


@pytest.mark.long
def test_a_branch_that_waits_to_be_merged_is_no_trouble(released: Path, old: Path) -> None:
    assert run(released, old, "--branch").returncode == 0
    again = run(released, old, "--branch")
    assert "updates without conflict; branch template-9.2.0 is there already" in again.stdout
    assert again.returncode == 0


@pytest.mark.long
def test_a_branch_that_is_merged_brings_a_service_up_to_date(released: Path, old: Path) -> None:
    assert run(released, old, "--branch", "--to", "9.1.0").returncode == 0
    git(old, "merge", "-q", "template-9.1.0")
    assert row_of(released, old, "--to", "9.1.0")["outcome"] == "up to date"
    assert run(released, old, "--branch").returncode == 0
    git(old, "merge", "-q", "template-9.2.0")
    assert row_of(released, old)["outcome"] == "up to date"


@pytest.mark.long
def test_a_module_that_its_team_has_renamed_is_updated_by_its_new_name(released: Path, old: Path) -> None:
    """Also where search and replace went through cruft's file, so that no commit has the files as they were made."""
    renamed_module(old)
    write(old / ".cruft.json", (old / ".cruft.json").read_text().replace("github.com/acme/my-service", NEW_MODULE))
    commit(old, "Move to our own host")
    assert "updates without conflict; branch" in row_of(released, old, "--branch")["outcome"]
    git(old, "switch", "-q", "template-9.2.0")
    assert f'"{NEW_MODULE}/internal/config"' in (old / "internal/clock/clock.go").read_text()
    assert json.loads((old / ".cruft.json").read_text())["context"]["cookiecutter"]["module_path"] == NEW_MODULE


@pytest.mark.long
def test_a_service_that_was_edited_before_its_first_commit_is_updated_as_well(released: Path, old: Path) -> None:
    row = row_of(released, old)
    shutil.rmtree(old / ".git")
    init_repository(old)
    assert row_of(released, old) == row


@pytest.mark.long
def test_files_that_were_moved_or_deleted_are_named(released: Path, old: Path) -> None:
    git(old, "mv", "CODEOWNERS", "docs.txt")
    git(old, "rm", "-q", "internal/api/json.go")
    commit(old, "Our own order")
    assert row_of(released, old)["left_out"] == ["CODEOWNERS", "internal/api/json.go"]


@pytest.mark.long
def test_a_file_that_was_edited_and_gets_another_name_counts_as_edited(released: Path, old: Path) -> None:
    folder = released / SERVICE_FOLDER / "internal/middleware"
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
@pytest.mark.long
def test_a_conflict_is_seen_in_any_language(released: Path, old: Path, language: str, name: str) -> None:
    """git speaks the language of the person who runs the tool, where it knows that."""
    write(old / name, "package admin\n")
    commit(old, "Our own words")
    removed_file(released)
    commit(released, "Go on")
    row = row_of(released, old, "--branch", "--to", "HEAD", LC_ALL="C.UTF-8", LANGUAGE=language)
    assert name in row["conflicts"]
    assert "template-" not in git(old, "branch")


@pytest.mark.long
def test_services_of_one_repository_have_branches_of_their_own(released: Path, old: Path) -> None:
    whole = old.parent / "whole"
    for name in ("shop/one", "shop/two"):
        shutil.copytree(old, whole / name, ignore=shutil.ignore_patterns(".git"))
    init_repository(whole)
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


@pytest.mark.long
def test_paths_in_the_service_may_be_skipped(released: Path, old: Path) -> None:
    state = json.loads((old / ".cruft.json").read_text())
    write(old / ".cruft.json", json.dumps({**state, "skip": ["README.md", "internal/api"]}))
    commit(old, "Our own words, for good")
    row = row_of(released, old)
    assert row["outcome"] == "updates without conflict"
    assert "README.md" not in row["changed"]


@pytest.mark.long
def test_hooks_and_watchers_of_a_service_do_not_run(released: Path, old: Path) -> None:
    ran = old.parent / "ran"
    for name in ("post-checkout", "pre-commit", "commit-msg", "reference-transaction", "post-index-change"):
        hook = old / f".git/hooks/{name}"
        write(hook, f"#!/bin/sh\ntouch {ran}\nexit 1\n")
        hook.chmod(0o755)
    git(old, "config", "core.fsmonitor", str(old / ".git/hooks/pre-commit"))
    assert run(released, old, "--branch").returncode == 0
    assert not ran.exists()


@pytest.mark.long
def test_a_fork_takes_over_the_services_of_the_template_that_it_is_from(released: Path, old: Path) -> None:
    write_version(released, "9.2.0+acme.1", name="acme-service")
    row = row_of(released, old, "--branch")
    assert row["branch"] == "template-9.2.0+acme.1"
    address = (released / SERVICE_FOLDER / ".template").read_text().split()[2]
    assert json.loads(git(old, "show", f"{row['branch']}:.cruft.json"))["template"] == address


@pytest.mark.long
def test_what_is_not_released_yet_can_be_looked_at(released: Path, fleet: Path) -> None:
    """So that a platform team knows what a release would meet."""
    removed_file(released)
    commit(released, "Go on")
    assert row_of(released, fleet / "current", "--to", "HEAD")["changed"] == [
        ".template",
        "internal/admin/admin_test.go",
    ]
    assert row_of(released, fleet / "current")["outcome"] == "up to date"


@pytest.mark.long
def test_a_service_that_is_ahead_is_left_alone(released: Path, fleet: Path) -> None:
    assert row_of(released, fleet / "current", "--to", "9.1.0", "--branch")["outcome"] == "up to date"
    assert "template-" not in git(fleet / "current", "branch")


@pytest.mark.long
def test_a_service_of_a_commit_that_the_clone_lacks_is_named(released: Path, old: Path) -> None:
    state = json.loads((old / ".cruft.json").read_text())
    write(old / ".cruft.json", json.dumps({**state, "commit": "1" * 40}))
    commit(old, "Another template")
    done = row_of(released, old)["outcome"]
    assert done == "made from 111111111111, a commit that this clone of the template does not have"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nowhere"], "nowhere is no folder"),
        (["tests"], "has no services"),
        ([".", "--to", "8.0.0"], "'8.0.0' is no release and no commit. The releases are: "),
        ([".", "--to", "--help"], "expected one argument"),
    ],
)
@pytest.mark.long
def test_a_wrong_command_is_explained_in_one_line(released: Path, words: list[str], complaint: str) -> None:
    done = run(released, released / words[0], *words[1:])
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode != 0


@pytest.mark.long
def test_a_clone_without_history_is_refused(released: Path, old: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{released}", "shallow")
    assert "git fetch --unshallow" in run(tmp_path / "shallow", old).stderr


def test_it_runs_from_any_folder(tmp_path: Path) -> None:
    command = [str(TEMPLATE / "tools/fleet"), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: tools/fleet ")
