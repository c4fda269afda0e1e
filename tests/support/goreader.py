"""Reads the Go files of many services in one process, as the compiler does."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from tests.support.machine import go_environment


class Reading(NamedTuple):
    """What goread found in the Go files of one service."""

    error: str  # the type checker's first one
    unformatted: list[str]  # the files that gofmt would change
    description: str  # the value of the constant of that name


class GoReader:
    """The program in tests/support/goread, which answers one line of JSON with another."""

    def __enter__(self) -> GoReader:
        program = ["go", "run", str(Path(__file__).parent / "goread/main.go")]
        environment = {**go_environment(), "GOGC": "1000"}  # less garbage collection makes it much faster
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(program, stdin=pipe, stdout=pipe, text=True, env=environment)
        return self

    def read(self, module_path: str, files: Mapping[str, str]) -> Reading:
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps({"Path": module_path, "Files": files}), file=self.process.stdin, flush=True)
        found = json.loads(self.process.stdout.readline())
        return Reading(found["Error"], found["Unformatted"] or [], found["Description"])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.process.communicate()
