"""Many processes, one ring: forked, spawned, killed; threads, signals and finalizers within them."""

from __future__ import annotations

import logging
import pickle
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from logging_support import LOGGER, Kept, received
from processes import Child, eventually

import ringlog
from ringlog.logging import RingHandler, RingListener

Spawn = Callable[..., Child]
WORKER = """
say("ready")
for k in range(1_000_000):
    logger.info("%d", k)
    if k % 100 == 0:
        say(k)
"""


def by_process(records: list[logging.LogRecord]) -> dict[int | None, list[str]]:
    lists: dict[int | None, list[str]] = {}
    for record in records:
        lists.setdefault(record.process, []).append(record.getMessage())
    return lists


def test_forked(ring_path: str, spawn: Spawn) -> None:
    parent = spawn(
        LOGGER
        + """
handler = attach(timeout=10)
logger.info("parent")
handler.handleError = lambda record: os._exit(1)
children = []
for number in range(4):
    pid = os.fork()
    if pid == 0:
        for k in range(200):
            logger.info("%d", k)
        os._exit(handler.lost)
    children.append(pid)
say(*children)
assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
logger.info("parent")
handler.close()
""",
        ring_path,
    )
    children = [int(pid) for pid in parent.line().split()]
    parent.finish()
    got = by_process(received(ring_path))
    assert got.pop(parent.pid) == ["parent", "parent"]
    assert got == {pid: [str(k) for k in range(200)] for pid in children}


def test_forked_while_other_threads_log(ring_path: str, spawn: Spawn) -> None:
    """Whatever the others were in the middle of, the child starts afresh."""
    spawn(
        "import warnings\nwarnings.simplefilter('ignore', DeprecationWarning)\n"
        + LOGGER
        + """
attach(capacity=65536, timeout=0)  # so small that somebody is always inside
reader = ringlog.Reader(path, lossless=True)  # and nobody reads: all kinds of paths
logging.raiseExceptions = False
done = False
def log():
    while not done:
        logger.info("x" * 500)
threads = [threading.Thread(target=log) for _ in range(3)]
[thread.start() for thread in threads]
for _ in range(15):
    pid = os.fork()
    if pid == 0:
        signal.alarm(15)
        logger.info("child")
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0, "the child hangs"
    reader.read_many(10)
done = True
[thread.join() for thread in threads]
logger.handlers[0].close()
reader.close()
""",
        ring_path,
    ).finish()


def test_pickled_to_another_process(ring_path: str, spawn: Spawn) -> None:
    handler = RingHandler(ring_path, capacity=65536, timeout=7, form="text", level="WARNING")
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    handler.set_name("ring")
    spawn(
        """
        import logging, pickle
        logger = logging.getLogger("app")
        logger.addHandler(pickle.loads(bytes.fromhex(sys.argv[2])))
        assert logger.handlers[0].get_name() == "ring"
        logger.info("not this")
        logger.warning("this")
        logging.shutdown()
        """,
        ring_path,
        pickle.dumps(handler).hex(),
    ).finish()
    handler.close()
    assert [record.getMessage() for record in received(ring_path)] == ["WARNING: this"]


@pytest.mark.once
def test_workers_that_are_killed_while_they_log(ring_path: str, spawn: Spawn) -> None:
    """The others go on; of each, all records that it was done with arrive, in order, none twice."""
    dice = random.Random(3)
    ringlog.create(ring_path, 1 << 20)
    kept = Kept()
    said: dict[int, list[int]] = {}
    with RingListener(ring_path, kept):
        for _ in range(2):
            workers = [spawn(LOGGER + "attach(timeout=20)" + WORKER, ring_path) for _ in range(3)]
            for worker in workers:
                assert worker.line() == "ready"
            time.sleep(dice.uniform(0, 0.05))
            for worker in workers:
                worker.line()
                worker.signal(signal.SIGKILL)
                said[worker.pid] = [0, *map(int, worker.finish(code=-signal.SIGKILL).split("\n")[:-1])]
    got = by_process(kept.records)
    assert got.keys() == said.keys()
    for pid, messages in got.items():
        assert messages == [str(k) for k in range(len(messages))]
        assert len(messages) > said[pid][-1]


@pytest.mark.once
def test_a_listener_that_is_killed(ring_path: str, ring_folder: Path, spawn: Spawn) -> None:
    """The next one goes on where it was: nothing is missing, and a kill repeats one record at most."""
    dice = random.Random(5)
    out = ring_folder / "out.txt"
    worker = spawn(
        LOGGER
        + """
attach(capacity=8 << 20, timeout=20)  # for a listener that is gone nobody waits
say("ready")
for k in range(6000):
    logger.info("%d", k)
""",
        ring_path,
    )
    assert worker.line() == "ready"
    kills = 0
    listen = """
        import logging, ringlog.logging
        listener = ringlog.logging.RingListener(path, logging.FileHandler(sys.argv[2]))
        signal.signal(signal.SIGTERM, lambda *_: listener.stop())
        say("listens")
        listener.serve()
        """
    for _ in range(3):
        listener = spawn(listen, ring_path, out)
        assert listener.line() == "listens"
        grown = out.stat().st_size if out.exists() else 0
        if worker.process.poll() is None:
            eventually(lambda before=grown: out.exists() and out.stat().st_size > before)
        time.sleep(dice.uniform(0, 0.01))
        listener.kill()
        kills += 1
    last = spawn(listen, ring_path, out)
    assert last.line() == "listens"
    worker.finish()
    last.signal(signal.SIGTERM)
    last.finish()
    times = Counter(out.read_text().split())
    assert times.keys() == {str(k) for k in range(6000)}
    assert sum(times.values()) - 6000 <= kills
    out.unlink()


def test_threads(ring_path: str, spawn: Spawn) -> None:
    spawn(
        LOGGER
        + """
handler = attach(capacity=1 << 22, timeout=20)
def log():
    for k in range(500):
        logger.info("%d", k)
threads = [threading.Thread(target=log) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert handler.lost == 0
handler.close()
""",
        ring_path,
    ).finish()
    got: dict[int | None, list[str]] = {}
    for record in received(ring_path):
        got.setdefault(record.thread, []).append(record.getMessage())
    assert len(got) <= 8
    assert sum(map(len, got.values())) == 4000


def test_logging_within_logging(ring_path: str, spawn: Spawn) -> None:
    """Signal handlers and finalizers that log, wherever in a log call they come: nothing hangs or is lost."""
    child = spawn(
        LOGGER
        + """
handler = attach(capacity=65536, timeout=20)
reader = ringlog.Reader(path, lossless=True)
signals = finalized = 0
def heard(*_):
    global signals
    signals += 1
    logger.warning("signal")
signal.signal(signal.SIGALRM, heard)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
class Final:
    def __del__(self):
        global finalized
        finalized += 1
        logger.warning("final")
got = []
def read():
    while len(got) < 100_000:
        try:
            got.extend(reader.read_many(20, 0.5))
        except ringlog.RinglogError:
            break
thread = threading.Thread(target=read)
thread.start()
for k in range(3000):
    loop = [Final()]
    loop.append(loop)
    logger.info("main")
signal.setitimer(signal.ITIMER_REAL, 0)
del loop
import gc
gc.collect()
handler.flush()
assert signals and finalized == 3000 and handler.lost == 0
want = signals + finalized + 3000
deadline = time.monotonic() + 15
while len(got) < want and time.monotonic() < deadline:
    time.sleep(0.01)
say(len(got) - want, signals > 10)
reader.close()
thread.join()
handler.close()
""",
        ring_path,
    )
    assert child.finish() == "0 True\n"
