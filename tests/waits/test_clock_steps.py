"""Clocks that are set, machines that sleep: no wait hangs or ends early, nobody is taken for dead."""

from __future__ import annotations

import struct
import time

import pytest
from oracle import HEADER_SIZE, READER_SLOT_SIZE, SLOT_ACTIVE, RingFile, decode
from processes import Child, eventually
from set_clocks import Clocks
from waits_support import LOSSLESS, SESSION, Spawn, go_on, stop

import ringlog

HOUR = 3600.0
DAY = 24 * HOUR
WRITERS_AT = 8192
START_TIME = 16  # in a slot

# Every wait with a timeout, each in a thread of its own, and those that end by news.
WAITS = """
import asyncio, select, warnings
warnings.simplefilter("ignore", ResourceWarning)
TIMEOUT = 1.0
full = path + ".full"
ringlog.create(full, 65536)
kept = ringlog.Reader(full, lossless=True)
held = ringlog.Writer(path, lock="session")

def no_room():
    writer = ringlog.Writer(full, timeout=TIMEOUT)
    while True:
        started["RingFull"] = time.monotonic()
        writer.append(bytes(30_000))

def lock():
    ringlog.Writer(path, timeout=TIMEOUT).append(b"")

def descriptor():
    if not select.select([ringlog.Reader(path)], [], [], TIMEOUT)[0]:
        raise TimeoutError

async def next_event():
    await asyncio.wait_for(anext(ringlog.Reader(path)), TIMEOUT)

def nothing():
    if not ringlog.Reader(path).read_many(timeout=TIMEOUT):
        raise TimeoutError

calls = {
    "adaptive": lambda: ringlog.Reader(path).read(TIMEOUT),
    "sleep": lambda: ringlog.Reader(path, wait="sleep").read(TIMEOUT),
    "spin": lambda: ringlog.Reader(path, wait="spin").read(TIMEOUT),
    "read_many": nothing,
    "open": lambda: ringlog.Reader(path + ".missing", open_timeout=TIMEOUT),
    "select": descriptor,
    "async": lambda: asyncio.run(next_event()),
    "WriterBusy": lock,
    "RingFull": no_room,
}
started, took, raised, woken = {}, {}, {}, []

def run(name):
    started[name] = time.monotonic()
    try:
        calls[name]()
    except (TimeoutError, asyncio.TimeoutError, FileNotFoundError) as error:
        raised[name] = type(error).__name__
    took[name] = time.monotonic() - started[name]

reader = ringlog.Reader(path)
threads = [threading.Thread(target=run, args=(name,)) for name in calls]
for thread in threads:
    thread.start()
forever = threading.Thread(target=lambda: woken.append(reader.read()))
forever.start()
say("waits")
for thread in threads:
    thread.join()
sys.stdin.readline()
held.append(b"news")
forever.join()
for name in calls:
    assert name in raised, name
    assert took[name] >= TIMEOUT - 0.001, (name, took)
assert raised["WriterBusy"] == "WriterBusy" and raised["RingFull"] == "RingFull", raised
assert woken[0].data == b"news"
say(max(took.values()))
held.close()
kept.close()
ringlog.unlink(full)
"""


def test_waits_while_the_clock_is_set_back_and_forth(ring: str, clocks: Clocks) -> None:
    child = clocks.spawn(WAITS, ring)
    assert child.line() == "waits"
    for turn in range(40):
        clocks.set(realtime=(-DAY, DAY, -HOUR, 0.5, 0)[turn % 5])
        time.sleep(0.02)  # a pace, nothing is waited for
    child.tell()
    longest = float(child.line())
    print(f"of waits of a second the longest took {longest:.3f} s")
    child.finish()


APPENDER = """
with ringlog.Writer(path, timeout=20) as writer:
    for line in sys.stdin:
        writer.append(line.encode())
        writer.append_many([b"1", b"2"])
        with writer.claim(1) as view:
            view[0] = 3
        say(time.time_ns())
"""


