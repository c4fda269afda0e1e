"""HTTP/2 as frames (RFC 9113): what a polite client library would never send."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from hpack import Decoder

from tests.support.raw_http import Address, connect

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE = 1, 4

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
Fields = tuple[tuple[str, str], ...]


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, stream: int = 0, payload: bytes = b"", flags: int = 0) -> bytes:
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def literal(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return integer(len(raw), 7) + raw


def integer(number: int, bits: int) -> bytes:
    """Return a number as RFC 7541 (5.1) has it, with zeros as the bits before its prefix."""
    most = (1 << bits) - 1
    if number < most:
        return bytes([number])
    encoded, rest = bytes([most]), number - most
    while rest >= 128:
        encoded, rest = encoded + bytes([rest % 128 | 128]), rest // 128
    return encoded + bytes([rest])


def block(fields: Fields) -> bytes:
    """Return fields as literals that no table remembers."""
    return b"".join(b"\0" + literal(name) + literal(value) for name, value in fields)


def headers(stream: int, fields: Fields, flags: int = END_HEADERS) -> bytes:
    return frame(HEADERS, stream, block(fields), flags)


def data(stream: int, payload: bytes, flags: int = END_STREAM) -> bytes:
    return frame(DATA, stream, payload, flags)


def reset(stream: int) -> bytes:
    return frame(RST_STREAM, stream, struct.pack("!I", 8))  # CANCEL


def settings(values: dict[int, int]) -> bytes:
    return frame(SETTINGS, 0, b"".join(struct.pack("!HI", *setting) for setting in values.items()))


def request(path: str, *more: tuple[str, str], method: str = "POST") -> Fields:
    return ((":method", method), (":scheme", "http"), (":authority", "test"), (":path", path), *more)


class Answer(NamedTuple):
    fields: dict[str, str]  # trailers too
    body: bytes
    reset: int | None  # the error code, if the service ended the stream by RST_STREAM


class Connection:
    """A connection of a client that sends what it is told, and grants no more window than the protocol begins with."""

    def __init__(self, address: Address, values: dict[int, int] | None = None) -> None:
        self.socket = connect(address)
        self.socket.sendall(PREFACE + settings(values or {}))
        self._decoder = Decoder()
        self._unread = b""

    def send(self, *frames: bytes) -> None:
        self.socket.sendall(b"".join(frames))

    def frames(self) -> Iterator[Frame]:
        """Yield what comes, until the other side closes the connection."""
        while head := self._read(9):
            kind, flags, stream = struct.unpack("!BBI", head[3:])
            yield Frame(kind, flags, stream, self._read(int.from_bytes(head[:3], "big")))

    def _read(self, length: int) -> bytes:
        while len(self._unread) < length:
            part = self.socket.recv(1 << 16)
            if not part:
                return b""
            self._unread += part
        begin, self._unread = self._unread[:length], self._unread[length:]
        return begin

    def answer(self, stream: int) -> Answer:
        """Return the whole answer on a stream. Those of other streams are lost."""
        fields: dict[str, str] = {}
        body = b""
        for came in self.frames():
            if came.kind == HEADERS:
                decoded = {str(name): str(value) for name, value in self._decoder.decode(came.payload)}
            if came.stream != stream:
                continue
            if came.kind == RST_STREAM:
                return Answer(fields, body, int.from_bytes(came.payload, "big"))
            if came.kind == HEADERS:
                fields |= decoded
            if came.kind == DATA:
                body += came.payload
            if came.flags & END_STREAM and came.kind in (DATA, HEADERS):
                return Answer(fields, body, None)
        raise ConnectionError("the connection was closed")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
