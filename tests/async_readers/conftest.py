from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from descriptor_support import native_threads
from processes import GENEROUS, eventually

import ringlog


@pytest.fixture
def ring(ring_path: str) -> str:
    ringlog.create(ring_path, 65536)
    return ring_path


@pytest.fixture
def rings(ring_folder: Path) -> list[str]:
    """Three rings."""
    paths = [str(ring_folder / f"ring-{k}") for k in range(3)]
    for path in paths:
        ringlog.create(path, 65536)
    return paths


@pytest.fixture(autouse=True)
def _thread_ends() -> Iterator[None]:
    """Whatever a test does: when its readers are closed, the native thread ends."""
    yield
    eventually(lambda: not list(native_threads()))


@pytest.fixture(params=["asyncio", "uvloop"])
def new_loop(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    if request.param == "asyncio":
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = pytest.importorskip("uvloop").new_event_loop
    return factory


@pytest.fixture
def run(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine to its end in a loop of each kind; what it returned."""

    def run_in_loop(main: Coroutine[Any, Any, Any]) -> Any:
        loop = new_loop()
        try:
            return loop.run_until_complete(asyncio.wait_for(main, GENEROUS))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    return run_in_loop
