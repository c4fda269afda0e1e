"""Measures calls: beside bare servers and the same greeting as JSON, and what they cost a service that has them."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks import figures
from tools.running_service import free_port

RIVALS = figures.HERE / "_rivals"
GRPC_GO = "google.golang.org/grpc@v1.85.0"

PROCEDURE, ROUTE = "/greetings.v1.GreetingService/Greet", "/v1/greetings"
NAME = b"benchmark"
MESSAGE = b"\n" + bytes([len(NAME)]) + NAME  # field 1
ENVELOPE = bytes([0, 0, 0, 0, len(MESSAGE)]) + MESSAGE
JSON = b'{"name":"' + NAME + b'"}'


class Load(NamedTuple):
    """What is sent to a server: over HTTP/1 with 64 connections, or over HTTP/2 with 8 of 8 streams each."""

    server: str
    path: str
    body: bytes
    headers: tuple[str, ...]
    is_http2: bool = False

    def send(self, folder: Path, port: int) -> figures.Responses:
        connections, streams = (8, 8) if self.is_http2 else (64, 0)
        options = ["-body", self.body.hex(), "-streams", str(streams), "-duration", "500ms"]
        for header in self.headers:
            options += ["-header", header]
        return figures.load(folder, port, self.path, connections, *options)["ok"]


AS_GRPC = (PROCEDURE, ENVELOPE, ("Content-Type: application/grpc", "TE: trailers"), True)
AS_CONNECT = (PROCEDURE, MESSAGE, ("Content-Type: application/proto", "Connect-Protocol-Version: 1"))
AS_JSON = (ROUTE, JSON, ("Content-Type: application/json",))
LOADS = {
    "gRPC": Load("service", *AS_GRPC),
    "gRPC, bare": Load("bare", *AS_GRPC),
    "gRPC, grpc-go": Load("grpc-go", *AS_GRPC),
    "JSON, HTTP/2": Load("service", *AS_JSON, is_http2=True),
    "Connect": Load("service", *AS_CONNECT),
    "JSON without calls": Load("without calls", *AS_JSON),
    "JSON": Load("service", *AS_JSON),
    "JSON without calls again": Load("without calls again", *AS_JSON),
}

RATIOS = [
    ("gRPC ÷ a bare connect-go", "gRPC", "gRPC, bare", 0.75),
    ("gRPC ÷ grpc-go", "gRPC", "gRPC, grpc-go", 0),
    ("gRPC ÷ JSON over HTTP/2", "gRPC", "JSON, HTTP/2", 0.7),
    ("Connect ÷ JSON, both over HTTP/1", "Connect", "JSON", 0.7),
]


def rows(folder: Path, without: Path) -> Iterator[str]:
    """Yield the rows of the table. The last argument is a service without calls."""
    service = build(folder / "rpc")
    measured = measure(folder, service, without)
    for figure, own, rival, least in RATIOS:
        ratio = statistics.median(ratios(measured, own, rival))
        shown = f"{ratio:.2f} ({compared(measured, own, rival)})"
        yield row(figure, f"≥ {least:.2f}" if least else "none", shown, ratio < least)
    yield row_of_json(measured)
    start = milliseconds_of_start(service, without)
    yield row("start to the first 200, more than without calls", "≤ 5 ms", f"{start:.1f} ms", start > 5)
    idle, _ = figures.mebibytes_of_memory(service, folder)
    yield row("memory idle (RSS)", "≤ 12 MiB", f"{idle:.1f} MiB", idle > 12)
    megabytes = (service / "bin/service").stat().st_size / 1e6
    yield row("stripped binary", "≤ 11 MB", f"{megabytes:.2f} MB", megabytes > 11)


def row(figure: str, bar: str, measured: str, is_missed: bool) -> str:
    return f"| {figure} | {bar} | {measured}{', missed' if is_missed else ''} |\n"


def build(folder: Path) -> Path:
    """Build a service with calls, and its rivals with the code that was generated for it."""
    folder.mkdir()
    service = figures.bake(folder, figures.TEMPLATE, "rpc=connect")
    figures.run("make", "build", "VERSION=1.2.3", cwd=service)
    for name in ("connect", "grpc"):
        (service / name).mkdir()
        shutil.copy(RIVALS / f"{name}.go", service / name / "main.go")
    figures.run("go", "get", GRPC_GO, cwd=service)
    figures.run("go", "mod", "tidy", cwd=service)
    for name in ("connect", "grpc"):
        figures.run("go", "build", "-ldflags", "-s -w", "-o", f"bin/{name}", f"./{name}", cwd=service)
    return service


Measured = dict[str, list[figures.Responses]]  # one entry per round


def measure(folder: Path, service: Path, without: Path, rounds: int = 15) -> Measured:
    """Send all loads in turn."""
    ports = {load.server: free_port() for load in LOADS.values()}
    with ExitStack() as running:
        for name, folder_of_service in (
            ("service", service),
            ("without calls", without),
            ("without calls again", without),
        ):
            variables = {"PORT": str(ports[name]), "ADMIN_ADDR": ""}
            running.enter_context(figures.serving(ports[name], folder_of_service / "bin/service", **variables))
        bare = figures.serving(ports["bare"], service / "bin/connect", "-address", f"127.0.0.1:{ports['bare']}")
        running.enter_context(bare)
        live, options = free_port(), ["-address", f"127.0.0.1:{ports['grpc-go']}", "-live"]
        running.enter_context(figures.serving(live, service / "bin/grpc", *options, f"127.0.0.1:{live}"))
        measured: Measured = {name: [] for name in LOADS}
        for _ in range(rounds + 1):
            for name, load in LOADS.items():
                measured[name].append(load.send(folder, ports[load.server]))
    return {name: responses[1:] for name, responses in measured.items()}  # the first round warms up


def ratios(measured: Measured, own: str, rival: str) -> list[float]:
    """Return the ratio of each round."""
    return [its.rate / other.rate for its, other in zip(measured[own], measured[rival], strict=True)]


def compared(measured: Measured, own: str, rival: str) -> str:
    its, other = (figures.median(measured[name]) for name in (own, rival))
    p99 = " and ".join(f"{responses.p99 / 1000:.1f}" for responses in (its, other))
    return f"{its.rate:,.0f} ÷ {other.rate:,.0f} requests/s, p99 {p99} ms"


def row_of_json(measured: Measured) -> str:
    """Return what calls cost the routes for JSON. The noise is that of two services that are the same."""
    ratio = statistics.median(ratios(measured, "JSON", "JSON without calls"))
    low, _, high = statistics.quantiles(ratios(measured, "JSON without calls again", "JSON without calls"), n=4)
    noise = (high - low) / 2
    shown = f"{ratio:.2f} ± {noise:.2f} ({compared(measured, 'JSON', 'JSON without calls')})"
    return row("JSON over HTTP/1, with calls ÷ without", "≥ 0.97, ± the noise", shown, ratio < 0.97 - noise)


def milliseconds_of_start(service: Path, without: Path, rounds: int = 25) -> float:
    """Return how much later the first response of a service with calls is."""
    first = figures.milliseconds_to_first_response
    return statistics.median(first(service, rounds=1) - first(without, rounds=1) for _ in range(rounds))
