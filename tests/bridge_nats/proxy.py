"""A TCP proxy that can be told to stall, to cut, and to go on: a network that fails in a chosen moment."""

from __future__ import annotations

import contextlib
import math
import os
import select
import socket
import threading
import time

CHUNK = 65536
MOST = 1 << 20  # bytes that are held for a side that does not take them


class Proxy:
    """Passes connections to 127.0.0.1:port of its own on to `target`, in a thread, until `close()`.

    `url` is where to connect to instead.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self.port}"
        self.accepted = 0
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._held: dict[socket.socket, bytearray] = {}
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stalled = self._refusing = self._ended = False
        self._rate = 0
        self._allowed: float = math.inf  # bytes to clients
        self._hold_at = b""
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stall(self) -> None:
        """Pass nothing on any more, and take nothing; connections stay, and new ones hang."""
        self._set(stalled=True)

    def throttle(self, rate: int) -> None:
        """Pass on so many bytes a second, all in all; before the first connection, so that little is held."""
        self._rate = rate
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)  # of what it accepts as well

    def hold_at(self, what: bytes) -> None:
        """Pass nothing on to clients from where this comes: twice at least, as a piece may end in it."""
        with self._lock:
            self._hold_at = what

    @property
    def holds(self) -> bool:
        """Whether all that comes before it has been passed on."""
        return self._allowed <= 0

    def cut(self) -> None:
        """Close all connections, and refuse new ones, until `resume()`."""
        self._set(refusing=True)
        with self._lock:
            for one in list(self._pairs):
                self._drop(one)

    def say(self, data: bytes) -> None:
        """To all clients, as if it came from the server; for a moment in which that says nothing."""
        with self._lock:
            for one in self._clients & self._pairs.keys():
                self._held[one] += data
        os.write(self._waker, b".")

    def resume(self) -> None:
        """As at the beginning."""
        with self._lock:
            self._allowed, self._hold_at = math.inf, b""
        self._set(stalled=False, refusing=False)

    def close(self) -> None:
        self._ended = True
        os.write(self._waker, b".")
        self._thread.join(10)
        for one in [*self._pairs, self._listener]:
            one.close()
        os.close(self._wake)
        os.close(self._waker)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _set(self, *, stalled: bool | None = None, refusing: bool | None = None) -> None:
        with self._lock:
            self._stalled = self._stalled if stalled is None else stalled
            self._refusing = self._refusing if refusing is None else refusing
        os.write(self._waker, b".")

    def _drop(self, one: socket.socket) -> None:
        for side in (one, self._pairs.pop(one, None)):
            if side is not None:
                self._pairs.pop(side, None)
                self._held.pop(side, None)
                self._clients.discard(side)
                side.close()

    def _run(self) -> None:
        while not self._ended:
            with self._lock:
                quiet = self._stalled
                readers = (
                    [] if quiet else [a for a, b in self._pairs.items() if len(self._held[b]) < self._most]
                )
                writers = [] if quiet else [one for one in self._pairs if self._may_write(one)]
            listening = [] if quiet else [self._listener]
            try:
                readable, writable, _ = select.select([self._wake, *listening, *readers], writers, [])
            except (OSError, ValueError):
                continue  # one of them was closed by cut() just now
            passed = 0
            with self._lock:
                if self._wake in readable:
                    os.read(self._wake, 64)
                if self._listener in readable:
                    self._accept()
                if not self._stalled:
                    for one in readable:
                        if one in self._pairs:
                            self._read(one)
                    for one in writable:
                        if one in self._pairs and self._may_write(one):
                            passed += self._write(one)
            if self._rate:
                time.sleep(passed / self._rate)

    @property
    def _most(self) -> int:
        return CHUNK if self._rate else MOST

    def _accept(self) -> None:
        inner, _ = self._listener.accept()
        if self._refusing:
            inner.close()
            return
        try:
            outer = socket.socket()
            if self._rate:
                outer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)
            outer.settimeout(5)
            outer.connect(("127.0.0.1", self._target))
        except OSError:
            inner.close()
            return
        self.accepted += 1
        self._clients.add(inner)
        for one, other in ((inner, outer), (outer, inner)):
            one.setblocking(False)
            self._pairs[one] = other
            self._held[one] = bytearray()

    def _read(self, one: socket.socket) -> None:
        data = b""
        with contextlib.suppress(OSError):
            data = one.recv(CHUNK)
        if not data:
            self._drop(one)
            return
        held = self._held[self._pairs[one]]
        if self._hold_at and one not in self._clients and (at := data.find(self._hold_at)) >= 0:
            self._allowed, self._hold_at = len(held) + at, b""
        held += data

    def _may_write(self, one: socket.socket) -> bool:
        return bool(self._held[one]) and not (one in self._clients and self.holds)

    def _write(self, one: socket.socket) -> int:
        most: float = CHUNK // 4 if self._rate else MOST
        if one in self._clients:
            most = min(most, self._allowed)
        try:
            sent = one.send(self._held[one][: int(most)])
        except OSError:
            self._drop(one)
            return 0
        if one in self._clients:
            self._allowed -= sent
        del self._held[one][:sent]
        return sent
