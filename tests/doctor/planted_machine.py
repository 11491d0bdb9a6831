"""A machine that is planted: files of /proc, /sys and /etc below a folder, and answers of the kernel."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

from ringlog.doctor import Finding
from ringlog.doctor.machine import File, Surroundings, System, check_machine
from ringlog.doctor.machine.system import Space

MIB = 1 << 20
GIB = 1 << 30
SHM_MOUNT = "25 24 0:23 / /dev/shm rw,nosuid - tmpfs tmpfs rw,size=4194304k"
ROOT_MOUNT = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw"


@dataclass(frozen=True)
class Planted(System):
    """With enough of everything, unless it is given less."""

    total: int = 4 * GIB
    free: int = 3 * GIB
    nanoseconds: float = 40.0
    error: int = errno.EINVAL
    uid: int = 0

    def space(self, folder: str) -> Space | None:
        return Space(self.total, self.free)

    def clock_cost(self) -> float:
        return self.nanoseconds

    def waitv_error(self) -> int:
        return self.error

    def user(self) -> int:
        return self.uid

    def plant(self, name: str, text: str) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def healthy(root: Path, **answers: object) -> Planted:
    """A machine about which there is nothing to say."""
    system = Planted(str(root), **answers)  # type: ignore[arg-type]
    system.plant("/proc/self/mountinfo", f"{ROOT_MOUNT}\n{SHM_MOUNT},huge=advise\n")
    system.plant("/proc/self/cgroup", "0::/user.slice/a.service\n")
    system.plant("/proc/meminfo", "MemTotal: 8000000 kB\nSwapTotal: 1000000 kB\nSwapFree: 1000000 kB\n")
    system.plant("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "always [never] deny force\n")
    system.plant("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n")
    system.plant("/sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet acpi_pm\n")
    system.plant("/etc/login.defs", "# comment\nSYS_UID_MAX\t\t  999\n")
    return system


def ring(path: str = "/dev/shm/ticks", size: int = 16 * MIB, *, missing: int = 0, owner: int = 0) -> File:
    return File(path, size, size - missing, owner)


def found(system: System, *files: File) -> dict[str, Finding]:
    """By check."""
    return {finding.check: finding for finding in check_machine(Surroundings(files, system))}
