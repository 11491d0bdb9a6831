"""The contestants, ringlog and what a user could pick instead: one small file a library.

`PEERS` has them all. A file imports its library only in the processes that use it, so that one which is not
installed costs a row and nothing else.
"""

from __future__ import annotations

from importlib.util import find_spec

from bench.peers.peer import Peer, Sender
from bench.peers.pipe import Pipe
from bench.peers.ring import Ring, RingLists, RingSpinning, RingUnverified

__all__ = ["PEERS", "Peer", "Sender", "missing"]

PEERS: tuple[type[Peer], ...] = (Ring, RingUnverified, RingSpinning, RingLists, Pipe)


def missing(peer: type[Peer]) -> tuple[str, ...]:
    """The modules that a peer needs and that are not installed."""
    return tuple(module for module in peer.needs if find_spec(module) is None)
