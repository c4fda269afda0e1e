"""The log and the admin listener."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.support import raw_http
from tests.support.baking import BakedService
from tools.running_service import RunningService, free_port, wait_for_answer


@pytest.mark.contract("request line")
def test_a_request_is_one_line_without_its_query(service: RunningService) -> None:
    raw_http.ask(service.address(), "GET", "/version?token=secret", None, "X-Request-ID: abc")
    line = service.wait_for(lambda line: line["msg"] == "request")
    assert line.pop("time")
    assert line.pop("duration") > 0
    assert re.fullmatch(r"127\.0\.0\.1:\d+", line.pop("client"))
    assert line.pop("bytes") > 0
    assert line == {
        "level": "INFO", "msg": "request", "method": "GET", "route": "GET /version", "status": 200, "request_id": "abc"
    }  # fmt: skip
    service.stop()
    assert "secret" not in json.dumps(service.lines)


@pytest.mark.contract("request line")
def test_probes_are_logged_at_debug_level(service: RunningService) -> None:
    raw_http.ask(service.address(), "GET", "/readyz")
    assert service.wait_for(lambda line: line["msg"] == "request")["level"] == "DEBUG"


@pytest.mark.contract("format")
def test_the_level_is_respected(binary: Path) -> None:
    with RunningService(binary, LOG_LEVEL="info") as service:
        raw_http.ask(service.address(), "GET", "/readyz")
        raw_http.ask(service.address(), "GET", "/none")
        service.stop()
    assert [line["status"] for line in service.lines if line["msg"] == "request"] == [404]


@pytest.mark.contract("format")
def test_text_is_for_people(binary: Path) -> None:
    environment = {"PORT": "0", "ADMIN_ADDR": "", "LOG_FORMAT": "text"}
    with subprocess.Popen([binary], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        first = process.stdout.readline()
        process.terminate()
    assert re.match(r"time=\S+ level=INFO msg=listening address=\S+", first)


@pytest.mark.contract("`X-Request-ID`")
@pytest.mark.parametrize("sent", ["a", "x" * 128, "Az0._-"])
def test_a_harmless_request_id_is_kept(service: RunningService, sent: str) -> None:
    answer = raw_http.ask(service.address(), "GET", "/none", None, f"X-Request-ID: {sent}")
    assert answer.headers["X-Request-ID"] == answer.json()["request_id"] == sent
    assert service.wait_for(lambda line: line["msg"] == "request")["request_id"] == sent


@pytest.mark.contract("`X-Request-ID`")
@pytest.mark.parametrize("sent", ["", "x" * 129, "a b", 'a"b', "ä", "a/b", "${jndi:x}"])
def test_any_other_request_id_is_replaced(service: RunningService, sent: str) -> None:
    answer = raw_http.ask(service.address(), "GET", "/none", None, f"X-Request-ID: {sent}")
    given = answer.headers["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{32}", given)
    assert answer.json()["request_id"] == given


@contextmanager
def logging_to(binary: Path, stdout: IO[bytes] | int | None) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run the service with that standard output, None for a closed one; yield the process and its port."""
    port = free_port()
    environment = {"PORT": str(port), "ADMIN_ADDR": ""}
    command: list[str | Path] = [binary] if stdout is not None else ["sh", "-c", f"exec '{binary}' >&-"]
    with subprocess.Popen(command, env=environment, stdout=stdout) as process:
        try:
            wait_for_answer(port)
            yield process, port
        finally:
            process.kill()


def stopped(process: subprocess.Popen[bytes]) -> int:
    """Ask a process to stop and return its exit status; fails where it does not within 5 s."""
    process.terminate()
    return process.wait(5)


@pytest.mark.contract("a log that is not read or cannot be written")
def test_a_closed_log_delays_nothing(binary: Path) -> None:
    with logging_to(binary, None) as (process, port):
        raw_http.ask_often(("127.0.0.1", port), 1000)
        assert stopped(process) == 0


@pytest.mark.contract("a log that is not read or cannot be written")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_delays_nothing(binary: Path) -> None:
    with Path("/dev/full").open("wb") as full, logging_to(binary, full) as (process, port):
        raw_http.ask_often(("127.0.0.1", port), 1000)
        assert stopped(process) == 0


@pytest.mark.contract("a log that is not read or cannot be written")
def test_a_log_reader_that_goes_away_delays_nothing(binary: Path) -> None:
    with logging_to(binary, subprocess.PIPE) as (process, port):
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()
        raw_http.ask_often(("127.0.0.1", port), 1000)
        assert stopped(process) == 0


@pytest.mark.contract("a log that is not read or cannot be written")
def test_a_log_that_nobody_reads_delays_neither_requests_nor_the_stop(binary: Path) -> None:
    with logging_to(binary, subprocess.PIPE) as (process, port):
        raw_http.ask_often(("127.0.0.1", port), 10_000)  # more lines than the pipe and the service can hold
        assert stopped(process) == 0


@pytest.mark.contract("a log that is not read or cannot be written")
def test_lines_that_were_lost_are_counted_when_somebody_reads_again(binary: Path) -> None:
    with logging_to(binary, subprocess.PIPE) as (process, port):
        raw_http.ask_often(("127.0.0.1", port), 10_000)
        assert process.stdout
        too_late = threading.Timer(20, process.kill)
        too_late.start()
        requests = lost = 0
        for text in process.stdout:
            line = json.loads(text)
            requests += line["msg"] == "request"
            lost += line["count"] if line["msg"] == "log lines lost" else 0
            if requests + lost == 10_000:
                break
        too_late.cancel()
        assert lost > 0
        assert requests + lost == 10_000


