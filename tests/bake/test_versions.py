"""The oldest and newest Cookiecutter and Python make the same service, refuse the same answers, and ask again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from go_service_answers import extension, rules, template
from tests.support.baking import BakedService
from tests.support.fixtures import Bake, Once
from tests.support.machine import skip
from tests.support.repository import TEMPLATE
from tests.support.terminal import ENTER, CookiecutterTerminal

pytestmark = pytest.mark.long

COOKIECUTTERS = ["2.5.0", "2.6.0", "2.7.1"]


class Setup(NamedTuple):
    """A Python by its command, and a version of Cookiecutter."""

    python: str
    cookiecutter: str


@cache
def pythons() -> list[str]:
    """Return the oldest and the newest supported Python of this machine, by their commands."""
    names = [f"python3.{minor}" for minor in range(extension.OLDEST_PYTHON[1], 30)]
    return [name for name in names if shutil.which(name) and runs(name)]


def runs(python: str) -> bool:
    return subprocess.run([python, "-c", "import ensurepip"], capture_output=True).returncode == 0


SETUPS = [Setup(sys.executable, version) for version in COOKIECUTTERS]
SETUPS += [Setup(python, COOKIECUTTERS[-1]) for python in dict.fromkeys([*pythons()[:1], *pythons()[-1:]])]


@pytest.fixture(params=SETUPS, ids=lambda setup: f"{Path(setup.python).name}-{setup.cookiecutter}")
def python(request: pytest.FixtureRequest, once: Once) -> str:
    """The Python of an environment with that version of Cookiecutter."""
    setup: Setup = request.param

    def make(folder: Path) -> None:
        subprocess.run([setup.python, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", f"cookiecutter=={setup.cookiecutter}"]
        installed = subprocess.run(pip, capture_output=True, text=True)
        if installed.returncode:
            skip(f"Cookiecutter {setup.cookiecutter} cannot be installed: {installed.stderr.splitlines()[-1:]}")

    return str(once(f"{Path(setup.python).name}-{setup.cookiecutter}", make) / "bin/python")


def bake_with(python: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [python, "-m", "cookiecutter", str(TEMPLATE), "--no-input", *words]
    return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def test_the_oldest_versions_are_tried() -> None:
    """The README and the extension name no older ones."""
    assert COOKIECUTTERS[0].startswith(rules.dotted(extension.OLDEST_COOKIECUTTER))
    if pythons()[0] != f"python{rules.dotted(extension.OLDEST_PYTHON)}":
        skip(f"this machine has no Python {rules.dotted(extension.OLDEST_PYTHON)}")


def test_it_makes_the_same_service(python: str, bake: Bake, folder: Path) -> None:
    answers = {"license": "MIT", "description": "It's {{ odd }}"}
    done = bake_with(python, folder, *(f"{question}={answer}" for question, answer in answers.items()))
    assert done.returncode == 0, done.stderr
    expected, service = bake(**answers), BakedService(folder / "my-service")
    assert service.files() == expected.files()
    assert all(service.read(name) == expected.read(name) for name in expected.files())


def test_it_refuses_bad_answers(python: str, folder: Path) -> None:
    done = bake_with(python, folder, "http_port=80", "ownr=@x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "http_port='80': it is out of range" in done.stderr
    assert "'ownr': there is no such question. Did you mean owner?" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []


def test_it_refuses_a_config_of_which_answers_would_be_lost(python: str, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "config.yaml").write_text("default_context:\n  license: GPL\n  owner: '@acme/orders'\n")
    done = bake_with(python, folder, "--config-file", str(tmp_path / "config.yaml"))
    assert done.returncode == 1
    assert "Cookiecutter would ignore what comes after it: owner." in done.stderr
    assert list(folder.iterdir()) == []


def test_it_asks_again(python: str, folder: Path) -> None:
    terminal = CookiecutterTerminal(folder, python=python)
    shown = terminal.answer("Order API", *[ENTER] * len(template.questions()))
    assert "It has the capital letter 'O'" in shown
    assert terminal.end()[0] == 0
    assert os.listdir(folder) == ["order-api"]
