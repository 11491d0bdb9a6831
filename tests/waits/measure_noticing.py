"""How fast the dead are noticed, over many kills: the slowest counts.

    python tests/waits/measure_noticing.py [--kills 200] [--fat 0]

Each time a process is killed that has forked children, all descriptors inheritable, which live on. An owner:
seconds from the kill until a writer that had waited for the lock has appended. A lossless reader: until a
writer that had waited for room has appended. With --fat the processes hold so many MiB more, since a process
is dead only when the kernel has taken its memory apart.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import ringlog

CHILD = """
import os, sys, time, ringlog
path, role, fat = sys.argv[1], sys.argv[2], int(sys.argv[3])
ballast = bytearray(os.urandom(1)) * (fat << 20)
if role == "owner":
    one = ringlog.Writer(path, lock="session")
else:
    one = ringlog.Reader(path, lossless=True, start="oldest")
for fd in os.listdir("/proc/self/fd"):
    try:
        os.set_inheritable(int(fd), True)
    except OSError:
        pass
child = 0 if fat else os.fork()  # a child would share the ballast, and keep it
if child == 0 and not fat:
    time.sleep(60)
    os._exit(0)
print(child, flush=True)
time.sleep(60)
"""


def once(path: str, role: str, fat: int) -> float:
    """Seconds from the kill until the waiting writer has got on."""
    command = [sys.executable, "-c", CHILD, path, role, str(fat)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as victim:
        assert victim.stdout is not None
        child = int(victim.stdout.readline())
        done: list[float] = []
        with ringlog.Writer(path) as writer:
            room = 0 if role == "owner" else 65

            def wait() -> None:
                for _ in range(room):
                    writer.append(bytes(984))
                writer.append(bytes(984))
                done.append(time.monotonic())

            thread = threading.Thread(target=wait)
            thread.start()
            time.sleep(0.15)  # its waits have grown to their longest
            killed = time.monotonic()
            victim.kill()
            thread.join()
        if child:
            os.kill(child, signal.SIGKILL)
    return done[0] - killed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--fat", type=int, default=0, metavar="MIB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for role in ("owner", "reader"):
            took = []
            for turn in range(options.kills):
                path = os.path.join(folder, f"{role}{turn}")
                ringlog.create(path, 65536)
                took.append(once(path, role, options.fat))
                ringlog.unlink(path)
            took.sort()
            print(
                f"{role}: {len(took)} kills, noticed after {1000 * statistics.median(took):.1f} ms (median), "
                f"{1000 * took[-1]:.1f} ms at the slowest",
                flush=True,
            )


if __name__ == "__main__":
    main()
