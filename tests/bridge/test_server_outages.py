"""push and pull with a server that is away, and a network that fails."""

from __future__ import annotations

import pytest
from both_sides import Sides, wait_for
from copies import events, fill, number, same
from processes import eventually
from proxy import Proxy

import ringlog
from ringlog.bridge import ConnectFailed, Nats, Server
from ringlog.bridge.boards import boards_of


def test_a_server_that_is_away_while_nothing_happens(
    sides: Sides, subject: str, ring_path: str, copy_path: str
) -> None:
    """Both say so, to whoever looks at them from outside."""
    fill(ring_path, map(number, range(10)), end=False)

    def seen() -> list[tuple[str, bool]]:
        return [(one.state, one.up) for path in (ring_path, copy_path) for one in boards_of(path)]

    with Server() as own:
        sides.push(ring_path, Nats(subject, own.url)), sides.pull(copy_path, Nats(subject, own.url))
        wait_for(copy_path, 10)
        eventually(lambda: seen() == [("running", True)] * 2)
        own.kill()
        eventually(lambda: seen() == [("disconnected", False)] * 2)
        own.start()
        eventually(lambda: seen() == [("running", True)] * 2)


def test_a_network_cut_longer_than_the_duplicate_window(
    sides: Sides, server: Server, proxy: Proxy, subject: str, ring_path: str, copy_path: str
) -> None:
    """The answers are lost, and by the time of the next word the server has forgotten what it got."""
    near = Nats(subject, server.url, duplicate_window=0.1)
    far = Nats(subject, proxy.url, duplicate_window=0.1, ack_timeout=1.0)
    fill(ring_path, map(number, range(100)), end=False)
    pushed, pulled = sides.push(ring_path, far), sides.pull(copy_path, near)
    wait_for(copy_path, 100)
    for part in range(1, 4):
        proxy.stall()
        fill(ring_path, map(number, range(100 * part, 100 * part + 100)), end=part == 3)
        eventually(lambda: pushed.figures is not None and pushed.figures.state == "disconnected")
        proxy.cut()
        proxy.resume()
        wait_for(copy_path, 100 * part + 100)
    pulled.ended(), pushed.ended()
    same(ring_path, copy_path)
    assert pushed.figures is not None
    assert pushed.figures.reconnects >= 3


def test_a_cut_on_the_far_side(
    sides: Sides, server: Server, proxy: Proxy, subject: str, ring_path: str, copy_path: str
) -> None:
    fill(ring_path, map(number, range(100)), end=False)
    sides.push(ring_path, Nats(subject, server.url))
    pulled = sides.pull(copy_path, Nats(subject, proxy.url, ack_timeout=1.0))
    wait_for(copy_path, 100)
    proxy.cut()
    fill(ring_path, map(number, range(100, 3000)))
    eventually(lambda: pulled.figures is not None and pulled.figures.state == "disconnected")
    proxy.resume()
    assert pulled.ended().duplicates == 0
    same(ring_path, copy_path)


def test_an_outage_longer_than_the_ring(
    sides: Sides, server: Server, proxy: Proxy, subject: str, ring_path: str, copy_path: str
) -> None:
    log = f"{ring_path}.log"
    fill(ring_path, map(number, range(100)), end=False, capacity=64 << 10)
    ringlog.record(ring_path, log, stop=lambda: True)
    pushed = sides.push(ring_path, Nats(subject, proxy.url, ack_timeout=1.0), log=log)
    pulled = sides.pull(copy_path, Nats(subject, server.url))
    wait_for(copy_path, 100)
    proxy.cut()
    with ringlog.Writer(ring_path, timeout=20) as writer:
        for k in range(100, 10_000):
            writer.append(number(k))
            if k % 500 == 0:
                ringlog.record(ring_path, log, stop=lambda: True)
        ringlog.record(ring_path, log, stop=lambda: True)
        writer.end()
    assert ringlog.info(ring_path).tail_count > 100
    proxy.resume()
    pulled.ended(), pushed.ended()
    assert [data for _, _, data in events(copy_path)] == [number(k) for k in range(10_000)]


@pytest.mark.parametrize("way", ["push", "pull"])
def test_a_cluster_that_is_not_complete(sides: Sides, subject: str, ring_path: str, way: str) -> None:
    """It takes connections, and nobody in it may answer. That is said, and can be stopped."""
    alone = "server_name: one, cluster { name: three, listen: '127.0.0.1:-1', routes: [nats://127.0.0.1:1] }"
    fill(ring_path, [b"one"])
    with Server(config=alone) as lonely:
        to = Nats(subject, lonely.url, ack_timeout=0.2)
        side = sides.push(ring_path, to) if way == "push" else sides.pull(f"{ring_path}-copy", to)
        eventually(lambda: side.said or "no answer" in str(side.figures))
        assert side.stop().state == "stopped"


def test_nobody_listens_there(sides: Sides, subject: str, ring_path: str) -> None:
    fill(ring_path, [b"x"])
    with pytest.raises(ConnectFailed, match=r"127\.0\.0\.1:9"):
        sides.push(ring_path, Nats(subject, "nats://127.0.0.1:9")).ended()
