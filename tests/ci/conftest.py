"""A container registry, and what signs without the network."""

from __future__ import annotations

import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.baking import BakedService
from tests.support.machine import skip
from tests.support.prometheus import command
from tools.running_service import free_port


@pytest.fixture(scope="session")
def kustomize() -> str:
    """What make takes as kustomize: the installed one, or the one that it downloads."""
    return "KUSTOMIZE=kustomize" if shutil.which("kustomize") else ""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a container registry."""
    address = f"localhost:{free_port()}"
    config = tmp_path_factory.mktemp("registry") / "config.yml"
    config.write_text(f"{{version: 0.1, storage: {{inmemory: {{}}}}, http: {{addr: '{address}'}}}}")
    with subprocess.Popen([command("registry"), "serve", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            wait_for_registry(address)
            yield address
        finally:
            process.kill()


def wait_for_registry(address: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(f"http://{address}/v2/"):
            return
        time.sleep(0.05)
    raise TimeoutError("the registry does not answer")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a key for cosign, and of settings that keep it away from the network."""
    if not shutil.which("cosign"):
        skip("there is no cosign command")
    folder = tmp_path_factory.mktemp("keys")
    run = BakedService(folder).run
    run("env", "COSIGN_PASSWORD=", "cosign", "generate-key-pair")
    run("cosign", "signing-config", "create", "--out", "config.json")
    run("cosign", "trusted-root", "create", "--out", "root.json")
    return folder
