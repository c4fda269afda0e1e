"""The jobs that check a change, run in a clean clone as the host runs them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from go_service_answers import template
from tests.support.pipelines import HOSTS, Runner, gitlab_jobs, new_runner
from tests.support.postgres import Postgres
from tests.support.team_edits import own_settings, replace, write

pytestmark = [pytest.mark.long, pytest.mark.contract("the pipelines")]


@pytest.fixture
def golangci_lint(make_lint: list[str]) -> str:
    """What make takes as its linter: the installed one, or the one that it downloads."""
    return next((word for word in make_lint if word.startswith("GOLANGCI_LINT=")), "")


@pytest.mark.parametrize("host", HOSTS)
def test_the_linters_pass(tmp_path: Path, golangci_lint: str, kustomize: str, host: str) -> None:
    runner = new_runner(tmp_path, ci=host, database="postgres", rpc="connect", deploy="kubernetes")
    runner.stand_in("apt-get", "")
    squawk = str(Path(sys.executable).parent / "squawk")
    # The database of vulnerabilities is on the network.
    runner.variables["MAKEFLAGS"] = f"{golangci_lint} {kustomize} BUF=buf SQUAWK={squawk} GOVULNCHECK=true"
    printed = runner.run("lint")
    assert "0 issues" in printed
    assert runner.calls("apt-get") == "" or host == "gitlab"


@pytest.mark.parametrize("overlay", ["production", "staging"])
def test_a_field_that_kubernetes_does_not_know_is_red(tmp_path: Path, kustomize: str, overlay: str) -> None:
    runner = new_runner(tmp_path, ci="github", deploy="kubernetes")
    write(runner.service.path / f"deploy/overlays/{overlay}/patch.yaml", PATCH)
    with (runner.service.path / f"deploy/overlays/{overlay}/kustomization.yaml").open("a") as file:
        file.write("patches: [{path: patch.yaml}]\n")
    runner.variables["MAKEFLAGS"] = kustomize
    printed = runner.type("make lint-manifests", status=2)
    assert re.search(f"ERROR bin/{overlay}.yaml .*'tactics' was unexpected", printed)


PATCH = """apiVersion: apps/v1
kind: Deployment
metadata: {name: my-service}
spec: {tactics: none}
"""


def test_on_github_the_tests_run_with_their_database_and_then_the_image(
    tmp_path: Path, postgres: Postgres, modules: None, c_compiler: None, engine: None
) -> None:
    runner = new_runner(tmp_path, ci="github", database="postgres")
    summary = tmp_path / "summary.md"
    runner.variables |= {"GITHUB_STEP_SUMMARY": str(summary), "DATABASE_URL": postgres.url()}
    assert "starts, is healthy, and stops well." in runner.run("test")
    coverage = re.fullmatch(r"Coverage: (\d+\.\d)%\n", summary.read_text())
    assert coverage
    assert float(coverage[1]) > 50


def test_on_gitlab_the_coverage_is_where_it_looks(tmp_path: Path, c_compiler: None) -> None:
    runner = new_runner(tmp_path, ci="gitlab")
    expression = gitlab_jobs(runner.service)["test"]["coverage"].strip("/")
    (coverage,) = re.findall(expression, runner.run("test"), re.MULTILINE)
    assert float(coverage) > 50


@pytest.mark.parametrize("base", template.choices()["base_image"])
def test_the_image_is_built_with_what_the_team_changed_and_runs(tmp_path: Path, engine: None, base: str) -> None:
    runner = new_runner(tmp_path, ci="gitlab", base_image=base)
    folder = runner.service.path
    own_settings(folder)  # one is required, and has a value in .env.example
    write(folder / "assets/logo.txt", "logo\n")
    replace(folder / ".dockerignore", "!internal\n", "!internal\n!assets\n")
    replace(folder / "Dockerfile", "USER 65532", "COPY assets assets\nUSER 65532")
    replace(folder / "Dockerfile", "CGO_ENABLED=0 ", "# as always\n    CGO_ENABLED=0 ")
    runner.stand_in("apt-get", "")
    assert "starts, is healthy, and stops well." in runner.run("image-check")
    image = "my-service:v0.1.0-dirty"
    assert contents(runner, image, "/app/service") == (folder / "bin/service").read_bytes()
    assert contents(runner, image, "/app/assets/logo.txt") == b"logo\n"


def contents(runner: Runner, image: str, path: str) -> bytes:
    """Return a file of an image."""
    runner.type(f"docker cp $(docker create {image}):{path} bin/copy")
    return (runner.service.path / "bin/copy").read_bytes()


@pytest.mark.parametrize("base", ["alpine", "distroless"])
def test_the_binary_that_was_checked_is_the_one_that_a_release_builds(tmp_path: Path, engine: None, base: str) -> None:
    runner = new_runner(tmp_path, ci="github", base_image=base)
    (builder,) = re.findall(r"(golang:\S+) AS build", runner.service.read("Dockerfile"))
    built = runner.type(f"docker run --rm {builder} go version").split()[2]
    if built not in runner.type("go version"):
        pytest.skip(f"the builder image has {built}, which is another Go than this machine's")
    runner.type("make image-check IMAGE=checked VERSION=0.0.1")
    runner.type("make image IMAGE=released VERSION=0.0.1")
    checked, released = (contents(runner, f"{name}:0.0.1", "/app/service") for name in ("checked", "released"))
    assert checked == released


CLOSE = "func (s *Service) Close(context.Context) error { return nil }"
MISTAKES = {  # the file, what is there, what the team writes instead, and what make image-check says then
    "a setting": (".env.example", "# LOG_LEVEL=debug", "export MAX_STREAMS=many", 'MAX_STREAMS="many": must be'),
    "a start": ("Dockerfile", '["./service"]', '["sleep", "60"]', "the container is not healthy after 10 s"),
    "a stop": ("internal/api/service.go", CLOSE, CLOSE.replace("nil }", "ErrConflict }"), "ended with 1 after SIGTERM"),
    "a step": ("Dockerfile", "USER 65532", "RUN echo broken && false\nUSER 65532", "echo broken && false"),
    "the step that compiles": ("Dockerfile", "-o /out/service", "-o /out/my", 'no step "RUN … -o /out/service"'),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_image_that_does_not_work_is_red(tmp_path: Path, engine: None, mistake: str) -> None:
    name, old, new, message = MISTAKES[mistake]
    runner = new_runner(tmp_path, ci="github")
    replace(runner.service.path / name, old, new)
    assert message in runner.type("make image-check", status=2)
