"""Views: an event looked at in its place is what was published."""

from __future__ import annotations

import copy
import ctypes
import os
import pickle
import signal
import time
from collections.abc import Callable
from datetime import datetime, timezone

import numpy as np
import pytest
from in_place_support import (
    LARGEST,
    fill,
    opened,
    pattern,
)
from oracle import ENTRY, RingFile, decode
from processes import NOBODY, Child, asleep, eventually, run

import ringlog

TIMEOUT = 0.02  # of the `writer`

# ---- what is seen ----


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"name": "n"}], ids=str)
def test_what_is_in_place_is_the_event(
    ring_path: str, writer: ringlog.Writer, options: dict[str, object], verify: bool
) -> None:
    """Around the ring, several times: some lie across its end."""
    with (
        ringlog.Reader(ring_path, verify=verify, **options) as reader,  # type: ignore[arg-type]
        ringlog.Reader(ring_path) as other,
    ):
        for number, size in enumerate([0, 1, LARGEST, 0, 4096, LARGEST - 1, *range(0, 6000, 97)]):
            writer.append(pattern(number, size))
            with opened(reader.view()) as event:
                assert isinstance(event.data, memoryview)
                assert event.data.readonly
                assert bytes(event.data) == pattern(number, size)
                copied = other.read(1)
                assert (event.sequence, event.timestamp) == (copied.sequence, copied.timestamp)
                assert event.data == copied.data
            assert reader.sequence == number + 1
            assert (reader.position, reader.lag, reader.lost) == (other.position, 0, 0)
        assert reader.view() is None
        assert reader.poll() is None


def test_a_large_one(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=1 << 21) as writer, ringlog.Reader(ring_path) as reader:
        data = np.random.default_rng(1).bytes(1 << 20)[: (1 << 20) - 16]
        writer.append(data)
        with opened(reader.view()) as event:
            assert event.data == data


def test_it_can_not_be_written(ring_path: str, writer: ringlog.Writer) -> None:
    writer.append(b"abcd")
    with ringlog.Reader(ring_path, start="oldest") as reader, opened(reader.view()) as event:
        array = np.frombuffer(event.data, "u1")
        assert not array.flags.writeable
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True
        with pytest.raises(TypeError):
            event.data[0] = 1  # type: ignore[index]
        for data in (event.data, memoryview(event.data.obj)):
            with pytest.raises((TypeError, BufferError)):
                ctypes.c_uint32.from_buffer(data)  # type: ignore[arg-type]
        del array, data
    assert decode(ring_path)[0].data == b"abcd"


def test_a_view_is_for_one_block(ring_path: str, writer: ringlog.Writer) -> None:
    fill(writer, 1)
    with ringlog.Reader(ring_path, start="oldest") as reader:
        view = opened(reader.view())
        with pytest.raises(ringlog.ClosedError):
            view.__exit__(None, None, None)
        with view as event:
            with pytest.raises(ringlog.ClosedError):
                view.__enter__()
            data, beneath = event.data, event.data.obj
        for again in (view.__enter__, lambda: view.__exit__(None, None, None)):
            with pytest.raises(ringlog.ClosedError):
                again()
        with pytest.raises(ValueError, match="released"):
            bytes(data)
        with pytest.raises(BufferError):
            memoryview(beneath)
        assert repr(event)
        assert event.sequence == 0
        for attempt in (copy.copy, pickle.dumps, lambda v: type(v)(), lambda v: object.__new__(type(v))):
            with pytest.raises(TypeError):
                attempt(view)


# ---- waiting, and why nothing comes ----


def test_it_waits(ring_path: str, writer: ringlog.Writer, spawn: Callable[..., Child]) -> None:
    child = spawn(
        """
        with ringlog.Reader(path) as reader:
            assert reader.view() is None
            assert reader.view(timeout=0.01) is None
            say("waits")
            with reader.view(timeout=None) as event:
                say(bytes(event.data))
            say("waits")
            try:
                reader.view(timeout=None)
            except KeyboardInterrupt:
                say("stopped at", reader.sequence)
        """,
        ring_path,
    )
    assert child.line() == "waits"
    assert eventually(lambda: asleep(child.pid))
    writer.append(b"x")
    assert child.line() == "b'x'"
    assert child.line() == "waits"
    assert eventually(lambda: asleep(child.pid))
    child.signal(signal.SIGINT)
    assert child.line() == "stopped at 1"
    child.finish()


@pytest.mark.parametrize("timeout", [-1, "1", float("nan")])
def test_bad_timeouts(ring_path: str, writer: ringlog.Writer, timeout: object) -> None:
    with ringlog.Reader(ring_path) as reader, pytest.raises((ValueError, TypeError)):
        reader.view(timeout)  # type: ignore[arg-type]


def test_the_end(ring_path: str, writer: ringlog.Writer) -> None:
    with ringlog.Reader(ring_path) as reader:
        writer.append(b"last")
        writer.end()
        with opened(reader.view(None)) as event:
            assert event.data == b"last"
        for timeout in (0, None):
            with pytest.raises(ringlog.StreamEnded):
                reader.view(timeout)


def test_a_removed_ring(ring_path: str, writer: ringlog.Writer) -> None:
    with ringlog.Reader(ring_path) as reader:
        writer.append(b"last")
        ringlog.unlink(ring_path)
        with opened(reader.view()) as event:
            assert event.data == b"last"
            with pytest.raises(ringlog.RingRemoved):
                reader.view()
            assert event.data == b"last"


@pytest.mark.parametrize("damage", ["checksum", "size"])
@pytest.mark.parametrize("lossless", [False, True])
def test_a_damaged_event(ring_path: str, writer: ringlog.Writer, damage: str, lossless: bool) -> None:
    fill(writer, 3)
    with RingFile(ring_path) as file:
        at = file.places()[1].position
        timestamp, _, checksum = file.entry(at)
        if damage == "size":
            file.write(at, ENTRY.pack(timestamp, 1 << 31, checksum))
        else:
            file.write(at + ENTRY.size, b"\x01")
    with ringlog.Reader(ring_path, start="oldest", lossless=lossless) as reader:
        with opened(reader.view()) as event:
            assert event.sequence == 0
            for _ in range(2):
                with pytest.raises(ringlog.CorruptStream):
                    reader.view()
                assert reader.sequence == 1
        reader.seek(0)
        assert opened(reader.view()) is not None
    if damage == "checksum":
        with ringlog.Reader(ring_path, start=1, verify=False) as reader, opened(reader.view()) as event:
            assert bytes(event.data[:1]) == b"\x01"


def test_from_a_time_on(ring_path: str, writer: ringlog.Writer) -> None:
    base = time.time_ns() // 1_000_000_000 * 1_000_000_000
    for k in range(5):
        writer.append(b"%d" % k, timestamp=base + k * 1_000_000_000)
    start = datetime.fromtimestamp(base // 1_000_000_000 + 3, timezone.utc)
    for lossless in (False, True):
        with ringlog.Reader(ring_path, start=start, lossless=lossless) as reader:
            with opened(reader.view()) as event:
                assert event.data == b"3"
            with opened(reader.view()) as event:
                assert event.data == b"4"


def test_with_read_permission_alone(ring_path: str, writer: ringlog.Writer) -> None:
    writer.append(b"abc")
    os.chmod(ring_path, 0o644)
    said = run(
        """
        with ringlog.Reader(path, start="oldest") as reader:
            with reader.view() as event:
                say(bytes(event.data))
            say(reader.view(timeout=0.01))
        """,
        ring_path,
        user=NOBODY,
    )
    assert said.split() == ["b'abc'", "None"]
