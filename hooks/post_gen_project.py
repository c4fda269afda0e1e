"""Remove the files of the options that were not chosen, and tell a person what to type next."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys

# question -> choice -> the files and folders that only this choice has
OPTIONAL: dict[str, dict[str, list[str]]] = {
    "license": {"MIT": ["LICENSE"], "Apache-2.0": ["LICENSE"]},
}


def not_chosen(answers: dict[str, str]) -> list[str]:
    """Return the paths that none of the chosen options has, as the table writes them."""
    kept = {path for question, choices in OPTIONAL.items() for path in choices.get(answers[question], [])}
    known = {path for choices in OPTIONAL.values() for paths in choices.values() for path in paths}
    return sorted(known - kept)


def remove(path: str) -> None:
    """Remove a file or folder; one that is not there was removed before."""
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.remove(path)


def chosen_answers() -> dict[str, str]:
    """Return the answers by question. Cookiecutter renders this line; as JSON in a string no answer is code."""
    answers: dict[str, str] = json.loads({{cookiecutter | tojson | tojson}})  # type: ignore[name-defined, arg-type]  # noqa: F821
    return answers


def next_steps(folder: str) -> str:
    """Return what a person types next."""
    return f"\n{os.path.basename(folder)} is ready:\n\n  cd {shlex.quote(folder)}\n  make test\n  make run\n"


def main() -> int:
    """Tidy the current directory, the freshly baked service."""
    answers = chosen_answers()
    for path in not_chosen(answers):
        remove(path)
    is_person_there = sys.stdin is not None and sys.stdin.isatty()
    if is_person_there and "_commit" not in answers:  # cruft, which sets it, also bakes where nobody will look
        encoding = sys.stdout.encoding
        print(next_steps(os.getcwd()).encode(encoding, "backslashreplace").decode(encoding))
    return 0


if __name__ == "__main__":
    sys.exit(main())
