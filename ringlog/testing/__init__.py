"""Tests of programs that use ringlog: rings that clean up after themselves, and the rare things on demand.

With pytest, the fixtures `ring` and `make_ring` are there as soon as ringlog is installed. Everything else
works without pytest too.

    def test_my_consumer(ring):
        with ring.writer() as writer, ring.reader() as reader:
            writer.append(b"tick")
            lost = ringlog.testing.force_overrun(reader)
            with pytest.raises(ringlog.Overrun):
                reader.read(timeout=0)
"""

from ringlog.testing.building import BuildFailed
from ringlog.testing.killing import Killed, PointNotReached, kill_writer_at
from ringlog.testing.lapping import force_overrun
from ringlog.testing.points import points
from ringlog.testing.replayed import Replay, replayed
from ringlog.testing.rings import TemporaryRing

__all__ = [
    "BuildFailed",
    "Killed",
    "PointNotReached",
    "Replay",
    "TemporaryRing",
    "force_overrun",
    "kill_writer_at",
    "points",
    "replayed",
]
