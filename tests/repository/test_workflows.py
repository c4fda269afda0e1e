"""GitHub accepts the workflows and the issue forms, and linters find nothing in them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.support.commands import installed
from tests.support.machine import go_environment, skip
from tests.support.repository import TEMPLATE

WORKFLOWS = sorted((TEMPLATE / ".github/workflows").glob("*.yml"))
CHOOSER = TEMPLATE / ".github/ISSUE_TEMPLATE/config.yml"
FORMS = sorted(set(CHOOSER.parent.glob("*.yml")) - {CHOOSER})
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "custom.github-workflows-require-timeout": WORKFLOWS,
    "vendor.github-issue-forms": FORMS,
    "vendor.github-issue-config": [CHOOSER],
}
ACTIONLINT = ["go", "run", "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"]


def command(name: str) -> str:
    """Return the path of a command: the machine's own, else the one in .venv."""
    return shutil.which(name) or installed(name)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_github_accepts_each_file(schema: str) -> None:
    words = [command("check-jsonschema"), "--builtin-schema", schema, *map(str, SCHEMAS[schema])]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing() -> None:
    words = [command("zizmor"), "--offline", "--no-config", "--persona", "pedantic", *map(str, WORKFLOWS)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_actionlint_finds_nothing() -> None:
    words = ["actionlint"] if shutil.which("actionlint") else ACTIONLINT
    version = subprocess.run([*words, "-version"], env=go_environment(), capture_output=True, text=True)
    if version.returncode:
        skip(f"actionlint cannot be downloaded: {version.stderr.splitlines()[-1]}")
    same_everywhere = ["-shellcheck=", "-pyflakes="]  # Otherwise the result depends on what else is installed.
    done = subprocess.run(
        [*words, *same_everywhere, *map(str, WORKFLOWS)], env=go_environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
