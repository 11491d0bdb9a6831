"""What of a machine hurts rings, on machines that are planted; and that the real one can be asked."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from planted_machine import GIB, MIB, ROOT_MOUNT, SHM_MOUNT, found, healthy, ring

from ringlog import doctor
from ringlog.doctor.machine import System
from ringlog.doctor.machine.memory import lowest_limit

pytestmark = pytest.mark.once


def test_a_healthy_machine(tmp_path: Path) -> None:
    assert found(healthy(tmp_path), ring(), ring("/dev/shm/large", GIB)) == {}


def test_this_machine() -> None:
    seen = doctor.surroundings_of([__file__, __file__ + "-"])
    assert [(file.path, file.owner) for file in seen.files] == [(__file__, os.stat(__file__).st_uid)]
    for finding in doctor.check_machine(seen):
        assert finding.text
        assert finding.severity in ("problem", "note")
    system = System()
    assert system.mount_of("/") is not None
    assert 0 < system.clock_cost() < 1e6
    assert system.waitv_error() in (errno.EINVAL, errno.ENOSYS, errno.EPERM)
    assert system.space("/").total > 0
    assert system.space("/nowhere") is None
    assert system.text("/nowhere") is None


# ---- space ----


def test_no_room_for_the_next_ring(tmp_path: Path) -> None:
    finding = found(healthy(tmp_path, free=10 * MIB), ring())["little-space"]
    assert (finding.severity, finding.path) == ("problem", "/dev/shm")
    assert finding.text.startswith("10 MiB of 4 GiB are free: no room for another ring of 16 MiB")
    assert "mount -o remount,size=SIZE /dev/shm" in finding.advice
    assert finding.evidence["rings"] == 1


def test_a_container(tmp_path: Path) -> None:
    system = healthy(tmp_path, total=64 * MIB, free=60 * MIB)
    assert found(system) == {}  # as small as somebody wanted it
    system.plant("/proc/1/cgroup", "0::/docker/0123abcd\n")
    finding = found(system)["container-space"]
    assert finding.severity == "note"
    assert "--shm-size" in finding.advice
    full = found(healthy(tmp_path, total=64 * MIB, free=MIB))["little-space"]
    assert "--shm-size" in full.advice
    assert found(healthy(tmp_path, total=GIB, free=GIB // 2)) == {}  # somebody has asked for more


def test_holes_without_room(tmp_path: Path) -> None:
    system = healthy(tmp_path, free=100 * MIB)
    assert "holes" not in found(system, ring(size=GIB, missing=100 * MIB))
    finding = found(system, ring(size=GIB, missing=100 * MIB + 1))["holes"]
    assert finding.severity == "problem"
    assert finding.evidence["paths"] == ["/dev/shm/ticks"]


# ---- memory ----


@pytest.mark.parametrize(
    ("cgroup", "limit", "used"),
    [
        ("0::/a/b\n", "/sys/fs/cgroup/a/memory.max", "/sys/fs/cgroup/a/memory.current"),
        (
            "4:cpu,memory:/a\n0::/\n",
            "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/a/memory.usage_in_bytes",
        ),
        (
            "9:memory:/docker/not-here\n",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        ),
    ],
)
def test_a_memory_limit(tmp_path: Path, cgroup: str, limit: str, used: str) -> None:
    system = healthy(tmp_path)
    system.plant("/proc/self/cgroup", cgroup)
    system.plant("/sys/fs/cgroup/a/b/memory.max", "max\n")
    system.plant("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    system.plant(limit, f"{64 * MIB}\n")
    system.plant(used, f"{10 * MIB}\n")
    assert lowest_limit(system) == (os.path.dirname(limit), 64 * MIB, 10 * MIB)
    assert found(system, ring(size=32 * MIB)) == {}
    assert found(system, ring("/srv/on-disk", GIB)) == {}
    assert found(system, ring(size=33 * MIB))["memory-limit"].severity == "note"
    finding = found(system, ring(size=48 * MIB), ring("/dev/shm/b", 16 * MIB))["memory-limit"]
    assert finding.severity == "problem"
    assert "64 MiB" in finding.text


def test_swap(tmp_path: Path) -> None:
    system = healthy(tmp_path)
    system.plant("/proc/meminfo", "SwapTotal: 1048576 kB\nSwapFree: 524288 kB\n")
    assert found(system) == {}  # nothing that it could swap
    finding = found(system, ring())["swapping"]
    assert "512 MiB of 1 GiB are used" in finding.text
    system.plant("/proc/self/mountinfo", f"{ROOT_MOUNT}\n{SHM_MOUNT},noswap\n")
    assert found(system, ring()) == {}
    system.plant("/proc/meminfo", "no such lines")
    assert found(system, ring()) == {}


# ---- settings ----


def test_remove_ipc(tmp_path: Path) -> None:
    system = healthy(tmp_path)
    users = ring(owner=4242)
    assert found(system, users) == {}  # no systemd here
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    finding = found(system, users)["remove-ipc"]
    assert finding.severity == "problem"
    assert finding.evidence == {"users": ["4242"], "source": "systemd's default"}
    assert found(system, ring(owner=0), ring("/dev/shm/b", owner=998)) == {}
    assert found(healthy(tmp_path, uid=4242))["remove-ipc"].severity == "note"  # for the ring to come
    system.plant("/var/lib/systemd/linger/4242", "")
    assert found(system, users) == {}


@pytest.mark.parametrize(
    ("files", "source"),
    [
        ({"/etc/systemd/logind.conf": "[Login]\n#RemoveIPC=no\n"}, "systemd's default"),
        ({"/etc/systemd/logind.conf": "[Login]\nRemoveIPC = no\n"}, None),
        ({"/etc/systemd/logind.conf": "[Other]\nRemoveIPC=no\n"}, "systemd's default"),
        ({"/usr/lib/systemd/logind.conf": "[Login]\nRemoveIPC=off\n"}, None),
        (
            {
                "/etc/systemd/logind.conf": "[Login]\nRemoveIPC=no\n",
                "/usr/lib/systemd/logind.conf.d/10-a.conf": "[Login]\nRemoveIPC=yes\n",
            },
            "/usr/lib/systemd/logind.conf.d/10-a.conf",
        ),
        (
            {
                "/usr/lib/systemd/logind.conf.d/10-a.conf": "[Login]\nRemoveIPC=yes\n",
                "/etc/systemd/logind.conf.d/10-a.conf": "",  # takes the other one's place
                "/run/systemd/logind.conf.d/05-b.conf": "[Login]\nRemoveIPC=no\n",
                "/etc/systemd/logind.conf.d/notes.txt": "[Login]\nRemoveIPC=yes\n",
            },
            None,
        ),
    ],
)
def test_where_remove_ipc_is_set(tmp_path: Path, files: dict[str, str], source: str | None) -> None:
    system = healthy(tmp_path, uid=1000)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    for name, text in files.items():
        system.plant(name, text)
    finding = found(system, ring(owner=4242)).get("remove-ipc")
    assert (finding.evidence["source"] if finding else None) == source


def test_huge_pages(tmp_path: Path) -> None:
    system = healthy(tmp_path)
    setting = "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
    large = ring("/dev/shm/large", GIB)
    system.plant("/proc/self/mountinfo", f"{ROOT_MOUNT}\n{SHM_MOUNT}\n")
    assert found(system, ring()) == {}  # too small to matter
    finding = found(system, ring(), large)["no-huge-pages"]
    assert "remount,huge=advise /dev/shm" in finding.advice
    assert finding.evidence["paths"] == ["/dev/shm/large"]
    system.plant(setting, "always never deny [force]")
    assert found(system, large) == {}
    system.plant("/proc/self/mountinfo", f"{ROOT_MOUNT}\n{SHM_MOUNT},huge=always\n")
    system.plant(setting, "always never [deny] force")
    assert "denied" in found(system, large)["no-huge-pages"].text
    system.path(setting).unlink()
    assert "this kernel has no" in found(system, large)["no-huge-pages"].text


def test_a_slow_clock(tmp_path: Path) -> None:
    folder = "/sys/devices/system/clocksource/clocksource0"
    system = healthy(tmp_path, nanoseconds=1800.0)
    assert "although its source is tsc" in found(system)["slow-clock"].text
    system.plant(f"{folder}/current_clocksource", "hpet\n")
    finding = found(system)["slow-clock"]
    assert finding.text.startswith("a reading of the clock takes 1800 ns, its source is hpet")
    assert f"echo tsc > {folder}/current_clocksource" in finding.advice
    system.plant(f"{folder}/available_clocksource", "hpet acpi_pm\n")
    assert "dmesg" in found(system)["slow-clock"].advice
    assert found(healthy(tmp_path)) == {}


def test_a_sandbox(tmp_path: Path) -> None:
    assert "seccomp" in found(healthy(tmp_path, error=errno.EPERM))["no-futex-waitv"].text
    assert "before 5.16" in found(healthy(tmp_path, error=errno.ENOSYS))["no-futex-waitv"].text


def test_mounts_in_their_order(tmp_path: Path) -> None:
    system = healthy(tmp_path)
    system.plant(
        "/proc/self/mountinfo", f"{ROOT_MOUNT}\n30 1 0:9 / /a\\040b rw - tmpfs t rw\nodd line\n{SHM_MOUNT}"
    )
    assert system.mount_of("/a b/c").kind == "tmpfs"
    assert system.mount_of("/a").kind == "ext4"
    assert system.mount_of("/dev/shmx").kind == "ext4"
    assert system.mount_of("/dev/shm").option("size") == "4194304k"
