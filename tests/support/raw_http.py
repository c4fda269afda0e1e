"""HTTP as bytes: what a polite client library would never send, and what it would hide of the answer."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

Address = tuple[str, int]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def is_problem(self) -> bool:
        """Report whether it is a problem (RFC 9457) that agrees with its own status and request id."""
        if self.headers["Content-Type"] != "application/problem+json":
            return False
        problem = self.json()
        return bool(
            problem["status"] == self.status
            and problem["type"]
            and problem["title"]
            and problem["request_id"] == self.headers["X-Request-ID"]
        )


def connect(address: Address) -> socket.socket:
    return socket.create_connection(address, timeout=10)


def read_answer(connection: socket.socket, method: str = "GET") -> Answer:
    response = HTTPResponse(connection, method=method)
    response.begin()
    return Answer(response.status, response.headers, response.read())


def ask(address: Address, method: str, path: str, body: bytes | str | None = None, *headers: str) -> Answer:
    """Send one request on a connection of its own and return the answer."""
    with connect(address) as connection:
        connection.sendall(request(method, path, body, *headers))
        return read_answer(connection, method)


def ask_often(address: Address, requests: int) -> None:
    """Ask on one connection, without waiting for an answer before the next request; fail if one is not 200."""
    with connect(address) as connection:
        for _ in range(requests // 100):
            connection.sendall(request("GET", "/version") * 100)
            received = b""
            while received.count(b"HTTP/1.1 200 OK") < 100 or not received.endswith(b"}"):
                received += connection.recv(1 << 16)


class Received(io.BytesIO):
    """What came on a connection, for HTTPResponse to read one answer after the other from, as if it were a socket."""

    def makefile(self, mode: str) -> Received:
        return self

    def close(self) -> None:
        """Stay open: HTTPResponse closes what it has read an answer from, and the next one follows."""


def exchange(address: Address, sent: bytes) -> list[Answer]:
    """Send bytes on a connection of their own and return every answer that came before the other side closed it."""
    with connect(address) as connection:
        with suppress(ConnectionError):  # it may hang up before it was sent everything
            connection.sendall(sent)
        return answers_until_closed(connection)


def answers_until_closed(connection: socket.socket) -> list[Answer]:
    """Return every answer that comes before the other side closes the connection."""
    came = Received()
    with suppress(ConnectionResetError):
        for part in iter(lambda: connection.recv(1 << 16), b""):
            came.write(part)
    length = came.tell()
    came.seek(0)
    answers = []
    while came.tell() < length:
        answers.append(read_answer(cast(socket.socket, came)))
    return answers


def request(method: str, path: str, body: bytes | str | None = None, *headers: str) -> bytes:
    """Return the bytes of a request; one with a body has its length, and is JSON unless a header says otherwise."""
    payload = body.encode() if isinstance(body, str) else body or b""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(payload)}")
        if not any(header.lower().startswith("content-type") for header in headers):
            lines.append("Content-Type: application/json")
    return "\r\n".join([*lines, "", ""]).encode() + payload


def is_closed(connection: socket.socket, seconds: float = 5) -> bool:
    """Report whether the other side closes the connection within some seconds, whatever it still sends."""
    connection.settimeout(seconds)
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            if not connection.recv(65536):
                return True
    except ConnectionError:
        return True
    except TimeoutError:
        pass
    return False


def received(connection: socket.socket) -> int:
    """Read until the other side closes, and return how many bytes came."""
    return sum(len(part) for part in iter(lambda: connection.recv(1 << 20), b""))


def is_cut(connection: socket.socket) -> bool:
    """Report whether the connection ends without a whole answer."""
    try:
        read_answer(connection)
    except HTTPException:
        return True
    return False


@contextmanager
def asking_all_the_while(address: Address, path: str = "/version") -> Iterator[list[int]]:
    """Be another client, and note the statuses it gets; 0 where it gets no answer."""
    statuses: list[int] = []
    stop = threading.Event()

    def keep_asking() -> None:
        while not stop.is_set():
            try:
                statuses.append(ask(address, "GET", path).status)
            except (OSError, HTTPException):
                statuses.append(0)

    thread = threading.Thread(target=keep_asking)
    thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        thread.join()


def wait_until_refused(address: Address, seconds: float = 10) -> None:
    """Wait until nobody listens there any more."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            connect(address).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:  # it closes at this moment
            continue
        time.sleep(0.02)
    raise AssertionError(f"{address} still listens after {seconds} s")
