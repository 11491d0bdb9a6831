"""G1, under way: readers that are lapped all the time return whole events and nothing else.

The checksum is off: it is a second guard, the protocol alone has to keep what is torn out.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable

import pytest
from processes import Child

import ringlog

EVENTS = 40_000
WRITE = f"""
    import struct
    say("ready")
    sys.stdin.readline()
    with ringlog.Writer(path) as writer:
        for k in range({EVENTS}):
            writer.append(struct.pack("<q", k) * (1 + k * 7919 % 900))
        writer.end()
    """


def is_whole(event: ringlog.Event) -> bool:
    sequence = event.sequence
    return event.data == struct.pack("<q", sequence) * (1 + sequence * 7919 % 900)


@pytest.mark.parametrize("kind", ["poll", "read", "read_many", "iterate"])
def test_lapped_readers_return_whole_events(ring_path: str, spawn: Callable[..., Child], kind: str) -> None:
    ringlog.create(ring_path, 65536)
    writer = spawn(WRITE, ring_path)
    writer.line()
    seen = lost = following = 0
    with ringlog.Reader(ring_path, start="oldest", verify=False) as reader:
        writer.tell()
        while True:
            try:
                if kind == "poll":
                    event = reader.poll()
                    events = [event] if event else []
                elif kind == "read":
                    events = [reader.read(20)]
                elif kind == "read_many":
                    events = reader.read_many(50, 20)
                else:
                    events = [next(reader)]
            except ringlog.Overrun as overrun:
                gap = overrun
            except (ringlog.StreamEnded, StopIteration):
                break
            else:
                gap = None
            if gap:
                assert gap.first == following
                lost += gap.count
                following = gap.last + 1
                continue
            for event in events:
                assert event.sequence == following
                assert is_whole(event), f"event {event.sequence} is torn"
                following += 1
            seen += len(events)
        assert reader.lost == lost
    assert seen + lost == EVENTS
    writer.finish()


def test_joining_while_the_writer_runs(ring_path: str, spawn: Callable[..., Child]) -> None:
    """Oldest, latest and a sequence in the middle: what is read first is whole and says who it is."""
    ringlog.create(ring_path, 65536)
    writer = spawn(WRITE, ring_path)
    writer.line()
    writer.tell()
    joins = 0
    while writer.process.poll() is None:
        seen = ringlog.info(ring_path)
        assert 0 <= seen.write_offset - seen.tail_offset <= seen.capacity
        middle = (seen.tail_count + seen.event_count) // 2
        for start in ("oldest", "latest", middle):
            reader = ringlog.Reader(ring_path, start=start, verify=False, on_overrun="skip")
            with reader, contextlib.suppress(ringlog.StreamEnded):
                assert all(is_whole(event) for event in reader.read_many(20))
        joins += 1
    writer.finish()
    assert joins
    assert ringlog.info(ring_path).event_count == EVENTS


def test_a_large_event_that_is_lapped_while_it_is_copied(ring_path: str, spawn: Callable[..., Child]) -> None:
    """Copies of this size run without the GIL and for long, so the writer is in the middle of them."""
    ringlog.create(ring_path, 1 << 22)
    writer = spawn(
        """
        say("ready")
        sys.stdin.readline()
        with ringlog.Writer(path) as writer:
            for k in range(800):
                writer.append(bytes([k % 251]) * 2_000_000)
            writer.end()
        """,
        ring_path,
    )
    writer.line()
    following, gaps = 0, []
    with ringlog.Reader(ring_path, start="oldest", verify=False) as reader:
        writer.tell()
        while True:
            try:
                event = reader.read(20)
            except ringlog.Overrun as overrun:
                gaps.append((following, overrun.first))
                following = overrun.last + 1
                continue
            except ringlog.StreamEnded:
                break
            assert event.sequence == following
            assert event.data.count(event.data[:1]) == 2_000_000, "torn"
            assert event.data[0] == event.sequence % 251
            following += 1
    assert following == 800
    assert all(expected == told for expected, told in gaps)
    writer.finish()
