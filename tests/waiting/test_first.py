"""A reader that was there before its ring."""

from __future__ import annotations

import threading
import time

import ringlog


def test_who_waited_for_the_ring_gets_all_of_it(ring_path: str) -> None:
    """However late it notices that the file is there: "latest" was asked for before there was anything."""
    got: list[bytes] = []

    def read() -> None:
        with ringlog.Reader(ring_path, lossless=True, open_timeout=60) as reader:
            got.extend(event.data for event in reader)

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(0.1)  # it waits by now; if not, it would see the ring made before it, which is no failure
    with ringlog.Writer(ring_path, capacity=1 << 16) as writer:
        writer.append_many([b"%d" % k for k in range(100)])
        writer.end()
    thread.join(60)
    assert got == [b"%d" % k for k in range(100)]


def test_who_did_not_wait_gets_the_next_one(ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=1 << 16) as writer:
        writer.append(b"before")
        with ringlog.Reader(ring_path, open_timeout=60) as reader:
            writer.append(b"after")
            assert reader.read(60).data == b"after"
