"""Refuse the answers that no service can be made of: the last gate."""

from __future__ import annotations

import json
import sys


def refusal() -> str:
    """Return the message about bad answers. Cookiecutter renders this line by the filter in answers/extension.py."""
    message: str = json.loads({{cookiecutter | refusal | tojson | tojson}})  # type: ignore[name-defined, arg-type]  # noqa: F821
    return message


def main() -> int:
    """Print all that is wrong and return 1, or return 0."""
    message = refusal()
    if message:
        print(message, file=sys.stderr)
    return 1 if message else 0


if __name__ == "__main__":
    sys.exit(main())
