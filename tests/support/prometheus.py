"""A real Prometheus."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.machine import skip
from tools.running_service import free_port

Sample = tuple[dict[str, str], float]  # labels and value


def command(name: str) -> str:
    """Return the path of a command. Skip the test without it."""
    path = shutil.which(name)
    return path or skip(f"there is no {name} command")


class Prometheus:
    """A running Prometheus with its data in the folder of its configuration. It is killed at the end."""

    def __init__(self, configuration: Path, *flags: str) -> None:
        self.port = free_port()
        self._output = configuration.with_suffix(".log")
        with self._output.open("w") as output:
            self._process = subprocess.Popen(
                [
                    *(command("prometheus"), "--config.file", str(configuration)),
                    *("--storage.tsdb.path", str(configuration.with_suffix(".data"))),
                    *("--web.listen-address", f"127.0.0.1:{self.port}", *flags),
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> None:
        wait_until(self._is_ready, self.output)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self.output()
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def api(self, path: str, **parameters: str) -> Any:
        """Return the data of /api/v1/PATH."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=10) as response:
            return json.load(response)["data"]

    def query(self, expression: str) -> list[Sample]:
        """Return the samples of an expression whose value is a vector, now."""
        result = self.api("query", query=expression)["result"]
        return [(sample["metric"], float(sample["value"][1])) for sample in result]

    def output(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def __enter__(self) -> Prometheus:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()


def wait_until(holds: Callable[[], bool], what: Callable[[], object], seconds: float = 30) -> None:
    """Wait until a condition holds. what() describes a failure."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what()}")
        time.sleep(0.1)
