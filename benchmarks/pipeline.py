"""Measures how long the jobs of a pipeline take on a new machine, and with the caches of the run before."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks import figures
from tests.support.postgres import Postgres, programs
from tools import toolchain

SERVICES = {"the default": (), "PostgreSQL, both telemetries": ("database=postgres", "telemetry=both")}
JOBS = {"test": ("coverage", "image-check"), "lint": ("lint",)}


def rows(folder: Path) -> Iterator[str]:
    """Yield the rows of the table."""
    if not shutil.which("docker") or not programs():
        yield "| not measured: Docker or PostgreSQL is not installed | | | | |\n"
        return
    for name, answers in SERVICES.items():
        service = figures.bake(folder / f"pipeline-{len(answers)}", figures.TEMPLATE, "ci=github", *answers)
        caches = {key: f"{service}-{key}" for key in ("GOCACHE", "GOMODCACHE")}
        with ExitStack() as stack:
            if answers:
                caches["DATABASE_URL"] = stack.enter_context(Postgres(fsync="off")).url()
            cold = measure(service, caches)
            main = service / "main.go"
            main.write_text(main.read_text().replace("A Go service.", "Another service."))
            warm = measure(service, caches)
        figures.run("chmod", "-R", "+w", caches["GOMODCACHE"], cwd=folder)
        for job, targets in JOBS.items():
            before, after = (sum(took[target] for target in targets) for took in (cold, warm))
            yield f"| {name} | {job}: `make {' '.join(targets)}` | {before:.0f} s | {after:.1f} s | |\n"
        before, after = (took["image-check"] for took in (cold, warm))
        result = f"{after / before:.2f}{', missed' if after > 0.2 * before else ''} (≤ 0.20)"
        yield f"| {name} | of that, `make image-check` | {before:.0f} s | {after:.1f} s | {result} |\n"


def measure(service: Path, caches: dict[str, str]) -> dict[str, float]:
    """Return the seconds that each command takes. Each job has a cache of its own, as on a host."""
    environment = toolchain.environment()
    took: dict[str, float] = {}
    for job, targets in JOBS.items():
        variables = {**environment, **caches, "GOCACHE": f"{caches['GOCACHE']}-{job}"}
        for target in targets:
            took[target] = figures.seconds(partial(run_make, service, target, variables))
    return took


def run_make(service: Path, target: str, variables: dict[str, str]) -> None:
    subprocess.run(["make", target], cwd=service, env=variables, check=True, capture_output=True)
