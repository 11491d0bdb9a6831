"""One writer, a ring on each of two machines, NATS between them, and the network cut in the middle.

The machines are network namespaces of this one, joined by a cable; where those can't be made, both are this
machine, and instead of a cut the server is killed and started again. `machines/` has how that is done.
"""

import functools
import hashlib
import sys
import time
from pathlib import Path

import ringlog
from ringlog import bridge

sys.path.append(str(Path(__file__).parent))  # for who runs it as demos.two_machines
from machines import Machines, machines, until

TURNS, TOGETHER, PAUSE = 600, 250, 0.01  # events: so many times so many, and seconds in between
CUT, CAPACITY = 2.0, 4 << 20
HERE, THERE = 0, 1


def write(ring: str) -> tuple[int, str]:
    count, digest = 0, hashlib.sha256()
    with ringlog.Writer(ring) as writer:
        for turn in range(TURNS):
            events = [b"event %d of turn %d" % (number, turn) for number in range(TOGETHER)]
            count += len(writer.append_many(events))
            digest.update(b"".join(events))
            time.sleep(PAUSE)
        writer.end()
    return count, digest.hexdigest()


def read(ring: str) -> tuple[int, str]:
    count, digest = 0, hashlib.sha256()
    with ringlog.Reader(ring, start="oldest", lossless=True, open_timeout=20) as reader:
        for event in reader:
            digest.update(event.data)
            count += 1
    return count, digest.hexdigest()


def main(here: str, there: str, two: Machines) -> bool:
    print(two.what)
    nats = bridge.Nats("demo.events", two.url)
    readers = [two.start(HERE, read, here), two.start(THERE, read, there)]
    pushing = two.start(HERE, bridge.push, here, nats)
    pulling = two.start(THERE, functools.partial(bridge.pull, capacity=CAPACITY), there, nats)
    until(lambda: len(ringlog.info(here).readers) == 2)  # push is one
    writing = two.start(HERE, write, here)
    until(lambda: Path(there).exists() and ringlog.info(there).event_count > TURNS * TOGETHER / 4)
    two.cut()
    before = [ringlog.info(ring).event_count for ring in (here, there)]
    time.sleep(CUT)
    after = [ringlog.info(ring).event_count for ring in (here, there)]
    written, arrived = (new - old for new, old in zip(after, before, strict=True))
    two.join()
    joined = time.monotonic()
    until(lambda: ringlog.info(there).event_count >= after[HERE])
    print(f"for {CUT:g} s {two.how}: {written:,} events written here, {arrived:,} arrived there")
    print(f"caught up {time.monotonic() - joined:.1f} s after it was mended")
    count, digest = writing.result()
    sent, got = pushing.result(), pulling.result()
    print(f"{sent.messages:,} messages, {got.duplicates} events twice, {got.missing} missing")
    print(f"reconnected: push {sent.reconnects} times, pull {got.reconnects} times")
    seen = [reader.result() for reader in readers]
    for where, (number, its) in zip(("here", "there"), seen, strict=True):
        print(f"reader {where:5} {number:,} events  {its[:32]} {'the same' if its == digest else 'NOT'}")
    print(f"writer       {count:,} events  {digest[:32]}")
    return seen == [(count, digest)] * 2


if __name__ == "__main__":
    with machines() as joined:
        ringlog.create(joined.rings[HERE], CAPACITY)
        sys.exit(0 if main(*joined.rings, joined) else 1)
