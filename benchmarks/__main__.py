"""Measure every figure of the Speed table in docs/contract.md and write docs/benchmarks.md."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import figures
from benchmarks.chart import bars

Row = tuple[str, str, str]  # figure, bar, measured
DOCS = figures.TEMPLATE / "docs"

TEXT = """# Benchmarks

Made by `make bench` on {machine}. Ratios are medians of runs taken in turn on one machine; a single absolute figure
says more about the machine.

| figure | bar | measured |
| --- | --- | --- |
{rows}
## By number of connections

![Requests per second by number of connections](throughput.svg)

| connections | server | requests/s | p50 | p99 | p99.9 |
| --- | --- | --- | --- | --- | --- |
{connections}
## Overload

A route that takes 20 ms with `MAX_IN_FLIGHT=16` can serve 800 requests a second.

| offered | answer | requests/s | p50 | p99 | p99.9 |
| --- | --- | --- | --- | --- | --- |
{overload}
{how}"""

HOW = """## How

- Throughput: `GET /version` over keep-alive connections on loopback, 64 of them for the ratio. The bare handler is
  [benchmarks/bare](../benchmarks/bare/main.go), the load [benchmarks/load](../benchmarks/load/main.go); server and load
  share the machine's cores. The access log is on and goes to /dev/null.
- Tried and left: a larger heap (`GOGC`, or 16 MiB that are never touched) doubled the memory under load and gained
  nothing that could be told from noise; a JSON line written by hand instead of by log/slog is faster, but has to be
  kept in step by whoever adds an attribute.
- Start: from the call that starts the process, asking without a pause.
- Overload: requests are due at a steady rate, and latency counts from when a request was due.
- Memory under load: the most that was resident while 64 connections asked for 5 s.
- The binary in the image is larger than `bin/service` because it carries the time zones that alpine lacks.
- The plain two-stage build copies the whole tree (`COPY . ./`) and has no cache mounts.
- Checking: a bake less one of the same template without extension, gate and `pre_gen_project.py`.
- A bake is a whole process, `python -m cookiecutter --no-input`; the empty template has one empty file.
"""


def with_go(folder: Path, service: Path, seen: dict[tuple[str, int], list[figures.Load]]) -> Iterator[Row]:
    full, bare = (figures.median_load(seen[name, 64]).rate for name in ("service", "bare"))
    yield (
        "throughput, full chain with the access log ÷ bare handler with the same timeouts",
        "≥ 0.72",
        f"{figures.ratio(seen, 64):.2f} ({full:,.0f} ÷ {bare:,.0f} requests/s)",
    )
    yield "allocations the chain adds to a request", "≤ 6", str(figures.allocations(service))
    yield (
        "start to first 200, process spawn included",
        "≤ 10 ms",
        f"{figures.milliseconds_to_first_answer(service):.1f} ms",
    )
    yield "stop when idle", "≤ 100 ms", f"{figures.milliseconds_to_stop(service):.0f} ms"
    idle, loaded = figures.mebibytes(service, folder)
    yield "memory idle (RSS)", "≤ 20 MiB", f"{idle:.1f} MiB, {loaded:.1f} MiB under load"
    yield "stripped binary", "≤ 7.6 MB", f"{(service / 'bin/service').stat().st_size / 1e6:.2f} MB"


def by_connections(seen: dict[tuple[str, int], list[figures.Load]]) -> str:
    """Return the rows of the table, and write the chart."""
    medians = {key: figures.median_load(loads) for key, loads in seen.items()}
    series = {name: [medians[name, n].rate for n in figures.CONNECTIONS] for name in figures.SERVERS}
    groups = [f"{n} connection{'s' * (n > 1)}" for n in figures.CONNECTIONS]
    (DOCS / "throughput.svg").write_text(bars("Requests per second, GET /version", groups, series), encoding="utf-8")
    return "".join(
        f"| {n} | {name} | {cells(medians[name, n])} |\n" for n in figures.CONNECTIONS for name in figures.SERVERS
    )


def overloaded(folder: Path) -> str:
    usual, ten_times = figures.overload(folder)
    rows = (("400/s", "200", usual["ok"]), ("8,000/s", "200", ten_times["ok"]), ("", "503", ten_times["refused"]))
    return "".join(f"| {offered} | {status} | {cells(load)} |\n" for offered, status, load in rows)


def cells(load: figures.Load) -> str:
    return " | ".join([f"{load.rate:,.0f}", *(f"{us / 1000:.2f} ms" for us in (load.p50, load.p99, load.p999))])


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
    ratio, seconds, files = figures.bake_over_empty(folder)
    bar = min(1.25 + files / 100, 2.0)
    yield (
        "bake ÷ an empty template's, F files in the service",
        "≤ 1.25 + F/100, 2.00 at most",
        f"{ratio:.2f} (F = {files}: ≤ {bar:.2f}; {seconds:.2f} s)",
    )
    yield "checking the answers, of a bake", "≤ 30 ms", f"{figures.milliseconds_of_checking(folder):.0f} ms"


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="go-service-template-bench-"))
    (folder / "default").mkdir()
    service = figures.bake(folder / "default")
    figures.run("make", "build", "VERSION=1.2.3", cwd=service)
    figures.go_programs(folder)
    seen = figures.throughput(service, folder)
    rows = ""
    for steps in (with_go(folder, service, seen), with_docker(folder, service), with_cookiecutter(folder)):
        for figure, bar, measured in steps:
            print(f"{figure}: {measured} (bar {bar})", flush=True)
            rows += f"| {figure} | {bar} | {measured} |\n"
    machine = figures.machine()
    page = TEXT.format(
        machine=machine, rows=rows, connections=by_connections(seen), overload=overloaded(folder), how=HOW
    )
    (DOCS / "benchmarks.md").write_text(page, encoding="utf-8")
    shutil.rmtree(folder)
    print(f"Written to {DOCS.relative_to(figures.TEMPLATE)}/benchmarks.md")


if __name__ == "__main__":
    main()
