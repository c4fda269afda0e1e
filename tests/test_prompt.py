"""The questions at a real terminal."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pexpect
import pytest
from conftest import TEMPLATE, questions

from answers.rules import RULES

ENTER = ""


def hear_interrupts() -> None:
    """Undo what a shell does to jobs in the background, where tests may run: it lets them ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """Cookiecutter at a terminal, and the person who types."""

    def __init__(self, folder: Path, columns: int = 250) -> None:
        environment = {**os.environ, "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": str(columns)}
        self.process = pexpect.spawn(
            sys.executable, ["-m", "cookiecutter", str(TEMPLATE)],
            cwd=str(folder), env=environment, encoding="utf-8", dimensions=(60, columns), timeout=20,
            preexec_fn=hear_interrupts,
        )  # fmt: skip

    def answer(self, *answers: str) -> str:
        """Answer so many questions, one after the other; return what stood there until the last."""
        shown = ""
        for answer in answers:
            shown += self.wait_for(r"\): $")
            self.process.sendline(answer)
        return shown

    def wait_for(self, pattern: str | type[pexpect.EOF]) -> str:
        """Return what is shown up to and with the pattern."""
        self.process.expect(pattern)
        return "".join(part for part in (self.process.before, self.process.after) if isinstance(part, str))

    def end(self) -> tuple[int | None, str]:
        """Return the exit status and what was shown at last."""
        shown = self.wait_for(pexpect.EOF)
        self.process.close()
        return self.process.exitstatus, shown


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_enter_takes_every_default(terminal: Terminal, tmp_path: Path) -> None:
    terminal.answer(*[ENTER] * len(questions()))
    status, shown = terminal.end()
    assert status == 0
    assert (tmp_path / "my-service/go.mod").exists()
    folder = re.escape(str(tmp_path / "my-service"))
    assert re.search(rf"my-service is ready:\s+cd {folder}\s+make test\s+make run", shown)


def test_a_bad_answer_is_asked_again_with_the_suggestion_as_its_default(terminal: Terminal, tmp_path: Path) -> None:
    terminal.answer("Order API")
    shown = terminal.answer(ENTER)
    assert "It has the capital letter 'O'" in shown
    assert RULES["service_name"].accepted in shown
    assert shown.endswith("  Name, for Kubernetes and the image (order-api): ")
    assert "(github.com/acme/order-api): " in terminal.answer(ENTER, ENTER)
    terminal.answer(*[ENTER] * (len(questions()) - 3))
    assert terminal.end()[0] == 0
    assert (tmp_path / "order-api").is_dir()


def test_it_asks_until_the_answer_is_good(terminal: Terminal, tmp_path: Path) -> None:
    terminal.answer("a/b", "../x", "orders", "\\o/ {{ 7*7 }} {% x")
    terminal.answer(*[ENTER] * (len(questions()) - 2))
    assert terminal.end()[0] == 0
    assert "\\\\o/ {{ 7*7 }} {% x" in (tmp_path / "orders/main.go").read_text()
    assert list(tmp_path.iterdir()) == [tmp_path / "orders"]


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["Ctrl-C", "end of input"])
@pytest.mark.parametrize("before", [[], ["Order API"]], ids=["at a question", "at one asked again"])
def test_leaving_leaves_nothing(terminal: Terminal, tmp_path: Path, key: str, before: list[str]) -> None:
    terminal.answer(*before)
    terminal.wait_for(r"\): $")
    terminal.process.send(key)
    status, shown = terminal.end()
    assert status == 1
    assert "Traceback" not in shown
    assert list(tmp_path.iterdir()) == []


SESSION = ["Order API", ENTER, "Takes orders.", ENTER, "acme/orders", ENTER, *[ENTER] * (len(questions()) - 4)]


def test_the_readme_shows_a_session_as_it_happens(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, columns=100)
    happened = terminal.answer(*SESSION) + terminal.end()[1]
    happened = happened.replace("\r\n", "\n").replace(str(tmp_path), "/home/ada")
    readme = (TEMPLATE / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```text\n\$ cookiecutter gh:org/go-service-template\n(.*?)```", readme, re.DOTALL)
    assert [line.rstrip() for line in happened.strip("\n").splitlines()] == [
        line.rstrip() for line in shown.splitlines()
    ]
