"""The container to work in: `.devcontainer`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.baking import BakedService
from tests.support.fixtures import Bake
from tests.support.machine import skip
from tests.support.team_edits import replace

CLI = "@devcontainers/cli@0.89.0"

# https://containers.dev/implementors/json_reference: what is used of it.
FIELDS = {
    "name": str,
    "build": dict,
    "remoteUser": str,
    "postCreateCommand": str,
    "forwardPorts": list,
    "customizations": dict,
}

# Debian's golang image, where it cannot be pulled: Alpine's, with the one program of Debian that the Dockerfile calls.
STAND_IN = r"""FROM {image}-alpine
RUN printf '%s\n' '#!/bin/sh' 'for name; do :; done' 'echo "$name:x:1000:1000::/home/$name:/bin/sh" >>/etc/passwd' \
    'mkdir "/home/$name" && chown 1000:1000 "/home/$name"' >/bin/useradd && chmod +x /bin/useradd
"""


def test_the_file_has_the_answers(bake: Bake) -> None:
    service = bake(service_name="orders", http_port="9000", go_version="1.28")
    config: dict[str, Any] = json.loads(service.read(".devcontainer/devcontainer.json"))
    assert {name: type(value) for name, value in config.items()} == FIELDS
    assert (config["name"], config["forwardPorts"]) == ("orders", [9000])
    dockerfile = service.read(f".devcontainer/{config['build']['dockerfile']}")
    assert image_of(dockerfile).split(":") == ["golang", "1.28"]
    assert dockerfile.endswith(f" {config['remoteUser']}\n")  # the user whom useradd makes


@pytest.fixture
def checkout(bake: Bake, engine: None) -> Iterator[BakedService]:
    service = bake()
    if not shutil.which("npx"):
        skip("there is no npx command")
    file = service.path / ".devcontainer/Dockerfile"
    image = image_of(file.read_text())
    if subprocess.run(["docker", "pull", "--quiet", image], capture_output=True).returncode:
        stand_in = STAND_IN.replace("{image}", image)
        subprocess.run(["docker", "build", "--tag", "go-with-useradd", "-"], input=stand_in.encode(), check=True)
        replace(file, f"FROM {image}\n", "FROM go-with-useradd\n")
    yield service
    labeled = service.run(
        "docker", "ps", "--all", "--quiet", "--filter", f"label=devcontainer.local_folder={service.path}"
    )
    for container in labeled.split():
        service.run("docker", "rm", "--force", container)


@pytest.mark.long
def test_a_user_who_is_not_root_works_in_it(checkout: BakedService) -> None:
    up = devcontainer(checkout, "up")
    told = json.loads(up.splitlines()[-1])
    assert (told["outcome"], told["remoteUser"]) == ("success", "dev")
    assert "Running the postCreateCommand" in up
    assert devcontainer(checkout, "exec", "id", "-un").strip() == "dev"
    assert devcontainer(checkout, "exec", "go", "run", ".", "-version") == "my-service dev\n"


def image_of(dockerfile: str) -> str:
    (image,) = re.findall(r"^FROM (.*)$", dockerfile, re.MULTILINE)
    return str(image)


def devcontainer(service: BakedService, command: str, *words: str) -> str:
    done = subprocess.run(
        ["npx", "--yes", CLI, command, "--workspace-folder", ".", *words],
        cwd=service.path, capture_output=True, text=True,
    )  # fmt: skip
    if "npm error" in done.stderr:
        skip(f"npx cannot download {CLI}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout if command == "exec" else done.stderr + done.stdout
