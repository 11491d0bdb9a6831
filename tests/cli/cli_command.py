"""Running the command line as real processes, and looking at what they did."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ringlog

_SCRIPT = Path(sysconfig.get_path("scripts"), "ringlog")
COMMAND = [str(_SCRIPT)] if _SCRIPT.exists() else [sys.executable, "-m", "ringlog"]
PATIENCE = 60.0  # seconds until something that has to happen counts as never happening
NOBODY = 65534

Start = Callable[..., subprocess.Popen[bytes]]  # the fixture that starts a command

_AS_NOBODY = f"""
import importlib, os, sys
import click, json, rich
import ringlog.cli, ringlog.cli.app
for verb in ringlog.cli.app.VERBS:
    importlib.import_module("ringlog.cli." + ringlog.cli.app.MODULES.get(verb, verb))
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
sys.exit(ringlog.cli.main())
"""


def run_as_nobody(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run ``ringlog`` as a user without privileges, even one who could not start this interpreter."""
    return subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        cwd="/",
    )


def run(
    *arguments: str, data: bytes | None = None, code: int = 0, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run ``ringlog`` to its end and check its exit code."""
    if data is None:
        options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(
        [*COMMAND, *arguments], check=False, input=data, capture_output=True, timeout=PATIENCE, **options
    )
    assert done.returncode == code, (done.returncode, done.stdout[-2000:], done.stderr.decode())
    assert b"Traceback" not in done.stderr
    return done


def out(*arguments: str, **options: Any) -> bytes:
    """What ``ringlog`` prints, saying nothing on standard error."""
    done = run(*arguments, **options)
    assert done.stderr == b""
    return done.stdout


def error(*arguments: str, code: int, **options: Any) -> str:
    """What ``ringlog`` says as it fails, printing nothing."""
    done = run(*arguments, code=code, **options)
    assert done.stdout == b""
    return done.stderr.decode()


def events(ring: str) -> list[bytes]:
    """The data of all events in the ring, by way of JSON or base64."""
    found = []
    for line in out("tail", "--no-follow", "--format", "json", ring).splitlines():
        event = json.loads(line)
        if "data" in event:
            found.append(event["data"].encode())
        else:
            found.append(base64.b64decode(event["data_base64"]))
    return found


def until(condition: Callable[[], object], process: subprocess.Popen[bytes] | None = None) -> None:
    """Wait for the condition, as long as it takes; but not for a process that has died."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        assert process is None or process.poll() is None, f"ended with {process.returncode}"
        time.sleep(0.01)


def count(ring: str) -> int:
    """The events published so far; 0 without a ring."""
    try:
        return ringlog.info(ring).event_count
    except FileNotFoundError:
        return 0


def until_count(ring: str, events: int, process: subprocess.Popen[bytes] | None = None) -> None:
    """Wait for so many events to be published."""
    until(lambda: count(ring) >= events, process)


def environment(**changes: str | None) -> dict[str, str]:
    """The environment of a plain terminal, with changes."""
    variables: dict[str, str | None] = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": None, **changes}
    return {name: value for name, value in variables.items() if value is not None}
