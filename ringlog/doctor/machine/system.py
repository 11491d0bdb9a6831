"""What is asked of the operating system, in one place: a test plants a tree and answers instead."""

from __future__ import annotations

import ctypes
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SYS_FUTEX_WAITV = 449  # the same number everywhere
_LOOPS = 2000


class Space(NamedTuple):
    """Bytes of a file system: all of it, and what is free to us."""

    total: int
    free: int


class Mount(NamedTuple):
    """A mounted file system, as /proc/self/mountinfo shows it."""

    point: str
    kind: str
    options: tuple[str, ...]

    def option(self, name: str) -> str | None:
        """The value of ``name=value``."""
        for option in self.options:
            if option.startswith(name + "="):
                return option[len(name) + 1 :]
        return None

    @property
    def in_memory(self) -> bool:
        return self.kind in ("tmpfs", "ramfs", "hugetlbfs")


@dataclass(frozen=True)
class System:
    """This machine, or one whose /proc, /sys, /etc, /run, /usr and /var were planted below root."""

    root: str = "/"

    def path(self, name: str) -> Path:
        """``/proc/swaps`` as a path below the root."""
        return Path(self.root, name.lstrip("/"))

    def text(self, name: str) -> str | None:
        """What stands in a file, stripped; None if it is not there or not to be read."""
        try:
            return self.path(name).read_text(errors="replace").strip()
        except (OSError, ValueError):
            return None

    def number(self, name: str) -> int | None:
        text = self.text(name)
        return int(text) if text is not None and text.isdigit() else None

    def exists(self, name: str) -> bool:
        return self.path(name).exists()

    def mounts(self) -> list[Mount]:
        """In the order in which they were mounted: the last one at a place is the one that is seen."""
        found = []
        for line in (self.text("/proc/self/mountinfo") or "").splitlines():
            left, _, right = line.partition(" - ")
            fields, kind = left.split(), right.split()
            if len(fields) < 6 or len(kind) < 1:
                continue
            options = tuple(fields[5].split(",") + (kind[2].split(",") if len(kind) > 2 else []))
            found.append(Mount(_unescaped(fields[4]), kind[0], options))
        return found

    def mount_of(self, folder: str) -> Mount | None:
        """The file system that a folder is on."""
        best = None
        for mount in self.mounts():
            inside = folder == mount.point or folder.startswith(mount.point.rstrip("/") + "/")
            if inside and (best is None or len(mount.point) >= len(best.point)):
                best = mount
        return best

    def in_container(self) -> bool:
        if self.exists("/.dockerenv") or self.exists("/run/.containerenv"):
            return True
        groups = self.text("/proc/1/cgroup") or ""
        return any(word in groups for word in ("docker", "kubepods", "containerd", "libpod", "lxc"))

    # ---- answers that are no files ----

    def user(self) -> int:
        return os.geteuid()

    def space(self, folder: str) -> Space | None:
        """None if the folder can't be looked at."""
        try:
            seen = os.statvfs(folder)
        except OSError:
            return None
        return Space(seen.f_blocks * seen.f_frsize, seen.f_bavail * seen.f_frsize)

    def clock_cost(self) -> float:
        """Nanoseconds for a reading of the clock from Python, the best of a few tries: the rest is noise."""
        best = float("inf")
        for _ in range(5):
            began = time.perf_counter_ns()
            for _ in range(_LOOPS):
                time.time_ns()
            best = min(best, (time.perf_counter_ns() - began) / _LOOPS)
        return best

    def waitv_error(self) -> int:
        """The error number of a futex_waitv that can't succeed: EINVAL where the kernel knows the call."""
        libc = ctypes.CDLL(None, use_errno=True)
        ctypes.set_errno(0)
        libc.syscall(ctypes.c_long(SYS_FUTEX_WAITV), None, 0, 0, None, 0)
        return ctypes.get_errno()


def _unescaped(point: str) -> str:
    """Spaces and the like stand as octal numbers in mountinfo."""
    for code, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, letter)
    return point
