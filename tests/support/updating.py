"""Update a service by cruft, and compare it with one that is baked anew."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.baking import BakedService
from tests.support.commands import Done, cookiecutter, cruft
from tests.support.repository import git


def update(service: Path, template: Path, *words: str) -> Done:
    return cruft(service, "update", "--skip-apply-ask", *words, template=template)


def update_without_conflict(service: Path, template: Path, *words: str) -> None:
    done = update(service, template, *words)
    assert done.returncode == 0, done.stderr
    lines = git(service, "status", "--porcelain").splitlines()
    assert not [line for line in lines if "U" in line[:2] or line.endswith(".rej")], (lines, done.stderr)


def answers_of(service: Path) -> dict[str, str]:
    context = json.loads((service / ".cruft.json").read_text())["context"]["cookiecutter"]
    return {name: answer for name, answer in context.items() if not name.startswith("_")}


def files_of(service: Path) -> dict[str, str]:
    """Return the text of every file, without those of git and cruft."""
    baked = BakedService(service)
    return {name: baked.read(name) for name in sorted(baked.files() - {".cruft.json"})}


def assert_same(service: Path, expected: Path) -> None:
    """Compare all files, first by name, then one by one, so that a failure shows the lines."""
    ours, theirs = files_of(service), files_of(expected)
    assert ours.keys() == theirs.keys()
    for name, text in ours.items():
        assert text == theirs[name], name


def bake_anew(template: Path, service: Path, folder: Path) -> Path:
    """Bake the newest template with the answers of a service."""
    folder.mkdir()
    words = [f"{question}={answer}" for question, answer in answers_of(service).items()]
    done = cookiecutter(folder, "--no-input", *words, template=str(template))
    assert done.returncode == 0, done.stderr
    return folder / "my-service"
