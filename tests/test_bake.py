"""What comes out of a bake: its files, and nothing of the template in them."""

from __future__ import annotations

import hashlib
import itertools
import re

import pytest
from conftest import CHOICES, Bake, Baked

COMBINATIONS = [dict(zip(CHOICES, combination, strict=True)) for combination in itertools.product(*CHOICES.values())]

BASE = {
    ".dockerignore", ".editorconfig", ".gitattributes", ".gitignore", ".golangci.yml", ".template", "AGENTS.md",
    "CODEOWNERS", "Dockerfile", "Makefile", "README.md", "go.mod", "main.go", "main_test.go",
    "internal/admin/admin.go", "internal/admin/admin_test.go",
    "internal/api/greetings.go", "internal/api/greetings_test.go", "internal/api/json.go", "internal/api/json_test.go",
    "internal/api/handler.go", "internal/api/handler_test.go", "internal/api/openapi.yaml", "internal/api/routes.go",
    "internal/build/build.go", "internal/build/build_test.go",
    "internal/config/config.go", "internal/config/config_test.go",
    "internal/health/health.go", "internal/health/health_test.go",
    "internal/httpserver/connections.go", "internal/httpserver/server.go", "internal/httpserver/server_test.go",
    "internal/logging/logging.go", "internal/logging/logging_test.go", "internal/logging/queue.go",
    "internal/logging/queue_test.go",
    "internal/middleware/middleware.go", "internal/middleware/middleware_test.go",
    "internal/middleware/observe.go", "internal/middleware/observe_test.go",
    "internal/problem/problem.go", "internal/problem/problem_test.go",
    "internal/requestid/requestid.go", "internal/requestid/requestid_test.go",
}  # fmt: skip

# The texts of https://spdx.org/licenses but for the holder's line.
LICENSES = {
    "MIT": "c9b7c49cdeb4ccab2f2cb69e67f3405518e4bcf611bd3b01de101b070659d11d",
    "Apache-2.0": "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4",
}

# question -> choice -> the files it adds
ADDED: dict[str, dict[str, set[str]]] = {"license": {"MIT": {"LICENSE"}, "Apache-2.0": {"LICENSE"}}}


def expected_files(answers: dict[str, str]) -> set[str]:
    return BASE.union(*(ADDED.get(question, {}).get(choice, set()) for question, choice in answers.items()))


@pytest.mark.parametrize("answers", COMBINATIONS, ids=lambda answers: "-".join(answers.values()))
def test_every_combination_has_its_files_and_no_leftovers(bake: Bake, answers: dict[str, str]) -> None:
    service = bake(**answers)
    assert service.files() == expected_files(answers)
    assert [path for path in service.path.rglob("*") if path.is_dir() and not list(path.iterdir())] == []
    for name in service.files():
        assert_looks_hand_written(name, service.read(name))
    for question, choice in answers.items():
        for other in set(CHOICES[question]) - {choice}:
            mentions = [name for name in service.files() if mentions_choice(service.read(name), other)]
            assert mentions == [], f"{question}={choice} mentions {other}"


def mentions_choice(text: str, choice: str) -> bool:
    """Report whether a text has the name of a choice. A builder, golang:*-alpine, or a code host is no mention."""
    text = re.sub(r"golang:\S+-alpine|git(hub|lab)\.com", "", text)
    return choice != "none" and bool(re.search(rf"\b{re.escape(choice)}\b", text))


def assert_looks_hand_written(name: str, text: str) -> None:
    assert not re.search(r"cookiecutter|\{%|%\}|jinja", text, re.IGNORECASE), f"{name} has something of the template"
    assert text.endswith("\n"), f"{name} lacks its last line end"
    assert not text.endswith("\n\n"), f"{name} ends with blank lines"
    assert not text.startswith("\n"), f"{name} begins with a blank line"
    assert "\r" not in text
    assert not re.search(r"[ \t]$", text, re.MULTILINE), f"{name} has trailing space"
    assert "\n\n\n" not in text, f"{name} has a hole"


def test_two_bakes_are_identical(bake: Bake) -> None:
    one, other = bake(), bake()
    assert one.files() == other.files()
    assert all(one.read(name) == other.read(name) for name in one.files())


@pytest.mark.parametrize("license_name", ["MIT", "Apache-2.0"])
def test_the_license_is_the_chosen_one(bake: Bake, license_name: str) -> None:
    service = bake(license=license_name)
    text = service.read("LICENSE").replace("Copyright (c) The my-service Authors\n", "")
    assert hashlib.sha256(text.encode()).hexdigest() == LICENSES[license_name]
    assert f"[{license_name}](LICENSE)" in service.read("README.md")


def test_answers_stand_where_they_belong(bake: Bake) -> None:
    service = bake(
        service_name="orders",
        module_path="git.example.com/shop/orders",
        owner="@shop/backend",
        http_port="9000",
        go_version="1.28",
    )
    assert service.path.name == "orders"
    assert service.read("go.mod") == "module git.example.com/shop/orders\n\ngo 1.28.0\n"
    assert service.read("CODEOWNERS").endswith("\n* @shop/backend\n")
    assert "FROM --platform=$BUILDPLATFORM golang:1.28-alpine AS build" in service.read("Dockerfile")
    assert "EXPOSE 9000" in service.read("Dockerfile")
    assert "docker run --rm -p $(PORT):9000 " in service.read("Makefile")
    assert '{"PORT", "9000", ' in service.read("internal/config/config.go")


@pytest.mark.parametrize("base", CHOICES["base_image"])
def test_the_image_is_built_as_the_binary_is_and_says_how_it_runs(bake: Bake, base: str) -> None:
    """Read from the files alone; tests/test_image.py builds and runs it where there is an engine."""
    service = bake(base_image=base, module_path="git.example.com/orders/v2")
    dockerfile = service.read("Dockerfile")
    flags = r"CGO_ENABLED=0|-trimpath|-buildvcs=false|-s -w -X main.Version="
    assert (
        set(re.findall(flags, dockerfile)) == set(re.findall(flags, service.read("Makefile"))) == set(flags.split("|"))
    )
    assert ("-tags timetzdata" in dockerfile) == (base != "distroless")
    assert ("ca-certificates.crt" in dockerfile) == (base == "scratch")
    for line in ("USER 65532:65532", 'ENTRYPOINT ["./service"]'):
        assert f"\n{line}\n" in dockerfile
    assert 'CMD ["./service", "-healthcheck"]' in dockerfile
    for kept in ("/go/pkg/mod", "/root/.cache/go-build"):
        assert f"--mount=type=cache,target={kept} " in dockerfile
    assert 'image.source="https://git.example.com/orders"' in dockerfile
    assert "**/*_test.go" in service.read(".dockerignore").splitlines()


def test_agents_read_forty_lines_at_most(default: Baked) -> None:
    assert len(default.read("AGENTS.md").splitlines()) <= 40


@pytest.mark.parametrize(
    ("path", "source"), [("a.b/orders/v2", "https://a.b/orders"), ("orders", None), ("team/orders", None)]
)
def test_the_image_names_the_repository_of_a_module_that_has_one(bake: Bake, path: str, source: str | None) -> None:
    named = re.search(r'image\.source="(.*)"', bake(module_path=path).read("Dockerfile"))
    assert (named and named[1]) == source
