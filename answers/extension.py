"""The Jinja filters by which cookiecutter.json and the hook ask the rules."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from jinja2 import Environment
from jinja2.ext import Extension

from answers import rules


def refuse_bad(answers: Mapping[str, object]) -> str:
    """End Cookiecutter where an answer is bad: before it has made anything, and without a traceback."""
    if lines := rules.problems(answers):
        sys.exit("\n".join(["No service can be made of these answers:", *lines]))
    return ""


class Answers(Extension):
    """The filters, as Cookiecutter loads them: https://cookiecutter.readthedocs.io/en/stable/advanced/local_extensions.html"""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.filters["refuse_bad"] = refuse_bad
        environment.filters["problems"] = rules.problems
