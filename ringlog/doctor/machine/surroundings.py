"""The rings of this machine as files, and the machine that they are on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from ringlog.doctor.machine.system import System

SHARED_MEMORY = "/dev/shm"


@dataclass(frozen=True)
class File:
    """A ring's file. size, allocated: bytes; a file with holes has allocated fewer than its size."""

    path: str
    size: int
    allocated: int
    owner: int

    @property
    def missing(self) -> int:
        """Bytes that it will still need when it is written."""
        return max(0, self.size - self.allocated)


@dataclass(frozen=True)
class Surroundings:
    """What the checks of the machine are given."""

    files: tuple[File, ...] = ()
    system: System = field(default_factory=System)

    def in_memory(self) -> list[File]:
        """The rings that are on file systems in memory."""
        return [file for mount, files in self.by_mount() if mount in self._memory() for file in files]

    def by_mount(self) -> list[tuple[str, list[File]]]:
        """Mount points, and the rings there. /dev/shm is among them where there is one, for the next ring."""
        found: dict[str, list[File]] = {}
        if any(mount.point == SHARED_MEMORY for mount in self.system.mounts()):
            found[SHARED_MEMORY] = []
        for file in self.files:
            mount = self.system.mount_of(os.path.dirname(file.path))
            if mount is not None:
                found.setdefault(mount.point, []).append(file)
        return list(found.items())

    def _memory(self) -> set[str]:
        last = {mount.point: mount for mount in self.system.mounts()}
        return {point for point, mount in last.items() if mount.in_memory}


def surroundings_of(paths: Iterable[str], system: System | None = None) -> Surroundings:
    """Of these rings; one that is gone by now is left out."""
    files = []
    for path in paths:
        try:
            seen = os.stat(path)
        except OSError:
            continue
        files.append(File(os.path.abspath(path), seen.st_size, seen.st_blocks * 512, seen.st_uid))
    return Surroundings(tuple(files), system or System())


def total(files: Iterable[File]) -> int:
    return sum(file.size for file in files)
