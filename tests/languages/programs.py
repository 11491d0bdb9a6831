"""Programs that were started: feeding them, waiting for them, what they said."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import BinaryIO

from processes import GENEROUS

import ringlog

Start = Callable[..., "subprocess.Popen[bytes]"]
CAPACITY = 1 << 16


def finish(process: subprocess.Popen[bytes], data: bytes | None = None, code: int = 0) -> tuple[bytes, str]:
    _, errors = process.communicate(data, timeout=GENEROUS)
    assert process.returncode == code, errors.decode()
    output: BinaryIO = process.output  # type: ignore[attr-defined]
    output.seek(0)
    return output.read(), errors.decode()


def feed(process: subprocess.Popen[bytes], data: bytes, *, end: bool = True) -> None:
    assert process.stdin is not None
    process.stdin.write(data)
    process.stdin.flush()
    if end:
        process.stdin.close()
        process.stdin = None


def fill(writer: ringlog.Writer) -> None:
    for _ in range(3000):
        writer.append(bytes(100))


def ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None
    assert process.stderr.readline() == b"ready\n"


def lines(count: int, what: str = "line") -> list[bytes]:
    return [b"%s %d " % (what.encode(), k) + bytes([65 + k % 26]) * (k % 300) for k in range(count)]
