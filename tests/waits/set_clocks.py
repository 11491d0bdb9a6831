"""Processes whose clocks a test sets."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Child

SECOND = 1_000_000_000


class Clocks:
    """The clocks of processes that were started with `spawn`: of all of them at once, as of a machine."""

    def __init__(self, folder: Path, spawn: Callable[..., Child], monkeypatch: pytest.MonkeyPatch) -> None:
        self._file = folder / "clocks"
        self._spawn = spawn
        self._patch = monkeypatch
        self._library = str(folder / "set_clocks.so")
        source = str(Path(__file__).with_suffix(".c"))
        options = ["-shared", "-fPIC", "-O1", "-Wall", "-Werror"]
        subprocess.run(["gcc", *options, "-o", self._library, source, "-ldl", "-pthread"], check=True)
        self.set()

    def set(self, *, realtime: float = 0.0, monotonic: float = 0.0) -> None:
        """Seconds that each is ahead of the machine's."""
        ahead = struct.pack("<qq", int(realtime * SECOND), int(monotonic * SECOND))
        with open(self._file, "r+b" if self._file.exists() else "w+b", buffering=0) as file:
            file.write(ahead)

    def spawn(self, code: str, *arguments: object) -> Child:
        with self._patch.context() as patch:
            patch.setenv("LD_PRELOAD", self._library)
            patch.setenv("RINGLOG_CLOCKS", str(self._file))
            return self._spawn(code, *arguments)
