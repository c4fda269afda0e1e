"""The documents are true: what they list is there, and what they tell readers to type works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from go_service_answers import template
from go_service_answers.rules import RULES
from tests.support.baking import BakedService
from tests.support.commands import Done, cookiecutter
from tests.support.documents import blocks, shell_commands, table_rows
from tests.support.repository import TEMPLATE, read, tracked_files

DOCUMENTS = [name for name in tracked_files() if name.endswith(".md") and "cookiecutter" not in name]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_to_a_file_and_a_heading(name: str) -> None:
    text = re.sub(r"^```.*?^```", "", read(name), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        path, _, heading = link.partition("#")
        file = (TEMPLATE / name).parent / path if path else TEMPLATE / name
        assert file.exists(), link
        headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE) if heading else []
        assert not heading or heading in {anchor(text) for text in headings}, link


def anchor(heading: str) -> str:
    """Return the anchor that code hosts give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_page_of_questions_explains_each() -> None:
    rows = table_rows(read("docs/questions.md"), "| question | default | accepted |")
    for name, (question, default, accepted) in zip(template.questions(), rows, strict=True):
        assert (question, default) == (f"`{name}`", f"`{template.default_of(name)}`")
        choices = template.choices().get(name, [])
        assert accepted == (", ".join(f"`{choice}`" for choice in choices) if choices else RULES[name].accepted)


def test_the_page_of_questions_shows_a_refusal_as_it_happens(tmp_path: Path) -> None:
    (shown,) = blocks(read("docs/questions.md"), "text")
    command, _, message = shown.partition("\n")
    done = run_local_copy(command.removeprefix("$ "), tmp_path)
    assert (done.returncode, done.stderr) == (1, message)


def run_local_copy(command: str, folder: Path) -> Done:
    """Run a command for Cookiecutter, with this repository in place of the public one."""
    program, address, *words = shlex.split(command)
    assert (program, address) == ("cookiecutter", "gh:org/go-service-template")
    return cookiecutter(folder, *words)


def test_the_commands_of_the_readme_bake(tmp_path: Path) -> None:
    asking, at_once = (line for line in shell_commands(read("README.md")) if line.startswith("cookiecutter "))
    assert run_local_copy(f"{asking} --no-input", tmp_path).returncode == 0
    assert run_local_copy(at_once, tmp_path).returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"my-service", "order-api"}


def test_the_readme_gives_every_file_of_a_service_a_purpose(default: BakedService) -> None:
    (tree,) = blocks(read("README.md"), "text")
    purposes = dict(line.split(maxsplit=1) for line in tree.splitlines()[1:])
    files = {name for name in default.files() if not name.startswith("bin/")}
    assert purposes.keys() == {"/".join(name.split("/")[:2]) if "/" in name else name for name in files}


def test_the_page_for_contributors_has_every_folder() -> None:
    shown = {
        name.strip("`").rstrip("/") for name, _ in table_rows(read("CONTRIBUTING.md"), "| folder | what is in it |")
    }
    folders = {name.split("/")[0] for name in tracked_files() if "/" in name and not name.startswith(".")}
    rooms = {"/".join(name.split("/")[:2]) for name in tracked_files() if re.match("tests/.*/", name)}
    assert shown == {"cookiecutter.json", *folders - {"tests"}, *rooms}


def test_make_lists_every_target() -> None:
    listed = subprocess.check_output(["make", "--no-print-directory", "-C", str(TEMPLATE)], text=True)
    (phony,) = re.findall(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)
    assert [line.split()[0] for line in listed.splitlines()] == phony.split()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "UPGRADING.md", "docs/platform-teams.md"])
def test_every_make_target_in_a_document_exists(name: str) -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)
    of_a_service = {"build", "fuzz", "image", "lint", "run", "race", "up"}
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", read(name), re.MULTILINE))
    assert named <= {*phony.split(), *of_a_service}


def test_the_demo_shows_a_running_service_whatever_the_users_config_says(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("default_context:\n  license: BSD-3-Clause\n  owner: nobody\n")
    environment = {**os.environ, "TMPDIR": str(tmp_path), "COOKIECUTTER_CONFIG": str(tmp_path / "config.yaml")}
    command = [sys.executable, "-m", "tools.demo"]
    done = subprocess.run(command, cwd=TEMPLATE, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '{"message":"Hello, Ada!"}' in done.stdout
    assert "exit status 0" in done.stdout
