"""Baked services, and what their owners do with them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from cookiecutter.main import cookiecutter

from tests.support.machine import go_environment
from tests.support.repository import TEMPLATE


@dataclass(frozen=True)
class BakedService:
    """The folder of a baked service."""

    path: Path

    def files(self) -> set[str]:
        """Return the names of its files, without those of git."""
        names = {str(file.relative_to(self.path)) for file in self.path.rglob("*") if file.is_file()}
        return {name for name in names if not name.startswith(".git/")}

    def read(self, name: str) -> str:
        return (self.path / name).read_text(encoding="utf-8")

    def run(self, *command: str, status: int = 0, timeout: float = 600) -> str:
        """Run a command in the folder and return what it printed. Fails when the exit status is another one."""
        done = subprocess.run(
            command, cwd=self.path, env=go_environment(), capture_output=True, text=True, timeout=timeout
        )
        words = " ".join(command)
        assert done.returncode == status, f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def make(self, *words: str) -> str:
        return self.run("make", "--no-print-directory", *words)

    def build(self) -> Path:
        """Build version 1.2.3 and return the binary."""
        self.make("build", "VERSION=1.2.3")
        return self.path / "bin/service"


def bake_into(folder: Path, **answers: str) -> BakedService:
    """Bake into a folder, in this process."""
    folder.mkdir(parents=True, exist_ok=True)
    return BakedService(Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(folder), extra_context=answers)))
