"""Network namespaces joined by a cable (a pair of veth) that can be cut.

A namespace belongs to a process that waits, and is gone with the last process in it: none has a name, so
nothing stays behind, whatever ends this program.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator

NEW_NET = 0x40000000  # CLONE_NEWNET
ADDRESSES = ("198.18.0.1", "198.18.0.2")  # of a range that is set aside for trying networks


class Namespaces:
    """Two of them. Raises OSError or CalledProcessError where they can't be made."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.places = [stack.enter_context(_namespace()) for _ in ADDRESSES]
        other = self.places[1].split("/")[2]  # the process that waits in it
        self._ip(0, "link add cable type veth peer name cable netns", other)
        for machine, address in enumerate(ADDRESSES):
            self._ip(machine, "addr add dev cable", f"{address}/30")
            self._ip(machine, "link set lo up")
            self._ip(machine, "link set cable up")

    def cut(self) -> None:
        self._ip(0, "link set cable down")

    def join(self) -> None:
        self._ip(0, "link set cable up")

    def _ip(self, machine: int, words: str, *more: str) -> None:
        inside = ["nsenter", f"--net={self.places[machine]}", "ip"]
        subprocess.run([*inside, *words.split(), *more], check=True, stderr=subprocess.DEVNULL)


def enter(place: str | None) -> None:
    """From here on the calling thread, and what it starts, is there. None: it stays."""
    if place is None:
        return
    fd = os.open(place, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(fd, NEW_NET) != 0:
            raise OSError(ctypes.get_errno(), f"can't enter {place}")
    finally:
        os.close(fd)


@contextlib.contextmanager
def _namespace() -> Iterator[str]:
    """`cat` waits in it until we close its input, or are gone."""
    with subprocess.Popen(
        ["unshare", "--net", "cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us
    ) as cat:
        assert cat.stdin is not None
        assert cat.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                cat.stdin.write(b"here\n")
                cat.stdin.flush()
            if cat.stdout.readline() != b"here\n":
                raise PermissionError("no network namespace can be made")
            yield f"/proc/{cat.pid}/ns/net"
        finally:
            cat.kill()
