"""push and pull with a real NATS server."""

from __future__ import annotations

from typing import Any

import pytest
from asking import ask, stream_at
from both_sides import Sides, wait_for
from copies import events, fill, number, same
from processes import eventually

import ringlog
from ringlog.bridge import Nats, OtherStream, Server


def test_there_and_back(sides: Sides, server: Server, subject: str, ring_path: str, copy_path: str) -> None:
    fill(ring_path, (number(k) * (k % 50) for k in range(5000)))
    pushed, pulled = (
        sides.push(ring_path, Nats(subject, server.url)),
        sides.pull(copy_path, Nats(subject, server.url)),
    )
    pulled.ended(), pushed.ended()
    same(ring_path, copy_path)


def test_pull_may_come_first(
    sides: Sides, server: Server, subject: str, ring_path: str, copy_path: str
) -> None:
    pulled = sides.pull(copy_path, Nats(subject, server.url))
    eventually(lambda: pulled.figures is not None and "sent yet" in pulled.figures.note)
    fill(ring_path, map(number, range(100)))
    sides.push(ring_path, Nats(subject, server.url)).ended()
    pulled.ended()
    same(ring_path, copy_path)


def test_two_copies_and_one_that_comes_late(
    sides: Sides, server: Server, subject: str, ring_path: str, copy_path: str
) -> None:
    fill(ring_path, map(number, range(100)))
    sides.push(ring_path, Nats(subject, server.url)).ended()
    first, second = (sides.pull(f"{copy_path}{k}", Nats(subject, server.url)) for k in range(2))
    first.ended(), second.ended()
    sides.pull(f"{copy_path}2", Nats(subject, server.url)).ended()
    for k in range(3):
        same(ring_path, f"{copy_path}{k}")


def test_each_event_as_it_comes(
    sides: Sides, server: Server, subject: str, ring_path: str, copy_path: str
) -> None:
    """Readers of the copy wait for events of the source as if they were here."""
    sides.push(fresh(ring_path), Nats(subject, server.url))
    sides.pull(copy_path, Nats(subject, server.url))
    with ringlog.Writer(ring_path) as writer:
        writer.append(number(0))
        with ringlog.Reader(copy_path, start=0, open_timeout=20) as reader:
            for k in range(50):
                assert reader.read(timeout=20) == (k, reader_time(ring_path, k), number(k))
                writer.append(number(k + 1))


def fresh(path: str) -> str:
    ringlog.create(path)
    return path


def reader_time(path: str, sequence: int) -> int:
    with ringlog.Reader(path, start=sequence) as reader:
        return int(reader.read(timeout=0).timestamp)


def test_stopped_and_started_again(
    sides: Sides, server: Server, subject: str, ring_path: str, copy_path: str
) -> None:
    to = Nats(subject, server.url)
    for part in range(4):
        fill(ring_path, map(number, range(100 * part, 100 * part + 100)), end=part == 3)
        pushed, pulled = sides.push(ring_path, to), sides.pull(copy_path, to)
        wait_for(copy_path, 100 * part + 100)
        pushed.stop(), pulled.stop()
    same(ring_path, copy_path)


def test_a_ring_that_was_made_again(
    sides: Sides, server: Server, subject: str, ring_path: str, copy_path: str
) -> None:
    to = Nats(subject, server.url)
    fill(ring_path, map(number, range(10)), end=False)
    pushed, pulled = sides.push(ring_path, to), sides.pull(copy_path, to)
    wait_for(copy_path, 10)
    pushed.stop(), pulled.stop()
    ringlog.unlink(ring_path)
    fill(ring_path, map(number, range(20)))
    with pytest.raises(OtherStream):
        sides.push(ring_path, to).ended()
    sides.push(ring_path, to, new_stream="replace").ended()
    with pytest.raises(OtherStream):
        sides.pull(copy_path, to).ended()
    sides.pull(copy_path, to, new_stream="replace").ended()
    same(ring_path, copy_path)


