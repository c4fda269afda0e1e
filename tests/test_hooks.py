"""The hooks as plain Python, unrendered."""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from conftest import TEMPLATE, questions


def load(name: str) -> ModuleType:
    """Import a hook as it lies in the repository, with its Jinja expression in it."""
    spec = importlib.util.spec_from_file_location(name, TEMPLATE / f"hooks/{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def post_gen() -> ModuleType:
    return load("post_gen_project")


def test_the_gate_passes_good_answers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pre_gen = load("pre_gen_project")
    monkeypatch.setattr(pre_gen, "refusal", str)
    assert pre_gen.main() == 0
    assert capsys.readouterr() == ("", "")


def test_the_gate_prints_all_problems(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pre_gen = load("pre_gen_project")
    monkeypatch.setattr(pre_gen, "refusal", lambda: "All bad:\na: bad\nb: worse")
    assert pre_gen.main() == 1
    assert capsys.readouterr().err.splitlines()[1:] == ["a: bad", "b: worse"]


def test_what_was_not_chosen_is_removed(post_gen: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post_gen, "OPTIONAL", {"color": {"red": ["red", "warm"], "yellow": ["yellow.txt", "warm"]}})
    monkeypatch.setattr(post_gen, "chosen_answers", lambda: {"color": "yellow"})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "red/deep").mkdir(parents=True)
    (tmp_path / "warm").mkdir()
    (tmp_path / "yellow.txt").touch()
    for _ in range(2):  # again does no harm
        assert post_gen.main() == 0
        assert {path.name for path in tmp_path.iterdir()} == {"warm", "yellow.txt"}


def test_the_next_steps_never_fail_a_bake(
    post_gen: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    (tmp_path / "größe").mkdir()
    monkeypatch.chdir(tmp_path / "größe")
    monkeypatch.setattr(post_gen, "chosen_answers", lambda: dict.fromkeys(questions(), ""))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("sys.stdout", told)
    assert post_gen.main() == 0
    told.seek(0)
    assert r"gr\xf6\xdfe is ready" in told.read()


def test_the_table_names_real_choices_and_real_files(post_gen: ModuleType) -> None:
    for question, choices in post_gen.OPTIONAL.items():
        offered = questions()[question]
        assert isinstance(offered, list)
        assert choices.keys() <= set(offered)
        for path in (path for paths in choices.values() for path in paths):
            assert (TEMPLATE / "{{cookiecutter.service_name}}" / path).exists()


@pytest.mark.parametrize("hook", ["pre_gen_project", "post_gen_project"])
def test_hooks_import_the_standard_library_only(hook: str) -> None:
    isolated = [sys.executable, "-I", "-S", "-c", "import runpy, sys; runpy.run_path(sys.argv[1])"]
    subprocess.run([*isolated, str(TEMPLATE / f"hooks/{hook}.py")], check=True)
