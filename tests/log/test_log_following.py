"""follow: a log and then its ring as one stream, without a duplicate, and without a gap that is not told."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import pytest
from log_support import end, numbered, publish, segments
from processes import eventually

import ringlog


def test_history_then_live(ring: str, log: Path) -> None:
    publish(ring, numbered(200))
    stop = threading.Event()
    thread = threading.Thread(target=lambda: ringlog.record(ring, log, stop=stop, segment_bytes=2000))
    thread.start()
    eventually(lambda: list(log.glob("*.events")))
    with ringlog.Writer(ring) as writer, ringlog.follow(log, ring) as events:
        for data in numbered(20_000, first=200):
            writer.append(data)
        writer.end()
        stop.set()
        thread.join(20)
        assert [event.data for event in events] == numbered(20_200)


def test_following_to_the_end_leaves_nothing_open(ring: str, log: Path) -> None:
    """In a `for` over `follow(...)` nobody has a name to close it by. A reader left open is a warning."""
    with ringlog.Writer(ring) as writer:
        writer.append_many([b"one", b"two"])
        writer.end()
    ringlog.record(ring, log)
    following = ringlog.follow(log, ring)
    assert [event.data for event in following] == [b"one", b"two"]
    assert following._live is None
    assert next(following, None) is None
    del following
    gc.collect()


def test_slower_than_the_ring(ring: str, log: Path) -> None:
    """It goes live, falls behind by more than the ring, and comes back to the log, several times."""
    stop = threading.Event()
    publish(ring, numbered(10))
    thread = threading.Thread(target=lambda: ringlog.record(ring, log, stop=stop))
    thread.start()
    eventually(lambda: ringlog.info(ring).readers)
    expected = 0
    with ringlog.Writer(ring) as writer, ringlog.follow(log, ring) as events:
        written = 10
        for _ in range(5):
            while expected < written:
                event = next(events)
                assert (event.sequence, event.data) == (expected, numbered(1, first=expected)[0])
                expected += 1
            for data in numbered(5000, first=written):
                writer.append(data)
            written += 5000
        writer.end()
        rest = [event.sequence for event in events]
    stop.set()
    thread.join(20)
    assert rest == list(range(expected, written))


def test_what_neither_has(ring: str, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringlog.log.following.PATIENCE", 0.05)
    publish(ring, numbered(100))
    ringlog.record(ring, log, stop=lambda: True)
    ringlog.forget(ring, "recorder")
    with ringlog.follow(log, ring) as events:
        assert [next(events).sequence for _ in range(100)] == list(range(100))
        publish(ring, numbered(5000, first=100))
        end(ring)
        oldest = ringlog.info(ring).tail_count
        with pytest.raises(ringlog.Overrun) as caught:
            next(events)
        assert (caught.value.first, caught.value.last) == (100, oldest - 1)
        assert [event.sequence for event in events] == list(range(oldest, 5100))


def test_a_log_of_another_ring(ring: str, log: Path) -> None:
    with ringlog.LogWriter(log) as writer:
        writer.append(b"a")
    with ringlog.follow(log, ring) as events:
        assert next(events).data == b"a"
        with pytest.raises(ValueError, match="different streams"):
            next(events)


def test_following_where_the_log_begins_again(ring: str, log: Path) -> None:
    """Of what the ring has lost the log has a part: that is handed out, and only the rest is told as lost."""
    publish(ring, numbered(10))
    ringlog.record(ring, log, stop=lambda: True)
    ringlog.forget(ring, "recorder")
    with ringlog.follow(log, ring) as events:
        assert [next(events).sequence for _ in range(10)] == list(range(10))
        publish(ring, numbered(1, first=10))
        assert next(events).sequence == 10  # live from here on
        publish(ring, numbered(2500, first=11))  # more than the ring holds
        ringlog.record(ring, log, stop=lambda: True)
        begins = int(segments(log)[-1].stem)
        assert begins > 11
        ringlog.forget(ring, "recorder")
        publish(ring, numbered(2500, first=2511))
        with pytest.raises(ringlog.Overrun) as lost:
            next(events)
        assert (lost.value.first, lost.value.last) == (11, begins - 1)
        assert next(events).sequence == begins
        for sequence in range(begins + 1, 2511):
            assert next(events).sequence == sequence
