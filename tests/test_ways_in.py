"""Every way in leads to the same service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytest_cookies.plugin import Cookies
from ways import cookiecutter, cruft, git

ANSWERS = {"service_name": "orders", "description": "It's {{ odd }}", "base_image": "distroless", "license": "MIT"}
WORDS = [f"{question}={answer}" for question, answer in ANSWERS.items()]


def tree(service: Path) -> dict[str, tuple[bytes, int]]:
    """Return the files of a service with what is in them and who may do what with them."""
    files = [path for path in service.rglob("*") if path.is_file() and path.name != ".cruft.json"]
    return {str(path.relative_to(service)): (path.read_bytes(), path.stat().st_mode) for path in files}


@pytest.fixture(scope="session")
def baked_from_the_folder(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, int]]:
    folder = tmp_path_factory.mktemp("from-the-folder")
    told = cookiecutter(folder, "--no-input", *WORDS)
    assert told.returncode == 0, told.stderr
    return tree(folder / "orders")


def test_git_addresses_and_tags_lead_to_the_same(
    repository: Path, folder: Path, baked_from_the_folder: dict[str, tuple[bytes, int]]
) -> None:
    git(repository, "tag", "1.0.0")
    (repository / "{{cookiecutter.service_name}}/AGENTS.md").write_text("A later version.\n")
    git(repository, "commit", "-qam", "Go on")
    told = cookiecutter(folder, "--no-input", "--checkout", "1.0.0", *WORDS, template=f"git+file://{repository}")
    assert told.returncode == 0, told.stderr
    assert tree(folder / "orders") == baked_from_the_folder


def test_short_forms_lead_to_the_same(
    repository: Path, folder: Path, tmp_path: Path, baked_from_the_folder: dict[str, tuple[bytes, int]]
) -> None:
    """Where gh stands for this machine in place of GitHub."""
    (tmp_path / "cloned").mkdir()
    gh = f"git+file://{repository.parent.parent}/{{0}}"
    own = {"abbreviations": {"gh": gh}, "cookiecutters_dir": str(tmp_path / "cloned")}
    (tmp_path / "config.yaml").write_text(json.dumps(own))
    short = f"gh:{repository.parent.name}/{repository.name}"
    words = ["--no-input", "--config-file", str(tmp_path / "config.yaml"), *WORDS]
    told = cookiecutter(folder, *words, template=short)
    assert told.returncode == 0, told.stderr
    assert tree(folder / "orders") == baked_from_the_folder


def test_a_zip_file_leads_to_the_same(
    repository: Path, folder: Path, tmp_path: Path, baked_from_the_folder: dict[str, tuple[bytes, int]]
) -> None:
    git(repository, "archive", "--format=zip", "--prefix=template/", "-o", str(tmp_path / "template.zip"), "HEAD")
    told = cookiecutter(folder, "--no-input", *WORDS, template=str(tmp_path / "template.zip"))
    assert told.returncode == 0, told.stderr
    assert tree(folder / "orders") == baked_from_the_folder


def test_cruft_leads_to_the_same(
    repository: Path, folder: Path, baked_from_the_folder: dict[str, tuple[bytes, int]]
) -> None:
    told = cruft(folder, "create", str(repository), "--no-input", "--extra-context", json.dumps(ANSWERS))
    assert told.returncode == 0, told.stderr
    assert tree(folder / "orders") == baked_from_the_folder


def test_pytest_cookies_leads_to_the_same(
    cookies: Cookies, baked_from_the_folder: dict[str, tuple[bytes, int]]
) -> None:
    result = cookies.bake(extra_context=ANSWERS)
    assert result.exception is None
    assert tree(Path(result.project_path)) == baked_from_the_folder


def test_the_command_leads_to_the_same(folder: Path, baked_from_the_folder: dict[str, tuple[bytes, int]]) -> None:
    told = cookiecutter(folder, "--no-input", *WORDS, by_module=False)
    assert told.returncode == 0, told.stderr
    assert tree(folder / "orders") == baked_from_the_folder
