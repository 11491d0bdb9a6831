"""The processes of a run over a bridge: who sends, who receives, who is between, and how we talk to them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import psutil

from bench.bridge_bed import Bed, bed
from bench.bridge_ways import Way
from bench.race import process
from bench.stamped import Failed, guarded

PATIENCE = 60.0  # seconds for any one thing that a process has to tell


class Crew:
    """Each process by what it does. All say their process id first."""

    def __init__(self, here: Bed) -> None:
        self.bed = here
        self.processes = {"server": psutil.Process(here.server)}
        self._talk: dict[str, Connection] = {}
        self._said: dict[str, list[Any]] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *failure: Any) -> None:
        self._stack.__exit__(*failure)

    def start(self, role: str, target: Callable[..., None], *arguments: Any) -> None:
        self._talk[role] = self._stack.enter_context(process(guarded, target, *arguments))
        self._said[role] = []
        self.processes[role] = psutil.Process(self.hear(role))

    def say(self, role: str) -> None:
        """Let it go on."""
        self._talk[role].send("go on")

    def hear(self, role: str) -> Any:
        """What it says next. Raises Failed if anybody fails meanwhile."""
        until = time.monotonic() + PATIENCE
        while not self._said[role]:
            left = until - time.monotonic()
            if left <= 0:
                raise Failed(f"the {role} said nothing for {PATIENCE:.0f} s")
            names = {id(connection): name for name, connection in self._talk.items()}
            for connection in wait([*self._talk.values()], left):
                self._take(names[id(connection)], role)
        return self._said[role].pop(0)

    def _take(self, role: str, wanted: str) -> None:
        try:
            word = self._talk[role].recv()
        except EOFError:  # it has ended: nothing wrong, but for who is waited for
            if role == wanted:
                raise Failed(f"the {role} died") from None
            del self._talk[role]
            return
        if isinstance(word, Failed):
            raise Failed(f"{role}: {word}")
        self._said[role].append(word)

    def cpu(self) -> dict[str, float]:
        """Seconds of processor time that each has had, with its threads."""
        times = {role: each.cpu_times() for role, each in self.processes.items()}
        return {role: time.user + time.system for role, time in times.items()}


@contextlib.contextmanager
def gathered(way: Way, where: Path, send: tuple[Any, ...], receive: tuple[Any, ...]) -> Iterator[Crew]:
    """All of a way are there, and the receiver has heard the sender, which greets until it is told to go on.

    send, receive: a function, and what it gets behind the way and the bed, in front of the connection.
    """
    with bed(where, way.cores) as here, Crew(here) as crew:
        way.prepare(here)
        for role, target in way.between.items():
            crew.start(role, target, here)
        crew.start("receiver", receive[0], way, here, *receive[1:])
        crew.start("sender", send[0], way, here, *send[1:])
        crew.hear("receiver")
        yield crew


def dismissed(crew: Crew, way: Way) -> dict[str, Any]:
    """The stream ends, and with it who is between; what each of those has to say in the end."""
    crew.say("sender")
    crew.say("receiver")
    return {role: crew.hear(role) for role in way.between}
