"""Updates that lose nothing: a service follows the template, whatever its team did to it and whatever has changed.

A service is baked from a version, edited as a team would and updated. It then has to be, byte for byte, what the same
edits make of a service that is baked from the newer template: nothing of either is lost, and nothing is in conflict.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
from pathlib import Path

import pytest
from conftest import CHOICES, Baked, Linter
from edits import (
    CHANGES,
    EDITS,
    NEW_MODULE,
    Change,
    all_changes,
    all_edits,
    new_file,
    new_setting,
    next_version,
    removed_file,
    renamed_file,
    write,
)
from ways import TEMPLATE, commit, commit_all, cookiecutter, cruft, git, has_history, made

from tools import versions

ALL_EDITS, ALL_CHANGES = {**EDITS, "all edits": all_edits}, {**CHANGES, "all changes": all_changes}
OPTIONS = [dict(zip(CHOICES, chosen, strict=True)) for chosen in itertools.product(*CHOICES.values())]


def commits() -> dict[str, str]:
    """Return the commits that services may be made of: each release, and HEAD where there is something new since."""
    releases = versions.releases(TEMPLATE) if has_history() else {}
    found = {str(version): commit for version, commit in releases.items()}
    newest = next(reversed(found.values()), "")
    unchanged = newest and not git(TEMPLATE, "diff", "--name-only", newest, "--", *versions.PARTS)
    return found if unchanged else {**found, "HEAD": "HEAD"}


COMMITS = commits()
*OLDER, NEWEST = COMMITS

# With UPDATES=all every edit with every change from every release, each built, tested and linted. Else each with all of
# the others, all together from the older releases too, and only that built: a result is what the edits make of a new
# bake, so there is little to find in the rest.
EVERYTHING = os.environ.get("UPDATES") == "all"
TOGETHER = ("all edits", "all changes")
CASES = [
    (version, edit, change)
    for version, edit, change in itertools.product(COMMITS, ALL_EDITS, ALL_CHANGES)
    if EVERYTHING or (edit, change) == TOGETHER or (version == NEWEST and (edit in TOGETHER or change in TOGETHER))
]


def edit(service: Path, change: Change) -> None:
    change(service)
    commit(service, "What the team did")


def update(service: Path, *words: str) -> None:
    """Update a service, with nothing left to be done by hand."""
    told = cruft(service, "update", "--skip-apply-ask", *words)
    assert told.returncode == 0, told.stderr
    lines = git(service, "status", "--porcelain").splitlines()
    assert not [line for line in lines if "U" in line[:2] or line.endswith(".rej")], (lines, told.stderr)


def answers_of(service: Path) -> dict[str, str]:
    context = json.loads((service / ".cruft.json").read_text())["context"]["cookiecutter"]
    return {name: answer for name, answer in context.items() if not name.startswith("_")}


def files(service: Path) -> dict[str, str]:
    found = [path for path in service.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {str(path.relative_to(service)): path.read_text() for path in found if path.name != ".cruft.json"}


def assert_same(service: Path, expected: Path) -> None:
    """Compare all files, by name and then one by one, so that a failure shows the lines."""
    ours, theirs = files(service), files(expected)
    assert ours.keys() == theirs.keys()
    for name, text in ours.items():
        assert text == theirs[name], name


def newly_baked(template: Path, service: Path, folder: Path) -> Path:
    """Bake anew what a service is: from the newest template, with its answers."""
    folder.mkdir()
    words = [f"{question}={answer}" for question, answer in answers_of(service).items()]
    told = cookiecutter(folder, "--no-input", *words, template=str(template))
    assert told.returncode == 0, told.stderr
    return folder / "my-service"


def told_of(edit_name: str) -> list[str]:
    """Return the words for cruft, which has to know of a new module path."""
    renames = edit_name in {"renamed module", "all edits"}
    return ["--variables-to-update", json.dumps({"module_path": NEW_MODULE})] if renames else []


@pytest.mark.parametrize(("version", "edit_name", "change_name"), CASES)
def test_an_update_keeps_every_edit_and_brings_every_change(
    template: Path, tmp_path: Path, lint: Linter, version: str, edit_name: str, change_name: str
) -> None:
    service = made(template, tmp_path, COMMITS[version])
    edit(service, ALL_EDITS[edit_name])
    ALL_CHANGES[change_name](template)
    commit(template, change_name)
    update(service, *told_of(edit_name))
    expected = newly_baked(template, service, tmp_path / "expected")
    ALL_EDITS[edit_name](expected)
    assert_same(service, expected)
    if EVERYTHING or (edit_name, change_name) == TOGETHER:
        assert_works(Baked(service), lint)


def assert_works(service: Baked, lint: Linter) -> None:
    assert service.run("gofmt", "-l", ".") == ""
    service.make("build")
    service.make("test")
    assert "0 issues" in lint(service)


@pytest.mark.parametrize("version", COMMITS if EVERYTHING else [NEWEST])
@pytest.mark.parametrize("answers", OPTIONS, ids=lambda answers: "-".join(answers.values()))
def test_every_combination_of_options_is_updated(
    template: Path, tmp_path: Path, version: str, answers: dict[str, str]
) -> None:
    service = made(template, tmp_path, COMMITS[version], **answers)
    edit(service, all_edits)
    assert_all_arrives(template, service, *told_of("all edits"))


def assert_all_arrives(template: Path, service: Path, *words: str) -> None:
    """Update a service that has all edits over all changes, and compare it with the same edits of a new bake."""
    all_changes(template)
    commit(template, "All changes")
    update(service, *words)
    expected = newly_baked(template, service, template.parent / "expected")
    all_edits(expected)
    assert_same(service, expected)


@pytest.mark.parametrize(
    ("question", "before", "after"),
    [(name, *pair) for name, choices in CHOICES.items() for pair in itertools.permutations(choices, 2)],
)
def test_an_option_is_chosen_or_changed_later(
    template: Path, tmp_path: Path, question: str, before: str, after: str
) -> None:
    service = made(template, tmp_path, **{question: before})
    edit(service, all_edits)
    file = tmp_path / "answers.json"
    file.write_text(json.dumps({"context": {"cookiecutter": {question: after, "module_path": NEW_MODULE}}}))
    assert_all_arrives(template, service, "--variables-to-update-file", str(file))
    assert answers_of(service)[question] == after


def test_a_question_that_is_new_can_be_answered_at_once(template: Path, tmp_path: Path) -> None:
    service = made(template, tmp_path)
    all_changes(template)
    commit(template, "All changes")
    update(service, "--variables-to-update", '{"region": "eu"}')
    assert "\nENV REGION=eu\n" in (service / "Dockerfile").read_text()
    assert_same(service, newly_baked(template, service, tmp_path / "expected"))


def use_two_versions(template: Path, service: Path, name: str, ours: str, theirs: str) -> None:
    """Write a file in two ways, in the service and in the template, which goes on elsewhere too."""
    edit(service, lambda service: write(service / name, ours))
    write(template / "{{cookiecutter.service_name}}" / name, theirs)
    next_version(template)
    commit(template, "Go on")


@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [("CODEOWNERS", "* @acme/ours\n", "* @acme/theirs\n"), ("docs/new.md", "Ours.\n", "Theirs.\n")],
    ids=["the same line", "a new file of one name"],
)
def test_what_both_changed_is_named_and_shown_in_both_versions(
    template: Path, tmp_path: Path, name: str, ours: str, theirs: str
) -> None:
    service = made(template, tmp_path)
    use_two_versions(template, service, name, ours, theirs)
    told = cruft(service, "update", "--skip-apply-ask")
    assert f"Applied patch to '{name}' with conflicts." in told.stderr
    states = {line[3:]: line[:2] for line in git(service, "status", "--porcelain").splitlines()}
    assert states.pop(name) in {"UU", "AA"}
    assert states == {".template": "M ", ".cruft.json": " M"}
    assert (service / name).read_text() == f"<<<<<<< ours\n{ours}=======\n{theirs}>>>>>>> theirs\n"


@pytest.mark.parametrize("change", [removed_file, renamed_file], ids=lambda change: change.__name__)
def test_an_update_with_conflicts_is_undone(template: Path, tmp_path: Path, change: Change) -> None:
    """Where git merges and where it cannot, which leaves new files and .rej files behind."""
    service = made(template, tmp_path)
    for name in ("admin/admin_test.go", "middleware/observe.go"):
        file = service / "internal" / name
        write(file, file.read_text().replace("package ", "package /* ours */ "))
    commit(service, "What the team did")
    before = files(service)
    for go_on in (change, new_file, next_version):
        go_on(template)
    commit(template, "Go on")
    cruft(service, "update", "--skip-apply-ask")
    assert files(service) != before
    git(service, "reset", "--hard")
    git(service, "clean", "-fd")
    assert files(service) == before


def test_what_a_team_edited_and_the_template_removed_is_named_and_kept(template: Path, tmp_path: Path) -> None:
    service = made(template, tmp_path)
    test = service / "internal/admin/admin_test.go"
    edit(service, lambda _: write(test, test.read_text() + "\n// Ours.\n"))
    removed_file(template)
    next_version(template)
    commit(template, "Go on")
    told = cruft(service, "update", "--skip-apply-ask")
    assert "error: patch failed: internal/admin/admin_test.go" in told.stderr
    assert git(service, "status", "--porcelain").splitlines() == [" M .cruft.json", " M .template"]


def test_where_the_first_commit_is_no_untouched_bake_lines_that_fit_are_still_changed(
    template: Path, tmp_path: Path
) -> None:
    """Without the baked files in its history git cannot merge: it looks for the lines around a change."""
    service, expected = made(template, tmp_path), tmp_path / "expected/my-service"
    some_edits = [edit for name, edit in EDITS.items() if name not in {"renamed module", "own setting"}]
    for edit in some_edits:
        edit(service)
    shutil.rmtree(service / ".git")
    commit_all(service)
    new_setting(template)
    new_file(template)
    commit(template, "Go on")
    update(service)
    newly_baked(template, service, expected.parent)
    for edit in some_edits:
        edit(expected)
    assert_same(service, expected)


def test_a_service_in_a_folder_of_a_bigger_repository_is_updated(template: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shutil.move(made(template, tmp_path), whole / "services/my-service")
    shutil.rmtree(whole / "services/my-service/.git")
    commit_all(whole)
    edit(whole, lambda whole: all_edits(whole / "services/my-service"))
    assert_all_arrives(template, whole / "services/my-service", *told_of("all edits"))
