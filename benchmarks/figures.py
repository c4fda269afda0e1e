"""Measures the figures, one function for each."""

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

from go_service_answers import template
from tools import toolchain
from tools.running_service import free_port, kibibytes, wait_for_answer

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE.parent


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command with the Go toolchain on PATH and return its output."""
    # Python caches compiled modules on most machines, so it may do so here.
    environment = {name: value for name, value in toolchain.environment().items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def bake(folder: Path, source: Path = TEMPLATE, *answers: str) -> Path:
    """Bake into a new folder, in a new process, and return the service."""
    run(sys.executable, "-m", "cookiecutter", "--no-input", "-o", folder, source, *answers, cwd=folder.parent)
    (service,) = folder.iterdir()
    return service


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def bake_seconds(folder: Path, source: Path) -> float:
    """Return how long a bake into a new folder takes."""
    target = Path(tempfile.mkdtemp(dir=folder))
    return seconds(lambda: bake(target, source))


@contextmanager
def serving(
    port: int, *command: str | Path, until: str = "/livez", **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server without a log, wait until a path is 200, and kill it in the end."""
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL)
    try:
        wait_for_answer(port, until)
        yield process
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Responses:
    """The responses with one status: how many per second, and their latencies in microseconds."""

    rate: float
    p50: float
    p99: float
    p999: float


Throughput = dict[tuple[str, int], list[Responses]]  # one entry per round, by server and number of connections


def median(rounds: list[Responses]) -> Responses:
    return Responses(*(statistics.median(values) for values in zip(*map(astuple, rounds), strict=True)))


def go_programs(folder: Path) -> None:
    """Build the bare handler and the load generator into the folder."""
    for name in ("bare", "load"):
        run("go", "build", "-ldflags", "-s -w", "-o", folder / name, f"./{name}", cwd=HERE)


def load(folder: Path, port: int, path: str, connections: int, *options: str) -> dict[str, Responses]:
    """Run the load generator against a port. Return the responses with 200 ("ok") and with 503 ("refused")."""
    command: list[str | Path] = [
        folder / "load",
        "-address",
        f"127.0.0.1:{port}",
        "-path",
        path,
        "-connections",
        str(connections),
    ]
    report = json.loads(run(*command, *options, cwd=folder))
    return {name: Responses(**values) for name, values in report.items()}


CONNECTIONS = (1, 8, 64, 512)
SERVERS = ("service", "bare", "bare without limits")


def measure_throughput(service: Path, folder: Path, rounds: int = 7) -> Throughput:
    """Load the servers with each number of connections. In every round they take turns."""
    ports = {name: free_port() for name in SERVERS}
    path = "/version"
    with ExitStack() as running:
        variables = {"PORT": str(ports["service"]), "ADMIN_ADDR": ""}
        running.enter_context(serving(ports["service"], service / "bin/service", **variables))
        with urllib.request.urlopen(f"http://127.0.0.1:{ports['service']}{path}", timeout=5) as response:
            body = response.read().decode()
        for name, options in (("bare", []), ("bare without limits", ["-no-limits"])):
            command = [folder / "bare", "-address", f"127.0.0.1:{ports[name]}", "-body", body, *options]
            running.enter_context(serving(ports[name], *command))
        throughput: Throughput = {}
        for connections in CONNECTIONS:
            one_round(folder, ports, path, connections)  # warms up
            for _ in range(rounds):
                for name, responses in one_round(folder, ports, path, connections).items():
                    throughput.setdefault((name, connections), []).append(responses)
    return throughput


def one_round(folder: Path, ports: dict[str, int], path: str, connections: int) -> dict[str, Responses]:
    return {name: load(folder, port, path, connections, "-duration", "1s")["ok"] for name, port in ports.items()}


def median_ratio(throughput: Throughput, connections: int) -> float:
    """Return the throughput of the service divided by that of the bare handler: the median of the rounds."""
    pairs = zip(throughput["service", connections], throughput["bare", connections], strict=True)
    return statistics.median(service.rate / bare.rate for service, bare in pairs)


SLOW_ROUTE = """package api

import (
	"net/http"
	"time"
)

func (s *Service) slow(w http.ResponseWriter, _ *http.Request) {
	time.Sleep(20 * time.Millisecond)
	respond(w, http.StatusOK, "done")
}
"""


def overload(folder: Path) -> tuple[dict[str, Responses], dict[str, Responses]]:
    """Return the responses at half of the capacity, and at ten times the capacity.

    The route takes 20 ms. With MAX_IN_FLIGHT=16 it can serve 800 requests per second.
    """
    (folder / "slow").mkdir()
    service = bake(folder / "slow")
    (service / "internal/api/slow.go").write_text(SLOW_ROUTE)
    routes = service / "internal/api/routes.go"
    line = '\tr.Handle("GET /slow", s.slow)\n'
    routes.write_text(routes.read_text().replace("\tr.Handle(", line + "\tr.Handle(", 1))
    run("make", "build", "VERSION=1.2.3", cwd=service)
    port = free_port()
    with serving(port, service / "bin/service", PORT=str(port), ADMIN_ADDR="", MAX_IN_FLIGHT="16"):
        half = load(folder, port, "/slow", 16, "-rate", "400", "-duration", "5s")
        ten_times = load(folder, port, "/slow", 320, "-rate", "8000", "-duration", "5s")
    return half, ten_times


def allocations(service: Path) -> int:
    """Return how many allocations the middleware chain adds to a request."""
    output = run("make", "bench", cwd=service)
    found = re.search(r"BenchmarkChain\S* .* (\d+) allocs/op", output)
    if not found:
        sys.exit(f"make bench, run in the service, printed no allocations:\n{output}")
    return int(found[1])


