"""How messages get from one process to the other: a ring, message by message or in batches, and a Pipe."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any

import ringlog

KINDS = 256  # distinct messages, so that a stale or a swapped one shows
AT_ONCE = 256  # messages of a batch that is sent
LIST = 1024  # events that a list is read of at most, as by default
PATIENCE = 30.0  # seconds without a message: the other process is gone

Send = Callable[[int, int], None]  # so many messages of this size
Receive = Callable[[int, int], int]  # the same; how many were wrong


def payloads(size: int) -> list[bytes]:
    return [bytes([kind]) * size for kind in range(KINDS)]


def send_ring(writer: ringlog.Writer) -> Send:
    def send(count: int, size: int) -> None:
        kinds, append = payloads(size), writer.append
        for number in range(count):
            append(kinds[number & 255])

    return send


def receive_ring(reader: ringlog.Reader) -> Receive:
    def receive(count: int, size: int) -> int:
        kinds, wrong = payloads(size), 0
        for number, event in enumerate(islice(reader, count)):
            if event.data != kinds[number & 255]:
                wrong += 1
        return wrong

    return receive


def send_batches(writer: ringlog.Writer) -> Send:
    def send(count: int, size: int) -> None:
        kinds = payloads(size)
        for _ in range(count // AT_ONCE):
            writer.append_many(kinds)

    return send


def receive_batches(reader: ringlog.Reader) -> Receive:
    def receive(count: int, size: int) -> int:
        kinds, wrong, number = payloads(size), 0, 0
        while number < count:
            events = reader.read_many(min(LIST, count - number), timeout=PATIENCE)
            if not events:
                raise TimeoutError("no message came")
            for event in events:
                if event.data != kinds[number & 255]:
                    wrong += 1
                number += 1
        return wrong

    return receive


def send_pipe(connection: Connection) -> Send:
    def send(count: int, size: int) -> None:
        kinds, one = payloads(size), connection.send_bytes
        for number in range(count):
            one(kinds[number & 255])

    return send


def receive_pipe(connection: Connection) -> Receive:
    def receive(count: int, size: int) -> int:
        kinds, wrong, one = payloads(size), 0, connection.recv_bytes
        for number in range(count):
            if one() != kinds[number & 255]:
                wrong += 1
        return wrong

    return receive


def next_of_ring(reader: ringlog.Reader) -> Callable[[], Any]:
    """For latency: the data of the next event, however the reader waits for it."""

    def take() -> bytes:
        data: bytes = reader.read(PATIENCE).data
        return data

    return take
