"""Is the clock slow? Every append reads it."""

from __future__ import annotations

from collections.abc import Iterator

from ringlog.doctor.finding import Finding
from ringlog.doctor.machine.surroundings import Surroundings

SLOW = 250.0  # ns for a reading, Python's call included: without the kernel it is 30 to 80
_FOLDER = "/sys/devices/system/clocksource/clocksource0"
FAST = ("tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page")


def slow_clock(seen: Surroundings) -> Iterator[Finding]:
    """Does reading the clock take a system call, or a slow device? What it costs decides, not its name."""
    source = seen.system.text(f"{_FOLDER}/current_clocksource")
    cost = seen.system.clock_cost()
    if cost < SLOW:
        return
    others = (seen.system.text(f"{_FOLDER}/available_clocksource") or "").split()
    better = next((name for name in FAST if name in others and name != source), None)
    if source is None or source in FAST:
        why = f"although its source is {source or 'not told'}: a sandbox, or a virtual machine that traps it"
        advice = "run it where the clock can be read without the kernel (vDSO)"
    elif better:
        why = f"its source is {source}, and the kernel is asked each time"
        advice = f"as root: echo {better} > {_FOLDER}/current_clocksource (dmesg says why it was not taken)"
    else:
        why = f"its source is {source}, and the kernel is asked each time"
        advice = "see the kernel's log for why there is no better one (dmesg, about tsc and clocksource)"
    yield Finding(
        "this machine",
        "slow-clock",
        "note",
        f"a reading of the clock takes {cost:.0f} ns, {why}; every append reads it, a batch once",
        advice,
        {"source": source, "available": others, "nanoseconds": round(cost, 1)},
    )
