"""Is a ring of use to anybody? And is it in memory where its users expect it?"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

from ringlog import users
from ringlog.doctor.examination import Examination
from ringlog.doctor.finding import Finding
from ringlog.doctor.machine.system import System
from ringlog.words import size_text, span

FORGOTTEN_AFTER = 3600.0  # seconds without an event and without a process that has it open
_SECOND = 1_000_000_000


def unread(seen: Examination) -> Iterator[Finding]:
    """Are events published that nobody reads?"""
    if seen.looks is None:
        return
    before, after = seen.looks
    published = after.info.event_count - before.info.event_count
    writers = {writer.pid for writer in after.info.writers if writer.leased}
    if published <= 0 or set(seen.users) - writers or any(one.leased for one in after.info.readers):
        return
    yield Finding(
        seen.path,
        "unread",
        "note",
        f"nobody reads it: {published} events were published in {seen.seconds:.1f} s, and no process but its "
        "writer was seen to have it open (a user sees only his own processes, root sees all here)",
        "start its readers, or stop its writer",
        {"published": published, "seconds": round(seen.seconds, 3), "writers": sorted(writers)},
    )


def forgotten(seen: Examination) -> Iterator[Finding]:
    """Does a ring in memory lie about that nobody has open?"""
    if seen.looks is None or seen.users:
        return
    info = seen.last.info
    if any(one.leased for one in info.writers + info.readers) or not _in_memory(seen.path):
        return
    quiet = (seen.last.now - max(seen.last.last_timestamp, info.start_timestamp)) / _SECOND
    if quiet < FORGOTTEN_AFTER:
        return
    size = info.data_start + info.capacity
    kept = info.event_count - info.tail_count
    yield Finding(
        seen.path,
        "forgotten",
        "note",
        f"nobody was seen to have it open, and nothing was published for {span(quiet)}; it takes "
        f"{size_text(size)} of memory and holds {kept} events",
        f"if nobody will read them any more: ringlog rm {shlex.quote(seen.path)}",
        {"quiet": round(quiet, 1), "bytes": size, "events": kept, "ended": info.ended},
    )


def swapped(seen: Examination) -> Iterator[Finding]:
    """Has the kernel swapped out a part of it?"""
    if seen.looks is None:
        return
    gone = swapped_bytes(seen.path)
    if not gone:
        return
    yield Finding(
        seen.path,
        "swapped",
        "note",
        f"{size_text(gone)} of it are swapped out: who touches them waits for the disk",
        "more memory, less swapping (vm.swappiness), or, since Linux 6.4: mount -o remount,noswap /dev/shm",
        {"bytes": gone},
    )


def swapped_bytes(path: str, smaps: str = "/proc/self/smaps") -> int:
    """How much of a file in memory is in swap, as the kernel counts it for a mapping of it (which touches
    nothing). 0 where it can't be told."""
    found = 0
    try:
        with users.mapping(path) as inode, open(smaps, "rb") as lines:
            ours = False
            for line in lines:
                words = line.split()
                if not words[0].endswith(b":"):
                    ours = len(words) > 4 and words[4] == b"%d" % inode
                elif ours and words[0] == b"Swap:":
                    found = max(found, int(words[1]) << 10)
    except (OSError, ValueError, IndexError):
        return 0
    return found


def _in_memory(path: str) -> bool:
    """By the file system's own word: what is removed there, or restarted, is gone."""
    mount = System().mount_of(os.path.dirname(os.path.realpath(path)))
    return mount is not None and mount.in_memory
