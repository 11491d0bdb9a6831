"""Whole ring files with patches at named fields, opened by everything that opens one.

Each case runs in a child process, many in one: it has to come through them by itself. A signal, a hang, an
exception that is not ours, or an event that nobody wrote is what this looks for. What opens a file is a line
in `OPENERS`.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple, TextIO

sys.path.insert(0, str(Path(__file__).parent.parent))

import posix_ipc
import scribble
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from oracle import FIELDS, FIRST, HEADER_SIZE, READER_SLOT_SIZE, RingFile

import ringlog
import ringlog.cli

CAPACITY = 65536
HANGS = 30.0  # seconds that no case needs
OTHER_BOOT = b"another boot id!"
PAYLOADS = [bytes([k % 251]) * (k * 37 % 300 + 1) for k in range(700)]
WRITTEN = {
    b"",
    b"new",
    bytes(40),
    b"a" * 10_000,
    b"a" * 30_000,
    *PAYLOADS,
}  # b"": the checksum of nothing is 0, as zeros say

# ---- patches ----


def _fields() -> list[tuple[str, int, str]]:
    """(name, offset, struct code) of every number in the header and of some of those that repeat."""
    found = [(name, offset, code) for name, (offset, code) in FIELDS.items() if code in "qQI"]
    for number in (0, 1, 3):
        at = HEADER_SIZE + number * READER_SLOT_SIZE
        names = "state pid start_time opened flags cursor p0 s0 p1 s1 activity lost_from name_size"
        offsets = (0, 8, 16, 24, 32, 64, 72, 80, 88, 96, 104, 112, 128)
        codes = "QqqqIqqqqqqqB"
        found += [
            (f"reader[{number}].{n}", at + o, c)
            for n, o, c in zip(names.split(), offsets, codes, strict=True)
        ]
        at = 8192 + number * 128
        for name, offset in (
            ("state", 0),
            ("pid", 8),
            ("start_time", 16),
            ("opened", 24),
            ("last_publish", 64),
        ):
            found.append((f"writer[{number}].{name}", at + offset, "q" if offset else "Q"))
    for number in (0, 40, 100, 127):
        found += [(f"mark[{number}].{k}", 4096 + 32 * number + 8 * k, "q") for k in range(3)]
    for number in (0, 1):
        found += [(f"commit[{number}].{k}", 512 + 512 * number + 8 * k, "q") for k in range(6)]
    found.append(("reader_bits", 1536, "Q"))
    return found


NUMBERS = _fields()


class Patch(NamedTuple):
    """A number at a place; or, without a name, raw bytes there. `late`: once the file is open."""

    name: str
    offset: int
    data: bytes
    late: bool


def _values(honest: list[int]) -> st.SearchStrategy[int]:
    near = st.builds(
        lambda base, delta, unit: base + delta * unit,
        st.sampled_from([*honest, 0, CAPACITY, 1 << 31, 1 << 32, 1 << 62, 1 << 63]),
        st.integers(-3, 3),
        st.sampled_from([1, 16, 1024, CAPACITY]),
    )
    return near | st.integers(-(1 << 63), (1 << 64) - 1)


def _number(field: tuple[str, int, str], value: int, late: bool) -> Patch:
    name, offset, code = field
    size = struct.calcsize("<" + code)
    return Patch(name, offset, (value % (1 << 8 * size)).to_bytes(size, "little"), late)


def _pair(which: str, position: int, sequence: int, late: bool) -> Patch:
    """The word and both records say so: as if it had been published."""
    word = FIELDS[{"head": "write_offset", "tail": "tail_offset", "gate": "gate_offset"}[which]][0]
    wide = [(value % (1 << 64)).to_bytes(8, "little") for value in (position, sequence)]
    if which != "head":
        return Patch(which, word, wide[0] + wide[0] + wide[1] + wide[0] + wide[1], late)
    return Patch(which, 0, wide[0] + wide[1] + bytes(8) + wide[0] * 2 + wide[1] + wide[0] + wide[1], late)


def patches(honest: list[int]) -> st.SearchStrategy[list[Patch]]:
    values = _values(honest)
    number = st.builds(_number, st.sampled_from(NUMBERS), values, st.booleans())
    pair = st.builds(_pair, st.sampled_from(["head", "tail", "gate"]), values, values, st.booleans())
    anywhere = st.integers(0, 32768) | st.integers(65536, 131071)
    raw = st.builds(Patch, st.just(""), anywhere, st.binary(min_size=1, max_size=24), st.booleans())
    boot = st.just(Patch("boot_id", FIELDS["boot_id"][0], OTHER_BOOT, False))
    return st.lists(number | number | pair | raw | boot, min_size=1, max_size=6)


# ---- files ----


def make_files(folder: Path) -> list[bytes]:
    """Honest rings: empty; lapped, with a kept name; short, and ended."""
    made = []
    for number, count in enumerate((0, 700, 20)):
        path = folder / f"honest-{number}"
        ringlog.create(path, CAPACITY, max_readers=8)
        with ringlog.Writer(path) as writer:
            for k in range(count):
                writer.append(PAYLOADS[k])
            if count == 700:
                with ringlog.Reader(path, name="known", start="oldest") as reader:
                    reader.read_many(100)
            if count == 20:
                writer.end()
        made.append(path.read_bytes())
        ringlog.unlink(path)
    return made


# ---- what is done to each ----

Late = Callable[[], None]


def _check(events: Any) -> None:
    for event in events:
        if bytes(event.data) not in WRITTEN:
            raise AssertionError(f"an event that nobody wrote: {event}")


def _reader(**how: Any) -> Callable[[str, Late], None]:
    def use(path: str, late: Late) -> None:
        with ringlog.Reader(path, **how) as reader:
            late()
            for read in (
                lambda: _check(reader.read_many(50)),
                lambda: _check(reader.read_batch(400)),
                lambda: _view(reader),
                lambda: _check([event] if (event := reader.poll()) else []),
                lambda: reader.seek("oldest"),
                lambda: _check(reader.read_batch(2000)),
                lambda: reader.lag,
                lambda: reader.commit(),
            ):
                _allowed(read)

    return use


def _view(reader: ringlog.Reader) -> None:
    if (view := reader.view()) is not None:
        with view as event:
            data = bytes(event.data)
        _check([(ringlog.Event(event.sequence, event.timestamp, data))])


def _writer(**how: Any) -> Callable[[str, Late], None]:
    def use(path: str, late: Late) -> None:
        with ringlog.Writer(path, timeout=0.01, **how) as writer:
            late()
            for write in (
                lambda: writer.append(b"new"),
                lambda: writer.append_many([b"new"] * 3),
                lambda: writer.append(b"a" * 30_000),
                lambda: writer.append(b"a" * 30_000),
                lambda: writer.append(b"a" * 30_000),
                lambda: _claim(writer),
                lambda: writer.end(),
            ):
                _allowed(write)

    return use


def _busy(path: str, late: Late) -> None:
    """Others are there, and what the file says about them is told."""
    with ringlog.Writer(path, timeout=0.01) as writer, ringlog.Reader(path, name="known") as reader:
        late()
        for ask in (
            lambda: ringlog.info(path),
            lambda: _command(path),
            lambda: ringlog.Reader(path, name="known").close(),
            lambda: ringlog.forget(path, "known"),
            lambda: _claim(writer, while_held=lambda: _allowed(lambda: _append_once(path))),
            lambda: _check(reader.read_many()),
            lambda: writer.append_many([b"a" * 10_000] * 3),
            lambda: writer.append_many([b"a" * 10_000] * 3),
            lambda: writer.append_many([b"a" * 10_000] * 3),
        ):
            _allowed(ask)


def _append_once(path: str) -> None:
    with ringlog.Writer(path, timeout=0.01) as other:
        other.append(b"new")


def _claim(writer: ringlog.Writer, while_held: Callable[[], None] = lambda: None) -> None:
    with writer.claim(40) as view:
        view[:] = bytes(40)
        while_held()


def _once(function: Callable[[str], Any]) -> Callable[[str, Late], None]:
    return lambda path, late: (late(), function(path))[0]


def _command(path: str) -> None:
    for arguments in (["info", path], ["info", "--json", path]):
        code = ringlog.cli.main(arguments)
        if code not in range(7):
            raise AssertionError(f"ringlog {' '.join(arguments)}: exit code {code}")


OPENERS: dict[str, Callable[[str, Late], None]] = {
    "info": _once(ringlog.info),
    "command": _once(_command),
    "oldest": _reader(start="oldest"),
    "latest": _reader(start="latest", on_overrun="skip"),
    "sequence": _reader(start=7),
    "time": _reader(start=datetime(2020, 1, 1, tzinfo=timezone.utc)),
    "lossless": _reader(start="oldest", lossless=True),
    "known": _reader(name="known"),
    "writer": _writer(),
    "session": _writer(lock="session"),
    "busy": _busy,
    "again": _reader(start="oldest", on_overrun="skip"),
    "forget": _once(lambda path: ringlog.forget(path, "known")),
    "unlink": _once(ringlog.unlink),
}
for _name in ("verify",):  # of a release that has it
    if hasattr(ringlog, _name):
        OPENERS[_name] = _once(getattr(ringlog, _name))


def _allowed(call: Callable[[], Any]) -> None:
    try:
        call()
    except Exception as error:
        if not scribble.expected(error):
            raise


class Case:
    """One honest file, its patches, and what they are for each that opens it."""

    def __init__(self, folder: Path, honest: bytes) -> None:
        self.path = str(folder / "ring")
        self.honest = honest

    def run(self, given: list[Patch]) -> int:
        names: set[str] = set()
        try:
            for opener, use in OPENERS.items():
                del opener
                Path(self.path).write_bytes(self.honest)
                self._apply([patch for patch in given if not patch.late], names)
                late = [patch for patch in given if patch.late]
                _allowed(lambda use=use, late=late: use(self.path, lambda: self._apply(late, names)))  # type: ignore[misc]
        finally:
            for name in names:
                with contextlib.suppress(posix_ipc.ExistentialError):
                    posix_ipc.unlink_semaphore(name)
        return len(OPENERS)

    def _apply(self, given: list[Patch], names: set[str]) -> None:
        if not os.path.exists(self.path):
            return
        with open(self.path, "r+b", buffering=0) as file:
            for patch in given:
                file.seek(patch.offset)
                file.write(patch.data)
            file.seek(FIELDS["file_id"][0])
            names.add(f"/ringlog-{file.read(16).hex()}")


# ---- the child, and who watches it ----


def child(folder: Path, seconds: float, first: int, said: TextIO) -> None:
    """Cases until the time is over; the case that is being run is written down first."""
    faulthandler.enable(said)
    warnings.simplefilter("error")
    files = make_files(folder)
    until = time.monotonic() + seconds
    opened = turn = 0
    while time.monotonic() < until:
        dice = random.Random(first * 1_000_003 + turn)
        honest = files[turn % len(files)]
        (folder / "probe").write_bytes(honest)
        with RingFile(folder / "probe", writable=False) as probe:
            near = [*probe.pair("head"), *probe.pair("tail"), FIRST]
        case = Case(folder, honest)

        def one(patched: list[Patch]) -> None:
            nonlocal opened
            (folder / "case").write_text(repr(patched))
            faulthandler.dump_traceback_later(HANGS, exit=True, file=said)
            opened += case.run(patched)  # noqa: B023

        check = settings(
            max_examples=20,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )(given(patches(near))(one))
        seed(dice.getrandbits(64))(check)()
        turn += 1
    faulthandler.cancel_dump_traceback_later()
    print(f"api: {turn * 20} cases, {opened} hostile files opened", file=said)


def run(seconds: float, seed_number: int) -> bool:
    print(f"api: seed {seed_number}", flush=True)
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    folder = Path(tempfile.mkdtemp(prefix="ringlog-fuzz-", dir=memory))
    try:
        program = [sys.executable, __file__, str(folder), str(seconds), str(seed_number)]
        done = subprocess.run(program, timeout=seconds + 5 * HANGS, check=False)
        if done.returncode == 0:
            return True
        case = folder / "case"
        how = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit code {done.returncode}"
        print(
            f"api: ended by {how}; the last case: {case.read_text() if case.exists() else 'none'}", flush=True
        )
        return False
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    ours = os.fdopen(os.dup(2), "w", buffering=1)
    for number in (1, 2):  # the command line writes there, too
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    try:
        child(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), ours)
    except BaseException:
        traceback.print_exc(file=ours)
        sys.exit(1)
