"""What the tests say of terminals: what is shown there, and how it ends."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

import pexpect

import ringlog

Terminal = Callable[..., "pexpect.spawn[str]"]  # the fixtures that run a command: in a terminal,
Inside = Callable[..., tuple[int, str, str]]  # and in this process


def finish(child: pexpect.spawn[str]) -> str:
    """What it prints to its end; its exit code is then known."""
    child.expect(pexpect.EOF)
    child.close()
    return str(child.before)


def until_shown(child: pexpect.spawn[str], *words: str) -> None:
    """Wait for a line with these, in this order; each drawing of it ends with a carriage return."""
    child.expect(r"[^\r]*".join(map(re.escape, words)))


def there(ring: str, count: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return ringlog.info(ring).event_count >= count
    return False
