"""tools/fleet link finds out what services were made from, so that nobody answers the questions again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fleet.link import PROBES
from go_service_answers import rules
from go_service_answers import template as questions
from tests.support.commands import cookiecutter
from tests.support.edits_of_1_0 import all_edits
from tests.support.fleets import ANSWERS_OF_1_0 as ANSWERS
from tests.support.fleets import FIRST_RELEASE, Fleet, release_commit
from tests.support.repository import commit, git, init_repository
from tests.support.team_edits import write

pytestmark = pytest.mark.long


@pytest.fixture
def linking(fleet: Fleet) -> Fleet:
    return Fleet(fleet.template, ("link",))


def test_each_question_that_a_text_answers_has_a_probe() -> None:
    assert PROBES.keys() == rules.RULES.keys()
    assert rules.problems(PROBES) == []


def test_the_answers_of_1_0_0_are_found_in_the_files(fleet: Fleet, linking: Fleet, first: Path) -> None:
    init_repository(first)
    row = linking.row(first)
    assert (row["state"], row["answers"], row["differs"]) == ("link", ANSWERS, [])
    link = json.loads(git(first, "show", "template-link:.cruft.json"))
    assert link["commit"] == git(fleet.template, "rev-parse", FIRST_RELEASE).strip()
    assert link["template"] == "https://github.com/org/go-service-template"
    assert link["context"]["cookiecutter"] == ANSWERS
    assert git(first, "diff", "--name-only", "HEAD", "template-link") == ".cruft.json\n"
    git(first, "merge", "-q", "template-link")
    assert fleet.row(first)["state"] == "update"


def test_they_are_found_in_an_edited_service_and_the_difference_is_shown(linking: Fleet, first: Path) -> None:
    init_repository(first)
    write(first / "Makefile", "all:\n\ttrue\n")
    write(first / "README.md", "# Orders\n\nAll new.\n")
    (first / "CODEOWNERS").write_text("* @shop/orders\n/internal/ @shop/other\n")
    git(first, "rm", "-q", "AGENTS.md")
    commit(first, "What the team did")
    row = linking.row(first)
    assert row["answers"] == ANSWERS
    assert row["differs"] == ["AGENTS.md", "CODEOWNERS", "Makefile", "README.md"]


def test_what_no_file_says_is_a_guess_that_is_told(linking: Fleet, first: Path) -> None:
    (first / "CODEOWNERS").unlink()
    init_repository(first)
    row = linking.row(first, "--dry-run")
    assert row["answers"] == {**ANSWERS, "owner": "@acme/platform"}
    assert row["outcome"].endswith("nothing in it says its owner: the default was taken")


def test_the_first_of_two_owners_is_the_answer(linking: Fleet, first: Path) -> None:
    owners = first / "CODEOWNERS"
    owners.write_text(owners.read_text().replace("* @shop/orders", "* @shop/orders @ada"))
    init_repository(first)
    assert linking.row(first, "--dry-run")["answers"] == ANSWERS


def test_a_dry_run_makes_no_branch(linking: Fleet, first: Path) -> None:
    init_repository(first)
    done = linking.run(first, "--dry-run")
    assert "order-api  1.0.0             made with service_name=order-api, " in done.stdout
    assert done.returncode == 0
    assert "template-link" not in git(first, "branch")


def test_services_that_are_linked_are_left_alone(linking: Fleet, made: Path) -> None:
    rows = linking.rows(made)
    assert {row["outcome"] for row in rows.values()} == {"linked already"}
    assert "template-link" not in git(made / "9.0.0", "branch")


def test_a_service_of_no_release_is_named(linking: Fleet, made: Path) -> None:
    service = made / "9.0.0"
    (service / ".cruft.json").unlink()
    write(service / ".template", "go-service-template 9.0.0-dev https://example.com\n")
    commit(service, "Of a copy")
    assert linking.row(service)["outcome"].startswith("failed: made from 9.0.0-dev, which is no release here")


@pytest.mark.parametrize("path", ["absolute", "relative"])
def test_plain_cookiecutter_links_a_service_too(fleet: Fleet, tmp_path: Path, path: str) -> None:
    """It writes what cruft writes, without cruft's own copy of the template's settings."""
    git(fleet.template, "switch", "-q", "--detach", release_commit(fleet.template, "9.0.0"))
    words = [f"{question}={answer}" for question, answer in ANSWERS.items()]
    template = str(fleet.template) if path == "absolute" else fleet.template.name
    assert cookiecutter(tmp_path, "--no-input", *words, template=template).returncode == 0
    git(fleet.template, "switch", "-q", "-")
    service = tmp_path / "order-api"
    init_repository(service)
    link = json.loads((service / ".cruft.json").read_text())
    assert link["commit"] == release_commit(fleet.template, "9.0.0")
    later = {question: questions.default_of(question) for question in questions.questions()}  # that 1.0.0 did not ask
    assert link["context"]["cookiecutter"] == {**later, **ANSWERS}
    assert fleet.row(service)["state"] == "update"


def test_all_edits_of_teams_leave_enough_to_find_the_answers(linking: Fleet, first: Path) -> None:
    shutil.copytree(first, first.parent / "edited")
    edited = first.parent / "edited"
    all_edits(edited)
    init_repository(edited)
    row = linking.row(edited, "--dry-run")
    assert {**row["answers"], "module_path": ANSWERS["module_path"]} == ANSWERS
