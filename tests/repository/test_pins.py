"""Renovate knows every pin of this repository, so that none grows old unseen."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.machine import skip
from tests.support.repository import SERVICE, TEMPLATE, read, tracked_files

RENOVATE = ["--package=node@24", "--package=renovate@44.121.2"]  # Renovate needs Node 24
CONFIG: dict[str, Any] = json.loads(read("renovate.json"))
Pins = Counter[tuple[str, str]]  # How often a file pins something to a version or a digest.

# What a pin looks like. These patterns know nothing of renovate.json.
LOOKS = [
    r"[\w\]]==(?P<pin>\d[\w.]*)",  # a Python package
    r"[\w-]\.[a-z]+(?:/[\w.~-]+)+@(?P<pin>v\d[\w.+-]*)",  # a Go program
    r"[\w-]\.[a-z]+(?:/[\w.~-]+)+ (?P<pin>v\d[\w.+-]*)(?![\w.+-]| // indirect)",  # a Go module
    r"\buses: +[^\s@]+@(?P<pin>[\w.-]+)",  # an action
    r"(?<![\w./:-])[a-z][\w./-]*:(?P<pin>\d+\.[\w.-]+)",  # an image
    r"\b(?:FROM|image:) +(?:--\S+ +)?\S+:(?P<pin>v?\d[\w.-]*)",  # an image
    r"[a-z]@(?P<pin>\d+\.\d+\.\d+)",  # an npm package
    r'(?m)^  "[a-z_]+": "(?P<pin>\d+\.\d+)"',  # the default of a question
]
NO_PINS_IN = (".md", ".sum", "renovate.json")
DIGEST = r"@sha256:[0-9a-f]{64}"  # of an image, which moves with the image's version
TEST_DATA = r"[\w./-]*\.example/\S+|golang:1\.28-alpine|[\w-]+:0\.0\.1"  # What looks like a pin in tests and is none.

# What the managers find that Renovate brings along.
BUILT_IN = {
    "pep621": ("**/pyproject.toml", r'"[\w.-]+==(?<currentValue>[^"]+)"'),
    "github-actions": ("**/.github/workflows/*.yml", r"uses: [^\s@]+@(?<currentValue>[0-9a-f]{40}) # v"),
}


def pins() -> Pins:
    found: Pins = Counter()
    for name in tracked_files():
        if not name.endswith(NO_PINS_IN):
            text = re.sub(TEST_DATA if name.startswith("tests/") else DIGEST, "", read(name))
            places = {match.span("pin"): match["pin"] for look in LOOKS for match in re.finditer(look, text)}
            found.update((name, pin) for pin in places.values())
    return found


def pins_that_renovate_json_matches() -> Pins:
    managers = [(custom["managerFilePatterns"], custom["matchStrings"]) for custom in CONFIG["customManagers"]]
    managers += [([files], [text]) for name, (files, text) in BUILT_IN.items() if name in CONFIG["enabledManagers"]]
    found: Pins = Counter()
    for file_patterns, match_strings in managers:
        for name in tracked_files():
            if any(re.fullmatch(expression_of(pattern), name) for pattern in file_patterns):
                for expression in match_strings:
                    matches = re.finditer(expression.replace("(?<", "(?P<"), read(name))
                    found.update((name, match["currentValue"]) for match in matches)
    return found


def expression_of(glob: str) -> str:
    """Return a regular expression for one of Renovate's globs, in which ** stands for any number of folders."""
    words = {"**/": "(?:.*/)?", "*": "[^/]*"}
    return "".join(words.get(part) or re.escape(part) for part in re.split(r"(\*\*/|\*)", glob))


def test_renovate_json_matches_every_pin() -> None:
    found = pins()
    assert {"pyproject.toml", "cookiecutter.json", ".ci/run", ".github/workflows/test.yml"} < {
        name for name, _ in found
    }
    unknown = found - pins_that_renovate_json_matches()
    assert not unknown, f"no manager of renovate.json matches {dict(unknown)}"


def test_no_pattern_has_a_lookaround() -> None:
    """Renovate's engine, RE2, cannot. Python's can, and so the test above would not notice."""
    assert not re.search(r"\(\?<?[=!]", json.dumps(CONFIG))


@pytest.mark.long
@pytest.mark.parametrize("file", [TEMPLATE / "renovate.json", SERVICE / "renovate.json"], ids=["ours", "services'"])
def test_renovate_accepts_renovate_json(tmp_path: Path, file: Path) -> None:
    if not shutil.which("npx"):
        skip("there is no npx command")
    if npx("renovate", "--version", folder=tmp_path).returncode:
        skip("npx cannot download Renovate")
    done = npx("renovate-config-validator", "--strict", "--no-global", str(file), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def npx(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of Renovate's npm package in a folder."""
    return subprocess.run(["npx", "--yes", *RENOVATE, "--", *words], cwd=folder, capture_output=True, text=True)
