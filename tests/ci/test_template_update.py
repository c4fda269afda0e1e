"""The job that updates a service by its template, run as the host runs it, in a repository that was cloned anew."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.support.baking import BakedService
from tests.support.commands import installed
from tests.support.fixtures import Create
from tests.support.pipelines import HOSTS, Runner
from tests.support.repository import commit, git, published_as, write_version
from tests.support.team_edits import all_edits, replace, write
from tests.support.template_changes import all_changes

pytestmark = [pytest.mark.long, pytest.mark.contract("the weekly update")]
BRANCH = "template-update"
CRUFT = installed("cruft")
ARTIFACT = "bin/template-update"


@pytest.fixture
def origin(create: Create, tmp_path: Path, host: str) -> Path:
    """The repository of a service on its host. It takes push options, and notes them."""
    service = create(ci=host)
    all_edits(service)
    commit(service, "What the team did")
    git(tmp_path, "clone", "-q", "--bare", str(service), "origin")
    origin = tmp_path / "origin"
    git(origin, "config", "receive.advertisePushOptions", "true")
    hook = origin / "hooks/post-receive"
    hook.write_text(HOOK.format(options=tmp_path / "options"))
    hook.chmod(0o755)
    return origin


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def updated(origin: Path, template: Path, folder: Path, **make: str) -> Runner:
    """Run both jobs, each in a new clone. The second one gets what the first one hands on."""
    first = runner_of(origin, template, folder, **make)
    first.run(BRANCH)
    if not (first.service.path / ARTIFACT).exists():
        return first
    second = runner_of(origin, template, folder / "second", **make)
    shutil.copytree(first.service.path / ARTIFACT, second.service.path / ARTIFACT)
    second.run("template-propose")
    return second


def runner_of(origin: Path, template: Path, folder: Path, **make: str) -> Runner:
    """Return a runner with a new clone, and with variables of make. GitLab's address leads to the origin."""
    folder.mkdir()
    git(folder, "clone", "-q", str(origin), "clone")
    runner = Runner(BakedService(folder / "clone"), folder)
    runner.stand_in("apt-get", "")
    runner.stand_in("gh", '[ "$2" != list ] || echo "$OPEN_REQUEST"')
    variables = published_as(template)
    number = int(variables["GIT_CONFIG_COUNT"])
    runner.variables = {
        **variables,
        "CI_JOB_TOKEN": "job",
        "CI_PROJECT_PATH": "acme/my-service",
        "CI_SERVER_FQDN": "gitlab.example",
        "CI_SERVER_PROTOCOL": "https",
        "CI_SERVER_URL": "https://gitlab.example",
        "GIT_CONFIG_COUNT": str(number + 1),
        f"GIT_CONFIG_KEY_{number}": f"url.{origin}.insteadOf",
        f"GIT_CONFIG_VALUE_{number}": "https://template-update:secret@gitlab.example/acme/my-service.git",
        "GIT_CONFIG_GLOBAL": f"{folder}/gitconfig",
        "MAKEFLAGS": " ".join(f"{name}={value}" for name, value in make.items()),
        "OPEN_REQUEST": "",
        "TEMPLATE_UPDATE_TOKEN": "secret",
    }
    return runner


def proposal(runner: Runner) -> str:
    """Return the text for the reviewer, as the host got it."""
    pushed = runner.folder.parent.parent / "options"
    sent = pushed.read_text().replace("\\n", "\n") if pushed.exists() else ""
    return sent or runner.service.read(f"{ARTIFACT}/text.md")


HOOK = """#!/bin/sh
env | sed -n 's/^GIT_PUSH_OPTION_[0-9]*=//p' >>{options}
echo https://gitlab.example/acme/my-service/-/merge_requests/1 >&2
"""


def release(template: Path, version: str) -> None:
    write_version(template, version)
    git(template, "tag", version)


def test_a_new_release_becomes_a_branch_that_keeps_the_work_of_the_team(
    origin: Path, template: Path, tmp_path: Path, host: str
) -> None:
    all_changes(template)
    release(template, "3.0.0")
    write_version(template, "3.1.0-dev")
    runner = updated(origin, template, tmp_path / "first")
    assert git(origin, "show", f"{BRANCH}:.template").split()[1] == "3.0.0"
    assert "internal/clock/clock.go" in git(origin, "diff", "--name-only", "HEAD", BRANCH)
    assert git(origin, "rev-list", "--count", f"HEAD..{BRANCH}").strip() == "1"
    text = proposal(runner)
    assert "to `go-service-template 3.0.0 " in text
    assert "There is no conflict." in text
    assert "internal/clock/clock.go" in text
    if host == "github":
        assert f"pr create --head {BRANCH} --title Update to go-service-template 3.0.0" in runner.calls("gh")
    else:
        assert "merge_request.create" in text
        assert "merge_request.title=Update to go-service-template 3.0.0" in text


