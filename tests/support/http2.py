"""HTTP/2 as frames (RFC 9113): what a polite client library would never send."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from hpack import Decoder

from tests.support.raw_http import Address, connect

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, _, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4
PROTOCOL_ERROR, FRAME_SIZE_ERROR, CANCEL = 1, 6, 8

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
LARGEST_PAYLOAD = 16_384
Field = tuple[str, str]


def frame(kind: int, stream: int, payload: bytes = b"", flags: int = 0) -> bytes:
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def literal(text: str) -> bytes:
    """Return a text as RFC 7541 (5.2) has it, without Huffman coding."""
    raw = text.encode()
    if len(raw) < 127:
        return bytes([len(raw)]) + raw
    length, rest = b"\x7f", len(raw) - 127
    while rest >= 128:
        length, rest = length + bytes([rest % 128 + 128]), rest // 128
    return length + bytes([rest]) + raw


def block(*fields: Field) -> bytes:
    """Return fields as literals that no table remembers."""
    return b"".join(b"\0" + literal(name) + literal(value) for name, value in fields)


def parts(payload: bytes) -> list[bytes]:
    """Return a payload as the payloads of as many frames as it needs."""
    return [payload[begin : begin + LARGEST_PAYLOAD] for begin in range(0, len(payload) or 1, LARGEST_PAYLOAD)]


def headers(stream: int, encoded: bytes, flags: int = 0) -> bytes:
    first, *more = parts(encoded)
    if not more:
        return frame(HEADERS, stream, first, flags | END_HEADERS)
    middle = b"".join(frame(CONTINUATION, stream, part) for part in more[:-1])
    return frame(HEADERS, stream, first, flags) + middle + frame(CONTINUATION, stream, more[-1], END_HEADERS)


def data(stream: int, payload: bytes, flags: int = END_STREAM) -> bytes:
    *begin, last = parts(payload)
    return b"".join(frame(DATA, stream, part) for part in begin) + frame(DATA, stream, last, flags)


def reset(stream: int) -> bytes:
    return frame(RST_STREAM, stream, struct.pack("!I", CANCEL))


def window_update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, stream, struct.pack("!I", increment))


def settings(values: dict[int, int]) -> bytes:
    return frame(SETTINGS, 0, b"".join(struct.pack("!HI", *setting) for setting in values.items()))


def request(path: str, *fields: Field, method: str = "POST") -> bytes:
    return block((":method", method), (":scheme", "http"), (":authority", "test"), (":path", path), *fields)


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes


class Answer(NamedTuple):
    fields: dict[str, str]  # of the headers and the trailers
    body: bytes
    reset: int | None  # the error code, if the other side cut the stream


class Connection:
    """A connection that sends what it is told, and lets the other side send no more than the protocol begins with."""

    def __init__(self, address: Address, values: dict[int, int] | None = None) -> None:
        self.socket = connect(address)
        self._received = self.socket.makefile("rb")
        self._decoder = Decoder()
        self.send(PREFACE, settings(values or {}))

    def send(self, *frames: bytes) -> None:
        self.socket.sendall(b"".join(frames))

    def frames(self) -> Iterator[Frame]:
        """Yield what comes until the other side closes the connection."""
        while head := self._received.read(9):
            kind, flags, stream = struct.unpack("!BBI", head[3:])
            yield Frame(kind, flags, stream, self._received.read(int.from_bytes(head[:3], "big")))

    def wait_until_processed(self) -> None:
        """Wait until the other side has read all that was sent, or has closed the connection."""
        self.send(frame(PING, 0, b"the last"))
        for came in self.frames():
            if came.kind == PING and came.payload == b"the last":
                return

    def answer(self, stream: int) -> Answer:
        """Return the whole answer on a stream. What comes on others before is lost."""
        fields: dict[str, str] = {}
        body = b""
        for came in self.frames():
            decoded = self._decoder.decode(came.payload) if came.kind == HEADERS else []
            if came.stream != stream:
                continue
            if came.kind == RST_STREAM:
                return Answer(fields, body, int.from_bytes(came.payload, "big"))
            fields |= {str(name): str(value) for name, value in decoded}
            body += came.payload if came.kind == DATA else b""
            if came.kind in (DATA, HEADERS) and came.flags & END_STREAM:
                return Answer(fields, body, None)
        raise ConnectionError("the connection was closed before the answer")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._received.close()
        self.socket.close()
