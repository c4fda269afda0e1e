"""The Jinja extension that checks answers: as they are typed, and once more before anything is written.

Cookiecutter renders the `__` variables of cookiecutter.json in order, between the questions. Then it renders the name
of the service's folder, before it creates anything. So answers are checked in five places:

- When Cookiecutter loads the extension, before the first question: the user's config (user_config.py).
- `__<question>`, after each question: a person is asked again until the answer is good (`ask_again`).
- `__checked`, after the last question: all problems end the program in one message (`refuse_bad`).
- The folder's name: the same again, because a replay skips the steps above.
- hooks/pre_gen_project.py, which depends on none of these.

cookiecutter.json uses each filter only "if it is a filter", because a replay of older answers may load no extension.
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
import textwrap
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from jinja2 import Environment
from jinja2.ext import Extension

from go_service_answers import caller, link, rules, template, user_config

OLDEST_PYTHON = (3, 10)
OLDEST_COOKIECUTTER = (2, 5)
PACKAGE = Path(__file__).resolve().parent


def ask_again(answers: MutableMapping[str, Any]) -> str:
    """Ask the last question again until its answer is good. Without a person there, do nothing."""
    if not answers or not caller.is_person_there():
        return ""
    if lines := unknown_questions(answers):
        rules.refuse(lines)
    question = list(answers)[-1]  # Cookiecutter has just added it
    while advice := rules.advice(question, answers[question]):
        from rich.prompt import Prompt  # Cookiecutter's own; imported late, because most bakes never ask

        print(wrapped(advice[0].upper() + advice[1:]))
        label = template.questions_file()["__prompts__"][question]
        answers[question] = Prompt.ask(f"  {label}", default=rules.suggestion(question, answers[question]))
    return ""


def wrapped(text: str) -> str:
    """Return a text wrapped to this terminal's width, and indented like Cookiecutter's questions."""
    columns = shutil.get_terminal_size().columns
    return textwrap.fill(text, columns, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def refuse_bad(answers: Mapping[str, object]) -> str:
    """End the program with one message when an answer is bad or answers no question."""
    given = {**answers, **answers_of_wrong_type()}
    if lines := [*unknown_questions(answers), *rules.problems(given), *unknown_choices(given)]:
        rules.refuse([*lines, *answers_from_config(lines)])
    return ""


def answers_from_config(lines: list[str]) -> list[str]:
    """Return a line that names the user's config, if one of these problems comes from there."""
    bad = [line.partition("=")[0] for line in lines]
    found = [name for name in bad if name in caller.config_answers() and name not in caller.command_line_answers()]
    return [f"From {caller.config_name()}: {', '.join(found)}"] if found else []


def answers_of_wrong_type() -> dict[str, object]:
    """Return the lists and objects given for texts. Cookiecutter would silently take their first element."""
    given = (caller.variable("context") or {}).get("cookiecutter", {})
    return {question: given[question] for question in rules.RULES if isinstance(given.get(question), (list, dict))}


def unknown_choices(answers: Mapping[str, object]) -> list[str]:
    """Return a line for each choice that is not offered. Cookiecutter accepts any from a replay."""
    return [
        f"{name}={rules.shown(answers[name])}: there is no such choice. Accepted: {', '.join(accepted)}"
        for name, accepted in template.choices().items()
        if name in answers and answers[name] not in accepted
    ]


def unknown_questions(answers: Mapping[str, object]) -> list[str]:
    """Return a line for each answer from the command line or a replay that answers no question.

    Cookiecutter ignores them. A user's config may have some: they are meant for other templates.
    """
    given = {**caller.command_line_answers(), **answers}
    unknown = [name for name in given if not name.startswith("_") and name not in template.questions()]
    return [
        f"{rules.shown(name)}: there is no such question. {nearest(name, template.questions())}" for name in unknown
    ]


def nearest(name: str, questions: list[str]) -> str:
    import difflib  # imported late, because hardly any bake needs it

    near = difflib.get_close_matches(name, questions, n=1, cutoff=0.4)
    return f"Did you mean {near[0]}?" if near else "The questions are: " + ", ".join(questions)


def before_first_file(answers: MutableMapping[str, Any]) -> str:
    """Check the answers, and tell Cookiecutter not to render the files that the post-generation hook will remove."""
    refuse_bad(answers)
    answers.pop("_optional_files", None)  # a table of the template, which .cruft.json need not repeat
    answers["_copy_without_render"] = [*answers.get("_copy_without_render", []), *template.files_not_chosen(answers)]
    return ""


