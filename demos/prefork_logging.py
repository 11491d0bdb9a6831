"""A pre-fork server of four workers that log into one ring, one of them killed with SIGKILL while it does.

One process writes the file. Every line that a worker was done with is there, whole, in its worker's order.
"""

import logging
import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import IO

import ringlog
from ringlog.logging import RingHandler, RingListener

WORKERS, REQUESTS, KILLED, KILLED_AFTER = 4, 20_000, 2, 5_000
log = logging.getLogger("server")


def fork_worker(number: int) -> tuple[int, IO[bytes]]:
    """Its pid, and a pipe with a byte for each request that it is done with: that outlives a kill."""
    counted, done = os.pipe()
    if (pid := os.fork()) == 0:
        for request in range(REQUESTS):
            log.info("worker %d request %d", number, request)
            os.write(done, b".")
        os._exit(0)
    os.close(done)
    return pid, os.fdopen(counted, "rb")


def fork_listener(ring: str, file: Path) -> int:
    """The process that alone has the file open."""
    if (pid := os.fork()) == 0:
        listener = RingListener(ring, logging.FileHandler(file))
        signal.signal(signal.SIGTERM, lambda *_: listener.stop())
        listener.serve()
        os._exit(0)
    return pid


def main(ring: str, file: Path) -> bool:
    log.setLevel(logging.INFO)
    log.addHandler(RingHandler(ring, timeout=5))  # opened before the fork, and anew by each worker
    listener, start = fork_listener(ring, file), time.perf_counter()
    workers = [fork_worker(number) for number in range(WORKERS)]
    counts = [0] * WORKERS
    counts[KILLED] = len(workers[KILLED][1].read(KILLED_AFTER))
    os.kill(workers[KILLED][0], signal.SIGKILL)
    right = True
    for number, (pid, pipe) in enumerate(workers):
        with pipe:
            counts[number] += len(pipe.read())
        right &= os.waitpid(pid, 0)[1] == (signal.SIGKILL if number == KILLED else 0)
    os.kill(listener, signal.SIGTERM)  # it handles what was logged by now, and ends
    right &= os.waitpid(listener, 0)[1] == 0
    seconds, lines = time.perf_counter() - start, defaultdict(list)
    for _, worker, _, request in map(str.split, file.read_text().splitlines()):
        lines[int(worker)].append(int(request))
    for number, count in enumerate(counts):
        got = lines[number]
        as_it_should = got == list(range(len(got))) and len(got) - count in (0, number == KILLED)
        print(f"worker {number} logged {count:6,}, in the file {len(got):6,}, in order: {as_it_should}")
        right &= as_it_should
    print(f"{sum(map(len, lines.values())) / seconds:,.0f} lines a second into one file")
    return right


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        try:
            sys.exit(0 if main(f"{folder}/log.ring", Path(folder, "server.log")) else 1)
        finally:
            ringlog.unlink(f"{folder}/log.ring")
