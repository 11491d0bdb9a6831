"""Hostile bytes, briefly: the kept corpora, some seconds of hostile files, some of a scribbling process.

`python -m tests.fuzz --seconds N` is the long version, which also fuzzes the headers.
"""

from __future__ import annotations

import secrets
from types import SimpleNamespace

import fuzz_api
import fuzz_native
import pytest
import scribble

SECONDS = 2.0


@pytest.mark.skipif(fuzz_native.compiler() is None, reason="needs a C compiler")
@pytest.mark.parametrize("target", fuzz_native.TARGETS)
def test_the_kept_corpus(target: str) -> None:
    assert fuzz_native.replay(target)


def test_hostile_files() -> None:
    assert fuzz_api.run(SECONDS, secrets.randbits(32))


def test_a_ring_that_is_scribbled_on_while_it_is_used() -> None:
    assert scribble.run(SECONDS, secrets.randbits(32))


@pytest.mark.parametrize("data", [b"x" * 40, scribble.prove(b"something")[:-1], b"\0" * scribble.DIGEST])
def test_an_event_that_nobody_wrote_would_be_noticed(data: bytes) -> None:
    role = scribble.Role("", 0)
    role.accept([SimpleNamespace(sequence=0, data=scribble.prove(b"something"))])
    with pytest.raises(AssertionError):
        role.accept([SimpleNamespace(sequence=1, data=data)])
