"""The baked Go code: formatted, vetted, linted, tested, reproducible."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from go_service_answers import template
from tests.support.baking import BakedService
from tests.support.fixtures import Bake, Lint


@pytest.mark.contract("module")
def test_the_standard_library_is_all_it_imports(default: BakedService) -> None:
    imports = default.run("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./...").split()
    assert all(path.startswith("github.com/acme/my-service") for path in imports)
    assert default.read("go.mod") == "go 1.27.0\n\nmodule github.com/acme/my-service\n"


@pytest.mark.contract("entry")
def test_main_only_calls_run(default: BakedService) -> None:
    code = default.read("main.go")
    assert '\nvar Version = "dev"\n' in code
    main = re.search(r"^func main\(\) \{\n(.*?)^\}", code, re.MULTILINE | re.DOTALL)
    assert main
    call = "run(untilSignal(), os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr, slog.SetDefault)"
    assert main[1].splitlines()[-1] == f"\tos.Exit({call})"


@pytest.mark.contract("build")
def test_two_builds_in_two_folders_are_identical(bake: Bake, default: BakedService, binary: Path) -> None:
    digests = {hashlib.sha256(file.read_bytes()).hexdigest() for file in (binary, bake().build())}
    assert len(digests) == 1
    recorded = default.run("go", "version", "-m", str(binary))
    assert "CGO_ENABLED=0" in recorded
    assert "-trimpath=true" in recorded


def test_it_is_formatted_and_vetted(default: BakedService) -> None:
    assert default.run("gofmt", "-l", ".") == ""
    default.run("go", "vet", "./...")


def test_its_own_tests_pass(default: BakedService) -> None:
    default.make("test")


@pytest.mark.long
def test_its_linters_and_its_formatter_find_nothing(bake: Bake, lint: Lint, make_lint: list[str]) -> None:
    service = bake(module_path="zoo.example/x-y/v2")  # which sorts after the standard library, as github.com does too
    assert "0 issues" in lint(service)
    before = {name: service.read(name) for name in service.files()}
    service.make("fmt", *make_lint[2:])
    assert {name: service.read(name) for name in service.files()} == before


@pytest.mark.long
def test_the_fuzz_target_runs(default: BakedService) -> None:
    assert "PASS" in default.make("fuzz", "FUZZTIME=2s")


def test_its_code_reads_in_one_sitting(default: BakedService) -> None:
    code = {
        name: default.read(name) for name in default.files() if name.endswith(".go") and not name.endswith("_test.go")
    }
    assert sum(len(text.splitlines()) for text in code.values()) <= 2890
    for name, text in code.items():
        for function in re.findall(r"^func .*?^\}", text, re.MULTILINE | re.DOTALL):
            assert len(function.splitlines()) <= 60, f"{name}: {function.splitlines()[0]}"


UNUSUAL_PATHS = ["orders", "EXAMPLE.com/x", "a.b/.x", "a.b/x~y+z/v2", "gopkg.in/yaml.v3", "test/x"]
UNUSUAL_NAMES = ["internal", "testdata", "main", "go", "x" * 40]


@pytest.mark.long
def test_unusual_answers_build(bake: Bake, tmp_path: Path) -> None:
    services = [bake(module_path=path) for path in UNUSUAL_PATHS]
    services += [bake(service_name=name, module_path=f"names.example/{name}") for name in UNUSUAL_NAMES]
    uses = "".join(f"use {service.path}\n" for service in services)
    (tmp_path / "go.work").write_text(f"go {template.default_of('go_version')}.0\n{uses}")
    packages = [f"{service.path}/..." for service in services]
    for command in ("vet", "build"):  # -trimpath lets Go's cache help when the folders have other names
        BakedService(tmp_path).run("go", command, "-trimpath", *packages)
