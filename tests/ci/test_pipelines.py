"""What the pipelines say: their hosts accept them, and they are safe."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.support.baking import BakedService
from tests.support.choices import Answers
from tests.support.commands import installed
from tests.support.documents import table_rows
from tests.support.fixtures import Bake
from tests.support.pipelines import HOSTS, actionlint, commands, gitlab_jobs, make_words, read_yaml, workflows

EVERYTHING = {"telemetry": "both", "database": "postgres", "rpc": "connect", "deploy": "kubernetes"}
SCHEMAS = {
    ".github/workflows/*.yml": "vendor.github-workflows",
    ".gitlab-ci.yml": "vendor.gitlab-ci",
    "renovate.json": "vendor.renovate",
}
OF_THE_HOST = [  # commands that no make target has, because they prepare the runner
    "apt-get update -qq && apt-get install -qq --no-install-recommends",
    "docker login",
    "gh auth setup-git",
    "git config --global",
]


@pytest.fixture(scope="module", params=[{}, EVERYTHING], ids=["default", "everything"])
def others(request: pytest.FixtureRequest) -> Answers:
    """The answers to the other questions."""
    answers: Answers = request.param
    return answers


@pytest.fixture(scope="module", params=HOSTS)
def service(bake: Bake, others: Answers, request: pytest.FixtureRequest) -> BakedService:
    return bake(ci=request.param, **others)


@pytest.fixture(scope="module")
def on_github(bake: Bake, others: Answers) -> BakedService:
    return bake(ci="github", **others)


@pytest.mark.contract("a service without a pipeline")
def test_without_a_pipeline_there_is_no_word_of_it(default: BakedService) -> None:
    words = re.compile(r"github\.com/\w+/\w+@|gitlab-ci|workflow|renovate|cosign|ci\.mk", re.IGNORECASE)
    assert [name for name in default.files() if name != "bin/service" and words.search(default.read(name))] == []


@pytest.mark.contract("the pipelines")
def test_each_file_has_the_form_that_its_reader_accepts(service: BakedService) -> None:
    for pattern, schema in SCHEMAS.items():
        if files := [str(file) for file in service.path.glob(pattern)]:
            service.run(installed("check-jsonschema"), "--builtin-schema", schema, *files)


@pytest.mark.contract("the pipelines")
def test_zizmor_finds_nothing(bake: Bake) -> None:
    service = bake(ci="github", **EVERYTHING)
    service.run(installed("zizmor"), "--offline", "--no-config", "--persona", "pedantic", ".github/workflows")


@pytest.mark.long
@pytest.mark.contract("the pipelines")
def test_actionlint_finds_nothing(bake: Bake) -> None:
    service = bake(ci="github", **EVERYTHING)
    actionlint([service.path / f".github/workflows/{name}.yml" for name in workflows(service)])


@pytest.mark.contract("the pipelines")
def test_what_they_run_is_a_make_target_that_the_page_explains(service: BakedService) -> None:
    page = "".join("".join(row) for row in table_rows(service.read("docs/ci.md"), "| when | command | what it does |"))
    for command in (command for script in commands(service).values() for command in script):
        targets = make_words(command)
        assert targets or command.startswith(tuple(OF_THE_HOST)), command
        for target in targets:
            service.make("--dry-run", target, "VERSION=1.2.3")
    run = {target for script in commands(service).values() for command in script for target in make_words(command)}
    assert run == set(re.findall(r"`make ([a-z-]+)`", page))


@pytest.mark.contract("the pipelines")
def test_every_action_and_image_is_pinned_by_its_digest(service: BakedService) -> None:
    for name in (name for name in service.files() if name.startswith((".github/", ".gitlab-ci"))):
        used = re.findall(r"(?:uses|image): (\S+)|- name: (\S+:\S+)", service.read(name))
        assert used
        for pin in ("".join(pair) for pair in used):
            assert re.search(r"@[0-9a-f]{40}$|@sha256:[0-9a-f]{64}$", pin), pin


# When each workflow of GitHub runs, and what each of its jobs may do. A change here is a change of who can do what.
CHANGES = {"pull_request": "", "push": {"branches": ["main"]}}
TRIGGERS = {
    "codeql": {**CHANGES, "schedule": [{"cron": "41 3 * * 3"}]},
    "release": {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+", "v[0-9]+.[0-9]+.[0-9]+-*"]}},
    "template": {"schedule": [{"cron": "23 5 * * 2"}], "workflow_dispatch": ""},
    "test": CHANGES,
}
READS = {"contents": "read"}
PERMISSIONS = {
    "analyze": {**READS, "actions": "read", "security-events": "write"},
    "lint": READS,
    "release": {"contents": "write", "id-token": "write", "packages": "write"},
    "template-propose": {"contents": "write", "pull-requests": "write"},
    "template-update": READS,
    "test": READS,
}
CANCELLED = {"codeql", "test"}  # by a newer push to the same pull request


@pytest.mark.contract("the pipelines")
def test_on_github_each_job_has_least_permissions_and_ends(on_github: BakedService) -> None:
    found = workflows(on_github)
    assert {name: workflow["on"] for name, workflow in found.items()} == TRIGGERS
    assert {
        name for name, workflow in found.items() if workflow["concurrency"]["cancel-in-progress"] == "true"
    } == CANCELLED
    assert [workflow["permissions"] for workflow in found.values()] == [{}] * len(found)
    jobs = {name: job for workflow in found.values() for name, job in workflow["jobs"].items()}
    assert {name: job["permissions"] for name, job in jobs.items()} == PERMISSIONS
    assert all(int(job["timeout-minutes"]) <= 45 for job in jobs.values())


@pytest.mark.contract("the pipelines")
def test_on_github_secrets_and_caches_are_where_no_pull_request_is(on_github: BakedService) -> None:
    for name, workflow in workflows(on_github).items():
        secrets = re.findall(r"secrets\.\w+", on_github.read(f".github/workflows/{name}.yml"))
        assert secrets == (
            ["secrets.TEMPLATE_READ_TOKEN", "secrets.TEMPLATE_UPDATE_TOKEN"] if name == "template" else []
        )
        used = [step for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
        checkouts = [step["with"] for step in used if step["uses"].startswith("actions/checkout@")]
        assert checkouts
        assert all(checkout["persist-credentials"] == "false" for checkout in checkouts)
        if name != "test":
            assert not [step for step in used if "actions/cache" in step["uses"]]
            assert all(step["with"]["cache"] == "false" for step in used if "setup-go" in step["uses"])
    assert workflows(on_github)["template"]["jobs"]["template-propose"]["environment"] == "template-update"


# The same for GitLab.
CHECKS = '$CI_PIPELINE_SOURCE != "schedule" && $CI_COMMIT_TAG == null'
RELEASES = r'$CI_COMMIT_TAG =~ /^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/ && $CI_COMMIT_REF_PROTECTED == "true"'
UPDATES = '$CI_PIPELINE_SOURCE == "schedule"'
RULES = {
    "image-check": CHECKS,
    "lint": CHECKS,
    "release": RELEASES,
    "template-propose": UPDATES,
    "template-update": UPDATES,
    "test": CHECKS,
}


@pytest.mark.contract("the pipelines")
def test_on_gitlab_secrets_and_caches_are_where_no_merge_request_is(bake: Bake, others: Answers) -> None:
    service = bake(ci="gitlab", **others)
    config, jobs = read_yaml(service, ".gitlab-ci.yml"), gitlab_jobs(service)
    assert {name: job["rules"] for name, job in jobs.items()} == {name: [{"if": rule}] for name, rule in RULES.items()}
    assert "cache" not in config["default"]
    for name, job in jobs.items():
        assert ("cache" in job) == (RULES[name] == CHECKS)
        if RULES[name] == CHECKS:
            assert not re.search("PASSWORD|TOKEN|id_tokens", json.dumps(job)), name
    assert jobs["release"]["id_tokens"] == {"SIGSTORE_ID_TOKEN": {"aud": "sigstore"}}
    environments = {name: job["environment"]["name"] for name, job in jobs.items() if "environment" in job}
    assert environments == {"release": "release", "template-propose": "template-update"}
    assert [rule["if"] for rule in config["workflow"]["rules"]] == [
        '$CI_PIPELINE_SOURCE == "merge_request_event"',
        "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH",
        "$CI_COMMIT_TAG",
    ]


@pytest.mark.contract("the pipelines")
def test_a_team_adds_jobs_of_its_own_on_gitlab(bake: Bake) -> None:
    included = read_yaml(bake(ci="gitlab"), ".gitlab-ci.yml")["include"]
    assert {"local": "team.gitlab-ci.yml", "rules": [{"exists": ["team.gitlab-ci.yml"]}]} in included


def test_renovate_finds_every_tool_that_make_runs_by_version(service: BakedService) -> None:
    config: dict[str, Any] = json.loads(service.read("renovate.json"))
    for name in ("Makefile", "ci/ci.mk"):
        text = service.read(name)
        pinned = re.findall(r"@(v\d[^\s)]*)|==(\d[\d.]*)", text)
        managers = [manager for manager in config["customManagers"] if name in manager["managerFilePatterns"]]
        expressions = [string.replace("(?<", "(?P<") for manager in managers for string in manager["matchStrings"]]
        found = [match["currentValue"] for string in expressions for match in re.finditer(string, text)]
        assert sorted(found) == sorted("".join(pair) for pair in pinned)
