"""A choice that is added as CONTRIBUTING.md says is complete, and a forgotten step makes the tests fail."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.baking import BakedService
from tests.support.commands import Done, cookiecutter
from tests.support.documents import blocks
from tests.support.repository import commit, read
from tests.support.team_edits import replace, write

pytestmark = pytest.mark.long

SECTION = read("CONTRIBUTING.md").partition("## Add a choice in six steps\n")[2]
STEPS = re.split(r"^\d\. ", SECTION, flags=re.MULTILINE)[1:]
TESTS = [
    "answers/test_rules.py",
    "bake/test_hooks.py",
    "bake/test_files.py",
    "options/test_combinations.py",
    "repository",
]


def carry_out(step: str, repository: Path) -> None:
    """Make the changes of a step's diff, which has no line numbers."""
    for diff in blocks(textwrap.dedent(f"   {step}"), "diff"):
        header, *hunks = re.split(r"^@@\n", diff, flags=re.MULTILINE)
        file = repository / header.rpartition("+++ b/")[2].strip()
        for hunk in hunks:
            old, new = ("\n".join(re.findall(rf"^[ {sign}](.*)$", hunk, re.MULTILINE)) for sign in "-+")
            if old:
                replace(file, old, new)
            else:
                write(file, f"{new}\n")
    if "`make docs`" in step:
        for module in ("gallery", "picture"):
            subprocess.run([sys.executable, "-m", f"tools.{module}"], cwd=repository, check=True, capture_output=True)


def run_tests(repository: Path) -> Done:
    commit(repository, "Add a choice")
    names = [f"tests/{name}" for name in TESTS]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not long", *names]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True)


def test_there_are_six_steps_at_most() -> None:
    assert 1 < len(STEPS) <= 6


def test_a_choice_that_is_added_in_these_steps_bakes_and_passes_the_tests(repository: Path, folder: Path) -> None:
    for step in STEPS:
        carry_out(step, repository)
    done = cookiecutter(folder, "--no-input", "license=ISC", template=str(repository))
    assert done.returncode == 0, done.stderr
    assert BakedService(folder / "my-service").read("LICENSE").startswith("ISC License\n")
    tested = run_tests(repository)
    assert tested.returncode == 0, tested.stdout


@pytest.mark.parametrize("forgotten", range(5))
def test_a_forgotten_step_makes_a_test_fail(repository: Path, forgotten: int) -> None:
    for number, step in enumerate(STEPS):
        if number != forgotten:
            carry_out(step, repository)
    assert run_tests(repository).returncode == 1
