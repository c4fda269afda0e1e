"""make demo: bake a service with the defaults, build it, run it, send it requests and stop it."""

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
from tools.running_service import RunningService

TEMPLATE = Path(__file__).resolve().parent.parent


def step(text: str) -> None:
    print(f"\n== {text}", flush=True)


def send(url: str, body: str | None = None) -> None:
    """Send a request. Print it as a curl command, and the response."""
    data = f"-H 'Content-Type: application/json' -d '{body}' " if body else ""
    print(f"$ curl {data}{url}")
    headers = {"Content-Type": "application/json", "X-Request-ID": "demo"}
    request = urllib.request.Request(url, body.encode() if body else None, headers)
    with urllib.request.urlopen(request, timeout=5) as response:
        print(response.read().decode(), flush=True)


def build(service: Path) -> Path:
    """Build the service and return its binary. If that fails, print the compiler's errors and exit."""
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
    service = Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=folder, default_config=True))
    print(*sorted(path.name for path in service.iterdir()))

    step("Building it. The first build also compiles the standard library, which takes up to a minute")
    binary = build(service)
    print(f"bin/service: {binary.stat().st_size / 1e6:.2f} MB")

    step("Running it on a free port, and sending it requests")
    with RunningService(binary, ADMIN_ADDR="") as running:
        send(f"{running.url}/")
        send(f"{running.url}/readyz")
        send(f"{running.url}/v1/greetings", '{"name":"Ada"}')

        step("Stopping it with SIGTERM, as a container platform does")
        status = running.stop()
        print(*(json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in running.lines), sep="\n")
        print(f"exit status {status}")

    step(f"Done in {time.perf_counter() - begin:.0f} s. To go on, type:")
    print(f"cd {service} && PATH={toolchain.go_bin_directory()}:$PATH make run")
    print(f"{Path(sys.executable).parent / 'cookiecutter'} {TEMPLATE}     # bakes your own service")


if __name__ == "__main__":
    main()
