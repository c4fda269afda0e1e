"""The baked Go code: formatted, vetted, linted, tested, reproducible."""

from __future__ import annotations

import hashlib
import re

import pytest
from conftest import Bake, Baked, Linter


@pytest.mark.contract("module")
def test_the_standard_library_is_all_it_imports(default: Baked) -> None:
    imports = default.run("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./...").split()
    assert all(path.startswith("github.com/acme/my-service") for path in imports)
    assert default.read("go.mod") == "module github.com/acme/my-service\n\ngo 1.27.0\n"


@pytest.mark.contract("entry")
def test_main_only_runs(default: Baked) -> None:
    code = default.read("main.go")
    assert '\nvar Version = "dev"\n' in code
    main = re.search(r"^func main\(\) \{\n(.*?)^\}", code, re.MULTILINE | re.DOTALL)
    assert main
    assert main[1].splitlines()[-1] == "\tos.Exit(run(untilSignal(), os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))"


@pytest.mark.contract("build")
def test_two_builds_in_two_folders_are_identical(bake: Bake, default: Baked) -> None:
    digests = {hashlib.sha256(service.build().read_bytes()).hexdigest() for service in (bake(), bake())}
    assert len(digests) == 1
    recorded = default.run("go", "version", "-m", str(default.build()))
    assert "CGO_ENABLED=0" in recorded
    assert "-trimpath=true" in recorded


def test_it_is_formatted_and_vetted(default: Baked) -> None:
    assert default.run("gofmt", "-l", ".") == ""
    default.run("go", "vet", "./...")


def test_its_own_tests_pass_under_the_race_detector(default: Baked, c_compiler: None) -> None:
    default.make("race")


def test_the_linters_and_the_formatter_it_bakes_find_nothing(bake: Bake, lint: Linter) -> None:
    service = bake(module_path="zoo.example/x-y/v2")  # which sorts after the standard library, as github.com does too
    assert "0 issues" in lint(service)
    before = {name: service.read(name) for name in service.files()}
    service.make("fmt")
    assert {name: service.read(name) for name in service.files()} == before


def test_the_fuzz_target_runs(default: Baked) -> None:
    assert "PASS" in default.make("fuzz", "FUZZTIME=2s")


def test_its_code_reads_in_one_sitting(default: Baked) -> None:
    code = {
        name: default.read(name) for name in default.files() if name.endswith(".go") and not name.endswith("_test.go")
    }
    assert sum(len(text.splitlines()) for text in code.values()) <= 1350
    for name, text in code.items():
        for function in re.findall(r"^func .*?^\}", text, re.MULTILINE | re.DOTALL):
            assert len(function.splitlines()) <= 60, f"{name}: {function.splitlines()[0]}"


UNUSUAL_PATHS = ["orders", "EXAMPLE.com/x", "a.b/.x", "a.b/x~y+z/v2", "gopkg.in/yaml.v3", "test/x"]
UNUSUAL_NAMES = ["internal", "testdata", "main", "go", "x" * 40]


@pytest.mark.parametrize(
    "answers",
    [{"module_path": path} for path in UNUSUAL_PATHS] + [{"service_name": name} for name in UNUSUAL_NAMES],
    ids=str,
)
def test_unusual_answers_build(bake: Bake, answers: dict[str, str]) -> None:
    service = bake(**answers)
    service.run("go", "vet", "./...")
    service.build()
