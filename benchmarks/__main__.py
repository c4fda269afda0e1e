"""Measure every figure of the Speed table in docs/contract.md and write docs/benchmarks.md."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import figures

Row = tuple[str, str, str]  # figure, bar, measured

TEXT = """# Benchmarks

Made by `make bench` on {machine}. Ratios are medians of runs taken in turn on one machine; a single absolute figure
says more about the machine.

| figure | bar | measured |
| --- | --- | --- |
{rows}
## How

- Throughput: `GET /version` over 64 keep-alive connections on loopback. The bare handler is
  [benchmarks/bare](../benchmarks/bare/main.go), the load [benchmarks/load](../benchmarks/load/main.go); server and load
  share the machine's cores. The access log is on and goes to /dev/null.
- Start: from the call that starts the process, asking without a pause.
- The binary in the image is larger than `bin/service` because it carries the time zones that alpine lacks.
- The plain two-stage build copies the whole tree (`COPY . ./`) and has no cache mounts.
- Checking: a bake less one of the same template without extension, gate and `pre_gen_project.py`.
- A bake is a whole process, `python -m cookiecutter --no-input`; the empty template has one empty file.
"""


def with_go(folder: Path, service: Path) -> Iterator[Row]:
    ratio, full, bare = figures.throughput(service, folder)
    yield (
        "throughput, full chain with the access log ÷ bare handler with the same timeouts",
        "≥ 0.72",
        f"{ratio:.2f} ({full:,.0f} ÷ {bare:,.0f} requests/s)",
    )
    yield "allocations the chain adds to a request", "≤ 6", str(figures.allocations(service))
    yield (
        "start to first 200, process spawn included",
        "≤ 10 ms",
        f"{figures.milliseconds_to_first_answer(service):.1f} ms",
    )
    yield "memory idle (RSS)", "≤ 20 MiB", f"{figures.idle_mebibytes(service):.1f} MiB"
    yield "stripped binary", "≤ 7.6 MB", f"{(service / 'bin/service').stat().st_size / 1e6:.2f} MB"


def with_docker(folder: Path, service: Path) -> Iterator[Row]:
    image = ("image minus its base", "≤ the binary in it + 64 KiB")
    rebuild = ("docker build after one changed line ÷ plain two-stage build", "≤ 1/20")
    if not shutil.which("docker"):
        yield (*image, "not measured: no docker here")
        yield (*rebuild, "not measured: no docker here")
        return
    added, binary = figures.image_over_its_base(service, folder)
    yield (*image, f"{added / 1e6:.2f} MB = binary + {added - binary} bytes")
    own, plain = figures.rebuild(service)
    yield (*rebuild, f"1/{plain / own:.1f} ({own:.1f} s ÷ {plain:.1f} s)")


def with_cookiecutter(folder: Path) -> Iterator[Row]:
    ratio, files = figures.bake_over_empty(folder)
    bar = min(1.25 + files / 100, 2.0)
    yield (
        "bake ÷ an empty template's, F files in the service",
        "≤ 1.25 + F/100, 2.00 at most",
        f"{ratio:.2f} (F = {files}: ≤ {bar:.2f})",
    )
    yield "checking the answers, of a bake", "≤ 30 ms", f"{figures.milliseconds_of_checking(folder):.0f} ms"


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="go-service-template-bench-"))
    (folder / "default").mkdir()
    service = figures.bake(folder / "default")
    figures.run("make", "build", "VERSION=1.2.3", cwd=service)
    rows = ""
    for steps in (with_go(folder, service), with_docker(folder, service), with_cookiecutter(folder)):
        for figure, bar, measured in steps:
            print(f"{figure}: {measured} (bar {bar})", flush=True)
            rows += f"| {figure} | {bar} | {measured} |\n"
    page = figures.TEMPLATE / "docs/benchmarks.md"
    page.write_text(TEXT.format(machine=figures.machine(), rows=rows), encoding="utf-8")
    shutil.rmtree(folder)
    print(f"Written to {page.relative_to(figures.TEMPLATE)}")


if __name__ == "__main__":
    main()
