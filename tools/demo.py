"""make demo: bake with the defaults, build, run, ask, stop; and say what to type next."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from cookiecutter.main import cookiecutter

from tools import toolchain
from tools.service import Service

TEMPLATE = Path(__file__).resolve().parent.parent


def step(text: str) -> None:
    print(f"\n== {text}", flush=True)


def ask(url: str, body: str | None = None) -> None:
    """Print a request as one would type it, and its answer."""
    data = f"-H 'Content-Type: application/json' -d '{body}' " if body else ""
    print(f"$ curl {data}{url}")
    headers = {"Content-Type": "application/json", "X-Request-ID": "demo"}
    request = urllib.request.Request(url, body.encode() if body else None, headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        print(answer.read().decode(), flush=True)


def build(service: Path) -> Path:
    """Build the service and return its binary. Ends the program with the compiler's words where it fails."""
    done = subprocess.run(
        ["make", "--no-print-directory", "build"],
        cwd=service,
        env=toolchain.environment(),
        text=True,
        capture_output=True,
    )
    print(done.stdout, end="")
    if done.returncode:
        sys.exit(f"make build failed:\n{done.stderr}")
    return service / "bin/service"


def main() -> None:
    begin = time.perf_counter()
    folder = tempfile.mkdtemp(prefix="go-service-template-")

    step("Baking a service with the defaults")
    service = Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=folder))
    print(*sorted(path.name for path in service.iterdir()))

    step("Building it (the first build compiles the standard library: up to a minute)")
    binary = build(service)
    print(f"bin/service: {binary.stat().st_size / 1e6:.2f} MB")

    step("Running it on a free port, and asking it")
    with Service(binary, ADMIN_ADDR="") as running:
        ask(f"{running.url}/")
        ask(f"{running.url}/readyz")
        ask(f"{running.url}/v1/greetings", '{"name":"Ada"}')

        step("Stopping it as a platform does, with SIGTERM")
        status = running.stop()
        print(*(json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in running.lines), sep="\n")
        print(f"exit status {status}")

    step(f"Done in {time.perf_counter() - begin:.0f} s. Next:")
    print(f"cd {service} && PATH={toolchain.go_bin_directory()}:$PATH make run")
    print(f"{Path(sys.executable).parent / 'cookiecutter'} {TEMPLATE}     # a service of your own")


if __name__ == "__main__":
    main()
