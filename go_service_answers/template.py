"""What the template's own files say: the questions, their choices, and the files that belong to choices."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = "cookiecutter.json"
SERVICE_FOLDER = "{{cookiecutter.service_name}}"


@cache
def questions_file() -> dict[str, Any]:
    """Return the content of cookiecutter.json."""
    content: dict[str, Any] = json.loads((ROOT / QUESTIONS).read_text(encoding="utf-8"))
    return content


def questions() -> list[str]:
    """Return the names of the questions, in the order in which they are asked."""
    return [name for name in questions_file() if not name.startswith("_")]


def choices() -> dict[str, list[str]]:
    """Return the questions that have choices, each with its choices, the default first."""
    return {name: questions_file()[name] for name in questions() if isinstance(questions_file()[name], list)}


def default_of(question: str) -> str:
    """Return a question's default as cookiecutter.json has it, which may be a Jinja expression."""
    default = questions_file()[question]
    return str(default[0] if isinstance(default, list) else default)


def files_not_chosen(answers: Mapping[str, object]) -> list[str]:
    """Return the files and folders that belong to choices other than these.

    `_optional_files` in cookiecutter.json is a list of rows. A row's files are there when each question in its "when"
    has one of the listed answers. A file in several rows is there when one of these rows says so.
    """
    rows = questions_file()["_optional_files"]
    chosen = {
        file
        for row in rows
        if all(answers.get(question) in accepted for question, accepted in row["when"].items())
        for file in row["files"]
    }
    return sorted({file for row in rows for file in row["files"]} - chosen)


def hooks() -> list[Path]:
    return sorted((ROOT / "hooks").glob("*.py"))


@cache
def jinja_sources() -> frozenset[str]:
    """Return the template's texts that Cookiecutter passes to Jinja without a file name.

    These are the values in cookiecutter.json, the name of the service's folder, and the hooks.
    """
    hook_texts = (hook.read_text(encoding="utf-8") for hook in hooks())
    return frozenset([*texts_in(questions_file()), SERVICE_FOLDER, *hook_texts])


def texts_in(value: object) -> Iterator[str]:
    """Yield every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts_in(part)
