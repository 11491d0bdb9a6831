"""Ten thousand times open and close leave nothing: no descriptor, mapping, semaphore, thread or memory."""

from __future__ import annotations

import pytest
from processes import run

# In a process of its own, so that what other tests hold doesn't count. Each way is one open and one close.
CYCLES = """
import gc, psutil
from ringlog import lock

names = set()
known = lock.semaphore_name
def note(file_id):
    names.add(known(file_id))
    return known(file_id)
lock.semaphore_name = note

def writer():
    with ringlog.Writer(path) as one:
        one.append(b"x")

def session():
    with ringlog.Writer(path, lock="session") as one:
        one.append_many([b"x", b"y"])

def claim():
    with ringlog.Writer(path) as one, one.claim(10) as view:
        view[:] = bytes(10)

def lossy():
    with ringlog.Reader(path, start="oldest") as one:
        one.poll()

def spinning():
    with ringlog.Reader(path, wait="spin") as one:
        one.poll()

def lossless():
    with ringlog.Reader(path, lossless=True) as one:
        one.read_many()

def named():
    with ringlog.Reader(path, name="name") as one:
        one.read_batch()

def viewed():
    with ringlog.Reader(path, start="oldest") as one, one.view() as event:
        bytes(event.data)

def descriptor():
    with ringlog.Reader(path) as one:
        one.fileno()

def created():
    ringlog.create(path + "-2", 65536)
    ringlog.unlink(path + "-2")

def told():
    ringlog.info(path)
    ringlog.verify(path)

def refused():
    for attempt in (lambda: ringlog.Reader(path + "-none"), lambda: ringlog.Reader(path, start=1 << 60),
                    lambda: ringlog.create(path), lambda: ringlog.Writer(path, capacity=1 << 20)):
        try:
            attempt()
        except (OSError, ValueError):
            pass

ways = [writer, session, claim, lossy, spinning, lossless, named, viewed, descriptor, created, told, refused]

def files():
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            pass
    return sorted(found)

def maps():
    with open("/proc/self/maps") as lines:
        return sum(1 for line in lines if path in line or "/sem." in line or "/dev/zero" in line)

def memory():
    return psutil.Process().memory_info().rss

def shared():
    return sorted(entry for entry in os.listdir("/dev/shm") if any(name[1:] in entry for name in names))

def counts():
    gc.collect()
    return files(), maps(), len(os.listdir("/proc/self/task")), shared()

ringlog.create(path, 65536)
writer()
for way in ways * 100:
    way()
before, used = counts(), memory()
cycles = 0
while cycles < int(sys.argv[2]):
    for way in ways:
        way()
        cycles += 1
after = counts()
assert after == before, (before, after)
assert len(names) > cycles // len(ways)
grown = memory() - used
assert grown < 2 << 20, grown
info = ringlog.info(path)
assert (info.writers, [reader.name for reader in info.readers]) == ((), ["name"])
say(cycles)
"""


@pytest.mark.parametrize("cycles", [10_000])
def test_nothing_stays(ring_path: str, cycles: int) -> None:
    assert int(run(CYCLES, ring_path, cycles, timeout=100)) >= cycles
