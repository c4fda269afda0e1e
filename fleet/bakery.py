"""Bake services out of this clone of the template, and keep them as trees.

Nothing but answers goes into a bake: no configuration of a user, and no file of a service.
"""

from __future__ import annotations

import contextlib
import json
import queue
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from fleet.git import git, output_of, plain_environment, safe_environment
from fleet.processes import FleetError, Worker
from fleet.scratch import scratch
from fleet.target import runs_answers
from fleet.workspace import Workspace
from tools.versions import TEMPLATE

SECONDS = 120.0
BAKES_OF_A_WORKER = 100  # then another one takes over, so that memory stays small

Answers = Mapping[str, str]


class Bake(NamedTuple):
    """A baked service."""

    tree: str
    answers: dict[str, str]  # all of them, also those that were not given


def refuse_code(answers: Answers) -> None:
    """Raise FleetError if an answer would be run as a template (https://jinja.palletsprojects.com/templates/)."""
    for question, answer in answers.items():
        if re.search("{[{%#]", answer):
            raise FleetError(f"its {question} has code that its version of the template would run: {answer[:60]}")


class Bakery:
    """Bakes, and remembers what it has baked."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._workspace = Workspace.create(scratch / "bakes.git")
        self._idle: queue.LifoQueue[tuple[Worker, int]] = queue.LifoQueue()  # with the number of their bakes
        self._lock = threading.Lock()
        self._exported: dict[str, Path] = {}
        self._baked: dict[str, Bake] = {}

    @property
    def objects(self) -> Path:
        """The folder with the objects of all bakes."""
        return self._workspace.objects

    def close(self) -> None:
        while not self._idle.empty():
            self._idle.get()[0].end()

    def bake(self, commit: str, answers: Answers) -> Bake:
        """Bake a service from a commit of the template. Raises FleetError if the template refuses an answer."""
        if runs_answers(commit):
            refuse_code(answers)
        key = json.dumps([commit, answers], sort_keys=True)
        if key not in self._baked:
            self._baked[key] = self._bake(self._template(commit), answers)
        return self._baked[key]

    def _bake(self, template: Path, answers: Answers) -> Bake:
        with scratch("bake-", self._scratch) as folder:
            request = {"template": str(template), "answers": dict(answers), "folder": str(folder)}
            with self._worker() as worker:
                reply = json.loads(worker.ask(json.dumps(request), SECONDS))
            if "error" in reply:
                raise FleetError(reply["error"])
            return Bake(self._add(folder), reply["answers"])

    @contextlib.contextmanager
    def _worker(self) -> Iterator[Worker]:
        """Lend a worker to this thread. There are never more of them than threads."""
        try:
            worker, bakes = self._idle.get_nowait()
        except queue.Empty:
            command = [sys.executable, "-m", "fleet.baker", str(self._scratch)]
            worker, bakes = Worker(command, TEMPLATE, plain_environment()), 0
        is_sound = False
        try:
            yield worker
            is_sound = True
        finally:
            if is_sound and bakes < BAKES_OF_A_WORKER:
                self._idle.put((worker, bakes + 1))
            else:
                worker.end()

    def _add(self, folder: Path) -> str:
        """Return the tree of the one service in a folder."""
        (service,) = (path for path in folder.iterdir() if path.is_dir())
        variables = {"GIT_WORK_TREE": str(service), "GIT_INDEX_FILE": str(folder / "index")}
        self._workspace.git("add", "--all", "--force", ".", variables=variables)
        return self._workspace.git("write-tree", variables=variables).strip()

    def _template(self, commit: str) -> Path:
        """Return a folder with the template's files at a commit."""
        with self._lock:
            if commit not in self._exported:
                folder = self._scratch / f"template-{commit}"
                environment = {**safe_environment(), "GIT_INDEX_FILE": str(self._scratch / f"index-{commit}")}
                output_of(git(TEMPLATE, "read-tree", commit, environment=environment))
                output_of(git(TEMPLATE, "checkout-index", "-a", f"--prefix={folder}/", environment=environment))
                self._exported[commit] = folder
            return self._exported[commit]
