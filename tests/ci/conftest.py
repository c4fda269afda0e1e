"""A container registry, and what signs without the network."""

from __future__ import annotations

import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.baking import BakedService
from tests.support.prometheus import command, wait_until
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
            wait_until(lambda: answers(address), lambda: "the registry does not answer", seconds=10)
            yield address
        finally:
            process.kill()


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"http://{address}/v2/").close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a key for cosign, and of settings that keep it away from the network."""
    command("cosign")
    folder = tmp_path_factory.mktemp("keys")
    run = BakedService(folder).run
    run("env", "COSIGN_PASSWORD=", "cosign", "generate-key-pair")
    run("cosign", "signing-config", "create", "--out", "config.json")
    run("cosign", "trusted-root", "create", "--out", "root.json")
    return folder
