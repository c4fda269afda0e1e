"""A baked service as a running process, driven from outside."""

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


class Service:
    """The process of a service binary and the lines of its log.

    It listens on free ports unless the variables say otherwise. As a context manager it is killed at the end if it
    still runs.
    """

    def __init__(self, binary: Path, **variables: str) -> None:
        environment = {"PATH": os.defpath, "PORT": "0", "ADMIN_ADDR": "127.0.0.1:0", **variables}
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [binary], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[Line] = []
        self._grown = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for text in self.process.stdout:
            line = json.loads(text)
            with self._grown:
                self.lines.append(line)
                self._grown.notify_all()
        with self._grown:
            self._grown.notify_all()

    def wait_for(self, wanted: Callable[[Line], bool], seconds: float = 10) -> Line:
        """Return the first log line that is wanted, now or when it comes."""
        found: list[Line] = []

        def seen() -> bool:
            found[:] = [line for line in self.lines if wanted(line)][:1]
            return bool(found) or not self._reader.is_alive()

        with self._grown:
            self._grown.wait_for(seen, seconds)
        if not found:
            raise AssertionError(f"no such line within {seconds} s; the log: {self.lines}")
        return found[0]

    def address(self, variable: str = "PORT") -> tuple[str, int]:
        """Return where it listens, by the variable that sets it: 127.0.0.1 and the port that was bound."""
        line = self.wait_for(lambda line: line["msg"] == "listening" and line["variable"] == variable)
        return "127.0.0.1", int(line["address"].rpartition(":")[2])

    @property
    def url(self) -> str:
        host, port = self.address()
        return f"http://{host}:{port}"

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 10) -> int:
        """Wait for its end and return its exit status; the log is complete then."""
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        return status

    def stop(self) -> int:
        """Ask it to stop as a platform does, and return its exit status."""
        self.signal()
        return self.wait()

    def __enter__(self) -> Service:
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


def wait_for_answer(port: int) -> None:
    """Ask for /livez until it is answered with 200, without a pause."""
    deadline = time.perf_counter() + 10
    while time.perf_counter() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n")
                if connection.recv(15).startswith(b"HTTP/1.1 200"):
                    return
        except ConnectionError:
            pass
    raise TimeoutError(f"nothing answers on port {port}")


def kibibytes(pid: int, field: str) -> int:
    """Return a field of a process's memory in KiB, such as VmRSS or VmHWM: proc(5), Linux only."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    (value,) = re.findall(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(value)
