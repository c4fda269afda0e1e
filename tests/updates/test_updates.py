"""Updates lose nothing: a service follows the template, whatever its team and the template have changed.

A service is made from a version, edited as teams do, and updated. It must then be, byte for byte, what the same edits
make of a service that is baked from the newer template.
"""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import pytest

from go_service_answers import template as questions
from tests.support.baking import BakedService
from tests.support.choices import CHOICES, Answers, combinations, name_of
from tests.support.commands import Done, cookiecutter, cruft
from tests.support.fixtures import Create, Lint
from tests.support.repository import SERVICE_FOLDER, TEMPLATE, commit, git, has_history, init_repository
from tests.support.team_edits import EDITS, Change, all_edits, write
from tests.support.template_changes import (
    CHANGES,
    all_changes,
    new_file,
    new_setting,
    next_version,
    removed_file,
    renamed_file,
)
from tools import versions


def nothing(folder: Path) -> None:
    """Leave it as it is."""


ALL_EDITS = {**EDITS, "all edits": all_edits}
ALL_CHANGES = {**CHANGES, "all changes": all_changes, "no change": nothing}
TOGETHER = ("all edits", "all changes")


def starting_commits() -> dict[str, str]:
    """Return the commits to make services from: each release, and this work tree if it differs from the newest."""
    released = versions.releases(TEMPLATE) if has_history() else {}
    commits = {str(version): commit for version, commit in released.items()}
    newest = next(reversed(commits.values()), "")
    unchanged = newest and not git(TEMPLATE, "diff", "--name-only", newest, "--", *versions.PARTS)
    return commits if unchanged else {**commits, "work tree": "HEAD"}


COMMITS = starting_commits()
CASES = [
    pytest.param(*case, marks=[] if case[1:] == TOGETHER else pytest.mark.long)
    for case in itertools.product(COMMITS, ALL_EDITS, ALL_CHANGES)
]


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


def edit_and_update(service: Path, template: Path, edit: Change, change: Change) -> Path:
    """Let the team and the template go on, update the service, and return what it must be."""
    edit(service)
    commit(service, "What the team did")
    change(template)
    commit(template, "What the template did")
    update_without_conflict(service, template)
    expected = bake_anew(template, service, template.parent / "expected")
    edit(expected)
    return expected


@pytest.mark.parametrize(("version", "edit", "change"), CASES)
def test_an_update_keeps_every_edit_and_brings_every_change(
    create: Create, template: Path, version: str, edit: str, change: str
) -> None:
    service = create(COMMITS[version])
    assert_same(service, edit_and_update(service, template, ALL_EDITS[edit], ALL_CHANGES[change]))


@pytest.mark.long
def test_an_updated_service_builds_and_passes_its_tests(create: Create, template: Path, lint: Lint) -> None:
    service = BakedService(create())
    edit_and_update(service.path, template, all_edits, all_changes)
    assert service.run("gofmt", "-l", ".") == ""
    service.make("build")
    service.make("test")
    assert "0 issues" in lint(service)


@pytest.mark.long
@pytest.mark.parametrize("answers", combinations(), ids=name_of)
def test_a_service_of_any_choices_is_updated(create: Create, template: Path, answers: Answers) -> None:
    service = create(**answers)
    assert_same(service, edit_and_update(service, template, all_edits, all_changes))


@pytest.mark.parametrize(
    ("question", "before", "after"),
    [
        pytest.param(choice.question, before, choice.name, marks=[] if choice.name == "MIT" else pytest.mark.long)
        for choice in CHOICES
        for before in questions.choices()[choice.question]
        if before != choice.name
    ],
)
def test_a_choice_is_changed_later(create: Create, template: Path, question: str, before: str, after: str) -> None:
    service = create(**{question: before})
    all_edits(service)
    commit(service, "What the team did")
    all_changes(template)
    commit(template, "What the template did")
    file = template.parent / "answers.json"
    file.write_text(json.dumps({"context": {"cookiecutter": {question: after}}}))
    update_without_conflict(service, template, "--variables-to-update-file", str(file))
    assert answers_of(service)[question] == after
    expected = bake_anew(template, service, template.parent / "expected")
    all_edits(expected)
    assert_same(service, expected)


