"""What can the server carry by itself? The bytes of push's messages, by sockets that do nothing else.

One socket publishes the same message again and again into a JetStream stream, with so many acknowledgements
outstanding as push has; the other gets them from a consumer, reads the line in front of each and counts the
bytes behind it. Neither is further ahead of the other than the server's memory for a connection allows.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from bench.bridge_bed import SUBJECT, Bed, add_consumer, add_stream

IN_FLIGHT = 8  # messages, as push
UNDER_WAY = 64  # messages between the two; the server gives up a connection that lags by 64 MiB
MESSAGE = 1023 << 10  # bytes, as push's when there is much to send
ANSWERS = "bench.kept"
DELIVERED = "bench.delivered"
OPTIONS = b'CONNECT {"verbose":false,"pedantic":false,"tls_required":false,"lang":"python","version":"0"}\r\n'
READ = 1 << 20
PATIENCE = 20.0


class Lines:
    """What comes from the server: its lines, and the bytes behind a MSG, which are counted or kept."""

    def __init__(self, bed: Bed) -> None:
        self.socket = socket.create_connection(("127.0.0.1", bed.port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._room = memoryview(bytearray(READ))
        self._pending = b""
        self.socket.sendall(OPTIONS)

    def subscribe(self, subject: str) -> None:
        self.socket.sendall(f"SUB {subject} 1\r\nPING\r\n".encode())
        while self._line() != b"PONG":
            pass

    def _more(self) -> None:
        data = self.socket.recv(READ)
        if not data:
            raise ConnectionError("the server hung up")
        self._pending += data

    def _line(self) -> bytes:
        while (end := self._pending.find(b"\r\n")) < 0:
            self._more()
        line, self._pending = self._pending[:end], self._pending[end + 2 :]
        if line == b"PING":
            self.socket.sendall(b"PONG\r\n")
        elif line.startswith(b"-ERR"):
            raise ConnectionError(line.decode())
        return line

    def _size(self) -> int:
        """Of the next message."""
        while not (line := self._line()).startswith(b"MSG "):
            pass
        return int(line[line.rindex(b" ") + 1 :])

    def message(self) -> bytes:
        size = self._size()
        while len(self._pending) < size + 2:
            self._more()
        data, self._pending = self._pending[:size], self._pending[size + 2 :]
        return data

    def count(self) -> int:
        """The bytes of the next message, which are not kept."""
        size = self._size()
        left = size + 2 - len(self._pending)
        self._pending = self._pending[size + 2 :]
        while left > 0:
            got = self.socket.recv_into(self._room, min(left, READ))
            if not got:
                raise ConnectionError("the server hung up")
            left -= got
        return size


@contextlib.contextmanager
def lines(bed: Bed, subject: str) -> Iterator[Lines]:
    connected = Lines(bed)
    with connected.socket:
        connected.subscribe(subject)
        yield connected


def prepare(bed: Bed) -> None:
    add_stream(bed)
    add_consumer(bed, DELIVERED)


def publish(bed: Bed, size: int, seconds: float, received: Any, control: Connection) -> None:
    """Messages of `size` bytes; then one of a single byte, at which the other stops. Tells how many."""
    head = f"PUB {SUBJECT} {ANSWERS} ".encode()
    frame = head + b"%d\r\n%b\r\n" % (size, bytes(size))
    with lines(bed, ANSWERS) as server:
        control.send(os.getpid())
        control.recv()
        start = time.perf_counter_ns()
        until = start + int(seconds * 1e9)
        sent = kept = there = 0
        while time.perf_counter_ns() < until:
            while sent - kept >= IN_FLIGHT:
                _look(server.message())
                kept += 1
            while received.poll(PATIENCE if sent - there >= UNDER_WAY else 0):
                there += received.recv()
            server.socket.sendall(frame)
            sent += 1
        server.socket.sendall(head + b"1\r\n.\r\n")
        while kept < sent + 1:
            _look(server.message())
            kept += 1
        control.send((start, sent))
        control.recv()


def _look(answer: bytes) -> None:
    if b'"error"' in answer:
        raise ConnectionError(answer.decode())


def count(bed: Bed, size: int, publisher: Any, control: Connection) -> None:
    """Tells when the last byte was there, and how many there were."""
    with lines(bed, DELIVERED) as server:
        control.send(os.getpid())
        total = 0
        while (got := server.count()) == size:
            total += got
            publisher.send(1)
        control.send((time.perf_counter_ns(), total))
        control.recv()
