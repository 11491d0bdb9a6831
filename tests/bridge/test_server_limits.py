"""push and pull with a server that keeps only so much, takes only so much, or was meddled with."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from asking import ask, stream_at
from both_sides import Sides, wait_for
from copies import events, fill, number, same
from processes import eventually

import ringlog
from ringlog.bridge import MessageTooLarge, Nats, Server


def test_retention_leaves_a_gap(
    sides: Sides, server: Server, subject: str, ring_path: str, copy_path: str
) -> None:
    to = Nats(subject, server.url, keep_bytes=64 << 10, message_bytes=8 << 10)
    fill(ring_path, map(number, range(100)), end=False)
    pushed, pulled = sides.push(ring_path, to), sides.pull(copy_path, to)
    wait_for(copy_path, 100)
    pulled.stop()
    fill(ring_path, (number(k) * 10 for k in range(100, 5000)))
    pushed.ended()
    done = sides.pull(copy_path, to).ended()
    first = events(copy_path)[0][0]
    assert done.gaps == 1
    assert done.missing == first - 100 > 0
    assert events(copy_path) == events(ring_path)[first:]
    with ringlog.Reader(copy_path, start=100) as reader, pytest.raises(ringlog.Overrun) as lost:
        reader.read(timeout=0)
    assert (lost.value.first, lost.value.last) == (100, first - 1)


def test_a_purged_stream(sides: Sides, server: Server, subject: str, ring_path: str, copy_path: str) -> None:
    to = Nats(subject, server.url)
    fill(ring_path, map(number, range(100)), end=False)
    pushed = sides.push(ring_path, to)
    eventually(lambda: pushed.figures is not None and pushed.figures.sequence == 100)
    name = stream_at(server, subject)
    ask(server, lambda js: js.purge_stream(name))
    fill(ring_path, map(number, range(100, 200)))
    pushed.ended()
    sides.pull(copy_path, to).ended()
    assert events(copy_path) == events(ring_path)[100:]


def test_back_pressure_from_end_to_end(
    sides: Sides, server: Server, subject: str, ring_path: str, copy_path: str
) -> None:
    """A reader of the copy that stands still stops the writer of the source; and then nothing is missing."""
    to = Nats(
        subject, server.url, retention="interest", keep_bytes=128 << 10, message_bytes=16 << 10, in_flight=2
    )
    items = [number(k) * 100 for k in range(3000)]
    fill(ring_path, items[:10], end=False, capacity=64 << 10)
    pulled = sides.pull(copy_path, to, capacity=64 << 10)
    pushed = sides.push(ring_path, to)
    reader = ringlog.Reader(copy_path, start=0, lossless=True, open_timeout=20)
    wrote = 10
    with ringlog.Writer(ring_path, timeout=3.0) as writer, contextlib.suppress(ringlog.RingFull):
        for wrote in range(10, 3000):
            writer.append(items[wrote])
    assert wrote < 1500  # two rings, a server, and what is on its way: all bounded
    assert "blocked" in pulled.states
    assert "blocked" in pushed.states
    seen = []
    with reader:
        while len(seen) < wrote:
            seen.append(reader.read(timeout=20).data)
        fill(ring_path, items[wrote : wrote + 10])
        seen += [event.data for event in reader]
    assert seen == items[: wrote + 10]
    pushed.ended(), pulled.ended()


def test_messages_that_somebody_else_sent_again(
    sides: Sides, server: Server, subject: str, ring_path: str, copy_path: str
) -> None:
    """A restored backup, a mirror that was merged: what is there twice arrives once."""
    to = Nats(subject, server.url, message_bytes=2048, duplicate_window=0.1)
    fill(ring_path, map(number, range(500)), end=False)
    pushed = sides.push(ring_path, to)
    eventually(lambda: pushed.figures is not None and pushed.figures.sequence == 500)
    pushed.stop()

    async def again(js: Any) -> None:
        name = await js.find_stream_name_by_subject(subject)
        last = (await js.stream_info(name)).state.last_seq
        for k in [2, 1, last, 3]:
            kept = await js.get_msg(name, k)
            mine = {key: value for key, value in kept.headers.items() if key.startswith("Ringlog-")}
            await js.publish(subject, kept.data, headers=mine)
        newest = await js.get_msg(name, last)  # so that the newest is the newest again
        mine = {key: value for key, value in newest.headers.items() if key.startswith("Ringlog-")}
        await js.publish(subject, newest.data, headers=mine)

    ask(server, again)
    fill(ring_path, map(number, range(500, 600)))
    sides.push(ring_path, to).ended()
    done = sides.pull(copy_path, to).ended()
    assert done.duplicates > 0
    same(ring_path, copy_path)


def test_an_event_that_the_server_does_not_take(
    sides: Sides, server: Server, subject: str, ring_path: str
) -> None:
    fill(ring_path, [b"small", b"x" * (2 << 20)])
    with pytest.raises(MessageTooLarge, match="max_payload"):
        sides.push(ring_path, Nats(subject, server.url)).ended()


@pytest.mark.parametrize("keep_bytes", [20_000, 100_000])
def test_a_message_larger_than_all_that_is_kept(
    sides: Sides, server: Server, subject: str, ring_path: str, copy_path: str, keep_bytes: int
) -> None:
    """The server would acknowledge it, and keep nothing of it."""
    to = Nats(subject, server.url, keep_bytes=keep_bytes)
    fill(ring_path, [bytes(500)] * 1000)
    sides.push(ring_path, to).ended()
    sides.pull(copy_path, to).ended()
    kept = events(copy_path)
    assert kept == events(ring_path)[-len(kept) :]
    assert sum(len(data) for _, _, data in kept) > keep_bytes // 4


def test_an_event_larger_than_all_that_is_kept(
    sides: Sides, server: Server, subject: str, ring_path: str
) -> None:
    fill(ring_path, [bytes(20_000)])
    with pytest.raises(MessageTooLarge):
        sides.push(ring_path, Nats(subject, server.url, keep_bytes=20_000)).ended()
