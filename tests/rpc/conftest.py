"""A service with procedures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.baking import BakedService, bake_into
from tests.support.fixtures import Once
from tools.running_service import RunningService


@pytest.fixture(scope="session")
def rpc_service(once: Once, modules: None) -> BakedService:
    """A service with procedures, built. Tests never change its files."""
    return BakedService(once("rpc", lambda folder: bake_into(folder, rpc="connect").build()) / "my-service")


@pytest.fixture(scope="session")
def rpc_binary(rpc_service: BakedService) -> Path:
    """Its binary, of version 1.2.3."""
    return rpc_service.path / "bin/service"


@pytest.fixture
def running(rpc_binary: Path) -> Iterator[RunningService]:
    """The service, running."""
    with RunningService(rpc_binary, LOG_LEVEL="debug") as service:
        yield service
