"""Updates lose nothing: a service follows the template, whatever its team and the template have changed.

A service is made from a version, edited as teams do, and updated. It must then be, byte for byte, what the same edits
make of a service that is baked from the newer template.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
from pathlib import Path

import pytest

from go_service_answers import template as questions
from tests.support.baking import BakedService
from tests.support.choices import CHOICES, Answers, combinations, name_of
from tests.support.documents import table_rows
from tests.support.fixtures import Bake, Create, Lint
from tests.support.repository import SERVICE_FOLDER, TEMPLATE, commit, git, has_history, init_repository
from tests.support.team_edits import EDITS, Change, all_edits, own_product, write
from tests.support.template_changes import (
    CHANGES,
    ENDS_OF_THE_TEAM,
    all_changes,
    files_of_the_team,
    new_file,
    new_setting,
    next_version,
    removed_file,
    renamed_file,
)
from tests.support.updating import answers_of, assert_same, bake_anew, files_of, update, update_without_conflict
from tools import versions
from tools.release import OWNERS


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
FOLLOWING = [version for version in COMMITS if not version.startswith("1.")]  # test_update_to_2_0.py has 1.0
CASES = [
    pytest.param(*case, marks=[] if case[1:] == TOGETHER else pytest.mark.long)
    for case in itertools.product(FOLLOWING, ALL_EDITS, ALL_CHANGES)
]


def edit_and_update(service: Path, template: Path, edit: Change, change: Change, **answers: str) -> Path:
    """Let the team and the template go on, update the service with new answers, and return what it must be."""
    edit(service)
    commit(service, "What the team did")
    change(template)
    commit(template, "What the template did")
    update_without_conflict(service, template, "--variables-to-update", json.dumps(answers))
    expected = bake_anew(template, service, template.parent / "expected")
    edit(expected)
    return expected


@pytest.mark.parametrize(("version", "edit", "change"), CASES)
def test_an_update_keeps_every_edit_and_brings_every_change(
    create: Create, template: Path, version: str, edit: str, change: str
) -> None:
    service = create(COMMITS[version])
    assert_same(service, edit_and_update(service, template, ALL_EDITS[edit], ALL_CHANGES[change]))


def test_the_page_says_whose_each_file_is(default: BakedService) -> None:
    page = default.read(OWNERS)
    owned = set()
    for header in ("| yours | what is in it |", "| the template's | what is in it |"):
        for cell, _ in table_rows(page, header):
            names = re.findall("`([^` ]+)`", cell)
            folder = Path(names[0]).parent  # of the names after the first
            owned |= {Path(name) if (default.path / name).exists() else folder / name for name in names}
    owned |= {file.with_name(file.name.replace(".go", "_test.go")) for file in owned}
    files = {Path(name) for name in default.files() - {"bin/service"}}
    assert {file for file in files if not owned & {file, *file.parents}} == set()


@pytest.mark.parametrize("name", CHANGES)
def test_no_change_of_the_template_touches_a_file_of_the_team(template: Path, name: str) -> None:
    before = parts_of_the_team(template)
    CHANGES[name](template)
    assert parts_of_the_team(template) == before


def parts_of_the_team(template: Path) -> dict[str, str]:
    """Return what docs/template.md gives to the team, as the template writes it once."""
    service = template / SERVICE_FOLDER
    files = {name: (service / name) for name in files_of_the_team(template)}
    return {
        **{name: file.read_text() if file.is_file() else "" for name, file in files.items()},
        "the end of .golangci.yml": (service / ".golangci.yml").read_text().partition("end of the template's part")[2],
        "the end of .gitignore": (service / ".gitignore").read_text().splitlines()[-1],
        "go.mod below module": (service / "go.mod").read_text().partition("\nmodule ")[2],
    }


IN_FILES_OF_THE_TEMPLATE = {"own package": {".dockerignore"}, "own rule": {"AGENTS.md"}, "own image": {"Dockerfile"}}


@pytest.mark.parametrize("name", [name for name in EDITS if name != "renamed module"])
def test_what_teams_do_is_in_their_own_files_with_few_exceptions(bake: Bake, name: str) -> None:
    service = bake().path
    before = files_of(service)
    EDITS[name](service)
    after = files_of(service)
    changed = {name for name, text in before.items() if after.get(name) != text} - {*files_of_the_team(TEMPLATE)}
    at_the_end = {name for name in changed & {*ENDS_OF_THE_TEAM, "go.mod"} if after[name].startswith(before[name])}
    assert changed - at_the_end == IN_FILES_OF_THE_TEMPLATE.get(name, set())


TURNED_ON = {
    "region": "eu",
    "audit": "log",
    "telemetry": "both",
    "database": "postgres",
    "rpc": "connect",
    "deploy": "kubernetes",
    "ci": "github",
}


@pytest.mark.long
@pytest.mark.parametrize("edit", [nothing, all_edits, own_product], ids=lambda edit: edit.__name__)
@pytest.mark.parametrize("answers", [{}, TURNED_ON], ids=["as before", "options turned on"])
def test_an_updated_service_builds_and_passes_its_tests(
    create: Create, template: Path, lint: Lint, database_url: None, edit: Change, answers: Answers
) -> None:
    service = BakedService(create())
    expected = edit_and_update(service.path, template, edit, all_changes, **answers)
    assert_same(service.path, expected)
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
        pytest.param(
            choice.question,
            before,
            choice.name,
            marks=[] if (before, choice.name) == ("proprietary", "MIT") else pytest.mark.long,
        )
        for choice in CHOICES
        for before in questions.choices()[choice.question]
        if before != choice.name
    ]
    + [pytest.param("go_version", "1.27", "1.28")],
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


@pytest.mark.parametrize("edit", ["all edits", "own product"])
def test_new_questions_can_be_answered_in_the_update(create: Create, template: Path, edit: str) -> None:
    """An option that is turned on under a service that its team has filled is no conflict."""
    service = create()
    expected = edit_and_update(service, template, ALL_EDITS[edit], all_changes, **TURNED_ON)
    assert "\nENV REGION=eu\n" in (service / "Dockerfile").read_text()
    assert "platform.Audit = " in (service / "main.go").read_text()
    assert_same(service, expected)


@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [("AGENTS.md", "Ours.\n", "Theirs.\n"), ("docs/new.md", "Ours.\n", "Theirs.\n")],
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
    some_edits = [edit for name, edit in EDITS.items() if name not in {"own product", "renamed module"}]
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