def test_timestamps_never_decrease(ring_path: str, clocks: Clocks) -> None:
    ringlog.create(ring_path, 1 << 20)
    children = [clocks.spawn(APPENDER, ring_path) for _ in range(2)]
    shown = []
    for turn, ahead in enumerate((0, HOUR, -HOUR, 2 * HOUR, -DAY, 0.001, DAY, 0)):
        clocks.set(realtime=ahead)
        for child in children:
            child.tell(f"turn {turn}")
            shown.append(int(child.line()))
    assert shown != sorted(shown)  # the clock was set back
    events = decode(ring_path)
    assert len(events) == 4 * len(shown)
    stamps = [event.timestamp for event in events]
    assert stamps == sorted(stamps)
    assert stamps[-1] > time.time_ns() + int(HOUR)  # not torn down to the clock's time either
    for child in children:
        child.finish()


STATES = """
one = ringlog.Writer(path)
one.append(b"x")
reader = ringlog.Reader(path, name="n", start="oldest")
def show():
    seen = ringlog.info(path)
    assert all(writer.age >= 0 for writer in seen.writers), seen
    assert all(reader.behind is None or reader.behind >= 0 for reader in seen.readers), seen
    say(*[writer.state for writer in seen.writers], *[reader.state for reader in seen.readers])
show()
for line in sys.stdin:
    if line == "append\\n":
        one.append(b"x")
    show()
"""


def test_states_while_the_clock_is_set(ring: str, clocks: Clocks) -> None:
    child = clocks.spawn(STATES, ring)
    assert child.line() == "active active"

    def shown(*, after: str = "") -> str:
        child.tell(after)
        return child.line()

    clocks.set(realtime=-HOUR)
    assert shown() == "idle active"  # not active for an hour to come
    assert shown(after="append") == "active active"
    clocks.set(realtime=HOUR)
    assert shown() == "idle active"
    assert shown(after="append") == "active active"
    clocks.set(realtime=-DAY)
    eventually(lambda: shown() == "idle active")


def move_start(path: str, at: int, seconds: float) -> None:
    """What the slot says of when its process started, had the clock been wrong by so much then."""
    with RingFile(path) as file:
        (known,) = struct.unpack_from("<q", file.memory, at + START_TIME)
        struct.pack_into("<q", file.memory, at + START_TIME, known + int(seconds * 1e9))


@pytest.mark.parametrize("step", [-HOUR, 40 * DAY])
def test_a_process_is_known_again_after_the_clock_was_set(ring: str, spawn: Spawn, step: float) -> None:
    """The Unix time of when a process started moves with the clock; the process is the same."""
    writer, reader = spawn(SESSION, ring), spawn(LOSSLESS, ring, "n")
    for child in (writer, reader):
        assert child.line() == "ready"
        stop(child)
    with RingFile(ring) as file:
        slots = [slot for slot in range(64) if file.memory[WRITERS_AT + 128 * slot] & 0xFF == SLOT_ACTIVE]
    assert slots == [0]
    move_start(ring, WRITERS_AT, step)
    move_start(ring, HEADER_SIZE, step)
    seen = ringlog.info(ring)
    assert [writer.state for writer in seen.writers] == ["stopped"]
    assert [reader.state for reader in seen.readers] == ["stopped"]
    with (
        ringlog.Writer(ring, timeout=0.1) as other,
        pytest.raises(ringlog.WriterBusy, match=rf"pid {writer.pid} \(.*\), stopped"),
    ):
        other.append(b"")
    with pytest.raises(ringlog.NameInUse, match=rf"pid {reader.pid} \(.*\), stopped"):
        ringlog.Reader(ring, name="n")


def test_another_process_with_the_same_pid_is_no_evidence(ring: str, spawn: Spawn) -> None:
    """The lease says that the writer lives; a stopped process that has its number is not the writer."""
    stranger = spawn("say('here'); sys.stdin.readline()")
    assert stranger.line() == "here"
    stop(stranger)
    with ringlog.Writer(ring) as writer, ringlog.Reader(ring, lossless=True):
        writer.append(b"x")
        with RingFile(ring) as file:
            for at in (WRITERS_AT, HEADER_SIZE):
                struct.pack_into("<q", file.memory, at + 8, stranger.pid)
        seen = ringlog.info(ring)
        assert seen.writers[0].pid == seen.readers[0].pid == stranger.pid
        assert [seen.writers[0].state, seen.readers[0].state] == ["active", "active"]
        assert "another's" in seen.writers[0].process
        assert HEADER_SIZE + READER_SLOT_SIZE < 65536


