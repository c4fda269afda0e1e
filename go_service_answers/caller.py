"""What Cookiecutter, cruft and pytest-cookies know but do not tell an extension: read from the call stack."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

START = Path.cwd()  # hooks are rendered in another folder
CALLERS = {"cookiecutter", "cruft", "pytest_cookies"}


def variable(name: str, function: str = "") -> Any:
    """Return the local variable `name` of the nearest caller that has it, or None.

    With `function`, only functions of that name are looked at.
    """
    frame = sys._getframe()
    while caller := frame.f_back:
        frame = caller
        package = frame.f_globals.get("__name__", "").split(".")[0]
        if package in CALLERS and name in frame.f_locals and function in {"", frame.f_code.co_name}:
            return frame.f_locals[name]
    return None


def is_person_there() -> bool:
    """Report whether somebody sits at a terminal and can be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and variable("no_input") is False


def question_being_answered() -> str | None:
    """Return the question whose answer Cookiecutter renders now, or None."""
    question: str | None = variable("key", function="prompt_for_config")
    return question


def is_about_to_ask() -> bool:
    """Report whether Cookiecutter is preparing its first question."""
    return variable("context", function="prompt_for_config") is not None and question_being_answered() is None


def template_folder() -> str | None:
    """Return the folder of the template that is rendered now, or None."""
    folder = variable("repo_dir") or variable("cookiecutter_template_dir")
    return None if folder is None else str(START / folder)


def command_line_answers() -> dict[str, Any]:
    """Return the answers from the command line, from cruft's --extra-context or from a service's .cruft.json."""
    return variable("extra_context") or {}


def config_answers() -> dict[str, Any]:
    """Return `default_context` of the user's config, in its order."""
    return (variable("config_dict") or {}).get("default_context") or {}


def config_name() -> str:
    """Return the path of the user's config."""
    return str(variable("config_file") or os.environ.get("COOKIECUTTER_CONFIG") or "~/.cookiecutterrc")
