"""Runs the binary of a service, and helps to watch and stop it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

Line = dict[str, Any]


class RunningService:
    """A running service and the lines of its log.

    It listens on free ports unless the variables say otherwise. As a context manager, it kills the process at the end.
    """

    def __init__(self, binary: Path, **variables: str) -> None:
        free = {"PORT": "0", "ADMIN_ADDR": "127.0.0.1:0", "METRICS_ADDR": "127.0.0.1:0"}
        environment = {"PATH": os.defpath, **free, **variables}
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [binary], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[Line] = []
        self._lines_changed = threading.Condition()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    def _read_log(self) -> None:
        assert self.process.stdout
        for text in self.process.stdout:
            line = json.loads(text)
            with self._lines_changed:
                self.lines.append(line)
                self._lines_changed.notify_all()
        with self._lines_changed:
            self._lines_changed.notify_all()

    def wait_for(self, wanted: Callable[[Line], bool], seconds: float = 10) -> Line:
        """Return the first log line that is wanted. Wait for it if it is not there yet."""
        found: list[Line] = []

        def found_or_ended() -> bool:
            found[:] = [line for line in self.lines if wanted(line)][:1]
            return bool(found) or not self._reader.is_alive()

        with self._lines_changed:
            self._lines_changed.wait_for(found_or_ended, seconds)
        if not found:
            raise AssertionError(f"the line did not come within {seconds} s. The log: {self.lines}")
        return found[0]

    def address(self, variable: str = "PORT") -> tuple[str, int]:
        """Return 127.0.0.1 and the port of the listener that the variable configures."""
        line = self.wait_for(lambda line: line["msg"] == "listening" and line["variable"] == variable)
        return "127.0.0.1", int(line["address"].rpartition(":")[2])

    def wait_until_ready(self) -> None:
        """Wait until /readyz is 200. That is later than the line that says where it listens."""
        wait_for_answer(self.address()[1], "/readyz")

    @property
    def url(self) -> str:
        host, port = self.address()
        return f"http://{host}:{port}"

    def drain(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal and wait until the service drains."""
        self.signal(number)
        self.wait_for(lambda line: line["msg"] == "draining")

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 10) -> int:
        """Wait until the process ends and the log is complete. Return the exit status."""
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        return status

    def stop(self) -> int:
        """Stop it with SIGTERM and return the exit status."""
        self.signal()
        return self.wait()

    def __enter__(self) -> RunningService:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream
            stream.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def wait_for_answer(port: int, path: str = "/livez") -> None:
    """Request a path, without a pause, until the response is 200."""
    deadline = time.perf_counter() + 10
    while time.perf_counter() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
                if connection.recv(15).startswith(b"HTTP/1.1 200"):
                    return
        except ConnectionError:
            pass
    raise TimeoutError(f"no 200 from port {port} within 10 s")


def kibibytes(pid: int, field: str) -> int:
    """Return a memory figure of a process in KiB, such as VmRSS or VmHWM. Linux only: see proc(5)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    (value,) = re.findall(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(value)