def test_a_copy_that_was_replaced_is_not_kept_for(
    sides: Sides, server: Server, subject: str, ring_path: str, copy_path: str
) -> None:
    """Where messages are kept for those who want them, nobody would ever take those for the old ring."""
    to = Nats(subject, server.url, retention="interest")
    fill(ring_path, map(number, range(50)))
    other_path = f"{ring_path}-other"
    fill(other_path, map(number, range(100, 170)))
    sending, taking = sides.push(ring_path, to), sides.pull(copy_path, to, new_stream="replace")
    sending.ended()
    taking.ended()
    taking = sides.pull(copy_path, to, new_stream="replace")
    sides.push(other_path, to, new_stream="replace").ended()
    taking.ended()
    same(other_path, copy_path)
    name = stream_at(server, subject)
    info = ask(server, lambda js: js.stream_info(name))
    assert (info.state.consumer_count, info.state.messages) == (1, 0)


def forget_consumers(server: Server, name: str) -> None:
    async def forget(js: Any) -> None:
        for one in await js.consumers_info(name):
            await js.delete_consumer(name, one.name)

    ask(server, forget)


def test_a_copy_that_is_forgotten_while_it_waits(
    sides: Sides,
    server: Server,
    subject: str,
    ring_path: str,
    copy_path: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it asks meanwhile is answered, and those bytes are no deliveries."""
    monkeypatch.setattr("ringlog.bridge.nats.link.MOVING", 500)
    to = Nats(subject, server.url, retention="interest", ack_timeout=0.5)
    fill(ring_path, map(number, range(50)), end=False)
    pushed, pulled = sides.push(ring_path, to), sides.pull(copy_path, to)
    wait_for(copy_path, 50)
    pulled.stop()
    pulled = sides.pull(copy_path, to)
    eventually(lambda: pulled.figures is not None and pulled.figures.note == "nothing was sent yet")
    name = stream_at(server, subject)
    forget_consumers(server, name)
    eventually(lambda: ask(server, lambda js: js.consumers_info(name)))
    fill(ring_path, map(number, range(50, 80)))
    pushed.ended(), pulled.ended()
    same(ring_path, copy_path)


def test_the_latest_where_others_are_faster(
    sides: Sides, server: Server, subject: str, ring_path: str, copy_path: str
) -> None:
    """Messages are kept for it from the moment that it asks where the latest is."""
    to = Nats(subject, server.url, retention="interest")
    fill(ring_path, map(number, range(50)), end=False)
    pushed, faster = sides.push(ring_path, to), sides.pull(copy_path, to)
    wait_for(copy_path, 50)
    later_path = f"{copy_path}-later"
    later = sides.pull(later_path, to, start="latest")
    name = stream_at(server, subject)
    eventually(lambda: len(ask(server, lambda js: js.consumers_info(name))) == 2)
    fill(ring_path, [number(50)], end=False)
    wait_for(later_path, 51)
    fill(ring_path, map(number, range(51, 80)))
    pushed.ended(), faster.ended()
    figures = later.ended()
    assert (figures.gaps, figures.missing) == (0, 0)
    assert [data for _, _, data in events(later_path)] == [number(k) for k in range(51, 80)]


def test_a_copy_that_the_server_has_forgotten(
    sides: Sides, server: Server, subject: str, ring_path: str, copy_path: str
) -> None:
    """After a week of absence, say. Push waits for who wants it, so pull must not wait for what to want."""
    to = Nats(subject, server.url, retention="interest")
    fill(ring_path, map(number, range(50)), end=False)
    pushed, pulled = sides.push(ring_path, to), sides.pull(copy_path, to)
    wait_for(copy_path, 50)
    pulled.stop()
    name = stream_at(server, subject)
    forget_consumers(server, name)
    pulled = sides.pull(copy_path, to)
    eventually(lambda: ask(server, lambda js: js.consumers_info(name)))
    fill(ring_path, map(number, range(50, 80)))
    pushed.ended(), pulled.ended()
    same(ring_path, copy_path)
