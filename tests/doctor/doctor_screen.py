"""What `ringlog doctor` shows of a healthy ring, a reader that lags, one that is stopped, and a dead writer.

    python tests/doctor/doctor_screen.py    # writes docs/screens/doctor.txt

Real processes, a real terminal; then pids, times and counts, which are others each time, are made the same,
and lines are broken at 80 columns. A second screen shows a machine where everything is wrong: it is planted.
"""

from __future__ import annotations

import contextlib
import re
import signal
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pexpect

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from cli_command import COMMAND, environment
from planted_machine import GIB, MIB, ROOT_MOUNT, SHM_MOUNT, healthy, ring
from processes import Child, eventually

import ringlog
from ringlog import doctor, liveness
from ringlog.cli.doctor_report import Report, plain
from ringlog.doctor.machine import Surroundings

SCREEN = Path(__file__).parents[2] / "docs/screens/doctor.txt"
WIDTH = 80
WIDE = 1000
HEALTHY_WRITER = """
w = ringlog.Writer(path)
w.append(b"price 1")
say("ready")
time.sleep(300)
"""
HEALTHY_READER = """
r = ringlog.Reader(path, name="billing", start="oldest")
r.read()
r.commit()
say("ready")
time.sleep(300)
"""
LAGGING = """
r = ringlog.Reader(path, lossless=True, name="charts", start="oldest")
say("ready")
while True:
    r.read()
    time.sleep(0.01)
"""
WRITER = """
w = ringlog.Writer(path)
say("ready")
while True:
    w.append(bytes(1000))
"""
STOPPED = """
r = ringlog.Reader(path, lossless=True, name="alerts", start="oldest")
say("ready")
time.sleep(300)
"""
FULL = """
import contextlib
w = ringlog.Writer(path, timeout=0)
with contextlib.suppress(ringlog.RingFull):
    while True:
        w.append(bytes(1000))
w.close()
"""
DEAD = """
w = ringlog.Writer(path, lock="session")
w.append(b"half a day of prices")
say("ready")
time.sleep(300)
"""


@contextlib.contextmanager
def rings(folder: Path) -> Iterator[dict[int, int]]:
    """The four rings in a folder, with their processes; which pids stand for which."""
    children: list[Child] = []

    def start(name: str, code: str) -> Child:
        children.append(Child(code, folder / name))
        assert children[-1].line() == "ready"
        return children[-1]

    try:
        for name in ("healthy", "lagging", "stopped", "dead"):
            ringlog.create(folder / name, 65536)
        start("healthy", HEALTHY_WRITER)
        start("healthy", HEALTHY_READER)
        start("lagging", LAGGING)
        start("lagging", WRITER)
        stopped = start("stopped", STOPPED)
        children.append(Child(FULL, folder / "stopped"))
        children[-1].finish()
        stopped.signal(signal.SIGSTOP)
        dead = start("dead", DEAD)
        dead.kill()
        eventually(lambda: (seen := liveness.sighted(stopped.pid)) and seen.state == "T")
        eventually(lambda: ringlog.info(folder / "lagging").readers[0].fill > 0.9)
        eventually(lambda: (writer := ringlog.info(folder / "healthy").writer) and writer.state == "idle")
        known = [child for child in children if child is not children[5]]
        yield {child.pid: 4101 + number for number, child in enumerate(known)}
    finally:
        for child in children:
            child.close()
        for name in ("healthy", "lagging", "stopped", "dead"):
            ringlog.unlink(folder / name)


def shown(width: int, *arguments: str) -> str:
    """What a terminal so wide shows, without colours, and without the spaces at the ends of lines."""
    child = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], "doctor", *arguments],
        env=environment(COLUMNS=None, LINES=None),
        encoding="utf-8",
        timeout=60,
        dimensions=(200, width),
    )
    child.expect(pexpect.EOF)
    child.close()
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", str(child.before))
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def settled(text: str, folder: Path, pids: dict[int, int]) -> str:
    """Without what is another thing each time."""
    text = text.replace(str(folder), "/dev/shm")
    for real, stable in pids.items():
        text = re.sub(rf"\b{real}\b", str(stable), text)
    for pattern, stable_text in (
        (r"python[0-9.]*, (running|sleeping|waiting for the kernel)", "python, sleeping"),
        (r"python[0-9.]*, stopped", "python, stopped"),
        (
            r"(not visible|gone, and its pid is another's by now|python[0-9.]*, dead[a-z, ]*)(?=; started)",
            "gone",
        ),
        (r"started [0-9TZ:-]+", "started 2026-01-31T14:00:00Z"),
        (r"\d+(\.\d)? (s|min) ago", "2.0 s ago"),
        (r"is \d+(\.\d)? (s|min) old", "is 2.0 s old"),
        (r"in \d\.\d s", "in 0.5 s"),
        (r"at \d+ events", "at 45 events"),
        (r"\d+ events behind", "64 events behind"),
        (r"\d+% of the ring", "99% of the ring"),
        # Moments of one that writes, and of one that reads, all the time:
        (r"(pid 4104: active;.*); has the write lock", r"\1"),
        (r"(pid 4103: slow;.* unread)$", r"\1; a writer waits for it"),
        (r"(pid 4103 .*)the writer will wait for it when the ring is full", r"\1the writer waits for it"),
    ):
        text = re.sub(pattern, stable_text, text, flags=re.MULTILINE)
    return text


def broken(text: str) -> str:
    """At 80 columns, as the terminal's own display breaks them: what is indented stays so."""
    lines = []
    for line in text.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        lines += textwrap.wrap(
            line.strip(),
            WIDTH,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return "\n".join(lines) + "\n"


def screen(folder: Path, machine_root: Path) -> str:
    """The whole page."""
    with rings(folder) as pids:
        live = settled(shown(WIDE, "--dry-run", str(folder)), folder, pids)
    report = Report(machine=doctor.check_machine(ill_machine(machine_root)))
    return (
        "$ ringlog doctor --dry-run /dev/shm\n"
        + broken(live)
        + "\n\n$ ringlog doctor    # on a machine where everything is wrong; without its rings\n"
        + broken(plain(report))
    )


def ill_machine(root: Path) -> Surroundings:
    """Planted: a container, full, limited, swapping, with a slow clock and a strict sandbox."""
    system = healthy(root, total=64 * MIB, free=4 * MIB, nanoseconds=1840.0, error=1, uid=4242)
    system.plant("/proc/self/mountinfo", f"{ROOT_MOUNT}\n{SHM_MOUNT}\n")
    system.plant("/proc/1/cgroup", "0::/docker/0123456789ab\n")
    system.plant("/proc/meminfo", "SwapTotal: 2097152 kB\nSwapFree: 1048576 kB\n")
    system.plant("/sys/fs/cgroup/user.slice/memory.max", f"{GIB}\n")
    system.plant("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n")
    (root / "run/systemd/system").mkdir(parents=True)
    return Surroundings((ring("/dev/shm/ticks", GIB, missing=64 * MIB, owner=4242),), system)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place, tempfile.TemporaryDirectory() as other:
        SCREEN.write_text(screen(Path(place), Path(other)))
    print(f"wrote {SCREEN}")
