"""Connect's conformance suite: its clients call its own procedures, which a service serves."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.support.baking import BakedService
from tests.support.fixtures import Bake
from tests.support.machine import skip

SUITE = "connectrpc.com/conformance/cmd/connectconformance@v1.0.7"
PROCEDURES = "connectrpc.com/conformance@v1.0.6"  # the last ones for version 1 of Connect, which services use
OURS = Path(__file__).parents[1] / "support/conformance"
FEWEST_CASES = 1900


@pytest.fixture(scope="module")
def service(bake: Bake, modules: None) -> BakedService:
    """A service with the suite's procedures. The name of its module lets it import the suite's internal packages."""
    service = bake(rpc="connect", module_path="connectrpc.com/conformance/my-service")
    shutil.copytree(OURS, service.path, dirs_exist_ok=True)
    try:
        add_procedures(service)
        service.run("env", f"GOBIN={service.path / 'bin'}", "go", "install", SUITE)
    except AssertionError as failure:
        skip(f"the suite cannot be downloaded: {str(failure).splitlines()[-1]}")
    service.build()
    service.run("env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-buildvcs=false", "-o", "bin/", "./adapter")
    return service


def add_procedures(service: BakedService) -> None:
    downloaded = Path(json.loads(service.run("go", "mod", "download", "-json", PROCEDURES))["Dir"])
    for name in ("checks.go", "impl.go", "raw_response.go"):
        shutil.copyfile(
            downloaded / "internal/app/referenceserver" / name, service.path / "internal/referenceserver" / name
        )
    service.run("go", "mod", "edit", f"-require={PROCEDURES}")
    service.run("go", "mod", "tidy")


@pytest.mark.long
@pytest.mark.contract("the protocols")
def test_the_service_passes_every_case(service: BakedService) -> None:
    suite = ["bin/connectconformance", "--mode", "server", "--conf", "conformance.yaml"]
    told = service.run(*suite, "--", "bin/adapter", "bin/service")
    print(told)
    (passed,) = re.findall(r"^(\d+) passed, 0 failed$", told, re.MULTILINE)
    assert int(passed) >= FEWEST_CASES, told
