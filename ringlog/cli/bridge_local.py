"""A server on this machine for those who have none: started with the push that needs it, ended with it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ringlog.bridge.errors import BridgeError

if TYPE_CHECKING:
    from ringlog.bridge.nats import Nats

HOST, PORT = "127.0.0.1", 4222
LOOK = 0.2  # seconds between two looks at who has not got everything


def default_store() -> Path:
    """$XDG_STATE_HOME/ringlog/nats, or what that is by default."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    return base / "ringlog" / "nats"


def somebody_listens() -> bool:
    """Does anything take connections where a server is by default?"""
    try:
        with socket.create_connection((HOST, PORT), timeout=1.0):
            return True
    except OSError:
        return False


@contextmanager
def server_of_ours(wanted: bool, notice: Callable[[str], object]) -> Iterator[bool]:
    """A server at the default address while this lasts, if it is wanted and none is there: is it ours?"""
    if not wanted or somebody_listens():
        yield False
        return
    from ringlog.bridge.server import Server

    store = default_store()
    store.mkdir(parents=True, exist_ok=True)
    server = Server(store, port=PORT, host=HOST)
    try:
        server.start()
    except BridgeError:
        if not somebody_listens():
            raise
        yield False  # another was faster
        return
    try:
        notice(
            f"no server was named: one runs at {server.url} while this does, and keeps its data in {store}"
        )
        yield True
    finally:
        server.stop()


def let_them_finish(to: Nats, stop: threading.Event, notice: Callable[[str], object]) -> None:
    """Wait until each pull has what was pushed: the server that ends with us is theirs too."""
    from ringlog.bridge.nats.survey import survey

    told = False
    while not stop.is_set():
        found = survey(to)
        behind = [one for one in found.consumers if one.lag_messages] if found else []
        if not behind:
            return
        if not told:
            notice(f"waiting for {len(behind)} who pull from the server here; Ctrl-C ends it now")
            told = True
        stop.wait(LOOK)


def is_default(transport: Nats) -> bool:
    """Is it the server that stands for none, without a word about who we are?"""
    from ringlog.bridge.nats.access import DEFAULT, Access

    access = transport.settings.access
    return access == Access((DEFAULT,), connect_timeout=access.connect_timeout)


def wait_for_server(stop: threading.Event, notice: Callable[[str], object]) -> None:
    """Return as soon as something listens at the default address, or somebody wants to stop."""
    told = False
    while not stop.is_set() and not somebody_listens():
        if not told:
            notice(f"no server at {HOST}:{PORT} yet, waiting: a push starts one, or ringlog bridge server")
            told = True
        stop.wait(LOOK)
