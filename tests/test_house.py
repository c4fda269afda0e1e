"""The template's own code is in order."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from conftest import TEMPLATE
from ways import tracked

CODE = ["answers", "benchmarks", "hooks", "tests", "tools"]


@pytest.mark.parametrize("tool", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join)
def test_the_python_is_clean(tool: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *tool, *CODE],
        cwd=TEMPLATE,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_knows_this_machine() -> None:
    machine = re.compile(
        rf"{re.escape(str(TEMPLATE))}\b|proxy\.golang\.{'org'}|files\.python{'hosted'}|registry\.npm{'js'}"
    )
    for name in tracked():
        found = machine.search((TEMPLATE / name).read_text(encoding="utf-8"))
        assert not found, f"{name} has {found[0]}"


def test_what_has_no_jinja_is_copied_and_not_rendered() -> None:
    """A bake is a tenth faster for it."""
    service = TEMPLATE / "{{cookiecutter.service_name}}"
    files = [path.relative_to(TEMPLATE) for path in map(TEMPLATE.__truediv__, tracked()) if service in path.parents]
    without_jinja = [
        str(file.relative_to(service.name))
        for file in files
        if not re.search(r"(?<!\$)\{[{%#]", (TEMPLATE / file).read_text(encoding="utf-8"))
    ]
    context = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    assert context["_copy_without_render"] == sorted(without_jinja)
