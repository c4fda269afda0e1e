"""The process: how the binary starts, refuses to start, and stops."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import raw_http
from tests.support.baking import BakedService
from tools.running_service import RunningService, wait_for_answer


def run(binary: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the binary to its end."""
    environment = {"PORT": "0", "ADMIN_ADDR": "", **variables}
    return subprocess.run(
        [binary, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=10,
    )


@pytest.mark.contract("start")
def test_it_binds_and_then_logs_where_it_listens(service: RunningService) -> None:
    host, port = service.address()
    assert service.lines[0]["msg"] == "listening"
    assert service.lines[0]["version"] == "1.2.3"
    assert port != 0
    raw_http.connect((host, port)).close()


@pytest.mark.contract("version")
def test_every_place_tells_the_same_version(service: RunningService, binary: Path) -> None:
    assert run(binary, "-version").stdout == "my-service 1.2.3\n"
    assert service.wait_for(lambda line: True)["version"] == "1.2.3"
    assert raw_http.ask(service.address(), "GET", "/version").json()["version"] == "1.2.3"


@pytest.mark.contract("version")
def test_an_empty_version_is_filled_in(default: BakedService, tmp_path: Path) -> None:
    default.run("go", "build", "-ldflags", "-X main.Version=", "-o", str(tmp_path / "service"), "./")
    assert run(tmp_path / "service", "-version").stdout == "my-service dev\n"


@pytest.mark.contract("configuration")
def test_help_prints_every_variable_that_the_service_reads(default: BakedService, binary: Path) -> None:
    told = run(binary, "-help")
    assert told.returncode == 0
    assert run(binary, "-help", PORT="bad").stdout == told.stdout
    variables = re.findall(r'\{"([A-Z_]+)", "(.*?)", "(.*?)", ', default.read("internal/config/config.go"))
    declared = [(name, fallback or "(none)", meaning) for name, fallback, meaning in variables]
    printed = re.findall(r"^  ([A-Z_]+) +(\S+) +(.*)$", told.stdout, re.MULTILINE)
    assert printed == declared
    assert len(declared) >= 14


@pytest.mark.contract("bad configuration")
def test_every_bad_variable_is_reported_at_once(binary: Path) -> None:
    bad = {"PORT": "99999", "ADMIN_ADDR": "nowhere", "LOG_LEVEL": "", "READ_TIMEOUT": "soon", "MAX_HEADER_COUNT": "501"}
    told = run(binary, **bad)
    assert told.returncode == 2
    assert told.stdout == ""
    lines = told.stderr.splitlines()
    assert [line.split("=")[0] for line in lines] == list(bad)
    for line in lines:
        name, _, rest = line.partition("=")
        assert rest.startswith(f'"{bad[name]}": must be ')


@pytest.mark.contract("port taken, main or admin")
@pytest.mark.parametrize("variable", ["PORT", "ADMIN_ADDR"])
def test_a_taken_port_is_one_line_with_address_and_variable(binary: Path, variable: str) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        told = run(binary, **{variable: str(port) if variable == "PORT" else f":{port}"})
    assert (told.returncode, told.stderr) == (1, "")
    line = json.loads(told.stdout)
    assert line["level"] == "ERROR"
    assert variable in line["error"]
    assert f":{port}" in line["error"]


@pytest.mark.contract("unknown flag or argument")
@pytest.mark.parametrize("arguments", [["-verbose"], ["serve"], [""], ["-version", "now"]])
def test_an_unknown_argument_is_one_line_and_the_usage(binary: Path, arguments: list[str]) -> None:
    told = run(binary, *arguments)
    assert told.returncode == 2
    problem, usage = told.stderr.splitlines()
    assert arguments[0] in problem
    assert usage.startswith("usage: ")


@contextmanager
def half_a_body(address: raw_http.Address) -> Iterator[socket.socket]:
    """Open a request that stays in flight: its handler waits for the last byte of the body."""
    with raw_http.connect(address) as connection:
        connection.sendall(raw_http.request("POST", "/v1/greetings", '{"name":"Ada"}')[:-1])
        time.sleep(0.1)
        yield connection


@pytest.mark.contract("SIGTERM, SIGINT")
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_serves_on_for_the_delay_and_finishes_what_is_in_flight(binary: Path, stop: signal.Signals) -> None:
    with RunningService(binary, SHUTDOWN_DELAY="1s") as service, half_a_body(service.address()) as in_flight:
        service.drain(stop)

        ready, alive = (raw_http.ask(service.address(), "GET", path) for path in ("/readyz", "/livez"))
        assert (ready.status, ready.is_problem(), alive.status) == (503, True, 200)
        assert ready.headers["Connection"] == alive.headers["Connection"] == "close"

        raw_http.wait_until_refused(service.address())
        in_flight.sendall(b"}")
        answer = raw_http.read_answer(in_flight, "POST")
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        assert service.wait() == 0
        name = {signal.SIGTERM: "terminated", signal.SIGINT: "interrupt"}[stop]
        assert service.wait_for(lambda line: line["msg"] == "draining")["reason"] == f"received {name}"
        assert service.lines[-1]["msg"] == "stopped"


@pytest.mark.contract("still busy at the timeout")
def test_a_stuck_request_is_cut_off_and_counted(binary: Path) -> None:
    with RunningService(binary, SHUTDOWN_TIMEOUT="200ms") as service, half_a_body(service.address()) as stuck:
        assert service.stop() == 1
        assert raw_http.is_closed(stuck)
        stopped = service.wait_for(lambda line: line["msg"] == "stopped")  # the handler's own line may come after it
        assert re.search(r"cut off after SHUTDOWN_TIMEOUT=200ms: 1$", stopped["error"])


@pytest.mark.contract("a silent or half-sent connection")
@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHo"], ids=["silent", "half-sent"])
def test_a_silent_connection_does_not_hold_the_stop(binary: Path, sent: bytes) -> None:
    with RunningService(binary) as service, raw_http.connect(service.address()) as connection:
        connection.sendall(sent)
        time.sleep(0.1)
        begin = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - begin < 2
        assert raw_http.is_closed(connection)


@pytest.mark.contract("second signal")
def test_a_second_signal_ends_at_once(binary: Path) -> None:
    with RunningService(binary, SHUTDOWN_DELAY="1m") as service:
        service.wait_until_ready()
        service.drain()
        service.signal()
        assert service.wait(2) == 1


@pytest.mark.contract("second signal")
def test_no_second_signal_is_lost(binary: Path) -> None:
    for _ in range(20):
        with RunningService(binary, SHUTDOWN_DELAY="1m") as service:
            service.wait_until_ready()
            service.signal(signal.SIGTERM)
            service.signal(signal.SIGINT)
            assert service.wait(5) == 1


@pytest.mark.contract("image")
def test_the_health_check_of_a_draining_service_is_0(binary: Path) -> None:
    with RunningService(binary, SHUTDOWN_DELAY="1m") as service:
        _, port = service.address()
        wait_for_answer(port, "/readyz")
        service.drain()
        assert run(binary, "-healthcheck", PORT=str(port)).returncode == 0


@pytest.mark.contract("image")
def test_the_health_check_of_a_service_whose_connections_are_all_in_use_is_0(binary: Path) -> None:
    with RunningService(binary, MAX_CONNECTIONS="1") as service:
        (_, port), (host, admin) = service.address(), service.address("ADMIN_ADDR")
        with raw_http.connect(("127.0.0.1", port)):
            assert run(binary, "-healthcheck", PORT=str(port), ADMIN_ADDR=f"{host}:{admin}").returncode == 0
            assert run(binary, "-healthcheck", PORT=str(port), ADMIN_ADDR="").returncode == 1


@pytest.mark.contract("image")
def test_the_health_check_tells_0_or_1(service: RunningService, binary: Path) -> None:
    _, port = service.address()
    assert run(binary, "-healthcheck", PORT=str(port)).returncode == 0
    service.stop()
    assert run(binary, "-healthcheck", PORT=str(port)).returncode == 1
    assert run(binary, "-healthcheck", PORT="nowhere").returncode == 1
