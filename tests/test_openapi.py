"""The API as its own description has it, tried by Schemathesis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Baked

from tools.service import Service

EXAMPLES = os.environ.get("API_EXAMPLES", "50")


@pytest.mark.contract("`GET /openapi.yaml`")
def test_schemathesis_finds_nothing_that_contradicts_the_description(
    default: Baked, service: Service, tmp_path: Path
) -> None:
    """With all its checks: https://schemathesis.readthedocs.io/en/stable/reference/checks/."""
    description = default.path / "internal/api/openapi.yaml"
    report = tmp_path / "report.json"
    run = subprocess.run(
        [
            *(Path(sys.executable).parent / "schemathesis", "run", description, "--url", service.url),
            *("--checks", "all", "--max-examples", EXAMPLES, "--seed", "1"),
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
