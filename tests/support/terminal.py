"""Programs at a terminal, and the person who types."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pexpect

from tests.support.repository import TEMPLATE

ENTER = ""
COLUMNS = 250  # no question is longer


def enable_ctrl_c() -> None:
    """Let Ctrl-C work when the tests run in the background, where shells make jobs ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class CookiecutterTerminal:
    """Cookiecutter asking its questions in a folder."""

    def __init__(self, folder: Path, python: str = sys.executable) -> None:
        plain = {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": str(COLUMNS)}
        self.process = pexpect.spawn(
            python, ["-m", "cookiecutter", str(TEMPLATE)],
            cwd=str(folder), env={**os.environ, **plain}, encoding="utf-8", dimensions=(60, COLUMNS),
            timeout=20, preexec_fn=enable_ctrl_c,
        )  # fmt: skip

    def answer(self, *answers: str) -> str:
        """Answer one question after the other. Return what was shown before the last answer."""
        shown = ""
        for answer in answers:
            shown += self.wait_for(r"\): $")
            self.process.sendline(answer)
        return shown

    def wait_for(self, pattern: str | type[pexpect.EOF]) -> str:
        """Return what is shown up to and including the pattern."""
        self.process.expect(pattern)
        return "".join(part for part in (self.process.before, self.process.after) if isinstance(part, str))

    def end(self) -> tuple[int | None, str]:
        """Return the exit status, and what was shown last."""
        shown = self.wait_for(pexpect.EOF)
        self.process.close()
        return self.process.exitstatus, shown
