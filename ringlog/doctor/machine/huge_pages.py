"""Can large rings have huge pages?"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ringlog.doctor.finding import Finding
from ringlog.doctor.machine.surroundings import Surroundings

WORTH = 64 << 20  # bytes of a ring from which on small pages are felt: beyond what translation caches reach
_SETTING = "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
_GIVEN = ("always", "within_size", "advise")  # values of a mount's option `huge`; a ring asks for them


def huge_pages(seen: Surroundings) -> Iterator[Finding]:
    """Are there large rings in memory that get small pages?"""
    setting = _chosen(seen.system.text(_SETTING))
    if setting == "force":
        return
    for point, files in seen.by_mount():
        mount = seen.system.mount_of(point)
        large = [file for file in files if file.size >= WORTH]
        if mount is None or mount.kind != "tmpfs" or not large:
            continue
        option = mount.option("huge")
        if option in _GIVEN and setting not in (None, "deny"):
            continue
        if setting is None:
            text, advice = "this kernel has no huge pages for shared memory", ""
        elif setting == "deny":
            text = "huge pages are denied to shared memory (shmem_enabled is deny)"
            advice = (
                f"as root: echo advise > {_SETTING}, and mount -o remount,huge=advise {shlex.quote(point)}"
            )
        else:
            text = f"it is mounted without huge pages (huge={option or 'never'})"
            advice = f"as root, before rings are made: mount -o remount,huge=advise {shlex.quote(point)}"
        yield Finding(
            point,
            "no-huge-pages",
            "note",
            f"{text}: large rings here ({len(large)}) are many small pages, and opening them and jumping "
            "about in them takes longer",
            advice,
            {"shmem_enabled": setting, "huge": option, "paths": [file.path for file in large]},
        )


def _chosen(text: str | None) -> str | None:
    """``always [never] deny``: the one in brackets."""
    if text is None or "[" not in text:
        return None
    return text.partition("[")[2].partition("]")[0]
