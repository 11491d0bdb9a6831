"""The contestants, ringlog and what a user could pick instead: one small file a library.

`PEERS` has them all. A file imports its library only in the processes that use it, so that one which is not
installed costs a row and nothing else.
"""

from __future__ import annotations

from importlib.util import find_spec

from bench.peers.cloudtoid import Cloudtoid, CloudtoidBatches, CloudtoidWaiting
from bench.peers.faster_fifo import FasterFifo, FasterFifoMany
from bench.peers.iceoryx import Iceoryx, IceoryxEvent
from bench.peers.kickmsg import Kickmsg, KickmsgWaiting
from bench.peers.membridge import Membridge
from bench.peers.nats import Nats
from bench.peers.nng import NngPub, NngPush
from bench.peers.peer import Peer, Sender
from bench.peers.pipe import Pipe
from bench.peers.queues import Queue, SimpleQueue
from bench.peers.redis import Redis
from bench.peers.ring import Ring, RingArrays, RingLists, RingSession, RingSpinning, RingUnverified
from bench.peers.zenoh import Zenoh, ZenohShared
from bench.peers.zeromq import ZmqPub, ZmqPush, ZmqXPub

__all__ = ["PEERS", "Peer", "Sender", "missing"]

PEERS: tuple[type[Peer], ...] = (
    *(Ring, RingSession, RingUnverified, RingSpinning, RingLists, RingArrays),
    *(Kickmsg, KickmsgWaiting),
    *(Cloudtoid, CloudtoidWaiting, CloudtoidBatches),
    *(Iceoryx, IceoryxEvent),
    Membridge,
    *(FasterFifo, FasterFifoMany),
    *(ZmqXPub, ZmqPub, ZmqPush),
    *(NngPush, NngPub),
    *(Zenoh, ZenohShared),
    *(Pipe, SimpleQueue, Queue),
    *(Redis, Nats),
)


def missing(peer: type[Peer]) -> tuple[str, ...]:
    """The modules that a peer needs and that are not installed."""
    return tuple(module for module in peer.needs if find_spec(module) is None)
