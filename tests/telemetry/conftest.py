"""The services whose telemetry is tested."""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fixtures import Once
from tests.support.machine import is_port_free, skip
from tests.support.watched import build_watched


@pytest.fixture
def watched(once: Once, modules: None, choice: str) -> Path:
    """The binary of a service with the choice of telemetry that the test names by its parameter `choice`."""
    return once(f"watched-{choice}", lambda folder: build_watched(folder, choice)) / "my-service/bin/service"


@pytest.fixture
def default_collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[socket.socket]:
    """A listener on port 4318, where exporters send to if nobody tells them, for one test at a time."""
    with (tmp_path_factory.getbasetemp().parent / "port-4318.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_port_free(4318):
            skip("another program uses port 4318")
        with socket.create_server(("127.0.0.1", 4318)) as server:
            server.settimeout(0)
            yield server
