"""What an update makes of a service: the template's changes, merged with what the team has done."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.commands import create_by_cruft
from tests.support.fleets import Fleet, link, release_commit
from tests.support.repository import SERVICE_FOLDER, commit, git, init_repository, write_version
from tests.support.team_edits import NEW_MODULE, renamed_module, write
from tests.support.template_changes import new_import, removed_file

pytestmark = pytest.mark.long


def on_branch(service: Path, name: str, branch: str = "template-9.2.0") -> str:
    return git(service, "show", f"{branch}:{name}")


@pytest.mark.parametrize("is_link_renamed", [False, True])
def test_a_module_that_its_team_has_renamed_is_updated_by_its_new_name(
    fleet: Fleet, old: Path, is_link_renamed: bool
) -> None:
    """Also when the template adds an import beside those that the team has changed."""
    new_import(fleet.template)
    write_version(fleet.template, "9.3.0")
    renamed_module(old)
    if not is_link_renamed:
        git(old, "checkout", "-q", "HEAD^", ".cruft.json")
        commit(old, "The link as it was")
    row = fleet.row(old, "--branch")
    assert row["state"] == "update", row
    assert f'\t_ "{NEW_MODULE}/internal/problem"\n' in on_branch(old, "main.go", "template-9.3.0")
    assert f'"{NEW_MODULE}/internal/config"' in on_branch(old, "internal/clock/clock.go", "template-9.3.0")
    content = json.loads(on_branch(old, ".cruft.json", "template-9.3.0"))
    assert content["context"]["cookiecutter"]["module_path"] == NEW_MODULE


@pytest.mark.parametrize("line", ['module "{}"', "module `{}`", "module (\n\t{}\n)"])
def test_a_module_may_be_written_in_each_way_that_go_reads(fleet: Fleet, old: Path, line: str) -> None:
    renamed_module(old)
    text = (old / "go.mod").read_text()
    write(old / "go.mod", text.replace(f"module {NEW_MODULE}", line.format(NEW_MODULE)))
    commit(old, "In another way")
    row = fleet.row(old, "--branch")
    content = json.loads(on_branch(old, ".cruft.json"))
    assert content["context"]["cookiecutter"]["module_path"] == NEW_MODULE, row


def test_a_service_that_was_edited_before_its_first_commit_is_updated_as_well(fleet: Fleet, old: Path) -> None:
    row = fleet.row(old)
    shutil.rmtree(old / ".git")
    init_repository(old)
    assert fleet.row(old) == row


def test_files_that_were_deleted_stay_deleted_and_are_named(fleet: Fleet, old: Path) -> None:
    git(old, "rm", "-q", "Makefile", "internal/api/json.go")
    commit(old, "Our own order")
    assert fleet.row(old, "--branch")["left_out"] == ["Makefile", "internal/api/json.go"]
    assert "json.go" not in git(old, "ls-tree", "-r", "--name-only", "template-9.2.0")


def test_files_that_were_moved_are_updated_where_they_are(fleet: Fleet, old: Path) -> None:
    git(old, "mv", "internal/config", "internal/settings")
    commit(old, "Our own order")
    row = fleet.row(old, "--branch")
    assert (row["state"], row["left_out"]) == ("update", [])
    assert "internal/settings/config.go" in row["edited"]
    assert "MAX_URL_BYTES" in on_branch(old, "internal/settings/config.go")


def test_a_file_that_was_edited_and_gets_another_name_keeps_the_edit(fleet: Fleet, old: Path) -> None:
    folder = fleet.template / SERVICE_FOLDER / "internal/middleware"
    git(fleet.template, "mv", str(folder / "observe.go"), str(folder / "requests.go"))
    commit(fleet.template, "Another name")
    file = old / "internal/middleware/observe.go"
    write(file, file.read_text().replace("\n)\n", "\n)\n\n// Ours.\n", 1))
    commit(old, "Our own words")
    row = fleet.row(old, "--to", "HEAD", "--branch")
    assert "internal/middleware/observe.go" in row["edited"]
    assert "\n// Ours.\n" in on_branch(old, "internal/middleware/requests.go", row["branch"])


def test_a_folder_that_became_two_is_a_conflict_where_its_team_has_a_file(fleet: Fleet, old: Path) -> None:
    """git does not know which of the two the file belongs to."""
    folder = fleet.template / SERVICE_FOLDER / "internal"
    for name, file in {"one": "build.go", "two": "build_test.go"}.items():
        (folder / name).mkdir()
        git(fleet.template, "mv", str(folder / "build" / file), str(folder / name / file))
    commit(fleet.template, "Two folders")
    write(old / "internal/build/own.go", "package build\n")
    commit(old, "Ours")
    row = fleet.row(old, "--to", "HEAD", "--branch")
    assert (row["state"], row["conflicts"], row["branch"]) == ("conflict", ["internal/build"], "")


@pytest.mark.parametrize("name", ["AGENTS.md", "internal/admin/admin_test.go"], ids=["merged", "removed"])
def test_a_conflict_is_named_and_gets_no_branch(fleet: Fleet, old: Path, name: str) -> None:
    write(old / name, "package admin\n")
    commit(old, "Our own words")
    removed_file(fleet.template)
    commit(fleet.template, "Go on")
    row = fleet.row(old, "--branch", "--to", "HEAD")
    assert name in row["conflicts"]
    assert name in row["edited"]
    assert "template-" not in git(old, "branch")


def test_a_conflict_can_become_a_draft_for_the_team_to_finish(fleet: Fleet, old: Path) -> None:
    write(old / "AGENTS.md", "Ours.\n")
    commit(old, "Our own words")
    row = fleet.row(old, "--drafts")
    assert (row["branch"], row["branch_state"], row["ok"]) == ("template-9.2.0-draft", "new", False)
    message = git(old, "log", "-1", "--format=%B", row["branch"])
    assert message.startswith("Draft: Follow the template from 9.0.0 to 9.2.0\n")
    assert "- AGENTS.md\n" in message
    text = on_branch(old, "AGENTS.md", row["branch"])
    assert "<<<<<<< service\nOurs.\n=======\n" in text
    assert ">>>>>>> template-9.2.0\n" in text
    git(old, "switch", "-q", row["branch"])
    write(old / "AGENTS.md", "Ours, finished.\n")
    commit(old, "Solve the conflict")
    assert fleet.row(old)["outcome"] == "up to date"


def test_files_with_crlf_keep_it_and_are_merged(fleet: Fleet, old: Path) -> None:
    write(old / ".gitattributes", "* -text\n")
    for name in ("README.md", "Makefile", "AGENTS.md"):
        (old / name).write_bytes((old / name).read_bytes().replace(b"\n", b"\r\n"))
    commit(old, "Windows")
    assert fleet.row(old, "--branch")["state"] == "update"
    text = git(old, "show", "template-9.2.0:AGENTS.md")  # text mode reads CRLF as LF
    assert "The first line." in text
    assert "Prices are in cents." in text
    lines = git(old, "grep", "-c", "-P", "\\r$", "template-9.2.0", "--", "AGENTS.md").strip().split(":")[-1]
    assert int(lines) == len(text.splitlines())


def test_paths_in_the_service_may_be_skipped(fleet: Fleet, old: Path) -> None:
    link(old, skip=["README.md", "internal/config", "*.yaml"])
    commit(old, "Our own words, for good")
    row = fleet.row(old, "--branch")
    assert row["outcome"].startswith("updates without conflict")
    assert not {"README.md", "internal/config/config.go", "internal/api/openapi.yaml"} & set(row["changed"])
    assert json.loads(on_branch(old, ".cruft.json"))["skip"] == ["README.md", "internal/config", "*.yaml"]


def test_bytes_that_are_not_utf_8_come_through(fleet: Fleet, old: Path) -> None:
    (old / "latin-1.txt").write_bytes("Grüße\n".encode("latin-1"))
    (old / "internal/api/orders.go").write_bytes("package api // Grüße\n".encode("latin-1"))
    readme = old / "README.md"
    readme.write_bytes(readme.read_bytes().replace(b"The till.", "Für alle.".encode("latin-1")))
    commit(old, "Old texts")
    row = fleet.row(old, "--branch")
    assert row["ok"], row
    assert git(old, "diff", "--name-only", "HEAD", "template-9.2.0", "--", "latin-1.txt") == ""


def test_cruft_goes_on_with_what_the_tool_has_made(fleet: Fleet, made: Path, tmp_path: Path) -> None:
    """The branch has the files of cruft's own update, and a link that cruft reads."""
    service = made / "9.0.0"
    assert fleet.row(service, "--branch")["ok"]
    (tmp_path / "created").mkdir()
    created = create_by_cruft(fleet.template, tmp_path / "created", release_commit(fleet.template, "9.2.0"))
    git(service, "switch", "-q", "template-9.2.0")
    git(service, "fetch", "-q", str(created), "HEAD")
    assert git(service, "diff", "--name-only", "FETCH_HEAD") == ".cruft.json\n"
    ours, crufts = (json.loads((folder / ".cruft.json").read_text()) for folder in (service, created))
    answers = {k: v for k, v in crufts["context"]["cookiecutter"].items() if not k.startswith("_")}
    assert ours == {**crufts, "checkout": None, "context": {"cookiecutter": answers}}
