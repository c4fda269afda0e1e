"""--run tries a command on each result, before there is a branch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.fleets import Fleet
from tests.support.repository import git

pytestmark = pytest.mark.long


def test_a_command_that_passes_lets_the_branch_be_made(fleet: Fleet, old: Path) -> None:
    row = fleet.row(old, "--branch", "--run", "grep -q 9.2.0 .template && test -f internal/clock/clock.go")
    assert (row["run"], row["branch"], row["ok"]) == ("passed", "template-9.2.0", True)


def test_a_command_that_fails_is_reported_and_there_is_no_branch(fleet: Fleet, old: Path) -> None:
    row = fleet.row(old, "--branch", "--run", "echo it does not build >&2; exit 3")
    assert row["run"] == "failed with status 3: it does not build"
    assert (row["state"], row["branch"], row["ok"]) == ("broken", "", False)
    assert "template-" not in git(old, "branch")


def test_the_command_runs_on_a_copy(fleet: Fleet, old: Path, tmp_path: Path) -> None:
    fleet.row(old, "--run", f"rm -rf * && pwd >{tmp_path}/where")
    where = (tmp_path / "where").read_text().strip()
    assert (old / "main.go").exists()
    assert not os.path.exists(where)
