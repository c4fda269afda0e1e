"""What comes out of a bake."""

from __future__ import annotations

import hashlib
import re

import pytest

from go_service_answers import template
from tests.support.baking import BakedService
from tests.support.fixtures import Bake

# The texts of https://spdx.org/licenses, without the line of the copyright holder.
LICENSES = {
    "MIT": "c9b7c49cdeb4ccab2f2cb69e67f3405518e4bcf611bd3b01de101b070659d11d",
    "Apache-2.0": "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4",
}


def test_two_bakes_are_identical(bake: Bake) -> None:
    one, other = bake(), bake()
    assert one.files() == other.files()
    assert all(one.read(name) == other.read(name) for name in one.files())


@pytest.mark.parametrize("license_name", LICENSES)
def test_the_license_is_the_chosen_one(bake: Bake, license_name: str) -> None:
    service = bake(license=license_name)
    text = service.read("LICENSE").replace("Copyright (c) The my-service Authors\n", "")
    assert hashlib.sha256(text.encode()).hexdigest() == LICENSES[license_name]
    assert f"[{license_name}](../LICENSE)" in service.read("docs/template.md")


def test_answers_stand_where_they_belong(bake: Bake) -> None:
    service = bake(
        service_name="orders",
        module_path="git.example.com/shop/orders",
        owner="@shop/backend",
        http_port="9000",
        go_version="1.28",
    )
    assert service.path.name == "orders"
    assert service.read("go.mod") == "go 1.28.0\n\nmodule git.example.com/shop/orders\n"
    assert service.read("CODEOWNERS").endswith("\n* @shop/backend\n")
    assert "golang:1.28-alpine AS build" in service.read("Dockerfile")
    assert "EXPOSE 9000" in service.read("Dockerfile")
    assert "docker run --rm -p $(PORT):9000 " in service.read("Makefile")
    assert '{"PORT", "9000", ' in service.read("internal/config/config.go")


@pytest.mark.parametrize("base", template.choices()["base_image"])
def test_the_image_is_built_like_the_binary(bake: Bake, base: str) -> None:
    """Read from the files alone. tests/service/test_image.py builds and runs the image."""
    service = bake(base_image=base, module_path="git.example.com/orders/v2")
    dockerfile = service.read("Dockerfile")
    flags = ["CGO_ENABLED=0", "-trimpath", "-buildvcs=false", "-s -w -X main.Version="]
    for flag in flags:
        assert flag in dockerfile
        assert flag in service.read("Makefile")
    assert ("-tags timetzdata" in dockerfile) == (base != "distroless")
    assert ("ca-certificates.crt" in dockerfile) == (base == "scratch")
    for line in ("USER 65532:65532", 'ENTRYPOINT ["./service"]'):
        assert f"\n{line}\n" in dockerfile
    assert 'CMD ["./service", "-healthcheck"]' in dockerfile
    for cache in ("/go/pkg/mod", "/root/.cache/go-build"):
        assert f"--mount=type=cache,target={cache} " in dockerfile
    assert "**/*_test.go" in service.read(".dockerignore").splitlines()


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("a.b/orders", "https://a.b/orders"),
        ("a.b/orders/v2", "https://a.b/orders"),
        ("orders", None),
        ("team/orders", None),
    ],
)
def test_the_image_names_the_repository_if_the_module_path_has_one(bake: Bake, path: str, source: str | None) -> None:
    named = re.search(r'image\.source="(.*)"', bake(module_path=path).read("Dockerfile"))
    assert (named and named[1]) == source


def test_the_page_for_coding_agents_is_short(default: BakedService) -> None:
    assert len(default.read("AGENTS.md").splitlines()) <= 40
