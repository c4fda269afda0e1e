"""The API as its own description has it, tried by Schemathesis."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.baking import BakedService
from tests.support.commands import installed
from tools.running_service import RunningService


@pytest.mark.parametrize("examples", ["20", pytest.param("2000", marks=pytest.mark.long)])
@pytest.mark.contract("`GET /openapi.yaml`")
def test_schemathesis_finds_nothing_that_contradicts_the_description(
    default: BakedService, service: RunningService, tmp_path: Path, examples: str
) -> None:
    """With all its checks: https://schemathesis.readthedocs.io/en/stable/reference/checks/."""
    description = default.path / "internal/api/openapi.yaml"
    report = tmp_path / "report.json"
    run = subprocess.run(
        [
            *(installed("schemathesis"), "run", description, "--url", service.url),
            *("--checks", "all", "--max-examples", examples, "--seed", "1"),
            *("--report", "json", "--report-json-path", report),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stdout
    told: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    paths = yaml.safe_load(description.read_text(encoding="utf-8"))["paths"]
    assert told["complete"]
    assert told["operations"]["tested"] == sum(len(operations) for operations in paths.values())
