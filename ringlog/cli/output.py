"""Standard output and standard error as commands use them: whole writes, no buffers left behind."""

from __future__ import annotations

import io
import json
import os
import select
import stat
import sys
from typing import TYPE_CHECKING, Any

import click

from ringlog.cli.errors import ClosedPipe, Failure, code_of

if TYPE_CHECKING:
    from typing_extensions import Buffer

STDIN, STDOUT, STDERR = 0, 1, 2

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


class Output:
    """Standard output for bytes. Nothing is held back: what `write` was given is written."""

    def __init__(self, descriptor: int = STDOUT) -> None:
        self._descriptor = descriptor
        kind = os.fstat(descriptor).st_mode
        self._can_close = stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)

    def write(self, data: bytes | memoryview) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except BrokenPipeError:
                raise ClosedPipe from None
            except OSError as error:
                raise Failure(f"standard output: {error.strerror}", code_of(error)) from error

    def check(self) -> None:
        """Raise `ClosedPipe` if nobody will read, without writing anything."""
        if self._can_close:
            poll = select.poll()
            poll.register(self._descriptor, 0)
            if any(event & select.POLLERR for _, event in poll.poll(0)):
                raise ClosedPipe


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on standard output, for ``--json``."""
    Output().write((json.dumps(value, indent=2) + "\n").encode())


class OutputFile(io.RawIOBase):
    """An `Output` for what wants to write to a file."""

    def __init__(self) -> None:
        self._output = Output()

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        whole = memoryview(data).cast("B")
        self._output.write(whole)
        return whole.nbytes


def say(text: str) -> None:
    """One line on standard error, if there is one."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(f"ringlog: {text}\n")
            sys.stderr.flush()
    except OSError:
        pass


def is_terminal(descriptor: int) -> bool:
    return os.isatty(descriptor) and os.environ.get("TERM") != "dumb"


def has_colours(descriptor: int) -> bool:
    """A terminal, and nobody asked for no colours (https://no-color.org)."""
    return is_terminal(descriptor) and not os.environ.get("NO_COLOR")


def occupy_closed_descriptors() -> None:
    """Let no ring be opened as descriptor 0, 1 or 2 where the caller closed one of them.

    Each is filled with something that can't be used, so that reading or writing it still fails.
    """
    for descriptor in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_WRONLY if descriptor == STDIN else os.O_RDONLY)


def abandon_stdout() -> None:
    """After a closed pipe: the interpreter's own flush at exit must find somewhere to go."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STDOUT)
    os.close(nowhere)
