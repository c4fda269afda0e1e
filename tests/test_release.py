"""A release: what speaks against it is said, and what is released says its version everywhere."""

from __future__ import annotations

import datetime
import re
import subprocess
import sys
from pathlib import Path

import pytest
from edits import Change, new_file, removed_file, replace
from ways import TEMPLATE, commit, git, has_history

from tools import versions
from tools.versions import version

SERVICE = "{{cookiecutter.service_name}}"


@pytest.fixture
def template(template: Path) -> Path:
    """The template with 9.0.0 released and something new since; its own tests take no time and pass."""
    makefile = template / "Makefile"
    makefile.write_text(re.sub(r"(?m)^test:.*\n.*$", 'test:\n\t@test "$$CI" = true', makefile.read_text()))
    file = template / versions.FILE
    file.write_text(f"go-service-template 9.0.0 {file.read_text().split()[2]}\n")
    commit(template, "Release 9.0.0")
    for page in ("CHANGELOG.md", "UPGRADING.md"):
        text = (
            (template / page)
            .read_text()
            .replace("## [Unreleased]\n", "## [Unreleased]\n\n- Something new.\n\n## [9.0.0]\n")
        )
        (template / page).write_text(text)
    commit(template, "Something new")
    return template


def release(template: Path, wanted: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.release", wanted]
    return subprocess.run(command, cwd=template, capture_output=True, text=True)


def assert_refused(template: Path, wanted: str, reason: str) -> None:
    before = git(template, "rev-parse", "HEAD")
    told = release(template, wanted)
    assert reason in told.stderr
    assert "Traceback" not in told.stderr
    assert told.returncode == 1
    assert git(template, "rev-parse", "HEAD") == before
    assert wanted not in git(template, "tag").split()


def test_a_release_is_a_commit_that_says_so_with_a_tag(template: Path) -> None:
    told = release(template, "9.0.1")
    assert told.returncode == 0, told.stderr
    assert git(template, "log", "-1", "--format=%s %D").startswith("Release 9.0.1 HEAD -> ")
    assert git(template, "describe") == "9.0.1\n"
    assert git(template, "status", "--porcelain") == ""
    assert versions.origin_at(template, "HEAD").version == version("9.0.1")
    assert versions.releases(template)[version("9.0.1")] == git(template, "rev-parse", "HEAD").strip()
    today = datetime.datetime.now(datetime.timezone.utc).date()
    for page in ("CHANGELOG.md", "UPGRADING.md"):
        assert f"## [Unreleased]\n\n## [9.0.1] - {today}\n\n- Something new.\n" in (template / page).read_text()


def test_a_failing_test_stops_it_and_nothing_is_changed(template: Path) -> None:
    let_the_tests_do(template, "false")
    assert_refused(template, "9.0.1", "9.0.1 is not released: a test has failed. No file is changed.")
    assert git(template, "status", "--porcelain") == ""


def let_the_tests_do(template: Path, command: str) -> None:
    replace(template / "Makefile", '\t@test "$$CI" = true\n', f"\t@{command}\n")
    commit(template, "Other tests")


def test_what_changes_while_the_tests_run_is_neither_released_nor_lost(template: Path) -> None:
    let_the_tests_do(template, "echo Later. >> README.md")
    assert_refused(template, "9.0.1", "while the tests ran, README.md has changed, which they have not seen")
    assert git(template, "status", "--porcelain") == " M README.md\n"


@pytest.mark.parametrize(
    ("hook", "complaint"), [("pre-commit", "git does not commit"), ("reference-transaction", "git does not")]
)
def test_what_git_refuses_is_undone(template: Path, hook: str, complaint: str) -> None:
    file = template / f".git/hooks/{hook}"
    file.write_text("#!/bin/sh\nexit 1\n")
    file.chmod(0o755)
    assert_refused(template, "9.0.1", complaint)
    assert git(template, "status", "--porcelain") == ""


def test_a_tag_that_git_refuses_takes_the_commit_with_it(template: Path) -> None:
    git(template, "config", "tag.gpgSign", "true")
    git(template, "config", "gpg.program", "false")
    assert_refused(template, "9.0.1", "git does not tag")
    assert git(template, "status", "--porcelain") == ""


def test_a_clone_without_history_releases_nothing(template: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{template}", "shallow")
    assert_refused(tmp_path / "shallow", "9.0.1", "git fetch --unshallow")


def test_a_commit_without_a_branch_is_not_released(template: Path) -> None:
    git(template, "switch", "-q", "--detach")
    assert_refused(template, "9.0.1", "No branch is checked out.")


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ("9.0.0", "9.0.0 does not come right after 9.0.0."),
        ("8.9.9", "8.9.9 does not come right after 9.0.0."),
        ("9.2.0", "9.2.0 does not come right after 9.0.0."),
        ("9.0.1-dev", "A release has three numbers and nothing after them."),
        ("v9.0.1", "'v9.0.1' is no version such as 1.2.3"),
        ("9.01.0", "'9.01.0' is no version such as 1.2.3"),
    ],
)
def test_a_version_comes_right_after_the_last_one(template: Path, wanted: str, reason: str) -> None:
    assert_refused(template, wanted, reason)


