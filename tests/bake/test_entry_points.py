"""Every way to bake makes the same service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytest_cookies.plugin import Cookies

from tests.support.commands import cookiecutter, cruft
from tests.support.repository import git

ANSWERS = {"service_name": "orders", "description": "It's {{ odd }}", "base_image": "distroless", "license": "MIT"}
WORDS = [f"{question}={answer}" for question, answer in ANSWERS.items()]


def tree(service: Path) -> dict[str, tuple[bytes, int]]:
    """Return each file's content and mode."""
    files = [path for path in service.rglob("*") if path.is_file() and path.name != ".cruft.json"]
    return {str(path.relative_to(service)): (path.read_bytes(), path.stat().st_mode) for path in files}


@pytest.fixture(scope="session")
def baked_from_folder(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, int]]:
    folder = tmp_path_factory.mktemp("from-the-folder")
    done = cookiecutter(folder, "--no-input", *WORDS)
    assert done.returncode == 0, done.stderr
    return tree(folder / "orders")


def test_git_addresses_and_tags_make_the_same(
    repository: Path, folder: Path, baked_from_folder: dict[str, tuple[bytes, int]]
) -> None:
    git(repository, "tag", "1.0.0")
    (repository / "{{cookiecutter.service_name}}/AGENTS.md").write_text("A later version.\n")
    git(repository, "commit", "-qam", "Go on")
    done = cookiecutter(folder, "--no-input", "--checkout", "1.0.0", *WORDS, template=f"git+file://{repository}")
    assert done.returncode == 0, done.stderr
    assert tree(folder / "orders") == baked_from_folder


def test_short_forms_make_the_same(
    repository: Path, folder: Path, tmp_path: Path, baked_from_folder: dict[str, tuple[bytes, int]]
) -> None:
    """Here gh: stands for this machine instead of GitHub."""
    (tmp_path / "cloned").mkdir()
    gh = f"git+file://{repository.parent.parent}/{{0}}"
    own = {"abbreviations": {"gh": gh}, "cookiecutters_dir": str(tmp_path / "cloned")}
    (tmp_path / "config.yaml").write_text(json.dumps(own))
    short = f"gh:{repository.parent.name}/{repository.name}"
    words = ["--no-input", "--config-file", str(tmp_path / "config.yaml"), *WORDS]
    done = cookiecutter(folder, *words, template=short)
    assert done.returncode == 0, done.stderr
    assert tree(folder / "orders") == baked_from_folder


def test_a_zip_file_makes_the_same(
    repository: Path, folder: Path, tmp_path: Path, baked_from_folder: dict[str, tuple[bytes, int]]
) -> None:
    git(repository, "archive", "--format=zip", "--prefix=template/", "-o", str(tmp_path / "template.zip"), "HEAD")
    done = cookiecutter(folder, "--no-input", *WORDS, template=str(tmp_path / "template.zip"))
    assert done.returncode == 0, done.stderr
    assert tree(folder / "orders") == baked_from_folder


@pytest.mark.parametrize("name", ["rules.py", "../hooks/post_gen_project.py"])
def test_a_clone_of_another_version_in_the_current_folder_changes_nothing(
    repository: Path, tmp_path: Path, name: str, baked_from_folder: dict[str, tuple[bytes, int]]
) -> None:
    """Python looks for modules in the current folder first."""
    with (repository / "go_service_answers" / name).open("a") as file:
        file.write("\n# Another version.\n")
    out = tmp_path / "out"
    done = cookiecutter(repository, "--no-input", "--output-dir", str(out), *WORDS)
    assert done.returncode == 0, done.stderr
    assert tree(out / "orders") == baked_from_folder


@pytest.mark.parametrize("name", ["answers", "go_service_answers"])
def test_a_folder_of_a_user_with_the_name_of_a_package_changes_nothing(
    folder: Path, name: str, baked_from_folder: dict[str, tuple[bytes, int]]
) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").touch()
    done = cookiecutter(folder, "--no-input", *WORDS, by_module=name == "answers")
    assert done.returncode == 0, done.stderr
    assert tree(folder / "orders") == baked_from_folder


def test_cruft_makes_the_same(repository: Path, folder: Path, baked_from_folder: dict[str, tuple[bytes, int]]) -> None:
    done = cruft(folder, "create", str(repository), "--no-input", "--extra-context", json.dumps(ANSWERS))
    assert done.returncode == 0, done.stderr
    assert tree(folder / "orders") == baked_from_folder


def test_pytest_cookies_makes_the_same(cookies: Cookies, baked_from_folder: dict[str, tuple[bytes, int]]) -> None:
    result = cookies.bake(extra_context=ANSWERS)
    assert result.exception is None
    assert tree(Path(result.project_path)) == baked_from_folder


def test_the_cookiecutter_command_makes_the_same(folder: Path, baked_from_folder: dict[str, tuple[bytes, int]]) -> None:
    done = cookiecutter(folder, "--no-input", *WORDS, by_module=False)
    assert done.returncode == 0, done.stderr
    assert tree(folder / "orders") == baked_from_folder
