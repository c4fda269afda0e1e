"""Refuse the answers that no service can be made of: the last gate."""

from __future__ import annotations

import sys


def refusal() -> str:
    """Return the message about bad answers. Cookiecutter renders this line by the filter in answers/extension.py.

    It is a JSON string, which is a Python string too: parsing it as JSON would double the time that the hook takes.
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
