"""What a NATS server and its Python client need for a message: measured on the loopback, for the simulation.

One real server, and a cluster of three, all on this machine. The processor time is the processes' own, as
the kernel counts it, so it holds where the machine is busy too; the times of acknowledgement don't. Each
cost is a straight line through two sizes, per message and per byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import json
import socket
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psutil

from bench.peers import server

SMALL, MIDDLE, LARGE = 64, 1024, 512 << 10
WINDOW = 32  # messages in flight
STREAM, SUBJECT = "scaling", "scaling"


@contextlib.contextmanager
def servers(folder: Path, count: int, sync: str | None = None) -> Iterator[tuple[str, list[psutil.Process]]]:
    """So many servers, one cluster if there are several: the URL of the first, and their processes."""
    program = server.find("nats-server")
    ports, routes = ([server.free_port() for _ in range(count)] for _ in range(2))
    before = {child.pid for child in psutil.Process().children()}
    with contextlib.ExitStack() as stack:
        for index in range(count):
            place = folder / f"{count}-{sync}-{index}"
            place.mkdir()
            settings: dict[str, Any] = {
                "server_name": f"s{index}",
                "host": "127.0.0.1",
                "port": ports[index],
                "max_payload": 1 << 20,
                "jetstream": {"store_dir": str(place), **({"sync_interval": sync} if sync else {})},
            }
            if count > 1:
                others = [f"nats://127.0.0.1:{port}" for port in routes]
                settings["cluster"] = {
                    "name": "c",
                    "host": "127.0.0.1",
                    "port": routes[index],
                    "routes": others,
                }
            path = place / "nats.conf"
            path.write_text(json.dumps(settings), encoding="utf-8")
            answers = functools.partial(_answers, ports[index])
            stack.enter_context(server.running([program, "-c", str(path)], answers, place / "log"))
        mine = [child for child in psutil.Process().children() if child.pid not in before]
        yield f"nats://127.0.0.1:{ports[0]}", mine


def _answers(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 1):
        pass


def _busy(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


@contextlib.asynccontextmanager
async def _stream(url: str, replicas: int) -> AsyncIterator[tuple[Any, Any]]:
    """A connection and its JetStream, with an empty stream that has as many copies."""
    import nats

    client = await nats.connect(url, pending_size=16 << 20)
    try:
        context = client.jetstream(timeout=2)
        until = time.monotonic() + 60
        while True:  # a cluster elects a leader first
            try:
                await context.add_stream(name=STREAM, subjects=[SUBJECT], num_replicas=replicas)
                break
            except Exception:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.1)
        yield client, client.jetstream(timeout=30)
        await context.delete_stream(STREAM)
    finally:
        await client.close()


async def _publish(context: Any, size: int, count: int) -> None:
    """A window of messages in flight, none behind it before the oldest is acknowledged."""
    data = bytes(size)
    flying: list[Any] = []
    for _ in range(count):
        flying.append(await context.publish_async(SUBJECT, data))
        if len(flying) >= WINDOW:
            await asyncio.gather(*flying)
            flying.clear()
    await asyncio.gather(*flying)


async def _cost(
    url: str, processes: list[psutil.Process], replicas: int, size: int, count: int
) -> dict[str, float]:
    """Seconds of processor time for a message: of client and servers, to publish it and to deliver it."""
    me = [psutil.Process()]
    async with _stream(url, replicas) as (_, context):
        await _publish(context, size, min(count, 64))
        busy, own, clock = _busy(processes), _busy(me), time.perf_counter()
        await _publish(context, size, count)
        found = {
            "server publish": (_busy(processes) - busy) / count,
            "client publish": (_busy(me) - own) / count,
            "publish rate": count / (time.perf_counter() - clock),
        }
        got, done = 0, asyncio.Event()

        async def take(_: Any) -> None:
            nonlocal got
            got += 1
            if got == count:
                done.set()

        busy, own, clock = _busy(processes), _busy(me), time.perf_counter()
        await context.subscribe(SUBJECT, cb=take, ordered_consumer=True, pending_bytes_limit=1 << 30)
        await asyncio.wait_for(done.wait(), 120)
        found |= {
            "server deliver": (_busy(processes) - busy) / count,
            "client deliver": (_busy(me) - own) / count,
            "deliver rate": count / (time.perf_counter() - clock),
        }
    return found


async def _core(url: str, processes: list[psutil.Process], size: int, count: int) -> dict[str, float]:
    """The same without JetStream, published to no reader and then to one: at most once."""
    import nats

    me = [psutil.Process()]
    client = await nats.connect(url, pending_size=16 << 20)
    try:

        async def send() -> tuple[float, float]:
            busy, own = _busy(processes), _busy(me)
            for k in range(count):
                await client.publish("core", data)
                if k % together == 0:
                    await client.flush(30)
            await client.flush(30)
            return (_busy(processes) - busy) / count, (_busy(me) - own) / count

        data = bytes(size)
        together = max(1, (1 << 20) // size)  # more would be a slow consumer, which the server cuts off
        alone = await send()

        async def take(_: Any) -> None:
            pass

        await client.subscribe("core", cb=take, pending_bytes_limit=1 << 30)
        heard = await send()
        return {"server deliver": heard[0] - alone[0], "client deliver": heard[1] - alone[1]}
    finally:
        await client.close()


async def _acknowledged(url: str, replicas: int, size: int, count: int) -> dict[str, float]:
    """Seconds from a publication to its acknowledgement, one at a time."""
    async with _stream(url, replicas) as (_, context):
        data, taken = bytes(size), []
        for _ in range(count + 10):
            clock = time.perf_counter()
            await context.publish(SUBJECT, data)
            taken.append(time.perf_counter() - clock)
    taken = sorted(taken[10:])
    return {"p50": statistics.median(taken), "p99": taken[int(len(taken) * 0.99)]}


def line(small: float, large: float, sizes: tuple[int, int]) -> dict[str, float]:
    """Seconds a message and seconds a byte, of what two sizes took."""
    per_byte = max(0.0, (large - small) / (sizes[1] - sizes[0]))
    return {"message": max(0.0, small - per_byte * sizes[0]), "byte": per_byte}


def measure(count: int = 40_000) -> dict[str, Any]:
    """All of it. count: of small messages; of those that take longer there are fewer."""
    try:
        importlib.import_module("nats")
        server.find("nats-server")
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise SystemExit(f"{error}: pip install -e '.[peers]'") from None
    return asyncio.run(_measure(count))


async def _measure(count: int) -> dict[str, Any]:
    found: dict[str, Any] = {"acknowledged": {}, "samples": {}}
    few = max(200, count // 40)
    with tempfile.TemporaryDirectory(prefix="scaling-") as name:
        folder = Path(name)
        for replicas in (1, 3):
            with servers(folder, replicas) as (url, processes):
                for size, many in ((SMALL, count), (MIDDLE, count), (LARGE, few)):
                    cost = await _cost(url, processes, replicas, size, many)
                    found["samples"][f"R{replicas} {size}"] = cost
                if replicas == 1:
                    for size, many in ((SMALL, count), (LARGE, few)):
                        found["samples"][f"core {size}"] = await _core(url, processes, size, many * 4)
                for size in (MIDDLE, LARGE):
                    found["acknowledged"][f"R{replicas} {size}"] = await _acknowledged(
                        url, replicas, size, few
                    )
        with servers(folder, 1, sync="always") as (url, _):
            for size in (MIDDLE, LARGE):
                found["acknowledged"][f"synced {size}"] = await _acknowledged(url, 1, size, few // 2)
    for what in ("R1", "R3", "core"):
        small, large = (found["samples"][f"{what} {size}"] for size in (SMALL, LARGE))
        found[what] = {
            name: line(small[name], large[name], (SMALL, LARGE))
            for name in small
            if not name.endswith("rate")
        }
    return found
