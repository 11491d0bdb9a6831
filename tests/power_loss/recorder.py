"""Starts recorded processes and reads their logs."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
PAGE = 4096
HEADER = struct.Struct("<5Q")  # used, stores, kill_at, fail_sync, unseen
RECORD = struct.Struct("<HHIQQ")
RECORDS = 2 * PAGE + 96 * (1 << 20)  # where they begin, behind the header and a shadow of each file
BY_KIND = {ord(kind): kind for kind in "SPEMLDBTNUK"}


class Step(NamedTuple):
    """One line of a log.

    kind: S, bytes were stored at `offset` (none: what was stored was there already); P, a page is to be
    synced; E, the sync of the pages since the last E has ended, with an error if `extra`; M, a mark; L, the
    file was given its name; D, its directory was synced; B, the file as it was found.

    Of a log's files, each with a number: T, the file has the size `extra` now; N, it got a name, perhaps
    instead of another; U, a name is gone; K, the log's directory was made; D with an `offset`: the directory
    that it is in.
    """

    kind: str
    offset: int
    extra: int
    data: bytes
    file: int = 0


class Recording(NamedTuple):
    steps: list[Step]
    stores: int
    unseen: int  # bytes that changed without a store that was seen


def build(folder: Path) -> Path:
    """Compile the recorder."""
    library = folder / "store_recorder.so"
    options = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["gcc", *options, HERE / "store_recorder.c", "-o", library, "-ldl"], check=True)
    return library


def read_log(path: str | os.PathLike[str]) -> Recording:
    steps = []
    with open(path, "rb") as log:
        used, stores, _, _, unseen = HEADER.unpack(log.read(HEADER.size))
        log.seek(RECORDS)
        text = log.read(used)
    at = 0
    while at < used:
        kind, file, size, offset, extra = RECORD.unpack_from(text, at)
        at += RECORD.size
        steps.append(Step(BY_KIND[kind], offset, extra, text[at : at + size], file))
        at += (size + 7) & ~7
    return Recording(steps, stores, unseen)


def record(library: Path, disk: Path, tasks: Sequence[dict[str, Any]]) -> Iterable[Recording]:
    """Run scenarios on rings or logs in `disk`, one after the other, in processes that are recorded.

    A task has the scenario's name, a seed, and perhaps: arguments; image, the file (or a log's folder) to
    begin with; boot_id (hex), which boot of the machine it believes in; label, of the first event.
    """
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        for number, task in enumerate(tasks):
            task["log"] = f"{folder}/{number}.log"
            kind = "log" if task["scenario"].startswith("log_") else "ring"
            task["path"] = os.path.realpath(f"{disk}/{number}/{kind}")
        process = subprocess.run(
            [sys.executable, HERE / "recorded.py"],
            input="".join(json.dumps(task) + "\n" for task in tasks),
            env={**os.environ, "LD_PRELOAD": str(library)},
            capture_output=True,
            text=True,
            timeout=300 + 10 * len(tasks),
        )
        if process.returncode:
            raise AssertionError(f"{process.stdout}\n{process.stderr}")
        for task in tasks:
            yield read_log(task["log"])
            os.unlink(task["log"])
