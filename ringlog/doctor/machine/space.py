"""Is there room for the rings that are there, and for the next one?"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ringlog.doctor.finding import Finding
from ringlog.doctor.machine.surroundings import SHARED_MEMORY, Surroundings
from ringlog.ring import DEFAULT_CAPACITY
from ringlog.words import size_text

NEXT_RING = DEFAULT_CAPACITY + (64 << 10)  # with its header
DEFAULT_OF_CONTAINERS = 64 << 20


def little_space(seen: Surroundings) -> Iterator[Finding]:
    """Can another ring of the default capacity be made in memory?"""
    for point, files in seen.by_mount():
        mount, space = seen.system.mount_of(point), seen.system.space(point)
        if mount is None or space is None or not mount.in_memory:
            continue
        evidence = {"total": space.total, "free": space.free, "rings": len(files), "needed": NEXT_RING}
        contained = seen.system.in_container() and space.total <= DEFAULT_OF_CONTAINERS
        enlarge = (
            "start the container with a larger one: docker run --shm-size 1g (compose: shm_size; Kubernetes: "
            "an emptyDir with medium: Memory)"
            if contained
            else f"as root: mount -o remount,size=SIZE {shlex.quote(point)}; or remove a ring"
        )
        if space.free < NEXT_RING:
            yield Finding(
                point,
                "little-space",
                "problem",
                f"{size_text(space.free)} of {size_text(space.total)} are free: no room for another ring of "
                f"{size_text(DEFAULT_CAPACITY)}, the default, nor for what else keeps shared memory there",
                enlarge + ", or make smaller ones: ringlog create --capacity",
                evidence,
            )
        elif contained and point == SHARED_MEMORY:
            yield Finding(
                point,
                "container-space",
                "note",
                f"this container's shared memory is {size_text(space.total)}, what containers get unless "
                "somebody asks for more: a few rings, or one large one, fill it",
                enlarge,
                evidence,
            )


def holes(seen: Surroundings) -> Iterator[Finding]:
    """Do rings have holes that the file system has no room for? A ring is made without any."""
    for point, files in seen.by_mount():
        space = seen.system.space(point)
        sparse = [file for file in files if file.missing]
        missing = sum(file.missing for file in sparse)
        if space is None or missing <= space.free:
            continue
        yield Finding(
            point,
            "holes",
            "problem",
            f"rings have holes of {size_text(missing)} (copied sparsely, or given back), and "
            f"{size_text(space.free)} are free: a writer that gets there fails with ENOSPC",
            "make room, or make these rings again",
            {"paths": [file.path for file in sparse], "missing": missing, "free": space.free},
        )
