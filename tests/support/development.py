"""A service under `make dev`."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from tests.support import raw_http
from tests.support.prometheus import wait_until

GREETING = '{"name":"Ada"}'


class Development:
    """`make dev` in a folder, in a session of its own, as at a terminal. `process` are more settings of the process."""

    def __init__(self, folder: Path, port: int, environment: Mapping[str, str], *words: str, **process: object) -> None:
        self.address = ("127.0.0.1", port)
        self._printed = folder / "bin/printed"
        self._printed.parent.mkdir(exist_ok=True)
        with self._printed.open("w") as output:
            self._make = subprocess.Popen(
                ["make", "dev", *words], cwd=folder, env={**environment, "ADMIN_ADDR": ""}, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, **process,  # type: ignore[call-overload]
            )  # fmt: skip

    def printed(self) -> str:
        return self._printed.read_text()

    def wait_for_line(self, text: str) -> None:
        wait_until(lambda: text in self.printed(), self.printed, seconds=300)

    def wait_for(self, text: str, method: str, path: str, body: str | None = None) -> None:
        """Wait until the answer has a text. In between, nobody may listen."""

        def is_there() -> bool:
            assert self._make.poll() is None, self.printed()
            try:
                return text in raw_http.ask(self.address, method, path, body).body.decode()
            except OSError:
                return False

        wait_until(is_there, self.printed, seconds=300)

    def wait_for_greeting(self, text: str) -> None:
        self.wait_for(text, "POST", "/v1/greetings", GREETING)

    def processes(self) -> list[str]:
        """Return the commands that run in its session."""
        ps = ["ps", "-o", "stat=,args=", "--sid", str(self._make.pid)]
        listed = subprocess.run(ps, capture_output=True, text=True).stdout.splitlines()
        return [line for line in listed if not line.startswith("Z")]

    def interrupt(self) -> None:
        """Type Ctrl-C: the terminal sends it to the process group of make."""
        os.killpg(self._make.pid, signal.SIGINT)
        self._make.wait(20)

    def __enter__(self) -> Development:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._make.poll() is None:
            self.interrupt()
        wait_until(lambda: not self.processes(), self.processes)  # a build that was not finished ends by itself