# ---- a monotonic clock that jumps, and processes that were asleep meanwhile ----

WAITER = """
def waits(name, call):
    try:
        say(name, call())
    except (ringlog.WriterBusy, ringlog.RingFull, TimeoutError) as error:
        say(name, type(error).__name__, error)
timeout = float(sys.argv[2]) if sys.argv[2] != "None" else None
writer = ringlog.Writer(path, timeout=timeout)
reader = ringlog.Reader(path)
threads = [
    threading.Thread(target=waits, args=("append", lambda: writer.append(b"waited"))),
    threading.Thread(target=waits, args=("read", lambda: reader.read(timeout).sequence)),
]
for thread in threads:
    thread.start()
say("waits")
for thread in threads:
    thread.join()
writer.close()
reader.close()
"""


def waiting(path: str, child: Child) -> None:
    assert child.line() == "waits"
    with RingFile(path) as file:
        eventually(lambda: file["owner"] >> 63 and file["sleepers"])


def test_a_monotonic_clock_that_jumps_ends_waits_and_robs_nobody(ring: str, clocks: Clocks) -> None:
    """As after a snapshot of a virtual machine: a thousand seconds have gone by at once."""
    holder = clocks.spawn(SESSION, ring)
    assert holder.line() == "ready"
    lossless = clocks.spawn(LOSSLESS, ring)
    assert lossless.line() == "ready"
    patient, hasty = clocks.spawn(WAITER, ring, None), clocks.spawn(WAITER, ring, 500)
    waiting(ring, patient)
    waiting(ring, hasty)
    clocks.set(monotonic=1000)
    ends = sorted(hasty.line() for _ in range(2))
    assert ends[0].startswith(f"append WriterBusy the write lock is held by pid {holder.pid} ")
    assert ends[1].startswith("read TimeoutError")
    hasty.finish()
    assert [writer.state for writer in ringlog.info(ring).writers] != ["dead"]
    assert ringlog.info(ring).readers[0].state != "dead"
    holder.tell()
    assert sorted(patient.line() for _ in range(2)) == ["append 2", "read 1"]
    patient.finish()
    lossless.tell()
    assert lossless.line() == "0 1 2"
    holder.finish()


PAIR = """
role = sys.argv[2]
if role == "writer":
    writer = ringlog.Writer(path, timeout=60)
    say("ready")
    number = 0
    while not os.path.exists(path + ".enough"):
        writer.append(b"%d" % number + bytes(number % 900))
        number += 1
    writer.end()
    writer.close()
    say(number)
else:
    reader = ringlog.Reader(path, lossless=True, start="oldest")
    say("ready")
    number = 0
    for event in reader:
        assert event.data.rstrip(bytes(1)) == b"%d" % number and event.sequence == number
        number += 1
    reader.close()
    say(number)
"""


def test_everybody_asleep_and_awake_again(ring: str, spawn: Spawn) -> None:
    """A suspended machine, as its processes see it: stopped all at once, and a while later all go on."""
    readers = [spawn(PAIR, ring, "reader") for _ in range(2)]
    for child in readers:
        assert child.line() == "ready"
    writers = [spawn(PAIR, ring, "writer")]
    assert writers[0].line() == "ready"
    for _ in range(4):
        everybody = [*writers, *readers]
        for child in everybody:
            stop(child)
        seen = ringlog.info(ring)
        assert {one.state for one in (*seen.writers, *seen.readers)} == {"stopped"}
        time.sleep(0.3)  # longer than any lease is looked at, or any sleep lasts
        assert all(one.leased for one in (*ringlog.info(ring).writers, *ringlog.info(ring).readers))
        for child in reversed(everybody):
            go_on(child)
        before = ringlog.info(ring).event_count
        eventually(lambda before=before: ringlog.info(ring).event_count > before + 1000)
    enough = ring + ".enough"
    with open(enough, "w"):
        pass
    counts = {int(child.line()) for child in [*writers, *readers]}
    assert len(counts) == 1
    for child in [*writers, *readers]:
        child.finish()
