"""Measure every figure of the Speed table in docs/contract.md and write docs/benchmarks.md."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import database, figures, pipeline, rpc, telemetry
from benchmarks.chart import bars

DOCS = figures.TEMPLATE / "docs"


class Row(NamedTuple):
    """A row of the first table."""

    figure: str
    bar: str  # as docs/contract.md writes it
    measured: str
    missed: bool = False  # whether the measurement misses the bar

    def result(self) -> str:
        return f"{self.measured}, missed" if self.missed else self.measured


TEXT = """# Benchmarks

`make bench` wrote this page, on {machine}. Each ratio is the median of several runs, taken in turn on one
machine. An absolute figure says more about the machine than about the service.

| figure | bar | measured |
| --- | --- | --- |
{rows}
## By number of connections

![Requests per second by number of connections](throughput.svg)

| connections | server | requests/s | p50 | p99 | p99.9 |
| --- | --- | --- | --- | --- | --- |
{connections}
## Overload

The route takes 20 ms. With `MAX_IN_FLIGHT=16` it can serve 800 requests per second.

| offered | status | requests/s | p50 | p99 | p99.9 |
| --- | --- | --- | --- | --- | --- |
{overload}
## Telemetry

The bars of the template's own are in parentheses. The rivals are the default service with a well-known library around
its handler.

| service | allocations added to a request | throughput ÷ bare | CPU per request, µs | binary, MB |
| --- | --- | --- | --- | --- |
{telemetry}
## Database

| figure | bar | measured |
| --- | --- | --- |
{database}
## gRPC

| figure | bar | measured |
| --- | --- | --- |
{rpc}
## Pipeline

From the push to the tested image, and the linters, which run beside it. The first run has no cache. The next one has
the cache of the first, and one changed line.

| service | job | first run | next run | ratio |
| --- | --- | --- | --- | --- |
{pipeline}
{how}"""

HOW = """## How

- **Throughput**: `GET /version` over keep-alive connections on loopback. The ratio uses 64 connections. The bare
  handler is [benchmarks/bare](../benchmarks/bare/main.go), the load generator
  [benchmarks/load](../benchmarks/load/main.go). They share the machine's cores. The service writes its access log to
  /dev/null.
- **Start**: from the call that starts the process to the first 200. The client retries without a pause.
- **Memory under load**: the peak while 64 connections send requests for 5 s.
- **Image**: its binary is larger than `bin/service`, because it includes the time zones that alpine lacks.
- **Limit of a docker build**: `go build` of such a change on the host, and a docker build that only copies a binary of
  that size. No build in a container can be faster.
- **Bake**: a whole process, `python -m cookiecutter --no-input`. The empty template has one empty file.
- **Checking**: the time of a bake, minus that of a bake without the extension, the `__` entries of
  `cookiecutter.json` and `pre_gen_project.py`.
- **Telemetry**: `GET /version` with 64 connections. Spans go to a collector that keeps nothing. The allocations are
  those of the request itself: while they are counted, the queue of spans is full.
- **Database**: PostgreSQL on the same machine, 10 connections, 16 clients. A proxy counts the round trips, on a
  connection that has prepared its statements.
- **gRPC**: one greeting a call, 64 in flight: over HTTP/1 on 64 connections, over HTTP/2 on 8. The bare servers are
  [connect.go](../benchmarks/_rivals/connect.go), on the same http.Server, and [grpc.go](../benchmarks/_rivals/grpc.go),
  on an HTTP/2 of its own. The noise is half of the range in which half of the rounds are, of a service ÷ a second copy.
- **Pipeline**: the commands of the workflow, on this machine. A host adds its checkout and the download of the cache.
- **Overload**: requests are due at a steady rate. Latency counts from the moment when a request was due.

