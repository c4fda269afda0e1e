"""The ways that lead from the template to a service, as people type them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent


def tracked() -> list[str]:
    """Return the files that git knows or would take, and that exist."""
    listed = subprocess.check_output(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=TEMPLATE, text=True)
    return [name for name in listed.split("\0") if name and (TEMPLATE / name).is_file()]


def copy_work_tree(folder: Path) -> None:
    """Copy what is tracked, as it is in this work tree."""
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TEMPLATE / name, folder / name)


def has_history() -> bool:
    """Report whether this clone has all commits; CI often takes the last one alone."""
    return git(TEMPLATE, "rev-parse", "--is-shallow-repository").strip() == "false"


def cookiecutter(
    folder: Path, *words: str, template: str = str(TEMPLATE), by_module: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run Cookiecutter in a folder without a person: by "python -m cookiecutter", or by its own command."""
    program = [sys.executable, "-m", "cookiecutter"] if by_module else [installed("cookiecutter")]
    environment = dict(os.environ)
    return subprocess.run([*program, template, *words], cwd=folder, env=environment, capture_output=True, text=True)


def installed(command: str) -> str:
    """Return the path of a command that stands beside this Python."""
    return str(Path(sys.executable).parent / command)


def cruft(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [installed("cruft"), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def published(repository: Path) -> dict[str, str]:
    """Return the environment in which a repository of this machine stands where the template is published.

    In a fork that is not where its documents, which are those of the template that it is from, say.
    """
    own = (TEMPLATE / "{{cookiecutter.service_name}}/.template").read_text().split()[2]
    variables = {"GIT_CONFIG_COUNT": "2"}
    for number, address in enumerate((own, "https://github.com/org/go-service-template")):
        variables |= {f"GIT_CONFIG_KEY_{number}": f"url.{repository}.insteadOf", f"GIT_CONFIG_VALUE_{number}": address}
    return {**os.environ, **variables}


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def commit_all(folder: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "All")


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)


def made(template: Path, folder: Path, version: str = "HEAD", **answers: str) -> Path:
    """Make a service of a version by cruft, and commit it untouched."""
    words = ["--no-input", "--checkout", git(template, "rev-parse", version).strip(), "--output-dir", str(folder)]
    told = cruft(folder, "create", str(template), *words, "--extra-context", json.dumps(answers))
    assert told.returncode == 0, told.stderr
    commit_all(folder / "my-service")
    return folder / "my-service"
