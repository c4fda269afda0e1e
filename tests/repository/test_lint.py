"""The template's own code is in order."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from go_service_answers import template
from tests.support.repository import SERVICE_FOLDER, TEMPLATE, read, tracked_files

CODE = ["go_service_answers", "benchmarks", "fleet", "hooks", "tests", "tools"]


@pytest.mark.parametrize("tool", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join)
def test_the_python_is_clean(tool: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *tool, *CODE], cwd=TEMPLATE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_test_modules_do_not_import_from_each_other() -> None:
    for file in (TEMPLATE / "tests").glob("*/test_*.py"):
        imported = re.findall(r"^(?:from|import) (tests\.\S+)", file.read_text(encoding="utf-8"), re.MULTILINE)
        assert all(name.startswith("tests.support") for name in imported), file


def test_no_file_names_this_machine_or_a_package_registry() -> None:
    machine = re.compile(
        rf"{re.escape(str(TEMPLATE))}\b|proxy\.golang\.{'org'}|files\.python{'hosted'}|registry\.npm{'js'}"
    )
    for name in tracked_files():
        found = machine.search(read(name))
        assert not found, f"{name} has {found[0]}"


def test_file_names_have_no_jinja() -> None:
    """The extension would write it out as it is."""
    assert not [name for name in tracked_files() if "{" in name.removeprefix(SERVICE_FOLDER)]


def test_a_file_without_jinja_is_copied_and_not_rendered() -> None:
    """This makes a bake a tenth faster."""
    files = [name for name in tracked_files() if name.startswith(SERVICE_FOLDER)]
    without_jinja = [name.partition("/")[2] for name in files if not re.search(r"(?<!\$)\{[{%#]", read(name))]
    assert template.questions_file()["_copy_without_render"] == sorted(without_jinja)
