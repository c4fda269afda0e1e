"""Refuse bad answers: the last check before files are written."""

from __future__ import annotations

import sys


def refusal() -> str:
    """Return the message about bad answers, or "". Cookiecutter replaces the expression below with the filter's result.

    The result becomes a JSON string, which is a Python string too. Parsing it as JSON would take 8 ms more.
    """
    return {{cookiecutter | refusal | tojson}}  # type: ignore[name-defined, return-value]  # noqa: F821


def main() -> int:
    """Print all that is wrong and return 1, or return 0."""
    message = refusal()
    if message:
        print(message, file=sys.stderr)
    return 1 if message else 0


if __name__ == "__main__":
    sys.exit(main())
