"""Measures a service with a database: beside a bare handler with the same query, and while the database is away."""

from __future__ import annotations

import http.client
import itertools
import json
import shutil
import socket
import statistics
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from benchmarks import figures
from tests.support.postgres import Postgres, programs
from tools.running_service import free_port

BARE = figures.HERE / "_rivals/pgx.go"
DATABASE = "bench"
CLIENTS, RATE, SECONDS = 50, 500, 8  # of the outage


def rows(folder: Path) -> Iterator[str]:
    """Yield the rows of the table."""
    if not programs():
        yield "| PostgreSQL is not installed | | not measured |\n"
        return
    service = build(folder / "database")
    with Postgres(fsync="off") as server:
        server.query(f"CREATE DATABASE {DATABASE}")
        binary, url = service / "bin/service", server.url(DATABASE)
        subprocess.run([binary, "migrate"], env={"DATABASE_URL": url}, check=True, stdout=subprocess.DEVNULL)
        ratio, rate, bare = throughput(folder, service, url)
        yield row(
            "`GET` by id ÷ the same query in a bare handler",
            "≥ 0.80",
            f"{ratio:.2f} ({rate:,.0f} ÷ {bare:,.0f} requests/s)",
            ratio < 0.8,
        )
        trips = round_trips(binary, server)
        yield row("round trips of a `POST` with a key", "≤ 3", str(trips), trips > 3)
        failed, longest = outage(binary, server)
        figure = f"requests that fail when the database is away for 1 s, at {RATE}/s; the last one after its return"
        yield row(figure, "≤ 2 s", f"{failed}; {longest:.2f} s", longest > 2)
        for path, most in (("/livez", 10), ("/readyz", 20)):
            took = figures.milliseconds_to_first_response(service, path=path, DATABASE_URL=url)
            yield row(f"start to the first 200 of `{path}`", f"≤ {most} ms", f"{took:.1f} ms", took > most)
    megabytes = binary.stat().st_size / 1e6
    yield row("stripped binary", "≤ 14 MB", f"{megabytes:.2f} MB", megabytes > 14)


def row(figure: str, bar: str, measured: str, is_missed: bool) -> str:
    return f"| {figure} | {bar} | {measured}{', missed' if is_missed else ''} |\n"


def build(folder: Path) -> Path:
    folder.mkdir()
    service = figures.bake(folder, figures.TEMPLATE, "database=postgres")
    figures.run("make", "build", "VERSION=1.2.3", cwd=service)
    (service / "bare").mkdir()
    shutil.copy(BARE, service / "bare/main.go")
    figures.run("go", "build", "-ldflags", "-s -w", "-o", "bin/bare", "./bare", cwd=service)
    return service


def throughput(folder: Path, service: Path, url: str, rounds: int = 5) -> tuple[float, float, float]:
    """Return the median ratio, and the medians of the service and of the bare handler in requests per second."""
    ports = [free_port(), free_port()]
    with ExitStack() as running:
        variables = {"PORT": str(ports[0]), "ADMIN_ADDR": "", "DATABASE_URL": url}
        running.enter_context(figures.serving(ports[0], service / "bin/service", until="/readyz", **variables))
        bare = figures.serving(ports[1], service / "bin/bare", "-address", f"127.0.0.1:{ports[1]}", DATABASE_URL=url)
        running.enter_context(bare)
        path = create(ports[0], "bench")
        measured = [
            [figures.load(folder, port, path, 16, "-duration", "1s")["ok"].rate for port in ports]
            for _ in range(rounds + 1)
        ][1:]  # the first round warms up
    ratio = statistics.median(own / rival for own, rival in measured)
    return ratio, statistics.median(own for own, _ in measured), statistics.median(rival for _, rival in measured)


def create(port: int, title: str) -> str:
    """Create a note and return its path."""
    body = json.dumps({"title": title}).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": title}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/notes", body, headers)
    with urllib.request.urlopen(request, timeout=5) as response:
        return str(response.headers["Location"])


def round_trips(binary: Path, server: Postgres) -> int:
    """Count how often a POST on a warm connection waits for the database."""
    turns: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def forward(source: socket.socket, target: socket.socket, side: str) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                turns.append(side)
                target.sendall(data)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                to = socket.create_connection(("127.0.0.1", server.port))
                for ends in ((client, to, "asks"), (to, client, "answers")):
                    threading.Thread(target=forward, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port = free_port()
    url = server.url(DATABASE).replace(str(server.port), str(listener.getsockname()[1]))
    variables = {"PORT": str(port), "ADMIN_ADDR": "", "DATABASE_URL": url, "DATABASE_MAX_CONNS": "1"}
    with figures.serving(port, binary, until="/readyz", **variables):
        for title in ("warm", "warmer"):
            create(port, title)
        turns.clear()
        create(port, "counted")
        time.sleep(0.1)
    listener.close()
    return sum(turn == ("answers", "asks") for turn in itertools.pairwise(["answers", *turns]))


def outage(binary: Path, server: Postgres) -> tuple[int, float]:
    """Return how many requests fail, and how long after the database's return the last one does."""
    port = free_port()
    failures: list[float] = []
    begin = time.monotonic()

    def ask(client: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for number in range(RATE * SECONDS // CLIENTS):
            time.sleep(max(0, begin + (number * CLIENTS + client) / RATE - time.monotonic()))
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                failures.append(time.monotonic())

    variables = {"PORT": str(port), "ADMIN_ADDR": "", "DATABASE_URL": server.url(DATABASE)}
    with figures.serving(port, binary, until="/readyz", **variables):
        path = create(port, "outage")
        begin = time.monotonic() + 0.1
        clients = [threading.Thread(target=ask, args=(client,)) for client in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(2)
        server.stop()
        time.sleep(1)
        server.start()
        returned = time.monotonic()
        for client in clients:
            client.join()
    return len(failures), max([0.0, *(moment - returned for moment in failures)])
