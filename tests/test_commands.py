"""Every command in every document is run by a test, or needs what the machine of the tests lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import TEMPLATE, Baked
from markdown_it import MarkdownIt
from test_comparison import names_of_tests

from tools import versions

PROGRAMS = "bin/service|cookiecutter|cruft|curl|docker|git|go|kubectl|make|pip|pipx|python|tools/fleet|uvx"

DOCUMENTS = "test_documents.py::test_every_"
FOLLOWING = "test_following.py::test_the_"
AS_TYPED = f"{DOCUMENTS}docker_command_of_the_service_readme_works"
README_WORKS = f"{DOCUMENTS}command_of_the_service_readme_works"
IMAGE = "test_image.py::test_it_runs_and_stops_as_typed"

ORIGIN = versions.origin((TEMPLATE / versions.FILE).read_text(encoding="utf-8"))
LINK = f"uvx cruft link {ORIGIN.address} --checkout \"$(cut -d' ' -f2 .template)\""

# command -> the test that runs it
RUN_BY = {
    # the service
    "bin/service -help": "test_gallery.py::test_the_gallery_is_current",
    "bin/service -version": "test_documents.py::test_make_builds_the_version_of_git_and_cleans_up",
    "curl -H 'Content-Type: application/json' -d '{\"name\":\"Ada\"}' http://localhost:8080/v1/greetings": README_WORKS,
    "curl http://127.0.0.1:9090/debug/vars": README_WORKS,
    "curl http://localhost:8080/": README_WORKS,
    "docker build --build-arg VERSION=0.0.1 -t my-service:0.0.1 .": AS_TYPED,
    "docker run --rm -p 8080:8080 my-service:0.0.1": AS_TYPED,
    "go build": "test_documents.py::test_make_builds_the_version_of_git_and_cleans_up",
    "go tool pprof -top 'http://127.0.0.1:9090/debug/pprof/profile?seconds=1'": README_WORKS,
    "make build": "test_documents.py::test_make_builds_the_version_of_git_and_cleans_up",
    "make build VERSION=1.2.3": "test_gallery.py::test_the_gallery_is_current",
    "make fmt": "test_go.py::test_the_linters_and_the_formatter_it_bakes_find_nothing",
    "make image": "test_documents.py::test_make_image_ships_the_version_and_the_commit",
    "make lint": f"{FOLLOWING}commands_of_upgrading_work",
    "make race": "test_go.py::test_its_own_tests_pass_under_the_race_detector",
    "make run": README_WORKS,
    "make test": f"{FOLLOWING}commands_of_upgrading_work",
    "git add .cruft.json && git commit -m 'Follow the template'": f"{FOLLOWING}service_readme_links_and_updates",
    "uvx cruft check": f"{FOLLOWING}service_readme_links_and_updates",
    LINK: f"{FOLLOWING}service_readme_links_and_updates",
    "uvx cruft update --skip-apply-ask": f"{FOLLOWING}service_readme_links_and_updates",
    "git diff HEAD": f"{FOLLOWING}commands_of_upgrading_work",
    "git reset --hard && git clean -fd": "test_updates.py::test_an_update_with_conflicts_is_undone",
    "git status": "test_updates.py::test_what_both_changed_is_named_and_shown_in_both_versions",
    'uvx cruft update --skip-apply-ask --variables-to-update \'{"base_image": "distroless"}\'': (
        f"{FOLLOWING}commands_of_upgrading_work"
    ),
    # the template
    "cookiecutter gh:org/go-service-template": "test_documents.py::test_the_readme_bakes",
    "cookiecutter gh:org/go-service-template --no-input service_name=order-api owner=@acme/orders": (
        "test_documents.py::test_the_readme_bakes"
    ),
    "cruft check": f"{FOLLOWING}service_readme_links_and_updates",
    "cruft create": "test_ways_in.py::test_cruft_leads_to_the_same",
    "python -m cookiecutter": "test_ways_in.py::test_git_addresses_and_tags_lead_to_the_same",
    "make demo": "test_documents.py::test_the_demo_shows_a_running_service",
    "make gallery": "test_gallery.py::test_the_gallery_is_current",
    "tools/fleet ~/services": f"{FOLLOWING}commands_for_a_fleet_work",
    "tools/fleet ~/services --branch": f"{FOLLOWING}commands_for_a_fleet_work",
    "tools/fleet ~/services --json": f"{FOLLOWING}commands_for_a_fleet_work",
    "uvx cruft create https://github.com/org/go-service-template": f"{FOLLOWING}commands_for_a_fleet_work",
    "uvx cruft create https://github.com/org/go-service-template --no-input --extra-context"
    ' \'{"service_name": "order-api", "owner": "@acme/orders"}\'': f"{FOLLOWING}commands_for_a_fleet_work",
    "make release VERSION=1.2.3": "test_release.py::test_a_release_is_a_commit_that_says_so_with_a_tag",
    "make release": "test_release.py::test_a_release_is_a_commit_that_says_so_with_a_tag",
    "docker build --build-arg VERSION=0.0.1 -t NAME:0.0.1 .": IMAGE,
    "docker run -p 8080:8080 NAME:0.0.1": IMAGE,
    "python -m cookiecutter --no-input": "test_ways_in.py::test_git_addresses_and_tags_lead_to_the_same",
}

# command -> what it needs
NOT_RUN = {
    "kubectl port-forward": "a cluster",
    "make bench": "a quiet machine, for a quarter of an hour; tests/test_benchmarks.py tries its parts",
    "make fire": "more time: make test runs the same tests in a shorter form",
    "make git-merge-go-starter": "another project's repository",
    "make properties": "more time: make test runs the same tests in a shorter form",
    "make updates": "more time: make test runs the same tests in a shorter form",
    "pipx install cookiecutter": "a network, and pipx",
    "pipx run cruft": "a network, and pipx",
    "uvx cruft": "a network, and uv",
}


def documents(service: Path) -> list[Path]:
    pages = [*TEMPLATE.glob("*.md"), *(TEMPLATE / "docs").glob("*.md"), *service.glob("*.md")]
    return [page for page in pages if page.name != "your-standard.md"]  # whose test runs its blocks as they stand


def commands(page: Path) -> Iterator[str]:
    """Return the lines of the sh blocks of a document, and the commands with their words in its sentences."""
    for token in MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8")):
        if token.type == "fence" and token.info == "sh":
            yield from token.content.splitlines()
        spans = [child.content for child in token.children or [] if child.type == "code_inline"]
        yield from (span for span in spans if re.match(rf"({PROGRAMS}) [^{{]", span))


def test_every_command_is_run_by_a_test_or_says_what_it_needs(default: Baked) -> None:
    shown = {command for page in documents(default.path) for command in commands(page)}
    assert shown == RUN_BY.keys() | NOT_RUN.keys()


@pytest.mark.parametrize("test", sorted(set(RUN_BY.values())))
def test_that_test_exists(test: str) -> None:
    file, name = test.split("::")
    assert name in names_of_tests(f"tests/{file}")
