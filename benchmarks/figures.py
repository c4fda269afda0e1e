"""One function per figure. Each returns a ratio or a size, measured in one run on this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools import toolchain
from tools.service import Service

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE.parent

PLAIN_DOCKERFILE = """FROM golang:1.27-alpine AS build
WORKDIR /src
COPY . ./
ARG VERSION
RUN CGO_ENABLED=0 go build -buildvcs=false -ldflags="-X main.Version=${VERSION}" -o service ./
FROM alpine:3.24
COPY --from=build /src/service ./
ENTRYPOINT ["./service"]
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command with the Go toolchain on PATH and return what it printed."""
    done = subprocess.run(command, cwd=cwd, env=toolchain.environment(), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def bake(folder: Path, template: Path = TEMPLATE) -> Path:
    """Bake with the defaults into a new folder, in a process of its own, and return the service."""
    run(sys.executable, "-m", "cookiecutter", "--no-input", "-o", folder, template, cwd=folder.parent)
    (service,) = folder.iterdir()
    return service


def seconds(act: Callable[[], object]) -> float:
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


def bake_seconds(folder: Path, template: Path) -> float:
    """Return what a bake into a new folder takes."""
    target = Path(tempfile.mkdtemp(dir=folder))
    return seconds(lambda: bake(target, template))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def serving(port: int, *command: str | Path, **variables: str) -> Iterator[None]:
    """Run a server that throws its log away, from the moment that it listens."""
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL)
    try:
        wait_for_answer(port)
        yield
    finally:
        process.kill()
        process.wait()


def wait_for_answer(port: int) -> None:
    """Ask for /livez until it is answered with 200, without a pause."""
    deadline = time.perf_counter() + 10
    while time.perf_counter() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n")
                if connection.recv(15).startswith(b"HTTP/1.1 200"):
                    return
        except ConnectionError:
            pass
    sys.exit(f"nothing answers on port {port}")


def throughput(service: Path, folder: Path, rounds: int = 7) -> tuple[float, float, float]:
    """Return the ratio, and both figures in requests per second: medians of rounds taken in turn."""
    for name in ("bare", "load"):
        run("go", "build", "-ldflags", "-s -w", "-o", folder / name, f"./{name}", cwd=HERE)
    bare, full = free_port(), free_port()
    path = "/version"
    with serving(full, service / "bin/service", PORT=str(full), ADMIN_ADDR=""):
        with urllib.request.urlopen(f"http://127.0.0.1:{full}{path}", timeout=5) as answer:
            body = answer.read().decode()
        with serving(bare, folder / "bare", f"127.0.0.1:{bare}", body):

            def load(port: int) -> float:
                return float(run(folder / "load", "-address", f"127.0.0.1:{port}", "-path", path, cwd=folder))

            load(bare)
            load(full)
            pairs = [(load(full), load(bare)) for _ in range(rounds)]
    ratios, full_rates, bare_rates = ([f / b for f, b in pairs], [f for f, _ in pairs], [b for _, b in pairs])
    return statistics.median(ratios), statistics.median(full_rates), statistics.median(bare_rates)


def allocations(service: Path) -> int:
    """Return the allocations of the chain for one request."""
    printed = run("make", "bench", cwd=service)
    found = re.search(r"BenchmarkChain\S* .* (\d+) allocs/op", printed)
    if not found:
        sys.exit(f"make bench printed no allocations:\n{printed}")
    return int(found[1])


def milliseconds_to_first_answer(service: Path, rounds: int = 25) -> float:
    """Return the time from the start of the process to its first 200."""

    def once() -> float:
        port = free_port()
        begin = time.perf_counter()
        with serving(port, service / "bin/service", PORT=str(port), ADMIN_ADDR=""):
            return (time.perf_counter() - begin) * 1000

    return statistics.median(once() for _ in range(rounds))


def idle_mebibytes(service: Path) -> float:
    """Return the resident memory of a service that nobody asks (Linux)."""
    with Service(service / "bin/service") as running:
        running.address()
        time.sleep(1)
        status = Path(f"/proc/{running.process.pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def image_over_its_base(service: Path, folder: Path) -> tuple[int, int]:
    """Return the image minus its base, and the binary in it, in bytes."""
    run("docker", "build", "--quiet", "-t", "benchmark:image", ".", cwd=service)
    sizes = [
        json.loads(run("docker", "image", "inspect", image, cwd=service))[0]["Size"]
        for image in ("benchmark:image", "alpine:3.24")
    ]
    container = run("docker", "create", "benchmark:image", cwd=service).strip()
    run("docker", "cp", f"{container}:/app/service", folder / "service-in-image", cwd=service)
    run("docker", "rm", container, cwd=service)
    return sizes[0] - sizes[1], (folder / "service-in-image").stat().st_size


def rebuild(service: Path, rounds: int = 3) -> tuple[float, float]:
    """Return the seconds of a docker build after one changed line: its own, and the plain two-stage build's."""
    plain = service.parent / "Dockerfile.plain"
    plain.write_text(PLAIN_DOCKERFILE)
    main = service / "main.go"
    code = main.read_text()

    def build(*words: str | Path) -> float:
        main.write_text(f"{code}\nconst changed = {time.time_ns()}\n")  # as no builder has seen it before
        return seconds(lambda: run("docker", "build", *words, "--build-arg", "VERSION=0.0.1", ".", cwd=service))

    build()
    build("-f", plain)
    own, other = zip(*[(build(), build("-f", plain)) for _ in range(rounds)], strict=True)
    return statistics.median(own), statistics.median(other)


def bake_over_empty(folder: Path, rounds: int = 15) -> tuple[float, int]:
    """Return the ratio of a bake to that of a template with one empty file, and the number of files of a service."""
    empty = folder / "empty-template"
    (empty / "{{cookiecutter.name}}").mkdir(parents=True)
    (empty / "{{cookiecutter.name}}/file").touch()
    (empty / "cookiecutter.json").write_text('{"name": "empty"}')

    ratio = statistics.median(bake_seconds(folder, TEMPLATE) / bake_seconds(folder, empty) for _ in range(rounds))
    service = bake(Path(tempfile.mkdtemp(dir=folder)))
    files = sum(1 for path in service.rglob("*") if path.is_file())
    return ratio, files


def milliseconds_of_checking(folder: Path, rounds: int = 15) -> float:
    """Return what the checks add to a bake: against a copy of the template without extension, gate and hook."""
    unchecked = folder / "unchecked-template"
    shutil.copytree(TEMPLATE, unchecked, ignore=shutil.ignore_patterns(".*cache", ".venv", ".git", ".hypothesis"))
    (unchecked / "hooks/pre_gen_project.py").unlink()
    context = json.loads((unchecked / "cookiecutter.json").read_text(encoding="utf-8"))
    kept = {name: value for name, value in context.items() if name[:2] != "__" and name != "_extensions"}
    (unchecked / "cookiecutter.json").write_text(json.dumps(kept))

    pairs = [(bake_seconds(folder, TEMPLATE), bake_seconds(folder, unchecked)) for _ in range(rounds)]
    return statistics.median(checked - free for checked, free in pairs) * 1000


def machine() -> str:
    """Describe the machine in a line."""
    return f"{os.cpu_count()} cores, {sys.platform}, {run('go', 'env', 'GOVERSION', cwd=HERE).strip()}"
