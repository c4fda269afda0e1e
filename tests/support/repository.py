"""This repository as the tests see it, and copies of it that they may change."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from go_service_answers import template

TEMPLATE = template.ROOT
SERVICE_FOLDER = template.SERVICE_FOLDER
SERVICE = TEMPLATE / SERVICE_FOLDER
PUBLIC_ADDRESS = (SERVICE / ".template").read_text(encoding="utf-8").split()[2]


def read(name: str) -> str:
    """Return the text of a file of this repository."""
    return (TEMPLATE / name).read_text(encoding="utf-8")


def git(folder: Path, *words: str) -> str:
    """Run git in a folder and return what it printed."""
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(folder: Path, message: str) -> None:
    """Commit everything in a folder, also when nothing has changed."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)


def init_repository(folder: Path) -> None:
    """Make a folder a git repository, and commit everything in it."""
    git(folder, "init", "-q")
    commit(folder, "All")


def tracked_files() -> list[str]:
    """Return the files of this work tree that git tracks or would add."""
    listed = git(TEMPLATE, "ls-files", "-z", "-co", "--exclude-standard")
    return [name for name in listed.split("\0") if name and (TEMPLATE / name).is_file()]


def copy_work_tree(folder: Path) -> None:
    """Copy the files of this work tree that git tracks or would add."""
    for name in tracked_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TEMPLATE / name, folder / name)


def has_history() -> bool:
    """Report whether this clone has all commits. CI often fetches only the last one."""
    return git(TEMPLATE, "rev-parse", "--is-shallow-repository").strip() == "false"


def clone_with_work_tree(folder: Path) -> None:
    """Clone this repository with its history but without tags and remote, and commit this work tree on top."""
    git(TEMPLATE, "clone", "-q", "--no-tags", str(TEMPLATE), str(folder))
    git(folder, "remote", "remove", "origin")
    if not has_history():
        shutil.rmtree(folder / ".git")
        git(folder, "init", "-q")
    for name in git(folder, "ls-files", "-z").split("\0")[:-1]:
        (folder / name).unlink()
    copy_work_tree(folder)
    commit(folder, "The work tree")


def published_as(repository: Path) -> dict[str, str]:
    """Return variables that make git take this repository for the one that the documents and services name."""
    variables = {"GIT_CONFIG_COUNT": "2"}
    for number, address in enumerate((PUBLIC_ADDRESS, "https://github.com/org/go-service-template")):
        variables[f"GIT_CONFIG_KEY_{number}"] = f"url.{repository}.insteadOf"
        variables[f"GIT_CONFIG_VALUE_{number}"] = address
    return {**os.environ, **variables}


def write_version(repository: Path, version: str, name: str = "") -> None:
    """Write a version into `.template` and commit it, as a release does, but without a tag."""
    file = repository / SERVICE_FOLDER / ".template"
    old_name, _, address = file.read_text().split()
    file.write_text(f"{name or old_name} {version} {address}\n")
    commit(repository, f"Release {version}")