FORGED = '","level":"ERROR","msg":"forged'


@pytest.mark.contract("forgery")
@pytest.mark.parametrize(
    ("method", "target", "header"),
    [
        ("GET", "/%0a%7b%22msg%22:%22forged%22%7d%0d%0a", "X: y"),
        ("GET", f"/none?{FORGED}", "X: y"),
        ("GET", "/none", f"X-Request-ID: {FORGED}"),
        ("GET", "/none", f"X-Forwarded-For: 1.2.3.4{FORGED}"),
        ("M|`'^!#$%&*+-.~", "/none", "X: y"),
    ],
)
def test_nothing_a_client_sends_forges_a_line(service: RunningService, method: str, target: str, header: str) -> None:
    answer = raw_http.ask(service.address(), method, target, None, header)
    service.stop()  # each line was read as JSON on the way
    (line,) = (line for line in service.lines if line["msg"] not in {"listening", "draining", "stopped"})
    assert (line["level"], line["msg"], line["method"], line["status"]) == ("INFO", "request", method, answer.status)
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert line["client"].startswith("127.0.0.1:")


@pytest.mark.contract("`ADMIN_ADDR`")
@pytest.mark.parametrize(
    "path", ["/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile?seconds=1", "/debug/vars"]
)
def test_operators_see_profiles_and_counters(service: RunningService, path: str) -> None:
    assert raw_http.ask(service.address("ADMIN_ADDR"), "GET", path).status == 200
    assert service.wait_for(lambda line: line["msg"] == "request")["route"].startswith("GET /debug/")
    assert raw_http.ask(service.address("PORT"), "GET", path).status == 404


@pytest.mark.contract("`ADMIN_ADDR`")
def test_go_tool_pprof_reads_the_profiles(service: RunningService, default: BakedService) -> None:
    host, port = service.address("ADMIN_ADDR")
    for profile in ("heap", "goroutine", "profile?seconds=1"):
        told = default.run("go", "tool", "pprof", "-top", f"http://{host}:{port}/debug/pprof/{profile}")
        assert "flat%" in told


@pytest.mark.contract("`ADMIN_ADDR`")
def test_an_empty_address_turns_the_admin_listener_off(binary: Path) -> None:
    with RunningService(binary, ADMIN_ADDR="") as service:
        service.address()
        service.stop()
    assert [line["variable"] for line in service.lines if line["msg"] == "listening"] == ["PORT"]


@pytest.mark.contract("its limits and its stop")
def test_the_admin_listener_has_the_limits_of_the_main_one(binary: Path) -> None:
    with RunningService(binary, READ_HEADER_TIMEOUT="300ms", MAX_HEADER_COUNT="5") as service:
        address = service.address("ADMIN_ADDR")
        with raw_http.connect(address) as slow:
            slow.sendall(b"GET / HT")
            assert raw_http.is_closed(slow, 10)
        assert raw_http.ask(address, "GET", "/debug/vars", None, *(f"X-{n}: 1" for n in range(6))).status == 431
        unknown = raw_http.ask(address, "GET", "/none")
        assert (unknown.status, unknown.is_problem()) == (404, True)


@pytest.mark.contract("its limits and its stop")
def test_the_admin_listener_has_the_stop_of_the_main_one(binary: Path) -> None:
    with RunningService(binary, SHUTDOWN_DELAY="500ms") as service:
        service.wait_until_ready()
        service.drain()
        assert raw_http.ask(service.address("ADMIN_ADDR"), "GET", "/debug/vars").headers["Connection"] == "close"
        assert service.wait() == 0


@pytest.mark.contract("its limits and its stop")
def test_a_long_profile_does_not_delay_the_stop(binary: Path) -> None:
    with RunningService(binary, WRITE_TIMEOUT="500ms") as service:
        address = service.address("ADMIN_ADDR")
        assert raw_http.ask(address, "GET", "/debug/pprof/profile?seconds=1").body.startswith(b"\x1f\x8b")
        with raw_http.connect(address) as connection:
            connection.sendall(raw_http.request("GET", "/debug/pprof/profile?seconds=60"))
            time.sleep(0.2)
            begin = time.monotonic()
            assert service.stop() == 0
            assert time.monotonic() - begin < 5
            assert raw_http.read_answer(connection).body.startswith(b"\x1f\x8b")


@pytest.mark.contract("request line")
def test_a_request_without_a_route_is_logged_with_its_path_cut(service: RunningService) -> None:
    raw_http.ask(service.address(), "M" * 60_000, "/a%0Ab/" + "x" * 5000 + "?token=secret")
    line = service.wait_for(lambda line: line["msg"] == "request")
    assert line["path"].startswith("/a%0Ab/xxx")
    assert len(line["path"]) <= 203
    assert len(line["method"]) <= 35
    assert "route" not in line


@pytest.mark.contract("its callers")
@pytest.mark.parametrize(("host", "status"), [("evil.example", 421), ("127.0.0.1:9090", 200), ("[::1]", 200)])
def test_the_admin_listener_is_not_for_pages_of_other_hosts(service: RunningService, host: str, status: int) -> None:
    answers = raw_http.exchange(
        service.address("ADMIN_ADDR"), f"GET /debug/vars HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    )
    assert [answer.status for answer in answers] == [status]
