"""The services whose telemetry is tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fixtures import Once
from tests.support.watched import build_watched


@pytest.fixture
def watched(once: Once, modules: None, choice: str) -> Path:
    """The binary of a service with the choice of telemetry that the test names by its parameter `choice`."""
    return once(f"watched-{choice}", lambda folder: build_watched(folder, choice)) / "my-service/bin/service"
