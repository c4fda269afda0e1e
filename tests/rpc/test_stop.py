"""A stop while calls are in flight: clients are told to leave, and lose nothing that they cannot call again."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path

import pytest

from tests.support.grpc_clients import Caller
from tests.support.haproxy import HAProxy
from tests.support.machine import free_ports
from tools.running_service import RunningService

DELAY = 0.5  # as in tests/service/test_restarts.py


@pytest.mark.long
@pytest.mark.contract("a stop with calls")
def test_no_call_fails_while_two_copies_are_restarted_in_turn(rpc_binary: Path, haproxy: str, tmp_path: Path) -> None:
    front, *behind = free_ports(3)
    ports = dict(zip(["one", "two"], behind, strict=True))
    with ExitStack() as running:

        def start(name: str) -> RunningService:
            variables = {"PORT": str(ports[name]), "SHUTDOWN_DELAY": f"{DELAY}s", "LOG_LEVEL": "warn"}
            return running.enter_context(RunningService(rpc_binary, **variables))

        copies = {name: start(name) for name in ports}
        balancer = running.enter_context(HAProxy(haproxy, tmp_path, front, ports, "proto h2"))
        for name in copies:
            balancer.wait_until_up(name)
        calls = [Caller(balancer.address) for _ in range(4)]
        streams = [Caller(balancer.address, streams=True) for _ in range(4)]
        with ExitStack() as calling:
            for caller in calls + streams:
                calling.enter_context(caller)
            for name in islice(cycle(ports), 50):
                assert copies[name].stop() == 0
                copies[name] = start(name)
                balancer.wait_until_up(name)
        assert set(sum((caller.ended for caller in calls), Counter())) == {"OK"}, balancer.told()
        ended = sum((caller.ended for caller in streams), Counter())
        assert set(ended) <= {"OK", "UNAVAILABLE"}, ended
        assert ended["UNAVAILABLE"] >= 20, "the streams were not in flight when the service stopped"
