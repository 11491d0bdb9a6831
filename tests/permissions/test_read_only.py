"""G8: who may only read a ring changes no byte of it, whatever it tries. As another user, on a live ring."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from oracle import RingFile
from processes import BECOME, NOBODY, Child, run

import ringlog
from ringlog import liveness

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")

# Another user may not be let in where the modules are: they come first.
BECOME_NOBODY = """
import asyncio, ctypes, mmap, resource
from select import select
import numpy
import ringlog.aio
""" + BECOME.format(user=NOBODY)

# Holds everything that a reader can hold, and tries to write through all of it.
INTRUDER = """
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: /proc/self/mem is its own again

def mappings():
    with open("/proc/self/maps") as maps:
        for line in maps:
            if line.rstrip("\\n").endswith(path):
                addresses, permissions = line.split()[:2]
                begin, end = (int(text, 16) for text in addresses.split("-"))
                yield begin, end, permissions

def refused(what, attempt):
    try:
        attempt()
    except (OSError, TypeError, ValueError, BufferError):
        return
    say("could", what)

def mprotect(begin, size):
    if libc.mprotect(ctypes.c_void_p(begin), ctypes.c_size_t(size), mmap.PROT_READ | mmap.PROT_WRITE):
        raise OSError(ctypes.get_errno(), "mprotect")

def dies(begin):
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        ctypes.memset(begin, 0x5A, 1)
        os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])

reader = ringlog.Reader(path, start="oldest")
first, batch = reader.poll(), reader.read_batch(10)
view = reader.view()
event = view.__enter__()
found = list(mappings())
say(len(found), *sorted({permissions for _, _, permissions in found}))

