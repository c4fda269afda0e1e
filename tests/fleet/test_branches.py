"""--branch adds the update as a branch and touches nothing else. A branch that is there already is never lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.fleets import Fleet
from tests.support.repository import commit, git, init_repository
from tests.support.team_edits import write

BRANCH = "template-9.2.0"


def test_it_makes_the_branches_that_it_can_and_touches_nothing_else(fleet: Fleet, old: Path) -> None:
    write(old / "README.md", "Not committed yet.\n")
    git(old, "switch", "-qc", "feature")
    rival = Path(shutil.copytree(old, old.parent / "rival"))
    write(rival / "AGENTS.md", "Ours.\n")
    git(rival, "commit", "-qam", "Our own words")
    before = {path: git(path, "status", "--porcelain", "--branch") for path in (old, rival)}
    done = fleet.run(old.parent, "--branch")
    assert f"updates without conflict; branch {BRANCH} made from feature" in done.stdout
    assert {path: git(path, "status", "--porcelain", "--branch") for path in before} == before
    assert "template-" not in git(rival, "branch")
    assert git(old, "show", f"{BRANCH}:.template").split()[1] == "9.2.0"
    assert "Ask the shop team" in git(old, "show", f"{BRANCH}:README.md")
    assert git(old, "log", "--format=%an %s", "-1", BRANCH) == "Ada Follow the template from 9.0.0 to 9.2.0\n"
    assert git(old, "fsck", "--strict") == ""


@pytest.mark.long
def test_a_branch_that_waits_to_be_merged_is_up_to_date(fleet: Fleet, old: Path) -> None:
    first = fleet.row(old, "--branch")
    for again in (fleet.row(old, "--branch"), fleet.row(old)):
        assert again["outcome"] == f"updates without conflict; branch {BRANCH} is up to date"
        assert (again["branch_state"], again["commit"], again["ok"]) == ("up to date", first["commit"], True)


@pytest.mark.long
def test_a_branch_that_its_team_has_added_to_is_up_to_date(fleet: Fleet, old: Path) -> None:
    fleet.row(old, "--branch")
    git(old, "switch", "-q", BRANCH)
    write(old / "internal/api/orders.go", "package api // in order\n")
    commit(old, "What else it needs")
    git(old, "switch", "-q", "-")
    assert fleet.row(old, "--refresh")["branch_state"] == "up to date"
    assert "in order" in git(old, "show", f"{BRANCH}:internal/api/orders.go")


@pytest.mark.long
def test_a_branch_that_was_only_fetched_counts_too(fleet: Fleet, old: Path, tmp_path: Path) -> None:
    """A job that clones its services anew each week finds the branches of last week."""
    first = fleet.row(old, "--branch")
    git(tmp_path, "clone", "-q", str(old), "clone")
    again = fleet.row(tmp_path / "clone", "--branch")
    assert (again["branch_state"], again["commit"]) == ("up to date", first["commit"])
    assert git(tmp_path / "clone", "rev-parse", BRANCH).strip() == first["commit"]


@pytest.mark.long
def test_a_stale_branch_is_made_anew_only_on_request(fleet: Fleet, old: Path) -> None:
    first = fleet.row(old, "--branch")
    write(old / "internal/api/new.go", "package api\n")
    commit(old, "The service goes on")
    stale = fleet.row(old, "--branch")
    assert (stale["branch_state"], stale["commit"], stale["ok"]) == ("stale", first["commit"], False)
    anew = fleet.row(old, "--refresh")
    assert (anew["branch_state"], anew["ok"]) == ("made anew", True)
    assert git(old, "rev-parse", f"{BRANCH}^") == git(old, "rev-parse", "HEAD")
    assert "package api" in git(old, "show", f"{BRANCH}:internal/api/new.go")


@pytest.mark.long
@pytest.mark.parametrize("change", ["amend", "commit"])
def test_a_stale_branch_with_work_of_its_team_is_kept(fleet: Fleet, old: Path, change: str) -> None:
    fleet.row(old, "--branch")
    git(old, "switch", "-q", BRANCH)
    write(old / "own.txt", "Ours.\n")
    git(old, "add", "-A")
    git(old, "commit", "-qm", "Ours", *(["--amend"] if change == "amend" else []))
    ours = git(old, "rev-parse", "HEAD")
    git(old, "switch", "-q", "-")
    write(old / "internal/api/new.go", "package api\n")
    commit(old, "The service goes on")
    row = fleet.row(old, "--refresh")
    assert (row["branch_state"], row["ok"]) == ("edited", False)
    assert git(old, "rev-parse", BRANCH) == ours


@pytest.mark.long
def test_work_of_a_team_below_an_empty_commit_is_kept(fleet: Fleet, old: Path) -> None:
    fleet.row(old, "--branch")
    git(old, "switch", "-q", BRANCH)
    write(old / "own.txt", "Ours.\n")
    commit(old, "Ours")
    git(old, "commit", "-q", "--allow-empty", "-m", "Run CI again")
    ours = git(old, "rev-parse", "HEAD")
    git(old, "switch", "-q", "-")
    write(old / "internal/api/new.go", "package api\n")
    commit(old, "The service goes on")
    assert fleet.row(old, "--refresh")["branch_state"] == "edited"
    assert git(old, "rev-parse", BRANCH) == ours


@pytest.mark.long
def test_branches_below_one_of_that_name_are_others(fleet: Fleet, old: Path) -> None:
    git(old, "branch", f"{BRANCH}/fix")
    assert fleet.row(old)["branch"] == ""


@pytest.mark.long
def test_a_branch_that_is_checked_out_is_not_moved(fleet: Fleet, old: Path) -> None:
    fleet.row(old, "--branch")
    write(old / "internal/api/new.go", "package api\n")
    commit(old, "The service goes on")
    git(old, "worktree", "add", "-q", str(old.parent / "elsewhere"), BRANCH)
    before = git(old, "rev-parse", BRANCH)
    row = fleet.row(old, "--refresh")
    assert row["outcome"].endswith(f"the branch {BRANCH} is checked out, so it was not made anew")
    assert git(old, "rev-parse", BRANCH) == before


@pytest.mark.long
def test_a_branch_that_is_merged_brings_a_service_up_to_date(fleet: Fleet, old: Path) -> None:
    assert fleet.row(old, "--branch", "--to", "9.1.0")["ok"]
    git(old, "merge", "-q", "template-9.1.0")
    assert fleet.row(old, "--to", "9.1.0")["outcome"] == "up to date"
    assert fleet.row(old, "--branch")["ok"]
    git(old, "merge", "-q", "--squash", BRANCH)
    commit(old, "Squashed")
    assert fleet.row(old)["outcome"] == "up to date"


@pytest.mark.long
def test_a_merge_that_was_taken_back_is_said(fleet: Fleet, old: Path) -> None:
    fleet.row(old, "--branch")
    git(old, "merge", "-q", BRANCH)
    git(old, "revert", "--no-edit", "HEAD")
    row = fleet.row(old, "--branch")
    assert (row["branch_state"], row["ok"]) == ("merged", False)
    assert fleet.row(old, "--refresh")["branch_state"] == "made anew"


@pytest.mark.long
def test_services_of_one_repository_have_branches_of_their_own(fleet: Fleet, old: Path) -> None:
    """Also when their names differ only in characters that a branch cannot have."""
    whole = old.parent / "whole"
    names = ["shop/one", "shop-one", "shop/a b", "shop/ü", "shop/x.lock"]
    for name in names:
        shutil.copytree(old, whole / name, ignore=shutil.ignore_patterns(".git"))
    init_repository(whole)
    rows = fleet.rows(whole, "--branch")
    branches = {name: row["branch"] for name, row in rows.items()}
    assert branches == {
        "shop/one": f"{BRANCH}/shop/one",
        "shop-one": f"{BRANCH}/shop-one",
        "shop/a b": f"{BRANCH}/shop/a%20b",
        "shop/ü": f"{BRANCH}/shop/%C3%BC",
        "shop/x.lock": f"{BRANCH}/shop/x%2Elock",
    }
    for name, branch in branches.items():
        changed = git(whole, "diff", "-z", "--name-only", "HEAD", branch).split("\0")[:-1]
        assert len(changed) == 59
        assert all(file.startswith(f"{name}/") for file in changed)


@pytest.mark.long
def test_two_worktrees_of_one_repository_do_not_fight_about_the_branch(fleet: Fleet, old: Path) -> None:
    git(old, "worktree", "add", "-q", "-b", "feature", str(old.parent / "second"))
    write(old.parent / "second/own.txt", "Ours.\n")
    commit(old.parent / "second", "A feature")
    rows = fleet.rows(old.parent, "--branch")
    assert rows["old"]["branch"] == BRANCH
    assert rows["second"]["outcome"].endswith("it is the same repository as old, which gets the branch")
    assert rows["second"]["branch"] == ""


@pytest.mark.long
def test_the_author_is_the_one_of_the_callers_git_for_that_folder(fleet: Fleet, old: Path, tmp_path: Path) -> None:
    work = f'[includeIf "gitdir:{old.parent}/"]\n\tpath = {tmp_path}/work\n'
    write(tmp_path / "gitconfig", f"[user]\n\tname = Home\n\temail = me@home\n{work}")
    write(tmp_path / "work", "[user]\n\tname = Work\n\temail = me@work\n")
    names = dict.fromkeys(
        [f"GIT_{role}_{field}" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")], ""
    )
    row = fleet.row(old, "--branch", GIT_CONFIG_GLOBAL=str(tmp_path / "gitconfig"), **names)
    assert git(old, "log", "-1", "--format=%an %ae %cn", row["branch"]) == "Work me@work Work\n"


@pytest.mark.long
def test_the_author_may_come_from_variables(fleet: Fleet, old: Path) -> None:
    given = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "Robot"}
    row = fleet.row(old, "--branch", **given, GIT_AUTHOR_NAME="", GIT_COMMITTER_NAME="")
    assert git(old, "log", "-1", "--format=%an", row["branch"]) == "Robot\n"


@pytest.mark.long
def test_the_branch_is_signed_when_the_callers_git_signs(fleet: Fleet, old: Path, tmp_path: Path) -> None:
    signer = tmp_path / "signer"
    write(signer, "#!/bin/sh\ncat >/dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\necho SIGNED-BY-THE-CALLER\n")
    signer.chmod(0o755)
    write(tmp_path / "gitconfig", f"[commit]\n\tgpgSign = true\n[gpg]\n\tprogram = {signer}\n")
    row = fleet.row(old, "--branch", GIT_CONFIG_GLOBAL=str(tmp_path / "gitconfig"))
    assert "SIGNED-BY-THE-CALLER" in git(old, "cat-file", "commit", row["branch"])