def test_a_conflict_is_in_the_branch_and_named(origin: Path, template: Path, tmp_path: Path) -> None:
    clone = tmp_path / "team"
    git(tmp_path, "clone", "-q", str(origin), "team")
    replace(clone / "Makefile", "FUZZTIME ?= 30s", "FUZZTIME ?= 5m")
    commit(clone, "Fuzz for longer")
    git(clone, "push", "-q")
    service = template / "{{cookiecutter.service_name}}"
    replace(service / "Makefile", "FUZZTIME ?= 30s", "FUZZTIME ?= 1m")
    commit(template, "Fuzz for a minute")
    runner = updated(origin, template, tmp_path / "first", CRUFT=CRUFT)
    assert "<<<<<<< " in git(origin, "show", f"{BRANCH}:Makefile")
    assert "**Conflicts**" in proposal(runner)
    assert "- `Makefile`\n" in proposal(runner)


def test_the_next_release_replaces_the_branch(origin: Path, template: Path, tmp_path: Path) -> None:
    for version in ("3.9.0", "3.10.0", "3.10.0+acme.1"):
        release(template, version)
        updated(origin, template, tmp_path / version, CRUFT=CRUFT)
    assert git(origin, "show", f"{BRANCH}:.template").split()[1] == "3.10.0+acme.1"
    assert git(origin, "rev-list", "--count", f"HEAD..{BRANCH}").strip() == "1"


REQUESTS = {"OPEN 7": "pr edit 7 --title", "CLOSED 7": "", "": "pr create --head"}


@pytest.mark.parametrize("host", ["github"], indirect=True)
@pytest.mark.parametrize("found", REQUESTS)
def test_on_github_an_open_request_is_edited_and_a_closed_one_stays_so(
    origin: Path, template: Path, tmp_path: Path, found: str
) -> None:
    release(template, "3.0.0")
    runner = runner_of(origin, template, tmp_path / "first", CRUFT=CRUFT)
    runner.variables["OPEN_REQUEST"] = found
    runner.run(BRANCH)
    runner.run("template-propose")
    calls = [line for line in runner.calls("gh").splitlines() if re.match("pr (create|edit)", line)]
    assert [call.startswith(REQUESTS[found]) for call in calls] == ([True] if REQUESTS[found] else [])
    assert "isCrossRepository | not" in runner.calls("gh")  # a fork may have a branch of this name


def test_the_same_update_is_not_pushed_again(origin: Path, template: Path, tmp_path: Path, host: str) -> None:
    release(template, "3.0.0")
    updated(origin, template, tmp_path / "first", CRUFT=CRUFT)
    pushed = git(origin, "rev-parse", BRANCH)
    again = updated(origin, template, tmp_path / "second", CRUFT=CRUFT)
    assert git(origin, "rev-parse", BRANCH) == pushed
    if host == "github":  # the first run may have failed before it opened a request
        assert "pr create" in again.calls("gh")


@pytest.mark.parametrize("how", [["-m", "Resolve it"], ["--amend", "--no-edit"]], ids=["a commit", "an amended one"])
def test_what_the_team_did_in_the_branch_stays(origin: Path, template: Path, tmp_path: Path, how: list[str]) -> None:
    release(template, "3.0.0")
    updated(origin, template, tmp_path / "first", CRUFT=CRUFT)
    git(tmp_path, "clone", "-q", "--branch", BRANCH, str(origin), "team")
    write(tmp_path / "team/resolved", "by hand\n")
    git(tmp_path / "team", "add", "-A")
    git(tmp_path / "team", "commit", "-q", *how)
    git(tmp_path / "team", "push", "-q", "--force")
    release(template, "3.1.0")
    printed = runner_of(origin, template, tmp_path / "second", CRUFT=CRUFT).run(BRANCH, status=2)
    assert "has commits of your team" in printed
    assert git(origin, "show", f"{BRANCH}:resolved") == "by hand\n"


def test_a_branch_that_was_merged_is_used_again(origin: Path, template: Path, tmp_path: Path) -> None:
    release(template, "3.0.0")
    updated(origin, template, tmp_path / "first", CRUFT=CRUFT)
    git(tmp_path, "clone", "-q", str(origin), "team")
    git(tmp_path / "team", "merge", "-q", "--no-ff", "-m", "Merge it", f"origin/{BRANCH}")
    git(tmp_path / "team", "push", "-q")
    release(template, "3.1.0")
    updated(origin, template, tmp_path / "second", CRUFT=CRUFT)
    assert git(origin, "show", f"{BRANCH}:.template").split()[1] == "3.1.0"


def test_somebody_who_pushes_meanwhile_is_not_overwritten(origin: Path, template: Path, tmp_path: Path) -> None:
    release(template, "3.0.0")
    runner = runner_of(origin, template, tmp_path / "first", CRUFT=CRUFT)
    runner.run(BRANCH)
    git(origin, "branch", BRANCH, "HEAD")
    runner.run("template-propose", status=2)
    assert git(origin, "rev-parse", BRANCH) == git(origin, "rev-parse", "HEAD")


def test_without_a_newer_release_nothing_happens(origin: Path, template: Path, tmp_path: Path) -> None:
    git(template, "tag", "0.1.0", "HEAD~1")
    updated(origin, template, tmp_path / "first", CRUFT=CRUFT)
    assert BRANCH not in git(origin, "branch")


def test_a_template_that_cannot_be_reached_is_red(origin: Path, template: Path, tmp_path: Path) -> None:
    shutil.rmtree(template)
    runner_of(origin, template, tmp_path / "first", CRUFT=CRUFT).run(BRANCH, status=2)
    assert BRANCH not in git(origin, "branch")
