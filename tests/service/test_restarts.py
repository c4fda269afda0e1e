"""Restarts: behind a load balancer nobody notices them, and a signal that comes early does no harm."""

from __future__ import annotations

import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from pathlib import Path

import pytest

from tests.support import raw_http
from tests.support.clients import GREETING, Client
from tests.support.haproxy import HAProxy
from tests.support.machine import free_ports
from tools.running_service import RunningService

# HAProxy asks /readyz every 50 ms, and one 503 is enough for it. The delay is ten times that, for a busy machine.
DELAY = 0.5


class SlowClient(Client):
    """A client whose requests are in flight for longer than the delay: the last byte of each comes late."""

    requests = (GREETING,)

    def send(self, connection: socket.socket, request: bytes) -> None:
        connection.sendall(request[:-1])
        time.sleep(1.5 * DELAY)
        connection.sendall(request[-1:])


@contextmanager
def load(address: raw_http.Address) -> Iterator[list[Client]]:
    """Let clients of both kinds ask until the end."""
    clients = [*(Client(address) for _ in range(6)), *(SlowClient(address) for _ in range(3))]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.stop()


def answers(clients: list[Client]) -> int:
    return sum(client.answers for client in clients)


def failures(clients: list[Client]) -> Counter[str]:
    return sum((client.failures for client in clients), Counter())


@pytest.mark.long
@pytest.mark.contract("SIGTERM, SIGINT")
def test_no_request_fails_while_two_copies_are_restarted_in_turn(binary: Path, haproxy: str, tmp_path: Path) -> None:
    front, *behind = free_ports(3)
    ports = dict(zip(["one", "two"], behind, strict=True))
    with ExitStack() as running:

        def start(name: str) -> RunningService:
            # Without the access log: reading it would take time from the clients.
            variables = {"PORT": str(ports[name]), "SHUTDOWN_DELAY": f"{DELAY}s", "LOG_LEVEL": "warn"}
            return running.enter_context(RunningService(binary, **variables))

        copies = {name: start(name) for name in ports}
        balancer = running.enter_context(HAProxy(haproxy, tmp_path, front, ports))
        for name in copies:
            balancer.wait_until_up(name)

        with load(balancer.address) as clients:
            for name in islice(cycle(ports), 50):
                before = answers(clients)
                assert copies[name].stop() == 0
                copies[name] = start(name)
                balancer.wait_until_up(name)
                assert answers(clients) > before

        assert failures(clients) == Counter(), balancer.told()
        assert balancer.troubles() == {"one": {}, "two": {}}


@pytest.mark.contract("SIGTERM, SIGINT")
def test_clients_get_connection_close_before_their_connections_are_closed(binary: Path) -> None:
    with RunningService(binary, SHUTDOWN_DELAY=f"{DELAY}s") as service, ThreadPoolExecutor() as threads:
        clients = [Client(service.address()) for _ in range(4)]
        asking = [threads.submit(client.ask_on_one_connection) for client in clients]
        time.sleep(0.1)
        try:
            assert service.stop() == 0
        finally:
            for client in clients:
                client.leave()
        for asked in asking:
            asked.result()  # raises where a connection was closed without notice
        assert failures(clients) == Counter()
        assert all(client.answers for client in clients)


@pytest.mark.contract("SIGTERM, SIGINT")
def test_a_signal_while_it_starts_ends_it_cleanly_or_before_it_began(binary: Path) -> None:
    for moment in range(41):
        with RunningService(binary) as service:
            time.sleep(0.01 * (moment / 40) ** 2)  # up to 10 ms, most within the first few, which the start takes
            status = service.stop()
            if status == -signal.SIGTERM:
                assert service.lines == []
            else:
                assert status == 0
                assert service.lines[-1]["msg"] == "stopped"
            assert service.process.stderr
            assert service.process.stderr.read() == ""
