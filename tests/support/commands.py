"""Cookiecutter and cruft, run as people type them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from cookiecutter.cli import main as cookiecutter_main

from tests.support.repository import PUBLIC_ADDRESS, TEMPLATE, git, init_repository, published_as

Done = subprocess.CompletedProcess[str]


def installed(command: str) -> str:
    """Return the path of a command that is installed beside this Python."""
    return str(Path(sys.executable).parent / command)


def cookiecutter(folder: Path, *words: str, template: str = str(TEMPLATE), by_module: bool = True) -> Done:
    """Run Cookiecutter in a folder, as a module or by its command. Nobody answers its questions."""
    program = [sys.executable, "-m", "cookiecutter"] if by_module else [installed("cookiecutter")]
    return subprocess.run(
        [*program, template, *words], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def cookiecutter_in_process(folder: Path, *words: str) -> Done:
    """Do the same in this process, which takes a third of the time."""
    out, err = io.StringIO(), io.StringIO()
    command = [str(TEMPLATE), "--output-dir", str(folder), *words]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            cookiecutter_main(command, standalone_mode=False)
        status = 0
    except SystemExit as end:  # Python prints a text and exits with 1
        status = end.code if isinstance(end.code, int) else 1
        err.write("" if isinstance(end.code, int) else f"{end.code}\n")
    return subprocess.CompletedProcess(command, status, out.getvalue(), err.getvalue())


def cruft(folder: Path, *words: str, template: Path | None = None) -> Done:
    """Run cruft in a folder. With `template`, the public address leads to that repository."""
    environment = published_as(template) if template else None
    return subprocess.run(
        [installed("cruft"), *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def create_by_cruft(template: Path, folder: Path, commit: str = "HEAD", **answers: str) -> Path:
    """Make a service from a commit of the template by cruft, and commit it untouched."""
    words = ["--no-input", "--checkout", git(template, "rev-parse", commit).strip(), "--output-dir", str(folder)]
    context = json.dumps(answers)
    done = cruft(folder, "create", PUBLIC_ADDRESS, *words, "--extra-context", context, template=template)
    assert done.returncode == 0, done.stderr
    service = folder / answers.get("service_name", "my-service")
    init_repository(service)
    return service
