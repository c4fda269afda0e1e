"""Refuse the answers that no service can be made of: the last gate, which a replayed answer passes too."""

from __future__ import annotations

import json
import sys


def problems() -> list[str]:
    """Return a line for each bad answer. Cookiecutter renders this line by the filter in answers/extension.py."""
    lines: list[str] = json.loads({{cookiecutter | problems | tojson | tojson}})  # type: ignore[name-defined, arg-type]  # noqa: F821
    return lines


def main() -> int:
    """Print all that is wrong and return 1, or return 0."""
    lines = problems()
    if lines:
        print("No service can be made of these answers:", *lines, sep="\n", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
