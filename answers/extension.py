"""How the rules meet Cookiecutter: at the prompt, and as the gate that no bad answer passes.

Cookiecutter renders the `__` variables of cookiecutter.json in their order, between the questions, and the name of the
service's folder before it makes anything. These are the places where an answer can be checked in time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from jinja2 import Environment
from jinja2.ext import Extension

from answers import rules

OLDEST_PYTHON = (3, 10)
OLDEST_COOKIECUTTER = (2, 5)
FOLDER = "{{cookiecutter.service_name}}"
QUESTIONS = Path(__file__).resolve().parent.parent / "cookiecutter.json"


def ask_again(answers: MutableMapping[str, Any]) -> str:
    """Ask the last question again until its answer is good, where a person is there to answer."""
    question = next(reversed(list(answers)))
    while is_person_there() and (problem := rules.problem(question, answers[question])):
        from rich.prompt import Prompt  # Cookiecutter's own; imported late since most bakes never ask

        print(f"  {problem}")
        answers[question] = Prompt.ask(
            f"  {question}", default=rules.RULES[question].suggestion(str(answers[question]))
        )
    return ""


def refuse_bad(answers: Mapping[str, object]) -> str:
    """End Cookiecutter where an answer is bad or has a wrong name: before it made anything, and without a traceback."""
    if lines := [*misspelled(answers), *rules.problems({**answers, **lists_for_texts()}), *unknown_choices(answers)]:
        sys.exit(rules.message(lines))
    return ""


def lists_for_texts() -> dict[str, object]:
    """Return the lists in a user's config for questions with a text: Cookiecutter would take the first element."""
    raw = (local_of_cookiecutter("context") or {}).get("cookiecutter", {})
    return {question: raw[question] for question in rules.RULES if isinstance(raw.get(question), list)}


def unknown_choices(answers: Mapping[str, object]) -> list[str]:
    """Return a line for each choice that is not in its list: from a replay, Cookiecutter takes any."""
    questions = json.loads(QUESTIONS.read_text(encoding="utf-8"))
    return [
        f"{name}={rules.shown(str(answers[name]))}: there is no such choice. Accepted: {', '.join(choices)}"
        for name, choices in questions.items()
        if isinstance(choices, list) and name in answers and name[0] != "_" and answers[name] not in choices
    ]


def misspelled(answers: Mapping[str, object]) -> list[str]:
    """Return a line for each answer on the command line to a question that there is not: Cookiecutter ignores them."""
    given = local_of_cookiecutter("extra_context") or {}
    unknown = [name for name in given if not name.startswith("_") and name not in answers]
    questions = [name for name in answers if not name.startswith("_")]
    return [f"{name}: there is no such question. Did you mean {nearest(name, questions)}?" for name in unknown]


def nearest(name: str, questions: list[str]) -> str:
    import difflib  # late, since hardly a bake needs it

    return difflib.get_close_matches(name, questions, n=1, cutoff=0)[0]


def refuse_old(python: tuple[int, ...], cookiecutter: str) -> None:
    """End the program where it is older than the template was tried with."""
    if python < OLDEST_PYTHON:
        sys.exit(f"This template needs Python {shown(OLDEST_PYTHON)} or later; this is {shown(python)}.")
    if tuple(int(part) for part in cookiecutter.split(".")[:2]) < OLDEST_COOKIECUTTER:
        sys.exit(f"This template needs Cookiecutter {shown(OLDEST_COOKIECUTTER)} or later; this is {cookiecutter}.")


def shown(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def is_person_there() -> bool:
    return sys.stdin.isatty() and local_of_cookiecutter("no_input") is False


def local_of_cookiecutter(name: str) -> Any:
    """Return a local variable of the nearest function of Cookiecutter or cruft that has it, None where none has.

    Cookiecutter tells extensions neither whether it may ask nor what was on the command line.
    """
    frame = sys._getframe()
    while caller := frame.f_back:
        frame = caller
        if frame.f_globals.get("__name__", "").split(".")[0] in {"cookiecutter", "cruft"} and name in frame.f_locals:
            return frame.f_locals[name]
    return None


class Answers(Extension):
    """The filters for cookiecutter.json and the hooks, and what is done to a text before Jinja reads it."""

    def __init__(self, environment: Environment) -> None:
        refuse_old(sys.version_info[:2], sys.modules["cookiecutter"].__version__)
        super().__init__(environment)
        environment.filters.update(ask_again=ask_again, refuse_bad=refuse_bad, refusal=rules.refusal)

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Put the gate before the service's folder, and keep Jinja from reading an answer.

        Cookiecutter renders the answers of the command line. A text without a name that does not speak of
        cookiecutter is one of them, and has to come out as it was typed.
        """
        if source == FOLDER:
            return "{{ cookiecutter | refuse_bad }}" + source
        if name is None and "cookiecutter" not in source and any(mark in source for mark in ("{{", "{%", "{#")):
            return "{{ " + json.dumps(source, ensure_ascii=False) + " }}"
        return source
