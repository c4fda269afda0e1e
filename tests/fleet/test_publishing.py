"""--push and --open bring a branch to the merge request. gh and glab are stand-ins that record how they were called."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.fleets import Fleet
from tests.support.repository import commit, git
from tests.support.team_edits import write

pytestmark = pytest.mark.long

BRANCH = "template-9.2.0"
STAND_IN = """#!/usr/bin/env python3
import json, pathlib, sys
here, name = pathlib.Path(__file__).parent, pathlib.Path(sys.argv[0]).name
words = sys.argv[1:]
body = words[words.index("--body-file") + 1] if "--body-file" in words else None
call = {"command": name, "words": words, "body": pathlib.Path(body).read_text() if body else None}
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(call) + "\\n")
answer = here / f"{name}-{words[1]}"
print(answer.read_text() if answer.exists() else "")
"""


class Stage:
    """A service with a remote on this machine that git takes for a server, and stand-ins of gh and glab."""

    def __init__(self, folder: Path, service: Path, address: str) -> None:
        self.folder, self.service, self.remote = folder, service, folder / "remote.git"
        folder.mkdir()
        git(folder, "clone", "-q", "--bare", str(service), str(self.remote))
        git(service, "remote", "add", "origin", address)
        write(folder / "gitconfig", f'[url "{self.remote}"]\n\tinsteadOf = {address}\n')
        for name in ("gh", "glab"):
            write(folder / "bin" / name, STAND_IN)
            (folder / "bin" / name).chmod(0o755)
        self.variables = {
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
            "GIT_ALLOW_PROTOCOL": "file",
        }

    def answer(self, command: str, text: str) -> None:
        """Let a stand-in print a text."""
        write(self.folder / "bin" / command, text)

    def calls(self) -> list[dict[str, Any]]:
        file = self.folder / "bin/calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def github(tmp_path: Path, old: Path) -> Stage:
    return Stage(tmp_path / "stage", old, "git@github.com:shop/old.git")


@pytest.fixture
def gitlab(tmp_path: Path, old: Path) -> Stage:
    return Stage(tmp_path / "stage", old, "https://gitlab.example.com/shop/team/old.git")


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def test_a_branch_is_pushed_once(fleet: Fleet, github: Stage) -> None:
    for _ in range(2):
        row = fleet.row(github.service, "--push", **github.variables)
        assert (row["pushed"], row["ok"]) == (True, True)
        assert git(github.remote, "rev-parse", BRANCH).strip() == row["commit"]
    assert github.calls() == []


def test_a_branch_that_was_made_anew_replaces_the_one_on_the_remote(fleet: Fleet, github: Stage) -> None:
    fleet.row(github.service, "--push", **github.variables)
    write(github.service / "own.txt", "Ours.\n")
    commit(github.service, "The service goes on")
    row = fleet.row(github.service, "--push", "--refresh", **github.variables)
    assert row["pushed"]
    assert git(github.remote, "rev-parse", BRANCH).strip() == row["commit"]


def test_work_of_others_on_the_remote_is_not_replaced(fleet: Fleet, github: Stage, tmp_path: Path) -> None:
    fleet.row(github.service, "--push", **github.variables)
    git(tmp_path, "clone", "-q", "-b", BRANCH, str(github.remote), "colleague")
    write(tmp_path / "colleague/fix.txt", "What else it needs.\n")
    commit(tmp_path / "colleague", "Help the update")
    git(tmp_path / "colleague", "push", "-q")
    before = git(github.remote, "rev-parse", BRANCH)
    write(github.service / "own.txt", "Ours.\n")
    commit(github.service, "The service goes on")
    row = fleet.row(github.service, "--push", "--refresh", **github.variables)
    assert (row["pushed"], row["ok"]) == (False, False)
    assert "; not pushed: " in row["outcome"]
    assert git(github.remote, "rev-parse", BRANCH) == before


def test_a_pull_request_is_opened_with_the_news(fleet: Fleet, github: Stage) -> None:
    github.answer("gh-create", "https://github.com/shop/old/pull/7\n")
    write(github.service / ".github/CODEOWNERS", "* @shop/orders @ada ada@example.com\n/docs @shop/docs\n")
    commit(github.service, "Owners")
    row = fleet.row(github.service, "--open", "--label", "template", "--label", "chore", **github.variables)
    assert (row["request"], row["ok"]) == ("https://github.com/shop/old/pull/7", True)
    looked, created = github.calls()
    assert looked["words"][:4] == ["pr", "list", "--head", BRANCH]
    words = created["words"]
    assert words[:2] == ["pr", "create"]
    assert option(words, "--repo") == "github.com/shop/old"
    assert option(words, "--base") == "master"
    assert option(words, "--title") == "Follow the template from 9.0.0 to 9.2.0"
    assert [words[i + 1] for i, word in enumerate(words) if word == "--label"] == ["template", "chore"]
    assert [words[i + 1] for i, word in enumerate(words) if word == "--reviewer"] == ["shop/orders", "ada"]
    assert "--draft" not in words
    assert "## Files that you have edited\n\n- `.dockerignore`\n" in created["body"]


def test_the_text_has_what_the_pages_say_about_the_versions_between(fleet: Fleet, github: Stage) -> None:
    for page in ("CHANGELOG.md", "UPGRADING.md"):
        file = fleet.template / page
        entries = "".join(f"## [{v}] - 2027-01-01\n\n{page} of {v}.\n\n" for v in ("9.3.0", "9.2.0", "9.1.0", "9.0.0"))
        file.write_text(file.read_text().replace("## [Unreleased]\n", f"## [Unreleased]\n\nLater.\n\n{entries}"))
    git(fleet.template, "commit", "-qam", "Pages")
    git(fleet.template, "tag", "now")
    text = (fleet.template / "CHANGELOG.md").read_text()
    assert text.index("9.2.0") < text.index("9.1.0")
    fleet.row(github.service, "--open", "--to", "now", **github.variables)
    body = github.calls()[-1]["body"]
    by_hand, new = body.index("## To do by hand"), body.index("## What is new")
    assert by_hand < body.index("UPGRADING.md of 9.1.0.") < new < body.index("CHANGELOG.md of 9.1.0.")
    assert "of 9.0.0." not in body
    assert "of 9.3.0." not in body


def test_an_open_request_is_brought_up_to_date(fleet: Fleet, github: Stage) -> None:
    fleet.row(github.service, "--open", **github.variables)
    known = {"number": 7, "state": "OPEN", "url": "https://github.com/shop/old/pull/7"}
    github.answer("gh-list", json.dumps([known]))
    row = fleet.row(github.service, "--open", **github.variables)
    assert row["request"] == known["url"]
    assert [call["words"][1] for call in github.calls()] == ["list", "create", "list", "edit"]
    assert github.calls()[-1]["words"][2] == "7"


def test_a_request_that_its_team_has_closed_is_not_opened_again(fleet: Fleet, github: Stage) -> None:
    github.answer(
        "gh-list", json.dumps([{"number": 7, "state": "CLOSED", "url": "https://github.com/shop/old/pull/7"}])
    )
    row = fleet.row(github.service, "--open", **github.variables)
    assert row["outcome"].endswith("not opened: https://github.com/shop/old/pull/7 is closed, so none was opened")
    assert [call["words"][1] for call in github.calls()] == ["list"]


def test_requests_from_forks_are_others(fleet: Fleet, github: Stage, tmp_path: Path) -> None:
    """Anybody can open one from a branch of that name, and close it."""
    fork = {"number": 7, "state": "OPEN", "url": "https://github.com/shop/old/pull/7", "isCrossRepository": True}
    github.answer("gh-list", json.dumps([fork]))
    fleet.row(github.service, "--open", **github.variables)
    github.answer(
        "glab-list", json.dumps([{"iid": 7, "state": "closed", "source_project_id": 2, "target_project_id": 1}])
    )
    fleet.row(github.service, "--open", "--using", "glab", **github.variables)
    assert [call["words"][1] for call in github.calls()] == ["list", "create", "list", "create"]


def test_a_reference_that_ends_with_the_name_of_the_branch_is_another(fleet: Fleet, github: Stage) -> None:
    made = fleet.row(github.service, "--branch")["commit"]
    git(github.service, "push", "-q", str(github.remote), f"{made}:refs/a/refs/heads/{BRANCH}")
    row = fleet.row(github.service, "--push", **github.variables)
    assert git(github.remote, "rev-parse", f"refs/heads/{BRANCH}").strip() == row["commit"]


def test_a_draft_becomes_a_draft(fleet: Fleet, github: Stage) -> None:
    write(github.service / "AGENTS.md", "Ours.\n")
    commit(github.service, "Our own words")
    row = fleet.row(github.service, "--drafts", "--open", **github.variables)
    assert (row["branch"], row["pushed"]) == (f"{BRANCH}-draft", True)
    created = github.calls()[-1]
    assert "--draft" in created["words"]
    assert option(created["words"], "--title").startswith("Draft: ")
    assert "## Solve these conflicts\n\n- `AGENTS.md`\n" in created["body"]


def test_a_merge_request_is_opened_on_gitlab(fleet: Fleet, gitlab: Stage) -> None:
    gitlab.answer("glab-create", "!7 Follow\nhttps://gitlab.example.com/shop/team/old/-/merge_requests/7\n")
    write(gitlab.service / ".gitlab/CODEOWNERS", "* @ada @shop/orders\n")
    commit(gitlab.service, "Owners")
    row = fleet.row(gitlab.service, "--open", **gitlab.variables)
    assert row["request"].endswith("/merge_requests/7")
    looked, created = gitlab.calls()
    assert (looked["command"], looked["words"][:2]) == ("glab", ["mr", "list"])
    words = created["words"]
    assert option(words, "--repo") == "https://gitlab.example.com/shop/team/old"
    assert (option(words, "--source-branch"), option(words, "--target-branch")) == (BRANCH, "master")
    assert option(words, "--description").startswith("Follow the template from 9.0.0 to 9.2.0.\n")
    assert [words[i + 1] for i, word in enumerate(words) if word == "--reviewer"] == ["ada"]
    assert "--yes" in words
    known = {"iid": 7, "state": "opened", "web_url": row["request"]}
    gitlab.answer("glab-list", json.dumps([known]))
    assert fleet.row(gitlab.service, "--open", **gitlab.variables)["request"] == row["request"]
    assert gitlab.calls()[-1]["words"][1:3] == ["update", "7"]


def test_a_host_of_any_name_needs_the_command_named(fleet: Fleet, tmp_path: Path, old: Path) -> None:
    stage = Stage(tmp_path / "stage", old, "ssh://git@code.example:2222/shop/old.git")
    row = fleet.row(old, "--open", **stage.variables)
    assert row["outcome"].endswith("not opened: code.example may be GitHub or GitLab: add --using gh or --using glab")
    assert fleet.row(old, "--open", "--using", "glab", **stage.variables)["ok"]
    assert option(stage.calls()[-1]["words"], "--repo") == "https://code.example/shop/old"


@pytest.mark.parametrize(
    "address",
    ["https://ada:{}@nowhere.invalid/shop/old.git", "HTTPS://{}@nowhere.invalid/x", "https://ada:a/{}@nowhere.invalid/x",
     "https::https://ada:{}@nowhere.invalid/x", "https://{}@[::1/x"],
)  # fmt: skip
def test_a_failure_is_part_of_the_row_without_a_password(fleet: Fleet, old: Path, address: str) -> None:
    git(old, "remote", "add", "origin", address.format("hunter2"))
    row = fleet.row(old, "--open")
    assert (row["branch"], row["pushed"], row["ok"]) == (BRANCH, False, False)
    assert "; not pushed: " in row["outcome"]
    assert "hunter2" not in json.dumps(row)


def test_a_link_is_published_like_an_update(fleet: Fleet, github: Stage) -> None:
    git(github.service, "rm", "-q", ".cruft.json")
    git(github.service, "commit", "-qm", "Without it")
    row = Fleet(fleet.template, ("link",)).row(github.service, "--open", **github.variables)
    assert (row["branch"], row["pushed"]) == ("template-link", True)
    assert option(github.calls()[-1]["words"], "--title") == "Link the service to version 9.0.0 of its template"
