"""Services of three releases, 9.0.0 to 9.2.0, and the tool."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.commands import cookiecutter
from tests.support.fixtures import Once
from tests.support.fleets import ANSWERS_OF_1_0, FIRST_RELEASE, Fleet, make_releases, make_services
from tests.support.machine import skip
from tests.support.repository import commit, git, has_history
from tests.support.team_edits import own_package, own_routes, own_rule, own_words


@pytest.fixture
def fleet(once: Once, tmp_path: Path) -> Fleet:
    """The tool in a clone of the template with three releases, and a commit that is none."""
    return Fleet(Path(shutil.copytree(once("released", make_releases), tmp_path / "template")))


@pytest.fixture
def made(once: Once, tmp_path: Path) -> Path:
    """A folder with an unchanged service of each release, in folders named after it."""
    template = once("released", make_releases)
    return Path(shutil.copytree(once("fleet", lambda folder: make_services(template, folder)), tmp_path / "made"))


@pytest.fixture
def old(made: Path, tmp_path: Path) -> Path:
    """A service two releases behind, edited as teams do, and alone in its folder."""
    service = Path(shutil.copytree(made / "9.0.0", tmp_path / "services/old"))
    for change in (own_routes, own_package, own_words, own_rule):
        change(service)
    commit(service, "What the team did")
    return service


@pytest.fixture
def first(fleet: Fleet, tmp_path: Path) -> Path:
    """A service that plain Cookiecutter made from 1.0.0, in a folder."""
    if not has_history():
        skip("this clone has no history")
    git(fleet.template, "worktree", "add", "-q", "--detach", str(tmp_path / "1.0.0"), FIRST_RELEASE)
    (tmp_path / "services").mkdir(exist_ok=True)
    words = [f"{question}={answer}" for question, answer in ANSWERS_OF_1_0.items()]
    done = cookiecutter(tmp_path / "services", "--no-input", *words, template=str(tmp_path / "1.0.0"))
    assert done.returncode == 0, done.stderr
    return tmp_path / "services/order-api"
