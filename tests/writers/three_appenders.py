"""Three processes append while a fourth removes the semaphore, drains it and posts it, again and again.

    python tests/writers/three_appenders.py [--seconds 10]

Prints how many events were lost, torn or came twice (all must be 0), and what the saboteur did.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from processes import Child
from writer_support import IMPORTABLE, assert_consistent, origin, semaphore_name

import ringlog

APPENDER = (
    IMPORTABLE
    + """
from writer_support import payload
who, until = int(sys.argv[2]), time.monotonic() + float(sys.argv[3])
number = longest = 0
with ringlog.Writer(path, timeout=60) as writer:
    while time.monotonic() < until:
        started = time.monotonic()
        if number % 10 < 9:
            writer.append(payload(who, number))
            number += 1
        else:
            writer.append_many([payload(who, number + k) for k in range(20)])
            number += 20
        longest = max(longest, time.monotonic() - started)
say(number, longest)
"""
)
SABOTEUR = (
    IMPORTABLE
    + """
import collections, random, posix_ipc
from writer_support import set_semaphore
name, until = sys.argv[2], time.monotonic() + float(sys.argv[3])
done = collections.Counter()
random.seed(1)
while time.monotonic() < until:
    act = random.choice(["removed", "replaced", "drained", "over-posted"])
    try:
        if act in ("removed", "replaced"):
            posix_ipc.unlink_semaphore(name)
        if act != "removed":
            set_semaphore(name, {"replaced": random.randrange(3), "drained": 0, "over-posted": 5}[act])
        done[act] += 1
    except posix_ipc.ExistentialError:
        pass
    time.sleep(random.choice([0.0, 0.001, 0.01, 0.1]))
say(dict(done))
"""
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    seconds = parser.parse_args().seconds
    folder = tempfile.mkdtemp(prefix="ringlog-three-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    path = os.path.join(folder, "ring")
    ringlog.create(path, 1 << 22)
    children = []
    try:
        seen: Counter[tuple[int, int]] = Counter()
        torn = disorder = 0
        last = dict.fromkeys(range(3), -1)
        with ringlog.Reader(path, start="oldest", lossless=True) as reader:
            children = [Child(APPENDER, path, who, seconds) for who in range(3)]
            children.append(Child(SABOTEUR, path, semaphore_name(path), seconds))
            running = True
            while True:
                events = reader.read_many(4096, timeout=0.2)
                for event in events:
                    try:
                        who, number = origin(event.data)
                    except AssertionError:
                        torn += 1
                        continue
                    seen[who, number] += 1
                    disorder += number <= last[who]
                    last[who] = number
                if not events and not running:
                    break
                running = any(child.process.poll() is None for child in children)
        *said, acts = [child.finish() for child in children]
        counts = [int(line.split()[0]) for line in said]
        expected = {(who, number) for who in range(3) for number in range(counts[who])}
        lost, twice = len(expected - seen.keys()), sum(seen.values()) - len(seen)
        assert_consistent(path)
        started = time.monotonic()
        with ringlog.Writer(path, timeout=60) as writer:
            writer.append(b"the next")
        print(f"three processes appended {counts} events in {seconds:g} s")
        print(f"the semaphore was {acts.strip()}")
        print(f"lost: {lost}, torn: {torn}, twice: {twice}, out of order: {disorder}")
        print(f"longest append: {max(float(line.split()[1]) for line in said) * 1000:.0f} ms")
        print(f"the next writer took {(time.monotonic() - started) * 1000:.1f} ms")
        return 1 if lost or torn or twice or disorder else 0
    finally:
        for child in children:
            child.close()
        ringlog.unlink(path)
        os.rmdir(folder)


if __name__ == "__main__":
    sys.exit(main())
