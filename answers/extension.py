"""How the rules meet Cookiecutter: at the prompt, and as the gate that no bad answer passes.

Cookiecutter renders the `__` variables of cookiecutter.json in their order, between the questions, and the name of the
service's folder before it makes anything. So there are four places where answers are checked:

- `__<question>`, after each question: asks again where a person is there (`ask_again`).
- `__checked`, after the last one: ends with one message about all that is wrong (`refuse_bad`).
- the folder's name, which is also rendered where a replay brings all answers along and nothing above is asked.
- hooks/pre_gen_project.py, which does not depend on how Cookiecutter names or renders any of these.

In cookiecutter.json each filter is used only "if it is a filter": a replay of an older set of answers asks for what
that lacks without the extension.
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
import textwrap
from collections.abc import Mapping, MutableMapping
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from jinja2 import Environment
from jinja2.ext import Extension

from answers import rules

OLDEST_PYTHON = (3, 10)
OLDEST_COOKIECUTTER = (2, 5)
FOLDER = "{{cookiecutter.service_name}}"
SERVICE_NAME = "{{ cookiecutter.service_name }}"  # what a config may say
CALLERS = {"cookiecutter", "cruft", "pytest_cookies"}
PACKAGE = Path(__file__).resolve().parent
QUESTIONS = PACKAGE.parent / "cookiecutter.json"


def ask_again(answers: MutableMapping[str, Any]) -> str:
    """Ask the last question again until its answer is good, where a person is there to answer."""
    if not answers or not is_person_there():
        return ""
    if lines := misspelled(answers):
        sys.exit(rules.message(lines))
    question = list(answers)[-1]  # Cookiecutter has just put it there
    while advice := rules.advice(question, answers[question]):
        from rich.prompt import Prompt  # Cookiecutter's own; imported late since most bakes never ask

        print(wrapped(advice[0].upper() + advice[1:]))
        label = template_file()["__prompts__"][question]
        answers[question] = Prompt.ask(f"  {label}", default=rules.suggestion(question, answers[question]))
    return ""


def wrapped(text: str) -> str:
    """Return a text in as many lines as it takes at this terminal, indented as Cookiecutter's questions are."""
    columns = shutil.get_terminal_size().columns
    return textwrap.fill(text, columns, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


@cache
def template_file() -> dict[str, Any]:
    """Return what cookiecutter.json says."""
    questions: dict[str, Any] = json.loads(QUESTIONS.read_text(encoding="utf-8"))
    return questions


def refuse_bad(answers: Mapping[str, object]) -> str:
    """End Cookiecutter where an answer is bad or has a wrong name: before it made anything, and without a traceback."""
    given = {**answers, **what_cookiecutter_would_change()}
    if lines := [*misspelled(answers), *rules.problems(given), *unknown_choices(given)]:
        sys.exit(rules.message(lines))
    return ""


def what_cookiecutter_would_change() -> dict[str, object]:
    """Return the answers that Cookiecutter would not take as they are, and not refuse either.

    Of a list for a text it takes the first element. At a choice in the user's config that there is not it warns, takes
    the default, and drops the answers that come after it.
    """
    given = (local_of_cookiecutter("context") or {}).get("cookiecutter", {})
    config = (local_of_cookiecutter("config_dict") or {}).get("default_context") or {}
    return {question: given[question] for question in rules.RULES if isinstance(given.get(question), (list, dict))} | {
        question: config[question] for question in choices() if question in config
    }


def choices() -> dict[str, list[str]]:
    """Return the questions with a list of choices."""
    return {name: value for name, value in template_file().items() if isinstance(value, list) and name[0] != "_"}


def unknown_choices(answers: Mapping[str, object]) -> list[str]:
    """Return a line for each choice that is not in its list: from a replay, Cookiecutter takes any."""
    return [
        f"{name}={rules.shown(str(answers[name]))}: there is no such choice. Accepted: {', '.join(accepted)}"
        for name, accepted in choices().items()
        if name in answers and answers[name] not in accepted
    ]


def misspelled(answers: Mapping[str, object]) -> list[str]:
    """Return a line for each answer to a question that there is not, from the command line or a replay.

    Cookiecutter ignores them. In a user's config they may be meant for another template.
    """
    questions = [name for name in template_file() if not name.startswith("_")]
    given = {**(local_of_cookiecutter("extra_context") or {}), **answers}
    unknown = [name for name in given if not name.startswith("_") and name not in questions]
    return [f"{rules.shown(name)}: there is no such question. {nearest(name, questions)}" for name in unknown]


def nearest(name: str, questions: list[str]) -> str:
    import difflib  # late, since hardly a bake needs it

    near = difflib.get_close_matches(name, questions, n=1, cutoff=0.4)
    return f"Did you mean {near[0]}?" if near else "The questions are: " + ", ".join(questions)


def refuse_old(python: tuple[int, ...], cookiecutter: str) -> None:
    """End the program where it is older than the template was tried with."""
    if python < OLDEST_PYTHON:
        sys.exit(f"This template needs Python {dotted(OLDEST_PYTHON)} or later; this is {dotted(python)}.")
    if tuple(int(part) for part in cookiecutter.split(".")[:2]) < OLDEST_COOKIECUTTER:
        sys.exit(f"This template needs Cookiecutter {dotted(OLDEST_COOKIECUTTER)} or later; this is {cookiecutter}.")


def dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def is_person_there() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and local_of_cookiecutter("no_input") is False


def local_of_cookiecutter(name: str, function: str = "") -> Any:
    """Return a local variable of the nearest function that has it, of that name if one is given, None where none has.

    Cookiecutter, cruft and pytest-cookies tell extensions neither whether they may ask nor what they were given.
    """
    frame = sys._getframe()
    while caller := frame.f_back:
        frame = caller
        module = frame.f_globals.get("__name__", "").split(".")[0]
        if module in CALLERS and name in frame.f_locals and function in {"", frame.f_code.co_name}:
            return frame.f_locals[name]
    return None


def is_an_answer(source: str) -> bool:
    """Report whether Cookiecutter renders what somebody answered, not what the template says."""
    question = local_of_cookiecutter("key", function="prompt_for_config")
    return question is not None and source != template_file().get(question)


def is_from_config(answer: str) -> bool:
    """Report whether an answer comes from the user's config, at a question after the one for the service's name."""
    question = local_of_cookiecutter("key", function="prompt_for_config")
    config = (local_of_cookiecutter("config_dict") or {}).get("default_context") or {}
    typed = local_of_cookiecutter("extra_context") or {}
    answered = local_of_cookiecutter("cookiecutter_dict") or {}
    return config.get(question) == answer and question not in typed and "service_name" in answered


def verbatim(answer: str) -> str:
    """Return what Jinja renders to an answer as it was typed, but for the service's name in a config.

    A config speaks for services to come, so that it could not say where their modules live without that name. All else
    stands in strings, from which no answer gets out to be run.
    """
    parts = answer.split(SERVICE_NAME) if is_from_config(answer) else [answer]
    strings = (json.dumps(part, ensure_ascii=False) for part in parts)
    return "{{ " + " ~ cookiecutter.service_name ~ ".join(strings) + " }}"


def sources(package: Path) -> list[tuple[str, int, int]]:
    """Return what tells one version of this package, and of the questions, from another."""
    files = [*sorted(package.glob("*.py")), package.parent / QUESTIONS.name]
    found = [(file, file.stat()) for file in files]
    return [(str(file), stat.st_mtime_ns, stat.st_size) for file, stat in found]


LOADED = sources(PACKAGE)


def newer_version() -> Any:
    """Return this module as it is in the template that is rendered now, None where it is this one.

    cruft brings two versions of a template into one process, one after the other, and Python keeps the first.
    """
    spec = PathFinder.find_spec("answers")
    package = Path(spec.origin).resolve().parent if spec and spec.origin else PACKAGE
    if not all((package / name).exists() for name in ("extension.py", "../cookiecutter.json")):
        return None  # another package of that name
    if sources(package) == LOADED:
        return None
    shutil.rmtree(package / "__pycache__", ignore_errors=True)  # which tells versions apart by whole seconds
    for name in [name for name in sys.modules if name.split(".")[0] == "answers"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    return importlib.import_module("answers.extension")


class Answers(Extension):
    """The filters for cookiecutter.json and the hooks, and what is done to a text before Jinja reads it."""

    def __new__(cls, environment: Environment) -> Answers:
        """Make the one of the template that is rendered now."""
        newer = newer_version()
        made: Answers = newer.Answers(environment) if newer else super().__new__(cls)
        return made

    def __init__(self, environment: Environment) -> None:
        refuse_old(sys.version_info[:2], sys.modules["cookiecutter"].__version__)
        super().__init__(environment)
        environment.filters.update(ask_again=ask_again, refuse_bad=refuse_bad, refusal=rules.refusal)

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Put the gate before the service's folder, and keep Jinja from reading an answer.

        Cookiecutter renders the answers of the command line and of configs: they have to come out as they were typed.
        """
        if name is not None or not any(mark in source for mark in ("{{", "{%", "{#")):
            return source
        if is_an_answer(source):
            return verbatim(source)
        if "| ask_again" in source and not is_person_there():
            return ""  # compiling the question for nobody, again and again, would take as long as all else here
        return "{{ cookiecutter | refuse_bad }}" + source if source == FOLDER else source
