"""One function per figure. Each returns a ratio or a size, measured in one run on this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

from tools import toolchain
from tools.service import free_port, kibibytes, wait_for_answer

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
    """Run a command with the Go toolchain on PATH and return what it printed.

    Python may keep what it compiled, as it does on most machines.
    """
    environment = {name: value for name, value in toolchain.environment().items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
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


@contextmanager
def serving(port: int, *command: str | Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server that throws its log away, from the moment that it listens."""
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL)
    try:
        wait_for_answer(port)
        yield process
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Load:
    """What clients saw of the answers with one status: how many a second, and their latencies in microseconds."""

    rate: float
    p50: float
    p99: float
    p999: float


def median_load(loads: list[Load]) -> Load:
    return Load(*(statistics.median(values) for values in zip(*map(astuple, loads), strict=True)))


def go_programs(folder: Path) -> None:
    """Build the bare handler and the load generator into the folder."""
    for name in ("bare", "load"):
        run("go", "build", "-ldflags", "-s -w", "-o", folder / name, f"./{name}", cwd=HERE)


def load(folder: Path, port: int, path: str, connections: int, *words: str) -> dict[str, Load]:
    """Ask a server on that port for a while. Return what was seen of 200 ("ok") and of 503 ("refused")."""
    command: list[str | Path] = [
        folder / "load",
        "-address",
        f"127.0.0.1:{port}",
        "-path",
        path,
        "-connections",
        str(connections),
    ]
    told = json.loads(run(*command, *words, cwd=folder))
    return {name: Load(**values) for name, values in told.items()}


CONNECTIONS = (1, 8, 64, 512)
SERVERS = ("service", "bare", "bare without limits")


def throughput(service: Path, folder: Path, rounds: int = 7) -> dict[tuple[str, int], list[Load]]:
    """Return what clients saw of each server by number of connections, a round after the other, the servers in turn."""
    ports = {name: free_port() for name in SERVERS}
    path = "/version"
    with ExitStack() as running:
        variables = {"PORT": str(ports["service"]), "ADMIN_ADDR": ""}
        running.enter_context(serving(ports["service"], service / "bin/service", **variables))
        with urllib.request.urlopen(f"http://127.0.0.1:{ports['service']}{path}", timeout=5) as answer:
            body = answer.read().decode()
        for name, words in (("bare", []), ("bare without limits", ["-no-limits"])):
            command = [folder / "bare", "-address", f"127.0.0.1:{ports[name]}", "-body", body, *words]
            running.enter_context(serving(ports[name], *command))
        seen: dict[tuple[str, int], list[Load]] = {}
        for connections in CONNECTIONS:
            one_round(folder, ports, path, connections)  # warms up
            for _ in range(rounds):
                for name, told in one_round(folder, ports, path, connections).items():
                    seen.setdefault((name, connections), []).append(told)
    return seen


def one_round(folder: Path, ports: dict[str, int], path: str, connections: int) -> dict[str, Load]:
    return {name: load(folder, port, path, connections, "-duration", "1s")["ok"] for name, port in ports.items()}


def ratio(seen: dict[tuple[str, int], list[Load]], connections: int) -> float:
    """Return the throughput of the service over that of the bare handler: the median over the rounds."""
    pairs = zip(seen["service", connections], seen["bare", connections], strict=True)
    return statistics.median(service.rate / bare.rate for service, bare in pairs)


SLOW_ROUTE = """	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(20 * time.Millisecond)
		respond(w, http.StatusOK, "done")
	})
"""


def overload(folder: Path) -> tuple[dict[str, Load], dict[str, Load]]:
    """Return what clients see at half of the capacity, and at ten times it.

    A route that takes 20 ms and MAX_IN_FLIGHT=16 make a capacity of 800 requests a second.
    """
    (folder / "slow").mkdir()
    service = bake(folder / "slow")
    routes = service / "internal/api/routes.go"
    code = routes.read_text().replace('import "net/http"\n', 'import (\n\t"net/http"\n\t"time"\n)\n', 1)
    routes.write_text(code.replace("\tmux.HandleFunc(", SLOW_ROUTE + "\tmux.HandleFunc(", 1))
    run("make", "build", "VERSION=1.2.3", cwd=service)
    port = free_port()
    with serving(port, service / "bin/service", PORT=str(port), ADMIN_ADDR="", MAX_IN_FLIGHT="16"):
        usual = load(folder, port, "/slow", 16, "-rate", "400", "-duration", "5s")
        ten_times = load(folder, port, "/slow", 320, "-rate", "8000", "-duration", "5s")
    return usual, ten_times


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


def milliseconds_to_stop(service: Path, rounds: int = 15) -> float:
    """Return the time from SIGTERM to the end of a process that nobody asks."""

    def once() -> float:
        port = free_port()
        with serving(port, service / "bin/service", PORT=str(port), ADMIN_ADDR="") as process:
            process.terminate()
            return seconds(process.wait) * 1000

    return statistics.median(once() for _ in range(rounds))


def mebibytes(service: Path, folder: Path) -> tuple[float, float]:
    """Return the resident memory of a service that nobody asks, and the most of one under load (Linux)."""
    port = free_port()
    with serving(port, service / "bin/service", PORT=str(port), ADMIN_ADDR="") as process:
        time.sleep(1)
        idle = kibibytes(process.pid, "VmRSS")
        load(folder, port, "/version", 64, "-duration", "5s")
        return idle / 1024, kibibytes(process.pid, "VmHWM") / 1024


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


def bake_over_empty(folder: Path, rounds: int = 15) -> tuple[float, float, int]:
    """Return the ratio of a bake to that of a template with one empty file, its seconds, and the files of a service."""
    empty = folder / "empty-template"
    (empty / "{{cookiecutter.name}}").mkdir(parents=True)
    (empty / "{{cookiecutter.name}}/file").touch()
    (empty / "cookiecutter.json").write_text('{"name": "empty"}')

    pairs = [(bake_seconds(folder, TEMPLATE), bake_seconds(folder, empty)) for _ in range(rounds)]
    service = bake(Path(tempfile.mkdtemp(dir=folder)))
    files = sum(1 for path in service.rglob("*") if path.is_file())
    return statistics.median(own / other for own, other in pairs), statistics.median(own for own, _ in pairs), files


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