Two ideas were tried and dropped. A larger heap (`GOGC`, or 16 MiB that are never touched) doubled the memory under
load, and its gain was lost in the noise. A hand-written JSON line is faster than log/slog, but everyone who adds an
attribute would have to change it too.
"""


def rows_of_the_binary(folder: Path, service: Path, throughput: figures.Throughput) -> Iterator[Row]:
    full, bare = (figures.median(throughput[name, 64]).rate for name in ("service", "bare"))
    ratio = figures.median_ratio(throughput, 64)
    yield Row(
        "throughput, full chain with the access log ÷ bare handler with the same timeouts",
        "≥ 0.80",
        f"{ratio:.2f} ({full:,.0f} ÷ {bare:,.0f} requests/s)",
        missed=ratio < 0.80,
    )
    allocations = figures.allocations(service)
    yield Row("allocations the chain adds to a request", "≤ 3", str(allocations), missed=allocations > 3)
    start = figures.milliseconds_to_first_response(service)
    yield Row("start to first 200, process spawn included", "≤ 4 ms", f"{start:.1f} ms", missed=start > 4)
    stop = figures.milliseconds_to_stop(service)
    yield Row("stop when idle", "≤ 100 ms", f"{stop:.0f} ms", missed=stop > 100)
    idle, loaded = figures.mebibytes_of_memory(service, folder)
    yield Row("memory idle (RSS)", "≤ 8 MiB", f"{idle:.1f} MiB, {loaded:.1f} MiB under load", missed=idle > 8)
    megabytes = (service / "bin/service").stat().st_size / 1e6
    yield Row("stripped binary", "≤ 7.4 MB", f"{megabytes:.2f} MB", missed=megabytes > 7.4)


def rows_of_the_image(folder: Path, service: Path) -> Iterator[Row]:
    image = ("image minus its base", "≤ the binary in it + 64 KiB")
    rebuild = ("docker build after one changed line ÷ its limit", "≤ 1.3")
    if not shutil.which("docker"):
        yield Row(*image, "not measured: Docker is not installed")
        yield Row(*rebuild, "not measured: Docker is not installed")
        return
    added, binary = figures.image_over_its_base(service, folder)
    shown = f"{added / 1e6:.2f} MB = binary + {added - binary} bytes"
    yield Row(*image, shown, missed=added > binary + 64 * 1024)
    own, limit = figures.rebuild_seconds(service)
    yield Row(*rebuild, f"{own / limit:.2f} ({own:.2f} s ÷ {limit:.2f} s)", missed=own > 1.3 * limit)


def rows_of_the_bake(folder: Path) -> Iterator[Row]:
    ratio, seconds, files = figures.bake_over_empty(folder)
    bar = min(1.25 + files / 100, 2.0)
    yield Row(
        "bake ÷ an empty template's, F files in the service",
        "≤ 1.25 + F/100, 2.00 at most",
        f"{ratio:.2f} (F = {files}: ≤ {bar:.2f}; {seconds:.2f} s)",
        missed=ratio > bar,
    )
    checking = figures.milliseconds_of_checking(folder)
    yield Row("checking the answers, of a bake", "≤ 30 ms", f"{checking:.1f} ms", missed=checking > 30)


def connections_table(throughput: figures.Throughput) -> str:
    """Return the rows of the table, and write the chart."""
    medians = {key: figures.median(rounds) for key, rounds in throughput.items()}
    series = {name: [medians[name, n].rate for n in figures.CONNECTIONS] for name in figures.SERVERS}
    groups = [f"{n} connection{'s' * (n > 1)}" for n in figures.CONNECTIONS]
    (DOCS / "throughput.svg").write_text(bars("Requests per second, GET /version", groups, series), encoding="utf-8")
    return "".join(
        f"| {n} | {name} | {cells(medians[name, n])} |\n" for n in figures.CONNECTIONS for name in figures.SERVERS
    )


def overload_table(folder: Path) -> str:
    half, ten_times = figures.overload(folder)
    rows = (("400/s", "200", half["ok"]), ("8,000/s", "200", ten_times["ok"]), ("", "503", ten_times["refused"]))
    return "".join(f"| {offered} | {status} | {cells(responses)} |\n" for offered, status, responses in rows)


def cells(responses: figures.Responses) -> str:
    latencies = (responses.p50, responses.p99, responses.p999)
    return " | ".join([f"{responses.rate:,.0f}", *(f"{us / 1000:.2f} ms" for us in latencies)])


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="go-service-template-bench-"))
    (folder / "default").mkdir()
    service = figures.bake(folder / "default")
    figures.run("make", "build", "VERSION=1.2.3", cwd=service)
    figures.go_programs(folder)
    throughput = figures.measure_throughput(service, folder)
    rows = ""
    for steps in (
        rows_of_the_binary(folder, service, throughput),
        rows_of_the_image(folder, service),
        rows_of_the_bake(folder),
    ):
        for row in steps:
            print(f"{row.figure}: {row.result()} (bar {row.bar})", flush=True)
            rows += f"| {row.figure} | {row.bar} | {row.result()} |\n"
    page = TEXT.format(
        machine=figures.machine(),
        rows=rows,
        connections=connections_table(throughput),
        overload=overload_table(folder),
        telemetry="".join(telemetry.rows(folder)),
        database="".join(database.rows(folder)),
        rpc="".join(rpc.rows(folder, service)),
        pipeline="".join(pipeline.rows(folder)),
        how=HOW,
    )
    (DOCS / "benchmarks.md").write_text(page, encoding="utf-8")
    shutil.rmtree(folder)
    print(f"Written to {DOCS.relative_to(figures.TEMPLATE)}/benchmarks.md")


if __name__ == "__main__":
    main()
