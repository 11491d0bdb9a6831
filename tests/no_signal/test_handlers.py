"""SIGBUS is a signal of the whole process: ours to answer in a ring's memory, and others' everywhere else."""

from __future__ import annotations

import signal
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Child

PREPARE = """
import faulthandler, mmap, tempfile
def ring():
    writer = ringlog.Writer(path, capacity=1 << 16)
    for k in range(40):
        writer.append(b"x" * 1000)
    return writer, ringlog.Reader(path, start="oldest")
def told(reader):
    try:
        while reader.poll() is not None:
            pass
    except ringlog.StreamTruncated:
        say("told")
def other_fault():
    '''A bus error that is no business of ours.'''
    with tempfile.TemporaryFile() as file:
        file.truncate(8192)
        mapped = mmap.mmap(file.fileno(), 8192)
        file.truncate(0)
        return mapped[5000]
def close(*handles):
    for handle in handles:
        try:
            handle.close()
        except ringlog.StreamTruncated:
            pass
"""
IN_A_THREAD = "thread = threading.Thread(target=told, args=(reader,)); thread.start(); thread.join()\n"
BEFORE = "faulthandler.enable()\nwriter, reader = ring()\n"
AFTER = "writer, reader = ring()\nfaulthandler.enable()\n"
BETWEEN = AFTER + "ringlog.Reader(path).close()\n"  # what is opened next puts us on top again
AGAIN = BETWEEN + "faulthandler.disable()\nfaulthandler.enable()\n"
# Enabled before us, its disable() throws us out: it restores what it found. What is opened next puts us back.
THROWN_OUT = BEFORE + "faulthandler.disable()\nringlog.Reader(path).close()\nfaulthandler.enable()\n"
ORDERS = {
    "before": BEFORE,
    "after": AFTER,
    "between": BETWEEN,
    "again-and-again": AGAIN,
    "thrown-out": THROWN_OUT,
}
orders = pytest.mark.parametrize("order", ORDERS.values(), ids=list(ORDERS))
CUT = "os.truncate(path, 0)\n"

Spawn = Callable[..., Child]


@orders
def test_faulthandler_and_a_fault_of_ours(spawn: Spawn, ring_path: str, order: str) -> None:
    child = spawn(PREPARE + order + CUT + "told(reader)\ntold(reader)\nclose(reader, writer)", ring_path)
    assert child.finish().split() == ["told", "told"]


@orders
def test_the_same_in_a_thread(spawn: Spawn, ring_path: str, order: str) -> None:
    child = spawn(PREPARE + order + CUT + IN_A_THREAD + "close(reader, writer)", ring_path)
    assert child.finish().split() == ["told"]


@orders
def test_faulthandler_and_a_fault_of_others(spawn: Spawn, ring_path: str, order: str) -> None:
    child = spawn(PREPARE + order + "other_fault()", ring_path)
    child.finish(code=-signal.SIGBUS)
    assert "Bus error" in child.errors()
    assert "other_fault" in child.errors()


def test_a_handler_that_was_disabled_since_does_not_hold_the_end_up(spawn: Spawn, ring_path: str) -> None:
    """It is still called, and returns at once: the instruction would fault again and again."""
    child = spawn(
        PREPARE + BETWEEN + "faulthandler.disable()\n" + CUT + "told(reader)\nother_fault()", ring_path
    )
    assert child.line() == "told"
    child.finish(code=-signal.SIGBUS)


def test_first_a_fault_of_ours_then_one_of_others(spawn: Spawn, ring_path: str) -> None:
    child = spawn(PREPARE + BEFORE + CUT + "told(reader)\nother_fault()", ring_path)
    assert child.line() == "told"
    child.finish(code=-signal.SIGBUS)
    assert child.errors().count("Bus error") == 1


@pytest.mark.parametrize("cut", ["", CUT + "told(reader)\n"], ids=["sound", "cut"])
def test_without_a_handler_the_process_ends_as_it_would(spawn: Spawn, ring_path: str, cut: str) -> None:
    child = spawn(PREPARE + "writer, reader = ring()\n" + cut + "other_fault()", ring_path)
    child.finish(code=-signal.SIGBUS)


def test_a_signal_that_somebody_sends_ends_the_process(spawn: Spawn, ring_path: str) -> None:
    for send in ("signal.raise_signal(signal.SIGBUS)", "os.kill(os.getpid(), signal.SIGBUS); time.sleep(20)"):
        child = spawn(PREPARE + "writer, reader = ring()\n" + send, ring_path)
        child.finish(code=-signal.SIGBUS)
    child = spawn(PREPARE + "writer, reader = ring()\nsay('here')\ntime.sleep(20)", ring_path)
    assert child.line() == "here"
    child.signal(signal.SIGBUS)
    child.finish(code=-signal.SIGBUS)


def test_an_ignored_signal_stays_ignored(spawn: Spawn, ring_path: str) -> None:
    code = "signal.signal(signal.SIGBUS, signal.SIG_IGN)\nwriter, reader = ring()\n"
    child = spawn(
        PREPARE
        + code
        + "os.kill(os.getpid(), signal.SIGBUS)\nsay('on')\n"
        + CUT
        + "told(reader)\nclose(reader, writer)",
        ring_path,
    )
    assert child.finish().split() == ["on", "told"]


def test_a_python_handler_hears_what_is_sent(spawn: Spawn, ring_path: str) -> None:
    code = "signal.signal(signal.SIGBUS, lambda *_: say('heard'))\nwriter, reader = ring()\n"
    child = spawn(
        PREPARE
        + code
        + "os.kill(os.getpid(), signal.SIGBUS)\n"
        + CUT
        + "told(reader)\nclose(reader, writer)",
        ring_path,
    )
    assert child.finish().split() == ["heard", "told"]


NATIVE = r"""
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
static sigjmp_buf back;
static int calls;
static void *seen;
static void handler(int n, siginfo_t *info, void *c) { calls++; seen = info->si_addr; siglongjmp(back, 1); }
void install(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &action, 0);
}
/* How often the handler has saved us from touching a page behind the end of a file; it is told where. */
int provoke(int fd) {
    volatile char *page = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0);
    if (sigsetjmp(back, 1) == 0)
        (void)*page;
    return seen == (void *)page ? calls : -1;
}
"""


def test_a_native_handler_that_jumps_away(spawn: Spawn, ring_path: str, tmp_path: Path) -> None:
    """Another library's own answer to bus errors goes on working, also many times."""
    source, library = tmp_path / "other.c", tmp_path / "other.so"
    source.write_text(NATIVE)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    code = """
    import ctypes
    other = ctypes.CDLL(sys.argv[2])
    other.install()
    writer, reader = ring()
    with tempfile.TemporaryFile() as empty:
        for k in range(3):
            say(other.provoke(empty.fileno()))
        os.truncate(path, 0)
        told(reader)
        say(other.provoke(empty.fileno()))
    close(reader, writer)
    """
    child = spawn(PREPARE + textwrap.dedent(code), ring_path, library)
    assert child.finish().split() == ["1", "2", "3", "told", "4"]
