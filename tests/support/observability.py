"""The folder of a service that has its alerts and its dashboard, and what "make up" starts."""

from __future__ import annotations

from typing import Any

import yaml

from tests.support.baking import BakedService

FOLDER = "observability"


def compose(baked: BakedService) -> dict[str, Any]:
    """Return the services of compose.yaml."""
    services: dict[str, Any] = yaml.safe_load(baked.read("compose.yaml"))["services"]
    return services
