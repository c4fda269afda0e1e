"""Measures what telemetry costs, beside the libraries that do the same from outside the chain."""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks import figures
from tools.running_service import free_port

RIVALS = figures.HERE / "_rivals"  # go ignores a folder with this name: they are built in a service
MODULES = (
    "github.com/prometheus/client_golang@v1.25.0",
    "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp@v0.72.0",
    "go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp@v1.47.0",
    "go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp@v1.47.0",
    "go.opentelemetry.io/otel/sdk/metric@v1.47.0",
)


class Candidate(NamedTuple):
    """A service to measure."""

    name: str
    telemetry: str  # the answer, or for a rival its file
    sampler: str
    benchmark: str  # the part of BenchmarkRequest that shows its allocations
    bars: tuple[int, float, float] | None  # allocations at most, throughput at least, MB of the binary at most

    @property
    def is_rival(self) -> bool:
        return self.bars is None and self.telemetry != "none"


CANDIDATES = [
    Candidate("the default", "none", "always_off", "", None),
    Candidate("`prometheus`", "prometheus", "always_off", "counted", (0, 0.72, 10.5)),
    Candidate("the default and promhttp", "promhttp", "always_off", "with", None),
    Candidate("`opentelemetry`, nothing sampled", "opentelemetry", "always_off", "untraced", (4, 0.65, 17)),
    Candidate("the default and otelhttp, nothing sampled", "otelhttp", "always_off", "with", None),
    Candidate("`both`, all sampled", "both", "always_on", "traced", (20, 0.40, 17)),
    Candidate("the default and otelhttp, all sampled", "otelhttp", "always_on", "with", None),
]


def build(folder: Path, candidate: Candidate) -> Path:
    """Bake and build the service of a candidate, unless another candidate has the same. Return its folder."""
    service = folder / candidate.telemetry / "my-service"
    if not service.exists():
        service.parent.mkdir()
        answer = "none" if candidate.is_rival else candidate.telemetry
        figures.bake(service.parent, figures.TEMPLATE, f"telemetry={answer}")
        if candidate.is_rival:
            add_rival(service, candidate.telemetry)
        figures.run("make", "build", "VERSION=1.2.3", cwd=service)
    return service


def add_rival(service: Path, name: str) -> None:
    """Put a rival around the handler of the default service."""
    lifecycle = service / "internal/lifecycle"
    shutil.copy(RIVALS / f"{name}.go", lifecycle)
    shutil.copy(RIVALS / "rival_test.go", lifecycle)
    code = (lifecycle / "lifecycle.go").read_text()
    (lifecycle / "lifecycle.go").write_text(code.replace(", p.Main}", ", Rival(p.Main)}", 1))
    figures.run("go", "get", *MODULES, cwd=service)
    figures.run("go", "mod", "tidy", cwd=service)


def added_allocations(service: Path, candidate: Candidate) -> int:
    package = "./internal/lifecycle" if candidate.is_rival else "./internal/telemetry"
    command = ["env", f"OTEL_TRACES_SAMPLER={candidate.sampler}", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1"]
    output = figures.run(*command, "go", "test", "-run=^$", "-bench=Request", package, cwd=service)
    found = dict(re.findall(r"BenchmarkRequest/(\w+)\S* .* (\d+) allocs/op", output))
    return int(found[candidate.benchmark]) - int(found["without"])


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process (Linux only): see proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


Rounds = dict[str, list[tuple[float, float]]]  # requests per second and CPU seconds per request, by name


def measure(folder: Path, services: dict[str, Path], rounds: int = 5) -> Rounds:
    """Load all candidates and the bare handler in turn."""
    measured: Rounds = {}
    with ExitStack() as running:
        sink = free_port()
        process = subprocess.Popen([sys.executable, figures.HERE / "sink.py", str(sink)])
        running.callback(process.wait)
        running.callback(process.kill)
        servers = {}
        for candidate in CANDIDATES:
            port = free_port()
            variables = {
                "PORT": str(port),
                "ADMIN_ADDR": "",
                "METRICS_ADDR": "",
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{sink}",
                "OTEL_TRACES_SAMPLER": candidate.sampler,
            }
            binary = services[candidate.name] / "bin/service"
            servers[candidate.name] = (port, running.enter_context(figures.serving(port, binary, **variables)))
        port = free_port()
        bare = figures.serving(port, folder / "bare", "-address", f"127.0.0.1:{port}", "-body", "x" * 100)
        servers["bare"] = (port, running.enter_context(bare))
        for _ in range(rounds + 1):
            for name, (port, server) in servers.items():
                before = cpu_seconds(server.pid)
                rate = figures.load(folder, port, "/version", 64, "-duration", "1s")["ok"].rate
                measured.setdefault(name, []).append((rate, (cpu_seconds(server.pid) - before) / rate))
    return {name: results[1:] for name, results in measured.items()}  # the first round warms up


def rows(folder: Path) -> Iterator[str]:
    """Yield a row of the table for each candidate. The bars of the template's own are in parentheses."""
    own = folder / "telemetry"
    own.mkdir()
    services = {candidate.name: build(own, candidate) for candidate in CANDIDATES}
    measured = measure(folder, services)
    for candidate in CANDIDATES:
        service = services[candidate.name]
        allocations = added_allocations(service, candidate) if candidate.benchmark else 0
        pairs = zip(measured[candidate.name], measured["bare"], strict=True)
        ratio = statistics.median(its / bare for (its, _), (bare, _) in pairs)
        cpu = statistics.median(seconds for _, seconds in measured[candidate.name]) * 1e6
        megabytes = (service / "bin/service").stat().st_size / 1e6
        shown = [f"{allocations}", f"{ratio:.2f}", f"{cpu:.1f}", f"{megabytes:.2f}"]
        if candidate.bars:
            most, least, largest = candidate.bars
            shown = [f"{shown[0]} (≤ {most})", f"{shown[1]} (≥ {least:.2f})", shown[2], f"{shown[3]} (≤ {largest})"]
        yield f"| {candidate.name} | {' | '.join(shown)} |\n"