def test_a_new_question_can_be_answered_in_the_update(create: Create, template: Path) -> None:
    service = create()
    all_changes(template)
    commit(template, "What the template did")
    update_without_conflict(service, template, "--variables-to-update", '{"region": "eu"}')
    assert "\nENV REGION=eu\n" in (service / "Dockerfile").read_text()
    assert_same(service, bake_anew(template, service, template.parent / "expected"))


@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [("CODEOWNERS", "* @acme/ours\n", "* @acme/theirs\n"), ("docs/new.md", "Ours.\n", "Theirs.\n")],
    ids=["the same line", "a new file of the same name"],
)
def test_a_conflict_is_named_and_shows_both_versions(
    create: Create, template: Path, name: str, ours: str, theirs: str
) -> None:
    service = create()
    write(service / name, ours)
    commit(service, "What the team did")
    write(template / SERVICE_FOLDER / name, theirs)
    next_version(template)
    commit(template, "What the template did")
    done = update(service, template)
    assert f"Applied patch to '{name}' with conflicts." in done.stderr
    states = {line[3:]: line[:2] for line in git(service, "status", "--porcelain").splitlines()}
    assert states.pop(name) in {"UU", "AA"}
    assert states == {".template": "M ", ".cruft.json": " M"}
    assert (service / name).read_text() == f"<<<<<<< ours\n{ours}=======\n{theirs}>>>>>>> theirs\n"


@pytest.mark.long
@pytest.mark.parametrize("change", [removed_file, renamed_file], ids=lambda change: change.__name__)
def test_an_update_with_conflicts_can_be_undone(create: Create, template: Path, change: Change) -> None:
    """This holds when git merges, and when it cannot, which leaves new files and .rej files behind."""
    service = create()
    for name in ("admin/admin_test.go", "middleware/observe.go"):
        file = service / "internal" / name
        write(file, file.read_text().replace("package ", "package /* ours */ "))
    commit(service, "What the team did")
    before = files_of(service)
    for go_on in (change, new_file, next_version):
        go_on(template)
    commit(template, "What the template did")
    update(service, template)
    assert files_of(service) != before
    git(service, "reset", "--hard")
    git(service, "clean", "-fd")
    assert files_of(service) == before


@pytest.mark.long
def test_an_edited_file_that_the_template_removed_is_named_and_kept(create: Create, template: Path) -> None:
    service = create()
    test = service / "internal/admin/admin_test.go"
    write(test, test.read_text() + "\n// Ours.\n")
    commit(service, "What the team did")
    removed_file(template)
    next_version(template)
    commit(template, "What the template did")
    done = update(service, template)
    assert "error: patch failed: internal/admin/admin_test.go" in done.stderr
    assert git(service, "status", "--porcelain").splitlines() == [" M .cruft.json", " M .template"]


@pytest.mark.long
def test_lines_that_fit_are_changed_when_the_first_commit_is_not_the_untouched_bake(
    create: Create, template: Path
) -> None:
    """git cannot merge then, because it lacks the baked files. cruft looks for the lines around a change instead."""
    service = create()
    some_edits = [edit for name, edit in EDITS.items() if name not in {"renamed module", "own setting"}]
    for edit in some_edits:
        edit(service)
    shutil.rmtree(service / ".git")
    init_repository(service)
    new_setting(template)
    new_file(template)
    commit(template, "What the template did")
    update_without_conflict(service, template)
    expected = bake_anew(template, service, template.parent / "expected")
    for edit in some_edits:
        edit(expected)
    assert_same(service, expected)


@pytest.mark.long
def test_a_service_in_a_folder_of_a_larger_repository_is_updated(create: Create, template: Path) -> None:
    whole = template.parent / "whole"
    service = whole / "services/my-service"
    shutil.move(create(), service)
    shutil.rmtree(service / ".git")
    init_repository(whole)
    assert_same(service, edit_and_update(service, template, all_edits, all_changes))
