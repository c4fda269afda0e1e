"""The hooks, and the table of optional files that they and the extension go by."""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from go_service_answers import template
from tests.support.commands import cookiecutter
from tests.support.repository import SERVICE, SERVICE_FOLDER, TEMPLATE


def load(name: str) -> ModuleType:
    """Import a hook as it lies in the repository, with its Jinja expressions in it."""
    spec = importlib.util.spec_from_file_location(name, TEMPLATE / f"hooks/{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def post_gen(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The post-generation hook, as rendered by Cookiecutter without git, when every file was chosen."""
    hook = load("post_gen_project")
    monkeypatch.setattr(hook, "files_not_chosen", list)
    monkeypatch.setattr(hook, "known_to_cookiecutter", template.questions)
    monkeypatch.setattr(hook, "link", str)
    return hook


def test_the_pre_generation_hook_accepts_good_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pre_gen = load("pre_gen_project")
    monkeypatch.setattr(pre_gen, "refusal", str)
    assert pre_gen.main() == 0
    assert capsys.readouterr() == ("", "")


def test_the_pre_generation_hook_prints_all_problems(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pre_gen = load("pre_gen_project")
    monkeypatch.setattr(pre_gen, "refusal", lambda: "All bad:\na: bad\nb: worse")
    assert pre_gen.main() == 1
    assert capsys.readouterr().err.splitlines()[1:] == ["a: bad", "b: worse"]


def test_the_post_generation_hook_removes_what_was_not_chosen(
    post_gen: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_gen, "files_not_chosen", lambda: ["red", "warm.txt", "one/two/blue.txt"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "red/deep").mkdir(parents=True)
    (tmp_path / "one/two").mkdir(parents=True)
    (tmp_path / "one/two/blue.txt").touch()
    (tmp_path / "warm.txt").symlink_to("nowhere")
    (tmp_path / "cold.txt").touch()
    for _ in range(2):  # running it again does no harm
        assert post_gen.main() == 0
        assert [path.name for path in tmp_path.iterdir()] == ["cold.txt"]


def test_the_post_generation_hook_links_a_service_once(
    post_gen: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that is baked over an older one keeps the link that an update needs."""
    monkeypatch.setattr(post_gen, "link", lambda: '{"description": "\ud83e\uddab"}')
    monkeypatch.chdir(tmp_path)
    assert post_gen.main() == 0
    assert (tmp_path / ".cruft.json").read_bytes() == '{"description": "🦫"}'.encode()
    (tmp_path / ".cruft.json").write_text("older")
    assert post_gen.main() == 0
    assert (tmp_path / ".cruft.json").read_text() == "older"


def test_the_next_steps_never_fail_a_bake(
    post_gen: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ascii_terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    (tmp_path / "größe").mkdir()
    monkeypatch.chdir(tmp_path / "größe")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("sys.stdout", ascii_terminal)
    assert post_gen.main() == 0
    ascii_terminal.seek(0)
    assert r"gr\xf6\xdfe is ready" in ascii_terminal.read()


@pytest.mark.parametrize("hook", ["pre_gen_project", "post_gen_project"])
def test_hooks_import_the_standard_library_only(hook: str) -> None:
    isolated = [sys.executable, "-I", "-S", "-c", "import runpy, sys; runpy.run_path(sys.argv[1])"]
    subprocess.run([*isolated, str(TEMPLATE / f"hooks/{hook}.py")], check=True)


TABLE = {
    "_optional_files": [
        {"when": {"license": ["MIT", "Apache-2.0"]}, "files": ["either"]},
        {"when": {"license": ["MIT"], "base_image": ["scratch"]}, "files": ["both"]},
        {"when": {"license": ["MIT"]}, "files": ["one of two"]},
        {"when": {"base_image": ["scratch"]}, "files": ["one of two"]},
    ]
}


@pytest.mark.parametrize(
    ("license_name", "base_image", "chosen"),
    [
        ("proprietary", "alpine", set()),
        ("MIT", "alpine", {"either", "one of two"}),
        ("Apache-2.0", "alpine", {"either"}),
        ("proprietary", "scratch", {"one of two"}),
        ("MIT", "scratch", {"either", "both", "one of two"}),
    ],
)
def test_the_table_of_files_can_say_and_and_or(
    monkeypatch: pytest.MonkeyPatch, license_name: str, base_image: str, chosen: set[str]
) -> None:
    monkeypatch.setattr(template, "questions_file", lambda: TABLE)
    answers = {"license": license_name, "base_image": base_image}
    assert set(template.files_not_chosen(answers)) == {"either", "both", "one of two"} - chosen


def test_the_table_names_questions_choices_and_files_that_exist() -> None:
    for row in template.questions_file()["_optional_files"]:
        assert row.keys() == {"when", "files"}
        for question, accepted in row["when"].items():
            assert set(accepted) <= set(template.choices()[question])
        for file in row["files"]:
            assert (SERVICE / file).exists()


def test_a_file_that_was_not_chosen_is_not_rendered(repository: Path, folder: Path) -> None:
    """Cookiecutter copies it as it is, which takes a third of the time, and the hook removes it."""
    (repository / SERVICE_FOLDER / "LICENSE").write_text("{% this is an error %}\n")
    done = cookiecutter(folder, "--no-input", template=str(repository))
    assert done.returncode == 0, done.stderr
    assert not (folder / "my-service/LICENSE").exists()
    assert (
        "this is an error" in cookiecutter(folder, "--no-input", "license=MIT", "-f", template=str(repository)).stderr
    )
