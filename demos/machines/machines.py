"""Two machines: what is on them, and the network between them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import ringlog
from ringlog import bridge

from .namespaces import ADDRESSES, Namespaces
from .team import SPAWN, Job, Team


class Machines:
    """The first has the server. `what` says what they are, `how` what a cut is."""

    def __init__(self, folder: str, team: Team, namespaces: Namespaces | None) -> None:
        self.rings = (f"{folder}/here.ring", f"{folder}/there.ring")  # where one of each may be
        self._team = team
        self._namespaces = namespaces
        self._orders, theirs = SPAWN.Pipe()
        address = "127.0.0.1" if namespaces is None else ADDRESSES[0]
        self.start(0, _serve, address, theirs)
        theirs.close()
        self.url = self._answer()

    @property
    def what(self) -> str:
        if self._namespaces is None:
            return "two rings on this machine, over loopback (it gives us no right to network namespaces)"
        return "two network namespaces, joined by a pair of veth"

    @property
    def how(self) -> str:
        return "the server was killed" if self._namespaces is None else "the cable was cut"

    def start(self, machine: int, function: Callable[..., Any], *arguments: Any) -> Job:
        """Call a function in a process on one of them."""
        place = None if self._namespaces is None else self._namespaces.places[machine]
        return self._team.start(place, function, *arguments)

    def cut(self) -> None:
        self._namespaces.cut() if self._namespaces else self._order("kill")

    def join(self) -> None:
        self._namespaces.join() if self._namespaces else self._order("start")

    def close(self) -> None:
        """The server ends, and its folder goes, and the rings."""
        with contextlib.suppress(OSError, EOFError):
            self._order("stop")
        for ring in self.rings:
            with contextlib.suppress(FileNotFoundError):
                ringlog.unlink(ring)

    def _order(self, order: str) -> None:
        self._orders.send(order)
        self._answer()

    def _answer(self) -> Any:
        if not self._orders.poll(30):
            raise TimeoutError("the server's process said nothing for 30 s")
        return self._orders.recv()


def _serve(address: str, orders: Connection) -> None:
    with bridge.Server(host=address) as server:
        orders.send(server.url)
        while (order := orders.recv()) != "stop":
            if order == "kill":
                server.kill()
            else:
                server.start()
            orders.send("done")
    orders.send("stopped")


@contextlib.contextmanager
def machines() -> Iterator[Machines]:
    """In namespaces if they can be made, else both on this machine; nothing of theirs is left behind."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    with contextlib.ExitStack() as stack:
        namespaces = None
        with contextlib.suppress(OSError, subprocess.CalledProcessError), contextlib.ExitStack() as trying:
            namespaces = Namespaces(trying)
            stack.enter_context(trying.pop_all())
        in_memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=in_memory))
        team = stack.enter_context(Team())
        yield stack.enter_context(contextlib.closing(Machines(folder, team, namespaces)))


__all__ = ["Machines", "machines"]
