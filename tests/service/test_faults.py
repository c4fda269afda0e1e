"""A service that lacks something: places for requests, descriptors, memory."""

from __future__ import annotations

import selectors
import shlex
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import raw_http
from tools.running_service import RunningService, kibibytes

GREETING = b'{"name":"Ada"}'


@pytest.mark.contract("over `MAX_IN_FLIGHT` requests at once")
def test_under_overload_some_are_served_and_the_rest_refused_at_once(binary: Path) -> None:
    limit, many = 4, 40
    with RunningService(binary, MAX_IN_FLIGHT=str(limit), READ_TIMEOUT="1m") as service, ExitStack() as stack:
        service.wait_until_ready()
        alive, ready = (
            stack.enter_context(raw_http.asking_all_the_while(service.address(), path))
            for path in ("/livez", "/readyz")
        )
        clients = [stack.enter_context(raw_http.connect(service.address())) for _ in range(many)]
        for client in clients:
            client.sendall(raw_http.request("POST", "/v1/greetings", GREETING)[:-1])
        refused = first_with_an_answer(clients, many - limit)
        for client in refused:
            answer = raw_http.read_answer(client)
            assert (answer.status, answer.is_problem()) == (503, True)
            assert int(answer.headers["Retry-After"]) >= 1
        for client in set(clients) - refused:  # nobody else was let in while these were
            client.sendall(b"}")
            assert raw_http.read_answer(client).status == 200
    assert set(alive) == set(ready) == {200}


def first_with_an_answer(clients: list[socket.socket], number: int) -> set[socket.socket]:
    """Wait until so many of the connections have something to read, and return them."""
    answered: set[socket.socket] = set()
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ, client)
        while len(answered) < number:
            ready = selector.select(timeout=10)
            assert ready, f"{len(answered)} were answered at once, not {number}"
            for key, _ in ready:
                selector.unregister(key.fileobj)
                answered.add(key.data)
    return answered


@pytest.mark.contract("over `MAX_IN_FLIGHT` requests at once")
def test_a_rejected_client_may_retry_on_the_same_connection(binary: Path) -> None:
    expecting = raw_http.request("POST", "/v1/greetings", GREETING, "Expect: 100-continue").removesuffix(GREETING)
    with (
        RunningService(binary, MAX_IN_FLIGHT="1") as service,
        raw_http.connect(service.address()) as busy,
        raw_http.connect(service.address()) as other,
    ):
        busy.sendall(expecting)
        assert busy.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"  # its handler waits for the body
        other.sendall(raw_http.request("GET", "/version"))
        assert raw_http.read_answer(other).status == 503
        busy.sendall(GREETING)
        assert raw_http.read_answer(busy).status == 200
        other.sendall(raw_http.request("GET", "/version"))
        assert raw_http.read_answer(other).status == 200


@pytest.fixture
def with_few_descriptors(binary: Path, tmp_path: Path) -> Path:
    """The service where a process may have 32 descriptors."""
    program = tmp_path / "service"
    program.write_text(f"#!/bin/sh\nulimit -n 32 && exec {shlex.quote(str(binary))}\n")
    program.chmod(0o755)
    return program


@pytest.mark.contract("slow header, slow body, slow reader")
def test_it_outlives_a_lack_of_descriptors(with_few_descriptors: Path) -> None:
    with (
        RunningService(with_few_descriptors, READ_HEADER_TIMEOUT="500ms") as service,
        raw_http.connect(service.address()) as early,
        ExitStack() as stack,
    ):
        early.sendall(raw_http.request("GET", "/version"))
        assert raw_http.read_answer(early).status == 200
        for _ in range(60):
            stack.enter_context(raw_http.connect(service.address()))
        service.wait_for(lambda line: line["level"] == "WARN" and "too many open files" in line["msg"])
        early.sendall(raw_http.request("GET", "/version"))
        assert raw_http.read_answer(early).status == 200  # who is in is served
        assert (
            raw_http.ask(service.address(), "GET", "/version").status == 200
        )  # who comes waits until the silent are out
        assert service.stop() == 0


@pytest.mark.contract("body over `MAX_BODY_BYTES`")
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="no /proc")
def test_large_bodies_stay_within_a_memory_limit(binary: Path) -> None:
    body = '{"name":"' + "x" * 1_000_000 + '"}'
    with RunningService(binary, GOMEMLIMIT="24MiB", GOGC="off") as service, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(raw_http.ask, service.address(), "POST", "/v1/greetings", body) for _ in range(100)]
        assert {answer.result().status for answer in asked} == {422}
        assert kibibytes(service.process.pid, "VmHWM") < 64 << 10  # 30 MiB; it would be 300 without the limit
