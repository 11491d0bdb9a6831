"""Tokens that are too many: they let nobody in (tests/writers), and nobody runs hot on them."""

from __future__ import annotations

import contextlib

import posix_ipc
import pytest
from oracle import RingFile
from waits_support import SESSION, Spawn, append, stop

import ringlog


def semaphore(path: str) -> posix_ipc.Semaphore:
    with RingFile(path, writable=False) as file:
        return posix_ipc.Semaphore(f"/ringlog-{file.raw('file_id').hex()}")


def test_a_writer_that_finds_no_room_brings_no_token(ring: str) -> None:
    with ringlog.Reader(ring, lossless=True), ringlog.Writer(ring, timeout=0) as writer:
        for _ in range(200):
            with contextlib.suppress(ringlog.RingFull):
                writer.append(bytes(1000))
        with contextlib.closing(semaphore(ring)) as tokens:
            assert tokens.value == 1


@pytest.mark.parametrize("when", ["before", "while it waits"])
def test_who_waits_for_a_stopped_owner_does_not_run_hot_on_tokens(ring: str, spawn: Spawn, when: str) -> None:
    surplus, timeout = 100_000, 0.5
    holder = spawn(SESSION, ring)
    assert holder.line() == "ready"
    stop(holder)
    with contextlib.closing(semaphore(ring)) as tokens, ringlog.Writer(ring, timeout=timeout) as writer:
        if when == "before":
            for _ in range(surplus):
                tokens.release()
            with pytest.raises(ringlog.WriterBusy):
                writer.append(b"")
        else:
            waiter = spawn(
                "w = ringlog.Writer(path, timeout=0.7)\nsay('waits')\ntry:\n    w.append(b'')\n"
                "except ringlog.WriterBusy as error:\n    say('busy')\nw.close()",
                ring,
            )
            assert waiter.line() == "waits"
            for _ in range(surplus):
                tokens.release()
            assert waiter.line() == "busy"
            waiter.finish()
        assert tokens.value > surplus * 0.8  # each token is an attempt
    holder.kill()
    append(ring)
    assert ringlog.info(ring).event_count == 2
