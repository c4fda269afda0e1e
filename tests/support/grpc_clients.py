"""A client of the example's procedures by grpcio, without generated code."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue, UInt32Value

SERVICE = "greetings.v1.GreetingService"


def text(message: str, count: int = 0) -> bytes:
    """Return a message whose field 1 is a text and whose field 2 is a number below 128."""
    return StringValue(value=message).SerializeToString() + (b"\x10" + bytes([count]) if count else b"")


def health(answer: bytes) -> str:
    """Return what a HealthCheckResponse says."""
    return {1: "SERVING", 2: "NOT_SERVING"}[UInt32Value.FromString(answer).value]


class Greetings:
    """A channel to a service. It calls again only what the service surely never began, as gRPC always does."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.channel = grpc.insecure_channel("{}:{}".format(*address), options=[("grpc.enable_retries", 0)])

    def greet(self, name: str, **options: Any) -> str:
        """Return the greeting. Raises grpc.RpcError."""
        call: Any = self.channel.unary_unary(f"/{SERVICE}/Greet", bytes, StringValue.FromString)
        return str(call(text(name), **options).value)

    def stream(self, name: str, count: int = 0, **options: Any) -> Iterator[str]:
        """Yield the greetings of a stream, one a second. Raises grpc.RpcError."""
        call: Any = self.channel.unary_stream(f"/{SERVICE}/StreamGreetings", bytes, StringValue.FromString)
        for answer in call(text(name, count), **options):
            yield answer.value

    def whole_stream(self, name: str) -> list[str]:
        """Return the greetings of a stream of three seconds. Raises grpc.RpcError."""
        return list(self.stream(name, count=4))

    def health(self, name: str, **options: Any) -> str:
        """Return the health of a name: SERVING or NOT_SERVING. Raises grpc.RpcError."""
        call: Any = self.channel.unary_unary("/grpc.health.v1.Health/Check", bytes, health)
        return str(call(text(name), **options))

    def watch(self, name: str, **options: Any) -> Iterator[str]:
        """Yield the health of a name, and each change. Raises grpc.RpcError."""
        call: Any = self.channel.unary_stream("/grpc.health.v1.Health/Watch", bytes, health)
        yield from call(text(name), **options)

    def close(self) -> None:
        self.channel.close()


class Caller(threading.Thread):
    """A client that calls without a pause until the end of a with block, and counts the codes that it gets."""

    def __init__(self, address: tuple[str, int], *, streams: bool = False) -> None:
        super().__init__()
        self.ended: Counter[str] = Counter()
        self._client = Greetings(address)
        self._call = self._client.whole_stream if streams else self._client.greet
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._call("Ada")
                self.ended["OK"] += 1
            except grpc.RpcError as error:
                self.ended[error.code().name] += 1

    def __enter__(self) -> Caller:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped.set()
        self.join()
        self._client.close()
