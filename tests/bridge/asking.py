"""Questions to a server itself, past push and pull."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import nats

from ringlog.bridge import Server


def ask(server: Server, question: Callable[[Any], Awaitable[Any]]) -> Any:
    """Ask JetStream directly."""

    async def main() -> Any:
        client = await nats.connect(server.url)
        try:
            return await question(client.jetstream())
        finally:
            await client.close()

    return asyncio.run(main())


def stream_at(server: Server, subject: str) -> str:
    return str(ask(server, lambda js: js.find_stream_name_by_subject(subject)))
