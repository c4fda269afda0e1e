"""The pipelines of a service: their jobs, and a stand-in for the host that runs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.baking import BakedService, bake_into
from tests.support.machine import go_environment, skip
from tests.support.repository import git, init_repository

ACTIONLINT = ["go", "run", "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"]
HOSTS = ("github", "gitlab")
NO_JOBS = {"include", "stages", "workflow", "default", "variables"}  # what else .gitlab-ci.yml has at its top

Config = dict[str, Any]


def read_yaml(service: BakedService, name: str) -> Config:
    # YAML 1.1 takes the word "on" of a workflow for true.
    content: Config = yaml.load(service.read(name), yaml.BaseLoader)
    return content


def workflows(service: BakedService) -> dict[str, Config]:
    """Return GitHub's workflows, by the names of their files."""
    files = sorted((service.path / ".github/workflows").glob("*.yml"))
    return {file.stem: read_yaml(service, f".github/workflows/{file.name}") for file in files}


def gitlab_jobs(service: BakedService) -> dict[str, Config]:
    """Return GitLab's jobs, each with what it extends."""
    config = read_yaml(service, ".gitlab-ci.yml")

    def resolved(job: Config) -> Config:
        names = job.get("extends", [])
        merged: Config = {}
        for name in [names] if isinstance(names, str) else names:
            merged |= resolved(config[name])
        return merged | job

    return {name: resolved(job) for name, job in config.items() if name not in NO_JOBS and name[0] != "."}


def commands(service: BakedService) -> dict[str, list[str]]:
    """Return what each job of a service runs, whatever its host."""
    if (service.path / ".gitlab-ci.yml").exists():
        jobs = gitlab_jobs(service)
        return {name: job.get("before_script", []) + job["script"] for name, job in jobs.items()}
    jobs = {name: job for workflow in workflows(service).values() for name, job in workflow["jobs"].items()}
    return {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}


@dataclass
class Runner:
    """Runs the jobs of a service as its host does, in the clean clone `service`.

    The stand-ins are programs that come first on PATH. They note how they were called.
    """

    service: BakedService
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def stand_in(self, name: str, script: str) -> None:
        """Put a program in the place of one that needs the host."""
        program = self.folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/bash\necho "$*" >>{self.folder}/{name}.calls\n{script}\n')
        program.chmod(0o755)

    def calls(self, name: str) -> str:
        """Return how a stand-in was called, a line for each call."""
        calls = self.folder / f"{name}.calls"
        return calls.read_text() if calls.exists() else ""

    def run(self, job: str, status: int = 0) -> str:
        """Run the commands of a job, as bash runs them on both hosts, and return what they print."""
        return self.type("\n".join(commands(self.service)[job]), status)

    def type(self, script: str, status: int = 0) -> str:
        environment = {**go_environment(), **self.variables}
        environment["PATH"] = f"{self.folder}/bin{os.pathsep}{environment['PATH']}"
        shell = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]
        done = subprocess.run(
            shell, cwd=self.service.path, env=environment, capture_output=True, text=True, timeout=900
        )
        printed = done.stdout + done.stderr
        assert done.returncode == status, f"{script}\nended with {done.returncode}:\n{printed}"
        return printed


def new_runner(folder: Path, **answers: str) -> Runner:
    """Return a runner with a clean clone of a service, whose only commit has the tag v0.1.0."""
    service = bake_into(folder / "made", **answers)
    init_repository(service.path)
    git(service.path, "tag", "v0.1.0")
    git(folder, "clone", "-q", str(service.path), "clone")
    return Runner(BakedService(folder / "clone"), folder)


def actionlint(files: list[Path]) -> None:
    """Check workflows of GitHub, by the actionlint of the machine or by one that Go downloads."""
    words = ["actionlint"] if shutil.which("actionlint") else ACTIONLINT
    version = subprocess.run([*words, "-version"], env=go_environment(), capture_output=True, text=True)
    if version.returncode:
        skip(f"actionlint cannot be downloaded: {version.stderr.splitlines()[-1]}")
    same_everywhere = ["-shellcheck=", "-pyflakes="]  # Otherwise the result depends on what else is installed.
    done = subprocess.run(
        [*words, *same_everywhere, *map(str, files)], env=go_environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def make_words(command: str) -> list[str]:
    """Return the targets of the make commands in a line of a pipeline."""
    return re.findall(r"\bmake ([a-z-]+)", command)