for begin, end, _ in found:
    for page in {begin, (begin + end) // 2 // 4096 * 4096, end - 4096}:
        assert dies(page) == signal.SIGSEGV
        refused("mprotect", lambda: mprotect(page, 4096))
        memory = os.open("/proc/self/mem", os.O_RDWR)
        refused("/proc/self/mem", lambda: os.pwrite(memory, b"Z", page))
        os.close(memory)

refused("write to a view", lambda: event.data.__setitem__(0, 90))
refused("ctypes on a view", lambda: (ctypes.c_char * 1).from_buffer(event.data))
array = numpy.frombuffer(event.data, numpy.uint8)
refused("numpy on a view", lambda: array.__setitem__(0, 90))
refused("numpy flags", lambda: array.setflags(write=True))
del array
for number in os.listdir("/proc/self/fd"):
    try:
        if os.readlink(f"/proc/self/fd/{number}") != path:
            continue
    except OSError:
        continue
    fd = int(number)
    refused("write", lambda: os.pwrite(fd, b"Z", 0))
    refused("truncate", lambda: os.ftruncate(fd, 0))
    refused("chmod", lambda: os.fchmod(fd, 0o666))
    refused("reopen", lambda: os.close(os.open(f"/proc/self/fd/{fd}", os.O_RDWR)))
    refused("map", lambda: mmap.mmap(fd, 4096))
    say("descriptor")
for flags in (os.O_RDWR, os.O_WRONLY, os.O_RDONLY | os.O_TRUNC):
    refused("open", lambda: os.close(os.open(path, flags)))
refused("rename", lambda: os.rename(path, path + "x"))
refused("unlink", lambda: os.unlink(path))
for what in ("Writer(path)", "Writer(path, lock='session')", "Reader(path, lossless=True)",
             "Reader(path, name='n')", "forget(path, 'n')", "unlink(path)"):
    try:
        eval("ringlog." + what)
        say("could", what)
    except PermissionError:
        pass
ringlog.info(path), ringlog.verify(path), ringlog.repair(path, apply=True)
say("tried")
sys.stdin.readline()
view.__exit__(None, None, None)
while reader.poll():
    pass
say(reader.sequence)
"""

WAITER = """
say("ready")
for wait in ("adaptive", "yield", "sleep"):
    with ringlog.Reader(path, wait=wait) as reader:
        try:
            reader.read(0.02)
        except TimeoutError:
            pass
        select([reader], [], [], 0.02)
        reader.poll()
        select([reader], [], [], 0.02)
async def waits():
    with ringlog.Reader(path) as reader:
        try:
            await asyncio.wait_for(anext(reader), 0.02)
        except asyncio.TimeoutError:
            pass
asyncio.run(waits())
say("waited")
"""


def digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@as_root
@pytest.mark.parametrize("mode", [0o644, 0o604, 0o444])
def test_it_can_change_nothing(ring_path: str, mode: int, spawn: Callable[..., Child]) -> None:
    ringlog.create(ring_path, 1 << 16, mode=mode)
    with ringlog.Writer(ring_path) as writer:
        for k in range(100):
            writer.append(b"%d" % k)
        before = digest(ring_path)
        child = spawn(BECOME_NOBODY + INTRUDER, ring_path)
        said = []
        while (line := child.line()) != "tried":
            said.append(line)
        assert digest(ring_path) == before
        assert said[0] == "3 r--s", said  # the header, and the data twice
        assert set(said[1:]) == {"descriptor"}, said
        writer.append(b"last")  # and it goes on
        child.tell()
        assert child.finish() == "101\n"


@as_root
def test_waiting_readers_change_nothing_either(ring_path: str, spawn: Callable[..., Child]) -> None:
    """No word says that they sleep, in whichever way they wait."""
    ringlog.create(ring_path, 1 << 16, mode=0o644)
    before = digest(ring_path)
    child = spawn(BECOME_NOBODY + WAITER, ring_path)
    assert child.line() == "ready"
    with RingFile(ring_path, writable=False) as file:
        while True:  # in the midst of it, again and again
            assert (file["sleepers"], file["sleepers_futex"], file["room_wanted"]) == (0, 0, 0)
            if child.process.poll() is not None:
                break
    child.finish()
    assert digest(ring_path) == before


@as_root
@pytest.mark.parametrize("mode", [0o600, 0o620, 0o602, 0o000])
def test_without_read_permission_nothing_is_told(ring_path: str, mode: int) -> None:
    """Also with write permission alone, which can't be mapped."""
    ringlog.create(ring_path, 1 << 16, mode=mode)
    code = """
        for attempt in (ringlog.Reader, ringlog.Writer, ringlog.info, ringlog.verify, ringlog.repair):
            try:
                attempt(path)
                say("could", attempt)
            except PermissionError as error:
                assert error.filename == path, error
        """
    assert run(code, ring_path, user=NOBODY) == ""


@as_root
def test_locks_of_a_reader_stop_nobody_who_is_there(
    ring_path: str, spawn: Callable[..., Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel gives read locks to whoever may read, also on the bytes that leases stand for. Those who
    have the ring open go on, and the living are not taken for dead; but opening for writing has to wait for
    the lock to go, and says so."""
    ringlog.create(ring_path, 1 << 16, mode=0o644)
    with ringlog.Writer(ring_path) as writer, ringlog.Reader(ring_path, lossless=True) as reader:
        child = spawn(
            """
            import fcntl, struct
            fd = os.open(path, os.O_RDONLY)
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 1 << 16, 0, 0))
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 1536, 1, 0))
            say("locked")
            sys.stdin.readline()
            """,
            ring_path,
            user=NOBODY,
        )
        assert child.line() == "locked"
        monkeypatch.setattr(liveness.take_lease, "__defaults__", (0.2,))
        for attempt in (lambda: ringlog.Writer(ring_path), lambda: ringlog.Reader(ring_path, name="n")):
            with pytest.raises(TimeoutError, match="stuck while it attaches"):
                attempt()
        for k in range(5000):
            assert writer.append(b"x" * 100) == k
            assert reader.poll().sequence == k
        ringlog.Reader(ring_path).close()
        assert [one.state for one in ringlog.info(ring_path).writers] == ["active"]
        child.kill()
        ringlog.Writer(ring_path).close()