def refuse_old(python: tuple[int, ...], cookiecutter: str) -> None:
    """End the program when Python or Cookiecutter is older than the template was tried with."""
    if python < OLDEST_PYTHON:
        sys.exit(f"This template needs Python {rules.dotted(OLDEST_PYTHON)} or later; this is {rules.dotted(python)}.")
    if tuple(int(part) for part in cookiecutter.split(".")[:2]) < OLDEST_COOKIECUTTER:
        needed = rules.dotted(OLDEST_COOKIECUTTER)
        sys.exit(f"This template needs Cookiecutter {needed} or later; this is {cookiecutter}.")


def is_template_source(source: str) -> bool:
    """Report whether a text is the template's own. Everything else is an answer, which must never run as Jinja.

    An answer may look like a text of the template, so while a question is answered only its own default counts.
    """
    question = caller.question_being_answered()
    if question is not None:
        is_default = source == template.questions_file().get(question)
        return is_default and question not in caller.command_line_answers()
    return source in template.jinja_sources()


def is_from_config(answer: str) -> bool:
    """Report whether an answer comes from the user's config, for a question after the service's name."""
    question = caller.question_being_answered()
    answered = caller.variable("cookiecutter_dict") or {}
    return (
        question is not None
        and caller.config_answers().get(question) == answer
        and question not in caller.command_line_answers()
        and "service_name" in answered
    )


def as_literal(answer: str) -> str:
    """Return a Jinja source that renders to the answer as it was typed.

    In a config the service's name is rendered: a config is for services to come, and module paths end with the name.
    Everything else becomes string literals, which run nothing.
    """
    parts = answer.split(rules.SERVICE_NAME) if is_from_config(answer) else [answer]
    literals = (json.dumps(part, ensure_ascii=False) for part in parts)
    return "{{ " + " ~ cookiecutter.service_name ~ ".join(literals) + " }}"


def fingerprint(package: Path) -> list[tuple[str, int, int]]:
    """Return path, time and size of the files that another version of the template may have in another form."""
    files = [
        *sorted(package.glob("*.py")),
        package.parent / template.QUESTIONS,
        *sorted(package.parent.glob("hooks/*.py")),
    ]
    found = [(file, file.stat()) for file in files]
    return [(str(file), stat.st_mtime_ns, stat.st_size) for file, stat in found]


LOADED = fingerprint(PACKAGE)


def newer_version() -> Any:
    """Return this module as it is in the template that is rendered now, or None when it is this one.

    cruft renders two versions of a template in one process, where Python alone would keep the modules of the first. And
    the current directory, which comes first when Python looks for modules, may be a clone of another version.
    """
    package = Path(caller.template_folder() or PACKAGE.parent).resolve() / PACKAGE.name
    if not (package / "extension.py").exists() or fingerprint(package) == LOADED:
        return None
    shutil.rmtree(package / "__pycache__", ignore_errors=True)  # it compares the times of files in whole seconds only
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE.name]:
        del sys.modules[name]
    importlib.invalidate_caches()
    sys.path.insert(0, str(package.parent))
    try:
        return importlib.import_module(f"{PACKAGE.name}.extension")
    finally:
        sys.path.remove(str(package.parent))


class Answers(Extension):
    """Adds the filters for cookiecutter.json and the hooks, and decides what Jinja may read."""

    def __new__(cls, environment: Environment) -> Answers:
        """Return the extension of the template that is rendered now."""
        newer = newer_version()
        made: Answers = newer.Answers(environment) if newer else super().__new__(cls)
        return made

    def __init__(self, environment: Environment) -> None:
        refuse_old(sys.version_info[:2], sys.modules["cookiecutter"].__version__)
        super().__init__(environment)
        filters = (ask_again, refuse_bad, before_first_file, rules.refusal, template.files_not_chosen, link.link)
        environment.filters.update({function.__name__: function for function in filters})
        if caller.is_about_to_ask():
            user_config.check()

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Return the source that Jinja may read: the template's own texts as they are, answers as literals."""
        if name is not None or not any(mark in source for mark in ("{{", "{%", "{#")):
            return source
        if not is_template_source(source):
            return as_literal(source)
        if "| ask_again" in source and not caller.is_person_there():
            return ""  # nobody is asked, and compiling the expression for each question takes time
        return "{{ cookiecutter | before_first_file }}" + source if source == template.SERVICE_FOLDER else source
