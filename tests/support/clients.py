"""Clients that ask as fast as they can, as the tests of restarts and of telemetry need them."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from http.client import HTTPException
from itertools import cycle

from tests.support import raw_http

GREETING = raw_http.request("POST", "/v1/greetings", '{"name":"Ada"}')


class Client(threading.Thread):
    """A client that asks without a pause on a connection that it keeps, and notes what goes wrong."""

    requests: tuple[bytes, ...] = (raw_http.request("GET", "/version"), GREETING)

    def __init__(self, address: raw_http.Address) -> None:
        super().__init__()
        self.answers = 0
        self.failures: Counter[str] = Counter()
        self._address = address
        self._next = cycle(self.requests)
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.ask_on_one_connection()
            except (OSError, HTTPException) as error:
                self._note(repr(error))

    def ask_on_one_connection(self) -> None:
        """Ask until told to stop, or until an answer says that the connection will be closed."""
        with raw_http.connect(self._address) as connection:
            while not self._stopped.is_set():
                self.send(connection, next(self._next))
                answer = raw_http.read_answer(connection)
                self.answers += 1
                if answer.status != 200:
                    self._note(f"status {answer.status}")
                if answer.headers["Connection"] == "close":
                    return

    def send(self, connection: socket.socket, request: bytes) -> None:
        connection.sendall(request)

    def _note(self, failure: str) -> None:
        self.failures[f"{type(self).__name__}: {failure}"] += 1

    def leave(self) -> None:
        """Let it end after the answer that it waits for."""
        self._stopped.set()

    def stop(self) -> None:
        self.leave()
        self.join()
