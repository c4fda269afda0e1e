"""GitHub accepts the workflows and the issue forms, and linters find nothing in them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.support.commands import installed
from tests.support.pipelines import actionlint
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
    actionlint(WORKFLOWS)
