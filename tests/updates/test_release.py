"""A release: make release says what prevents it and writes the version down, make tag tags what was merged."""

from __future__ import annotations

import datetime
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import Done
from tests.support.repository import SERVICE_FOLDER, TEMPLATE, commit, git, has_history, read
from tests.support.team_edits import Change, replace
from tests.support.template_changes import new_file, new_linter, removed_file
from tools import versions
from tools.versions import version

PAGES = ("CHANGELOG.md", "UPGRADING.md")


@pytest.fixture
def template(template: Path) -> Path:
    """The template with 9.0.0 released, and something new since then."""
    file = template / versions.FILE
    file.write_text(f"go-service-template 9.0.0 {file.read_text().split()[2]}\n")
    commit(template, "Release 9.0.0")
    for page in PAGES:
        text = (template / page).read_text()
        (template / page).write_text(
            re.sub(r"## \[Unreleased\]\n(.*\n)*?(?=## )", "## [Unreleased]\n\n- New.\n\n## [9.0.0]\n", text, count=1)
        )
    commit(template, "Something new")
    return template


def release(template: Path, *words: str) -> Done:
    """Run make release or make tag, without the Makefile."""
    command = [sys.executable, "-m", "tools.release", *words]
    return subprocess.run(command, cwd=template, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def assert_refused(template: Path, wanted: str, reason: str) -> None:
    before = git(template, "status", "--porcelain")
    done = release(template, "write", wanted)
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    assert git(template, "status", "--porcelain") == before


def assert_written(template: Path, wanted: str) -> None:
    done = release(template, "write", wanted)
    assert done.returncode == 0, done.stderr
    assert f"git commit -am 'Release {wanted}'" in done.stdout
    assert (template / versions.FILE).read_text().split()[1] == wanted
    today = datetime.datetime.now(datetime.timezone.utc).date()
    for page in PAGES:
        assert f"## [Unreleased]\n\n## [{wanted}] - {today}\n\n- New.\n" in (template / page).read_text()
    changed = git(template, "diff", "--name-only", "HEAD").splitlines()
    assert sorted(changed) == sorted([*PAGES, versions.FILE])


def test_a_version_is_written_into_three_files(template: Path) -> None:
    assert_written(template, "9.0.1")


def test_writing_it_again_changes_nothing(template: Path) -> None:
    for _ in range(2):
        assert_written(template, "9.0.1")


@pytest.mark.parametrize("interrupted", [*PAGES, versions.FILE])
def test_an_interrupted_release_is_taken_up_again(template: Path, interrupted: str) -> None:
    assert_written(template, "9.0.1")
    git(template, "checkout", "HEAD", "--", interrupted)
    assert_written(template, "9.0.1")


@pytest.fixture
def origin(template: Path, tmp_path: Path) -> Path:
    """A clone of the template, which has it as its origin, with release 9.0.1 written on a branch."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(template), str(clone))
    git(clone, "switch", "-qc", "release")
    assert_written(clone, "9.0.1")
    commit(clone, "Release 9.0.1")
    return clone


def merge(template: Path, clone: Path, how: str) -> str:
    """Merge the release as a code host does, fetch it, and return its commit on the default branch."""
    git(template, "fetch", "-q", str(clone), "release")
    git(template, "merge", "-q", how, "FETCH_HEAD", *([] if how == "--squash" else ["-m", "Merge"]))
    if how == "--squash":
        commit(template, "Release 9.0.1 (#7)")
    git(clone, "fetch", "-q")
    return git(template, "rev-parse", "HEAD").strip()


@pytest.mark.parametrize("how", ["--squash", "--no-ff", "--ff-only"])
def test_the_tag_is_on_the_commit_that_the_default_branch_has(template: Path, origin: Path, how: str) -> None:
    merged = merge(template, origin, how)
    done = release(origin, "tag")
    assert done.returncode == 0, done.stderr
    assert "git push origin" in done.stdout
    assert git(origin, "rev-parse", "9.0.1^{commit}").strip() == merged
    assert versions.origin_at(origin, "9.0.1").version == version("9.0.1")
    assert git(origin, "cat-file", "-t", "9.0.1") == "tag\n"


def test_a_release_that_is_not_merged_gets_no_tag(template: Path, origin: Path) -> None:
    assert release(origin, "tag").returncode == 0
    assert "9.0.1" not in git(origin, "tag").split()
    assert "9.0.0" in git(origin, "tag").split()


def test_tagging_again_changes_nothing(template: Path) -> None:
    assert release(template, "tag").returncode == 0
    tags = git(template, "show-ref", "--tags")
    done = release(template, "tag")
    assert (done.returncode, done.stdout) == (
        0,
        "Every release of HEAD has its tag. To publish them, type: git push origin --tags\n",
    )
    assert git(template, "show-ref", "--tags") == tags


def test_tagging_goes_on_after_git_refused(template: Path) -> None:
    git(template, "config", "tag.gpgSign", "true")
    git(template, "config", "gpg.program", "false")
    done = release(template, "tag")
    assert (done.returncode, "type again: make tag" in done.stderr) == (1, True)
    git(template, "config", "tag.gpgSign", "false")
    assert release(template, "tag").returncode == 0
    assert "9.0.0" in git(template, "tag").split()


def test_a_tag_is_never_moved(template: Path) -> None:
    git(template, "tag", "9.0.0", "HEAD~2")
    before = git(template, "rev-parse", "9.0.0")
    done = release(template, "tag")
    assert "These tags are not on the commit of their release on HEAD: 9.0.0." in done.stderr
    assert done.returncode == 1
    assert git(template, "rev-parse", "9.0.0") == before


def test_a_version_that_has_a_tag_is_not_written_again(template: Path) -> None:
    git(template, "tag", "9.0.1")
    assert_refused(template, "9.0.1", "There is a tag 9.0.1 already.")


def test_a_release_is_found_without_its_tag(template: Path) -> None:
    """The documents tell readers to check out a release like this, because not every copy has the tags."""
    git(template, "checkout", "-q", ":/^Release 9.0.0")
    assert versions.origin_at(template, "HEAD").version == version("9.0.0")


def test_a_clone_without_history_releases_nothing(template: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{template}", "shallow")
    assert_refused(tmp_path / "shallow", "9.0.1", "git fetch --unshallow")


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ("9.0.0", "9.0.0 is released by commit "),
        ("9" * 5000 + ".0.0", "is not a version such as 1.2.3"),
        ("8.9.9", "8.9.9 does not come right after 9.0.0."),
        ("9.2.0", "9.2.0 does not come right after 9.0.0."),
        ("9.0.1-dev", "A release has three numbers and nothing after them."),
        ("v9.0.1", "'v9.0.1' is not a version such as 1.2.3"),
        ("9.01.0", "'9.01.0' is not a version such as 1.2.3"),
    ],
)
def test_a_version_comes_right_after_the_last_one(template: Path, wanted: str, reason: str) -> None:
    assert_refused(template, wanted, reason)


def test_a_file_that_was_cut_off_is_not_released(template: Path) -> None:
    assert_written(template, "9.0.1")
    text = (template / "CHANGELOG.md").read_text()
    (template / "CHANGELOG.md").write_text(text[: len(text) // 2])
    assert_refused(template, "9.0.1", "Commit these first: CHANGELOG.md.")


def test_without_a_known_default_branch_nothing_is_tagged(template: Path, origin: Path) -> None:
    git(origin, "remote", "set-head", "origin", "--delete")
    done = release(origin, "tag")
    assert (done.returncode, git(origin, "tag")) == (1, "")
    assert "Type: git remote set-head origin --auto" in done.stderr
    assert release(origin, "tag", "origin/HEAD").returncode == 1
    assert release(origin, "tag", "HEAD").returncode == 0


def test_a_complaint_of_git_is_shown_without_a_traceback(template: Path) -> None:
    shutil.rmtree(template / ".git")
    done = release(template, "write", "9.0.1")
    assert done.stderr.startswith("git failed: fatal: not a git repository")
    assert done.returncode == 1


@pytest.mark.parametrize("version", ["", "1.1.0; touch pwned"])
def test_make_passes_the_version_on_as_it_was_typed(template: Path, version: str) -> None:
    words = ["make", "release", f"PYTHON={sys.executable}", f"VERSION={version}"]
    done = subprocess.run(words, cwd=template, capture_output=True, text=True)
    assert done.returncode != 0
    assert "make release VERSION=1.2.3" in done.stderr if not version else "is not a version" in done.stderr
    assert not (template / "pwned").exists()


@pytest.mark.parametrize("name", ["notes.txt", "CHANGELOG.md"])
def test_what_is_not_committed_is_not_released(template: Path, name: str) -> None:
    with (template / name).open("a") as file:
        file.write("Later.\n")
    assert_refused(template, "9.0.1", f"Commit these first: {name}.")


@pytest.mark.parametrize("page", PAGES)
def test_both_pages_must_say_something_about_it(template: Path, page: str) -> None:
    replace(template / page, "- New.\n\n", "")
    commit(template, "Say nothing")
    assert_refused(template, "9.0.1", f"{page} has nothing under [Unreleased]")


def rename(template: Path) -> None:
    folder = template / SERVICE_FOLDER / "internal/middleware"
    (folder / "observe.go").rename(folder / "requests.go")


def edit_questions(template: Path, old: str, new: str) -> None:
    replace(template / "cookiecutter.json", old, new)


def add_choice(template: Path) -> None:
    edit_questions(template, '"proprietary", "MIT", "Apache-2.0"]', '"proprietary", "MIT", "Apache-2.0", "MPL-2.0"]')


def edit_a_file_of_teams(template: Path) -> None:
    file = template / SERVICE_FOLDER / "internal/api/service.go"
    file.write_text(f"{file.read_text()}\n// New.\n")


def make_optional(template: Path) -> None:
    """A file that every service has belongs to one choice from now on."""
    edit_questions(
        template,
        '"files": ["LICENSE"]}\n',
        '"files": ["LICENSE"]},\n    {"when": {"license": ["MIT"]}, "files": ["Makefile"]}\n',
    )


def give_choices(template: Path) -> None:
    edit_questions(template, '"http_port": "8080"', '"http_port": ["8080", "9000"]')


def remove_choice(template: Path) -> None:
    edit_questions(template, '["proprietary", "MIT", "Apache-2.0"]', '["proprietary", "Apache-2.0"]')


def remove_question(template: Path) -> None:
    content = json.loads((template / "cookiecutter.json").read_text())
    del content["owner"]
    (template / "cookiecutter.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "refused", "accepted", "reason"),
    [
        (removed_file, "9.1.0", "10.0.0", "internal/admin/admin_test.go is gone"),
        (rename, "9.1.0", "10.0.0", "internal/middleware/observe.go is gone"),
        (new_file, "9.0.1", "9.1.0", "there are new files, questions or choices"),
        (add_choice, "9.0.1", "9.1.0", "there are new files, questions or choices"),
        (make_optional, "9.1.0", "10.0.0", "Makefile is gone"),
        (new_linter, "8.0.0", "9.0.1", "it comes after the last one"),
        (edit_a_file_of_teams, "9.1.0", "10.0.0", "internal/api/service.go belongs to teams"),
    ],
)
def test_a_change_needs_a_version_that_says_so(
    template: Path, change: Change, refused: str, accepted: str, reason: str
) -> None:
    change(template)
    commit(template, "Go on")
    assert_refused(template, refused, f"It must be {accepted} at least: {reason}")
    assert_written(template, accepted)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (remove_choice, "The question license has lost MIT"),
        (give_choices, "The question http_port has choices now"),
        (remove_question, "The question owner is gone"),
    ],
)
def test_questions_and_choices_stay(template: Path, change: Change, reason: str) -> None:
    change(template)
    commit(template, "Ask less")
    assert_refused(template, "10.0.0", reason)


@pytest.mark.skipif(not has_history(), reason="a clone without history knows no releases")
def test_each_release_stands_in_both_pages() -> None:
    says = versions.origin(read(versions.FILE)).version
    found = {version for version in {*versions.releases(TEMPLATE), says} if version.is_release and not version.fork}
    released = [str(version) for version in sorted(found, reverse=True)]
    for page in PAGES:
        assert re.findall(r"^## \[(\d.*?)\] - \d{4}-\d\d-\d\d$", read(page), re.MULTILINE) == released
        assert len(re.findall(r"^## \[", read(page), re.MULTILINE)) == len(released) + 1


@pytest.mark.skipif(not has_history(), reason="a clone without history knows no releases")
def test_what_services_get_has_a_new_version_once_it_has_changed() -> None:
    """A service says its version: two states of the template must not both be 1.2.3."""
    says = versions.origin(read(versions.FILE)).version
    if commit_of_release := versions.releases(TEMPLATE).get(says):
        changed = git(TEMPLATE, "diff", "--name-only", commit_of_release, "--", *versions.PARTS)
        following = says._replace(patch=says.patch + 1, is_release=False)
        if says.fork:
            following = says._replace(fork_number=says.fork_number + 1)
        assert not changed, f"{changed}has changed since {says}: write {following} into {versions.FILE}"
