"""Run other programs, so that none of them outlives the tool, waits forever, or fills the memory."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

SECONDS = 60.0
MOST_OUTPUT = 64 << 20  # bytes

_running: set[subprocess.Popen[bytes]] = set()
_lock = threading.Lock()
_stopping = threading.Event()
_this_thread = threading.local()


class FleetError(Exception):
    """Something cannot be done. The text says why, in one line."""


class StoppedError(BaseException):
    """The person at work has stopped the tool."""


class Done(NamedTuple):
    """The end of a program."""

    status: int
    output: str  # bytes that are not UTF-8 are surrogates, as in os.fsdecode
    complaint: str  # the last line of its standard error


def run(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    *,
    name: str,
    stdin: bytes = b"",
    seconds: float = SECONDS,
) -> Done:
    """Run a program to its end, in a session of its own.

    Raises FleetError with the program's name if it takes too long or prints too much.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as complaints:
        given.write(stdin)
        given.seek(0)
        with _started(command, folder, environment, given.fileno(), complaints.fileno()) as process:
            timer = threading.Timer(seconds, _kill, [process])
            timer.start()
            assert process.stdout
            output = process.stdout.read(MOST_OUTPUT + 1)
            if len(output) > MOST_OUTPUT:
                _kill(process)
            process.wait()
            ended_in_time = timer.is_alive()
            timer.cancel()
        if _stopping.is_set() and not _is_finishing():
            raise StoppedError
        if not ended_in_time:
            raise FleetError(f"{name} took longer than {seconds:.0f} s")
        if len(output) > MOST_OUTPUT:
            raise FleetError(f"{name} printed more than {MOST_OUTPUT >> 20} MiB")
        complaints.seek(max(0, complaints.seek(0, os.SEEK_END) - 4096))
        return Done(process.returncode, _text(output), last_line(_text(complaints.read())))


class Worker:
    """A program that answers each line with a line. It ends when this process does."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._process = _start(command, folder, environment, subprocess.PIPE, subprocess.DEVNULL)

    def ask(self, line: str, seconds: float) -> str:
        """Return the answer. Raises FleetError when there is none in time."""
        timer = threading.Timer(seconds, _kill, [self._process])
        timer.start()
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
        answer = self._process.stdout.readline().decode()
        timer.cancel()
        if _stopping.is_set():
            raise StoppedError
        if not answer:
            raise FleetError(f"there was no answer in {seconds:.0f} s")
        return answer

    def end(self) -> None:
        _kill(self._process)
        self._process.communicate()
        with _lock:
            _running.discard(self._process)


@contextlib.contextmanager
def _started(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], stdin: int, stderr: int
) -> Iterator[subprocess.Popen[bytes]]:
    process = _start(command, folder, environment, stdin, stderr)
    try:
        with process:
            yield process
    finally:
        with _lock:
            _running.discard(process)


def _start(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], stdin: int, stderr: int
) -> subprocess.Popen[bytes]:
    with _lock:
        if _stopping.is_set() and not _is_finishing():
            raise StoppedError
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C at the terminal reaches this tool alone, which then stops the others
        )
        if not _is_finishing():
            _running.add(process)
    return process


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a program and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _is_finishing() -> bool:
    return getattr(_this_thread, "is_finishing", False)


@contextlib.contextmanager
def finishing() -> Iterator[None]:
    """Let the programs that this thread runs come to their end when the tool is stopped."""
    _this_thread.is_finishing = True
    try:
        yield
    finally:
        _this_thread.is_finishing = False


def stop() -> None:
    """Kill what runs, and let nothing start any more, in any thread."""
    _stopping.set()
    with _lock:
        for process in _running:
            _kill(process)


def last_line(text: str) -> str:
    """Return the last line that is not blank."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no reason given")


def _text(output: bytes) -> str:
    return output.decode("utf-8", "surrogateescape")
