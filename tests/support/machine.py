"""What this machine has, and what happens when something is missing."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
from functools import cache
from typing import NoReturn

import pytest

from tools import toolchain


def skip(reason: str) -> NoReturn:
    """Skip the test. With CI=true fail instead: there everything must be installed."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def go_environment() -> dict[str, str]:
    """Return the environment in which commands of a baked service run, with a Go toolchain first on PATH."""
    return toolchain.environment()


@cache
def missing_engine() -> str:
    """Return why no container engine can be used, or ""."""
    if not shutil.which("docker"):
        return "there is no docker command"
    info = subprocess.run(["docker", "info", "--format", "{{.ServerVersion}}"], capture_output=True, text=True)
    if info.returncode:
        return "no engine runs: " + (info.stderr.strip() or info.stdout.strip()).splitlines()[-1]
    buildx = subprocess.run(["docker", "buildx", "version"], capture_output=True)
    return "" if buildx.returncode == 0 or os.environ.get("DOCKER_BUILDKIT") == "1" else "it has no BuildKit"


def is_port_free(port: int) -> bool:
    try:
        socket.create_server(("", port)).close()
    except OSError:
        return False
    return True


def free_ports(number: int) -> list[int]:
    """Return ports that stay free while no service has them: systems give connections ports from 32768 up."""
    drawn = random.sample(range(15000, 32000), 100)
    return [port for port in drawn if is_port_free(port)][:number]
