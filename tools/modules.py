"""Write templates/modules again: what each choice of telemetry requires, as "go mod tidy" has it.

To take a newer version of a module, change it in templates/modules/*.mod first.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from go_service_answers import template
from tools import toolchain
from tools.gallery import bake

MODULES = template.ROOT / "templates/modules"


def write_modules(choice: str) -> None:
    """Bake the choice, tidy the service and keep the part of go.mod between its first line and the module's path."""
    with tempfile.TemporaryDirectory() as folder:
        service = bake(Path(folder) / "service", f"telemetry={choice}")
        subprocess.run(["go", "mod", "tidy"], cwd=service, env=toolchain.environment(), check=True)
        required = (service / "go.mod").read_text().partition("\n")[2].rpartition("\nmodule ")[0]
        (MODULES / f"{choice}.mod").write_text(f"{required.strip()}\n")
        (MODULES / f"{choice}.sum").write_text((service / "go.sum").read_text())


if __name__ == "__main__":
    for choice in template.choices()["telemetry"][1:]:
        write_modules(choice)
