"""multiprocessing.Pipe by send_bytes and recv_bytes, which saves it the pickling; a pipe for each reader."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

from bench.peers.fan_out import into
from bench.peers.peer import Peer, Sender
from bench.processes import CONTEXT


class Pipe(Peer):
    name = "multiprocessing.Pipe"
    library = "python"
    waits = "sleeps"

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        self.handles = [CONTEXT.Pipe(duplex=False) for _ in range(self.readers)]
        try:
            yield
        finally:
            for end in itertools.chain.from_iterable(self.handles):
                end.close()

    @contextlib.contextmanager
    def sending(self) -> Iterator[Sender]:
        yield into([sink.send_bytes for _, sink in self.handles])

    @contextlib.contextmanager
    def receiving(self, index: int) -> Iterator[Iterator[Any]]:
        receive = self.handles[index][0].recv_bytes
        yield iter(receive, None)
