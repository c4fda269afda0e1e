"""The questions at a real terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from go_service_answers import template
from go_service_answers.rules import RULES
from tests.support.terminal import ENTER, CookiecutterTerminal

QUESTIONS = len(template.questions())


@pytest.fixture
def terminal(tmp_path: Path) -> CookiecutterTerminal:
    return CookiecutterTerminal(tmp_path)


def test_enter_takes_every_default(terminal: CookiecutterTerminal, tmp_path: Path) -> None:
    terminal.answer(*[ENTER] * QUESTIONS)
    status, shown = terminal.end()
    assert status == 0
    assert (tmp_path / "my-service/go.mod").exists()
    folder = re.escape(str(tmp_path / "my-service"))
    assert re.search(rf"my-service is ready:\s+cd {folder}\s+make test\s+make run", shown)


def test_a_bad_answer_is_asked_again_with_the_suggestion_as_its_default(
    terminal: CookiecutterTerminal, tmp_path: Path
) -> None:
    terminal.answer("Order API")
    shown = terminal.answer(ENTER)
    assert "It has the capital letter 'O'" in shown
    assert RULES["service_name"].accepted in shown
    assert shown.endswith("  Name, for Kubernetes and the image (order-api): ")
    assert "/order-api): " in terminal.answer(ENTER, ENTER)
    terminal.answer(*[ENTER] * (QUESTIONS - 3))
    assert terminal.end()[0] == 0
    assert (tmp_path / "order-api").is_dir()


def test_it_asks_until_the_answer_is_good(terminal: CookiecutterTerminal, tmp_path: Path) -> None:
    terminal.answer("a/b", "../x", "orders", "\\o/ {{ 7*7 }} {% x")
    terminal.answer(*[ENTER] * (QUESTIONS - 2))
    assert terminal.end()[0] == 0
    assert "\\\\o/ {{ 7*7 }} {% x" in (tmp_path / "orders/main.go").read_text()
    assert list(tmp_path.iterdir()) == [tmp_path / "orders"]


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
@pytest.mark.parametrize("before", [[], ["Order API"]], ids=["at a question", "at one asked again"])
def test_leaving_leaves_nothing(terminal: CookiecutterTerminal, tmp_path: Path, key: str, before: list[str]) -> None:
    terminal.answer(*before)
    terminal.wait_for(r"\): $")
    terminal.process.send(key)
    status, shown = terminal.end()
    assert status == 1
    assert "Traceback" not in shown
    assert list(tmp_path.iterdir()) == []