def milliseconds_to_first_response(service: Path, rounds: int = 25, path: str = "/livez", **variables: str) -> float:
    """Return the time from the start of the process to its first 200 of a path."""

    def once() -> float:
        port = free_port()
        begin = time.perf_counter()
        with serving(port, service / "bin/service", until=path, PORT=str(port), ADMIN_ADDR="", **variables):
            return (time.perf_counter() - begin) * 1000

    return statistics.median(once() for _ in range(rounds))


def milliseconds_to_stop(service: Path, rounds: int = 15) -> float:
    """Return the time from SIGTERM to the end of an idle process."""

    def once() -> float:
        port = free_port()
        with serving(port, service / "bin/service", PORT=str(port), ADMIN_ADDR="") as process:
            process.terminate()
            return seconds(process.wait) * 1000

    return statistics.median(once() for _ in range(rounds))


def mebibytes_of_memory(service: Path, folder: Path) -> tuple[float, float]:
    """Return the resident memory of an idle service, and its peak under load (Linux only)."""
    port = free_port()
    with serving(port, service / "bin/service", PORT=str(port), ADMIN_ADDR="") as process:
        time.sleep(1)
        idle = kibibytes(process.pid, "VmRSS")
        load(folder, port, "/version", 64, "-duration", "5s")
        return idle / 1024, kibibytes(process.pid, "VmHWM") / 1024


def image_over_its_base(service: Path, folder: Path) -> tuple[int, int]:
    """Return the size of the image minus its base, and the size of its binary, in bytes."""
    run("docker", "build", "--quiet", "-t", "benchmark:image", ".", cwd=service)
    sizes = [
        json.loads(run("docker", "image", "inspect", image, cwd=service))[0]["Size"]
        for image in ("benchmark:image", "alpine:3.24")
    ]
    container = run("docker", "create", "benchmark:image", cwd=service).strip()
    run("docker", "cp", f"{container}:/app/service", folder / "service-in-image", cwd=service)
    run("docker", "rm", container, cwd=service)
    return sizes[0] - sizes[1], (folder / "service-in-image").stat().st_size


def rebuild_seconds(service: Path, rounds: int = 3) -> tuple[float, float]:
    """Return how long a docker build takes after one changed line, and the time of which it cannot be shorter.

    The limit is "go build" of such a change on the host, and a docker build that only copies a binary of that size.
    """
    copied = service.parent / "copied"
    copied.mkdir()
    (copied / "Dockerfile").write_text("FROM alpine:3.24\nCOPY service ./\n")
    main = service / "main.go"
    code = main.read_text()

    def change() -> None:
        main.write_text(f"{code}\nconst changed = {time.time_ns()}\n")  # new each time, so that no cache has it

    def build() -> float:
        change()
        return seconds(lambda: run("docker", "build", "--build-arg", "VERSION=0.0.1", ".", cwd=service))

    def limit() -> float:
        change()
        on_host = seconds(lambda: run("make", "build", "VERSION=0.0.1", cwd=service))
        shutil.copy(service / "bin/service", copied / "service")
        return on_host + seconds(lambda: run("docker", "build", ".", cwd=copied))

    build()
    limit()
    builds, limits = zip(*[(build(), limit()) for _ in range(rounds)], strict=True)
    return statistics.median(builds), statistics.median(limits)


def bake_over_empty(folder: Path, rounds: int = 15) -> tuple[float, float, int]:
    """Return a bake's time divided by that of an empty template, its seconds, and the number of files in a service."""
    empty = folder / "empty-template"
    (empty / "{{cookiecutter.name}}").mkdir(parents=True)
    (empty / "{{cookiecutter.name}}/file").touch()
    (empty / "cookiecutter.json").write_text('{"name": "empty"}')

    pairs = [(bake_seconds(folder, TEMPLATE), bake_seconds(folder, empty)) for _ in range(rounds)]
    service = bake(Path(tempfile.mkdtemp(dir=folder)))
    files = sum(1 for path in service.rglob("*") if path.is_file())
    ratio = statistics.median(own / of_empty for own, of_empty in pairs)
    return ratio, statistics.median(own for own, _ in pairs), files


def milliseconds_of_checking(folder: Path, rounds: int = 15) -> float:
    """Return how much longer a bake takes than one of a copy of the template without the checks."""
    unchecked = folder / "unchecked-template"
    shutil.copytree(TEMPLATE, unchecked, ignore=shutil.ignore_patterns(".*cache", ".venv", ".git", ".hypothesis"))
    (unchecked / "hooks/pre_gen_project.py").unlink()
    hook = unchecked / "hooks/post_gen_project.py"
    code = hook.read_text(encoding="utf-8")  # its filters come with the extension: insert the results for the defaults
    not_chosen = sorted({file for row in template.questions_file()["_optional_files"] for file in row["files"]})
    code = code.replace("{{cookiecutter | files_not_chosen | tojson}}", json.dumps(not_chosen))
    hook.write_text(code.replace("{{cookiecutter | link | tojson}}", '""'), encoding="utf-8")
    context = json.loads((unchecked / "cookiecutter.json").read_text(encoding="utf-8"))
    kept = {name: value for name, value in context.items() if name[:2] != "__" and name != "_extensions"}
    (unchecked / "cookiecutter.json").write_text(json.dumps(kept))

    pairs = [(bake_seconds(folder, TEMPLATE), bake_seconds(folder, unchecked)) for _ in range(rounds)]
    return statistics.median(checked - without for checked, without in pairs) * 1000


def machine() -> str:
    """Describe the machine: its cores, system and Go version."""
    return f"{os.cpu_count()} cores, {sys.platform}, {run('go', 'env', 'GOVERSION', cwd=HERE).strip()}"
