"""What limits do to calls: the answer is in the caller's protocol, and probes get through."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from tests.support.grpc_clients import Greetings
from tools.running_service import RunningService

pytestmark = pytest.mark.long

PATIENT = 20  # seconds


@contextmanager
def served(binary: Path, **variables: str) -> Iterator[tuple[RunningService, Greetings]]:
    with RunningService(binary, LOG_LEVEL="debug", **variables) as service:
        service.wait_until_ready()
        client = Greetings(service.address())
        try:
            yield service, client
        finally:
            client.close()


def code_of(call: object) -> grpc.StatusCode:
    assert isinstance(call, grpc.Call)
    return call.code()


@pytest.mark.contract("what is refused")
def test_streams_have_a_limit_of_their_own(rpc_binary: Path) -> None:
    with served(rpc_binary, MAX_STREAMS="1", MAX_IN_FLIGHT="1") as (service, client):
        first = client.stream("Ada", timeout=PATIENT)
        assert next(first) == "Hello, Ada!"
        with pytest.raises(grpc.RpcError) as refused:
            next(client.stream("Bob", timeout=PATIENT))
        assert code_of(refused.value) == grpc.StatusCode.UNAVAILABLE
        assert refused.value.details() == "The service is busy. Try again."
        line = service.wait_for(lambda line: line.get("refused_by") == "MAX_STREAMS")
        assert (line["code"], line["level"]) == ("UNAVAILABLE", "INFO")
        assert client.greet("Ada", timeout=PATIENT) == "Hello, Ada!"
        assert client.health("my-service", timeout=PATIENT) == "SERVING"
        assert next(client.watch("my-service", timeout=PATIENT)) == "SERVING"


@pytest.mark.contract("the time of a call")
def test_a_stream_ends_after_a_time_without_a_message(rpc_binary: Path) -> None:
    """One greeting a second is more often than the limit, and none is less often."""
    with served(rpc_binary, IDLE_TIMEOUT="1500ms") as (_, client):
        assert client.whole_stream("Ada") == 4 * ["Hello, Ada!"]
    with served(rpc_binary, IDLE_TIMEOUT="500ms") as (service, client):
        with pytest.raises(grpc.RpcError) as ended:
            client.whole_stream("Ada")
        assert code_of(ended.value) == grpc.StatusCode.UNAVAILABLE
        line = service.wait_for(lambda line: line.get("code") == "UNAVAILABLE")
        assert (line["status"], line["level"]) == (200, "INFO")


@pytest.mark.contract("a stop with calls")
def test_a_stop_ends_a_stream_when_the_listener_closes(rpc_binary: Path) -> None:
    with served(rpc_binary, SHUTDOWN_DELAY="1s") as (service, client), ThreadPoolExecutor() as threads:
        stream = client.stream("Ada", timeout=PATIENT)
        assert next(stream) == "Hello, Ada!"
        rest = threads.submit(lambda: list(stream))
        service.drain()
        assert client.greet("Bob", timeout=PATIENT) == "Hello, Bob!", "calls are served during SHUTDOWN_DELAY"
        assert isinstance(rest.exception(PATIENT), grpc.RpcError)
        assert code_of(rest.exception()) == grpc.StatusCode.UNAVAILABLE
        assert service.wait() == 0
