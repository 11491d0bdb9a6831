"""Links over which one message takes longer than the time after which a silent one counts as lost."""

from __future__ import annotations

import os

import pytest
from both_sides import Sides, wait_for
from copies import fill, same
from processes import eventually
from proxy import Proxy

from ringlog.bridge import Nats, Server

EVENT = 10_000
MESSAGE = 512 << 10


def fill_with_bytes(path: str, many: int) -> None:
    fill(path, (os.urandom(EVENT) for _ in range(many)), capacity=8 << 20)


def test_push_over_a_slow_link(
    sides: Sides, server: Server, proxy: Proxy, subject: str, ring_path: str, copy_path: str
) -> None:
    proxy.throttle(400_000)
    fill_with_bytes(ring_path, 150)
    pushed = sides.push(ring_path, Nats(subject, proxy.url, ack_timeout=2, message_bytes=2 * MESSAGE))
    pulled = sides.pull(copy_path, Nats(subject, server.url), capacity=8 << 20)
    assert pulled.ended().reconnects == pushed.ended().reconnects == 0
    assert pushed.said == []
    same(ring_path, copy_path)


def test_pull_over_a_slow_link(sides: Sides, subject: str, ring_path: str, copy_path: str) -> None:
    """Its server hangs up whenever it can't write, in time, all that it may."""
    with Server(config='write_deadline: "1s"') as server, Proxy(server.port) as proxy:
        proxy.throttle(500_000)
        fill_with_bytes(ring_path, 200)
        sides.push(ring_path, Nats(subject, server.url, message_bytes=MESSAGE)).ended()
        pulled = sides.pull(
            copy_path, Nats(subject, proxy.url, ack_timeout=0.9, message_bytes=MESSAGE), capacity=8 << 20
        )
        figures = pulled.ended()
        assert figures.duplicates == figures.gaps == 0
        assert not any("no sign" in said for said in pulled.said)
        same(ring_path, copy_path)


@pytest.mark.parametrize("many", [0, 1, 3])
def test_a_link_that_ends_within_a_message(
    sides: Sides, server: Server, proxy: Proxy, subject: str, ring_path: str, copy_path: str, many: int
) -> None:
    """What came before is kept, and the rest comes again."""
    each = MESSAGE // EVENT  # events of a message
    fill(ring_path, (bytes([k % 251]) * EVENT for k in range(each * (many + 2))), capacity=8 << 20)
    sides.push(ring_path, Nats(subject, server.url, message_bytes=MESSAGE)).ended()
    proxy.hold_at(bytes([(each * many + each // 2) % 251]) * (EVENT // 2))
    pulled = sides.pull(copy_path, Nats(subject, proxy.url, ack_timeout=5), capacity=8 << 20)
    eventually(lambda: proxy.holds)
    if many:
        wait_for(copy_path, each * many)
    proxy.cut()
    proxy.resume()
    figures = pulled.ended()
    assert (figures.reconnects >= 1, figures.duplicates, figures.gaps) == (True, 0, 0)
    same(ring_path, copy_path)