def test_what_is_not_committed_is_not_released(template: Path) -> None:
    (template / "notes.txt").write_text("Later.\n")
    assert_refused(template, "9.0.1", "There are changes that are not committed.")


@pytest.mark.parametrize("page", ["CHANGELOG.md", "UPGRADING.md"])
def test_a_page_has_to_speak_of_it(template: Path, page: str) -> None:
    replace(template / page, "- Something new.\n\n", "")
    commit(template, "Say nothing")
    assert_refused(template, "9.0.1", f"{page} has nothing under [Unreleased]")


def test_a_tag_is_never_moved(template: Path) -> None:
    git(template, "tag", "9.0.1", "HEAD~1")
    before = git(template, "rev-parse", "9.0.1")
    assert "There is a tag 9.0.1 already." in release(template, "9.0.1").stderr
    assert git(template, "rev-parse", "9.0.1") == before


def rename(template: Path) -> None:
    folder = template / SERVICE / "internal/middleware"
    (folder / "observe.go").rename(folder / "requests.go")


def add_choice(template: Path) -> None:
    replace(template / "cookiecutter.json", '"MIT", "Apache-2.0"]', '"MIT", "Apache-2.0", "MPL-2.0"]')


def make_optional(template: Path) -> None:
    """A file that every service has is from now on one of some choice alone."""
    replace(template / "hooks/post_gen_project.py", '"MIT": ["LICENSE"]', '"MIT": ["LICENSE", "Makefile"]')


def give_choices(template: Path) -> None:
    replace(template / "cookiecutter.json", '"http_port": "8080"', '"http_port": ["8080", "9000"]')


def remove_choice(template: Path) -> None:
    replace(template / "cookiecutter.json", '["proprietary", "MIT", "Apache-2.0"]', '["proprietary", "Apache-2.0"]')


@pytest.mark.parametrize(
    ("change", "refused", "taken", "reason"),
    [
        (removed_file, "9.1.0", "10.0.0", "internal/admin/admin_test.go is gone"),
        (rename, "9.1.0", "10.0.0", "internal/middleware/observe.go is gone"),
        (new_file, "9.0.1", "9.1.0", "there are new files, questions or choices"),
        (add_choice, "9.0.1", "9.1.0", "there are new files, questions or choices"),
        (make_optional, "9.1.0", "10.0.0", "Makefile is gone"),
    ],
)
def test_what_has_changed_says_what_the_version_is_at_least(
    template: Path, change: Change, refused: str, taken: str, reason: str
) -> None:
    change(template)
    commit(template, "Go on")
    assert_refused(template, refused, f"It has to be {taken} at least: {reason}")
    assert release(template, taken).returncode == 0


def test_a_choice_never_goes(template: Path) -> None:
    remove_choice(template)
    commit(template, "Fewer licenses")
    assert_refused(template, "10.0.0", "The question license has lost MIT: cruft could not update who has chosen it.")


def test_a_text_never_becomes_a_choice(template: Path) -> None:
    give_choices(template)
    commit(template, "Two ports are enough")
    assert_refused(template, "10.0.0", "The question http_port has choices now")


def test_a_question_never_goes(template: Path) -> None:
    context = template / "cookiecutter.json"
    context.write_text(re.sub(r'  "(__)?owner": ".*\n', "", context.read_text()))
    commit(template, "One owner for all")
    assert_refused(template, "10.0.0", "The question owner is gone")


# What is committed here


@pytest.mark.skipif(not has_history(), reason="a clone without history knows no releases")
def test_each_release_stands_in_both_pages(template: Path) -> None:
    says = versions.origin((TEMPLATE / versions.FILE).read_text(encoding="utf-8")).version
    found = {version for version in {*versions.releases(TEMPLATE), says} if version.is_release and not version.fork}
    released = [str(version) for version in sorted(found, reverse=True)]
    for page in ("CHANGELOG.md", "UPGRADING.md"):
        text = (TEMPLATE / page).read_text(encoding="utf-8")
        assert re.findall(r"^## \[(\d.*?)\] - \d{4}-\d\d-\d\d$", text, re.MULTILINE) == released
        assert len(re.findall(r"^## \[", text, re.MULTILINE)) == len(released) + 1


def test_what_services_get_is_no_release_any_more_once_it_has_changed() -> None:
    """The version is what a service says of itself: two states of the template must not both be 1.2.3."""
    file = (TEMPLATE / versions.FILE).read_text(encoding="utf-8")
    says = versions.origin(file).version
    if commit_of_release := versions.releases(TEMPLATE).get(says):
        changed = git(TEMPLATE, "diff", "--name-only", commit_of_release, "--", *versions.PARTS)
        next_one = (
            says._replace(of_fork=says.of_fork + 1)
            if says.fork
            else says._replace(patch=says.patch + 1, is_release=False)
        )
        assert not changed, f"{changed}has changed since {says}: say {next_one} in {versions.FILE}"
