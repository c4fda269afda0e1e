"""Write templates/modules again: what each combination of choices requires, as "go mod tidy" has it.

To take a newer version of a module, change it in templates/modules/*.mod first.
"""

from __future__ import annotations

import itertools
import subprocess
import tempfile
from pathlib import Path

from go_service_answers import template
from tools import toolchain
from tools.gallery import bake

MODULES = template.ROOT / "templates/modules"
QUESTIONS = ["telemetry", "database", "rpc"]  # in the order of templates/modules.jinja


def answers_with_modules() -> list[dict[str, str]]:
    """Return each combination of answers whose service requires modules."""
    combinations = itertools.product(*(template.choices()[question] for question in QUESTIONS))
    return [dict(zip(QUESTIONS, choices, strict=True)) for choices in combinations if set(choices) != {"none"}]


def write_modules(answers: dict[str, str]) -> None:
    """Bake the answers, tidy the service and keep the part of go.mod between its first line and the module's path."""
    name = "-".join(choice for choice in answers.values() if choice != "none")
    for ending in ("mod", "sum"):
        (MODULES / f"{name}.{ending}").touch()
    with tempfile.TemporaryDirectory() as folder:
        service = bake(Path(folder) / "service", *(f"{question}={choice}" for question, choice in answers.items()))
        subprocess.run(["go", "mod", "tidy"], cwd=service, env=toolchain.environment(), check=True)
        required = (service / "go.mod").read_text().partition("\n")[2].rpartition("\nmodule ")[0]
        (MODULES / f"{name}.mod").write_text(f"{required.strip()}\n")
        (MODULES / f"{name}.sum").write_text((service / "go.sum").read_text())


if __name__ == "__main__":
    for answers in answers_with_modules():
        write_modules(answers)
