"""From 1.0 to 2.0: which files conflict, and what a team does by hand, as UPGRADING.md says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.baking import BakedService
from tests.support.documents import blocks
from tests.support.edits_of_1_0 import BY_HAND, EDITS, all_by_hand, all_edits
from tests.support.fixtures import Create, Lint
from tests.support.fleets import Fleet
from tests.support.repository import TEMPLATE, commit, git, has_history, init_repository, published_as, read
from tests.support.template_changes import files_of_the_template
from tests.support.updating import assert_same, bake_anew, files_of, update, update_without_conflict
from tools import versions

RELEASE = versions.releases(TEMPLATE).get(versions.version("1.0.0"), "") if has_history() else ""
BEFORE = {**EDITS, "all edits": all_edits}
AFTER = {**BY_HAND, "all edits": all_by_hand}
API = "internal/api"
CONFLICTS = {
    "own routes": {f"{API}/routes.go"},
    "own state": {f"{API}/handler.go", f"{API}/handler_test.go", f"{API}/routes.go", "main.go"},
    "own dependency": {"go.mod"},
    "own exception": {".golangci.yml"},
    "own ignored files": {".gitignore"},
    "own words": {"README.md"},
    "own setting": {"README.md", "internal/config/config.go"},
    "own middleware": {"main.go"},
    "deleted example": {"README.md", f"{API}/routes.go"},
}
CONFLICTS["all edits"] = set().union(*CONFLICTS.values())
KEPT = {  # what a team has in files of the template, and keeps there
    "own exception": {".golangci.yml"},
    "own ignored files": {".gitignore"},
    "own package": {".dockerignore"},
    "own words": {"AGENTS.md"},
    "own image": {"Dockerfile"},
}
KEPT["all edits"] = set().union(*KEPT.values())
IF_CONFLICTS, IF_REJECTS, *_ = blocks(read("UPGRADING.md").partition("## [Unreleased]")[2].partition("\n## [")[0], "sh")

pytestmark = [pytest.mark.long, pytest.mark.skipif(not RELEASE, reason="this clone lacks the history of the template")]


def type_in(service: Path, template: Path, commands: str) -> None:
    """Run commands of UPGRADING.md. `uvx`, which would download cruft, runs the one that is installed."""
    uvx = template.parent / "bin/uvx"
    uvx.parent.mkdir()
    uvx.write_text(f'#!/bin/sh\nexec "{Path(sys.executable).parent}/$@"\n')
    uvx.chmod(0o755)
    environment = {**published_as(template), "PATH": f"{uvx.parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["bash", "-ec", commands], cwd=service, env=environment, check=True, capture_output=True)


def conflicts(service: Path) -> set[str]:
    states = git(service, "status", "--porcelain").splitlines()
    return {line[3:] for line in states if "U" in line[:2] or line.endswith(".rej")}


def assert_works(service: BakedService, lint: Lint) -> None:
    assert not [name for name, text in files_of(service.path).items() if re.search("^[<>]{7}", text, re.MULTILINE)]
    assert service.run("gofmt", "-l", ".") == ""
    service.make("build")
    service.make("test")
    assert "0 issues" in lint(service)


def assert_follows(service: Path, template: Path, edit: str) -> None:
    """Assert that the template's files are those of a new service, except for what the team keeps there."""
    assert json.loads((service / ".cruft.json").read_text())["commit"] == git(template, "rev-parse", "HEAD").strip()
    now, expected = files_of(service), files_of(bake_anew(template, service, template.parent / "expected"))
    differing = {name for name in files_of_the_template(template) if now.get(name) != expected.get(name)}
    assert differing == KEPT.get(edit, set())


def test_a_service_without_edits_becomes_one_of_2_0(create: Create, template: Path) -> None:
    service = create(RELEASE)
    update_without_conflict(service, template)
    assert_same(service, bake_anew(template, service, template.parent / "expected"))


@pytest.mark.parametrize("edit", [edit for edit in EDITS if edit not in CONFLICTS])
def test_an_edit_without_a_step_by_hand_is_no_conflict(create: Create, template: Path, edit: str) -> None:
    service = create(RELEASE)
    EDITS[edit](service)
    commit(service, "What the team did")
    update_without_conflict(service, template)
    expected = bake_anew(template, service, template.parent / "expected")
    EDITS[edit](expected)
    assert_same(service, expected)


@pytest.mark.parametrize("edit", CONFLICTS)
def test_after_the_steps_by_hand_the_service_works(create: Create, template: Path, lint: Lint, edit: str) -> None:
    service = create(RELEASE)
    BEFORE[edit](service)
    commit(service, "What the team did")
    update(service, template)
    assert conflicts(service) == CONFLICTS[edit]
    type_in(service, template, IF_CONFLICTS)
    if edit in AFTER:
        AFTER[edit](service)
    assert_follows(service, template, edit)
    assert_works(BakedService(service), lint)


def test_options_can_be_turned_on_in_the_same_update(
    create: Create, template: Path, lint: Lint, modules: None, database_url: None
) -> None:
    service = create(RELEASE)
    all_edits(service)
    commit(service, "What the team did")
    update(
        service,
        template,
        "--variables-to-update",
        '{"telemetry": "both", "database": "postgres", "rpc": "connect", "deploy": "kubernetes", "ci": "gitlab"}',
    )
    assert conflicts(service) == CONFLICTS["all edits"]
    type_in(service, template, IF_CONFLICTS)
    all_by_hand(service)
    assert_follows(service, template, "all edits")
    assert_works(BakedService(service), lint)


def test_the_steps_for_rejected_lines_lead_to_the_same(create: Create, template: Path, lint: Lint) -> None:
    """The first commit has the edits of the team, so that cruft cannot merge."""
    service = create(RELEASE)
    all_edits(service)
    shutil.rmtree(service / ".git")
    init_repository(service)
    update(service, template)
    assert {f"{name}.rej" for name in ("main.go", "README.md")} < conflicts(service)
    type_in(service, template, IF_REJECTS)
    all_by_hand(service)
    assert conflicts(service) == set()
    assert_follows(service, template, "all edits")
    assert_works(BakedService(service), lint)


def test_the_steps_for_rejected_lines_finish_a_draft_of_the_fleet(create: Create, template: Path, lint: Lint) -> None:
    service = create(RELEASE)
    all_edits(service)
    commit(service, "What the team did")
    git(service, "switch", "-q", Fleet(template).row(service, "--drafts", "--to", "HEAD")["branch"])
    type_in(service, template, IF_REJECTS.replace("HEAD", "HEAD^"))
    all_by_hand(service)
    assert_follows(service, template, "all edits")
    assert_works(BakedService(service), lint)


def test_what_teams_did_to_1_0_worked(create: Create) -> None:
    service = BakedService(create(RELEASE))
    all_edits(service.path)
    service.make("build")
    service.make("test")


def test_the_fleet_meets_the_same_conflicts(create: Create, template: Path, tmp_path: Path) -> None:
    services = tmp_path / "services"
    for edit, change in BEFORE.items():
        service = create(RELEASE).rename(tmp_path / "service")
        change(service)
        commit(service, "What the team did")
        shutil.move(service, services / edit)
    rows = Fleet(template).rows(services, "--to", "HEAD")
    assert {name: set(row["conflicts"]) for name, row in rows.items()} == {
        edit: CONFLICTS.get(edit, set()) for edit in BEFORE
    }
