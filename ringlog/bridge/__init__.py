"""Rings beyond one machine: a ring on each, and NATS JetStream between them.

`push` sends what a ring (or a log) has to a server; `pull` fills a ring of another machine with it: the same
events, under the same sequences, each once. See `Nats` for where to, and `Server` for a server of your own.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringlog.bridge.errors import (
        BadMessage,
        BadSetup,
        BridgeError,
        ConnectFailed,
        MessageTooLarge,
        NotAuthorized,
        OtherStream,
    )
    from ringlog.bridge.figures import Figures
    from ringlog.bridge.nats import Nats
    from ringlog.bridge.pulling import pull
    from ringlog.bridge.pushing import push
    from ringlog.bridge.server import Server, ServerFailed
    from ringlog.bridge.transport import Transport

__all__ = [
    "BadMessage",
    "BadSetup",
    "BridgeError",
    "ConnectFailed",
    "Figures",
    "MessageTooLarge",
    "Nats",
    "NotAuthorized",
    "OtherStream",
    "Server",
    "ServerFailed",
    "Transport",
    "pull",
    "push",
]

# Imported when they are first asked for: who only looks at what pushes and pulls say of themselves (top,
# doctor, the exporter) needs no asyncio and no TLS, which take longer than all the rest.
_PLACES = {
    "errors": (
        *("BadMessage", "BadSetup", "BridgeError", "ConnectFailed"),
        *("MessageTooLarge", "NotAuthorized", "OtherStream"),
    ),
    "figures": ("Figures",),
    "nats": ("Nats",),
    "pulling": ("pull",),
    "pushing": ("push",),
    "server": ("Server", "ServerFailed"),
    "transport": ("Transport",),
}
_PLACE = {name: module for module, names in _PLACES.items() for name in names}


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # where it would make every name one of ours

    def __getattr__(name: str) -> object:
        if name not in _PLACE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(f"{__name__}.{_PLACE[name]}"), name)
        globals()[name] = found
        return found
