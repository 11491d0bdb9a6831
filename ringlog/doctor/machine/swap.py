"""Can rings in memory be swapped out?"""

from __future__ import annotations

from collections.abc import Iterator

from ringlog.doctor.finding import Finding
from ringlog.doctor.machine.surroundings import Surroundings, total
from ringlog.words import size_text


def swapping(seen: Surroundings) -> Iterator[Finding]:
    """Is this machine swapping, and are there rings in memory that it may swap?"""
    rings = [file for file in seen.in_memory() if not _exempt(seen, file.path)]
    facts = dict(
        line.split(":", 1) for line in (seen.system.text("/proc/meminfo") or "").splitlines() if ":" in line
    )
    try:
        size, free = (int(facts[name].split()[0]) << 10 for name in ("SwapTotal", "SwapFree"))
    except (KeyError, ValueError, IndexError):
        return
    if not rings or size <= free:
        return
    yield Finding(
        "this machine",
        "swapping",
        "note",
        f"it is swapping ({size_text(size - free)} of {size_text(size)} are used), and may swap rings in "
        f"memory too ({size_text(total(rings))}): who touches such a page waits for the disk",
        "give it more memory; or, since Linux 6.4, as root: mount -o remount,noswap /dev/shm",
        {"swap": size, "used": size - free, "rings": total(rings)},
    )


def _exempt(seen: Surroundings, path: str) -> bool:
    mount = seen.system.mount_of(path)
    return mount is not None and ("noswap" in mount.options or mount.kind != "tmpfs")
