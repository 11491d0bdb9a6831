"""From bytes as they arrive to batches that a ring takes."""

from __future__ import annotations

import random

import pytest

from ringlog.cli.errors import Failure
from ringlog.cli.lines import ENTRY, Lines

CAPACITY = 64 << 10
MOST = CAPACITY // 2 - ENTRY


def feed(lines: Lines, *chunks: bytes) -> list[list[bytes]]:
    return [batch for chunk in chunks for batch in lines.feed(chunk)]


def test_a_line_is_out_as_soon_as_its_end_is_in() -> None:
    lines = Lines("input", CAPACITY)
    assert feed(lines, b"a") == []
    assert feed(lines, b"b\n") == [[b"ab"]]
    assert feed(lines, b"\n\nc") == [[b"", b""]]
    assert feed(lines, b"\nd\ne") == [[b"c", b"d"]]
    assert list(lines.finish()) == [[b"e"]]
    assert list(lines.finish()) == []


def test_other_ends() -> None:
    assert feed(Lines("input", CAPACITY, b"\0"), b"a\nb\0c\0") == [[b"a\nb", b"c"]]
    lines = Lines("input", CAPACITY, keep=True)
    assert feed(lines, b"a\r\n\nb") == [[b"a\r\n", b"\n"]]
    assert list(lines.finish()) == [[b"b"]]


@pytest.mark.parametrize("seed", range(20))
def test_any_cutting_gives_the_same_lines(seed: int) -> None:
    dice = random.Random(seed)
    content = [dice.randbytes(dice.choice([0, 1, 100, 5000, MOST])).replace(b"\n", b".") for _ in range(300)]
    whole = b"\n".join(content)
    lines = Lines("input", CAPACITY)
    batches = []
    while whole:
        size = dice.randint(1, 200_000)
        batches += feed(lines, whole[:size])
        whole = whole[size:]
    batches += lines.finish()
    found = [line for batch in batches for line in batch]
    assert found == content or found == content[:-1]  # an empty last line is none
    assert all(batch for batch in batches)
    assert all(sum(ENTRY + len(line) for line in batch) <= CAPACITY // 2 for batch in batches)


def test_a_line_too_large_is_named_after_those_before_it() -> None:
    lines = Lines("words", CAPACITY)
    feed(lines, b"one\n")
    found = lines.feed(b"two\nthree\n" + b"x" * (MOST + 1) + b"\nfive\n")
    assert next(found) == [b"two", b"three"]
    with pytest.raises(Failure, match=f"words: line 4 is too large.* {MOST} bytes"):
        next(found)


def test_a_line_without_an_end_is_too_large_as_soon_as_it_is() -> None:
    lines = Lines("words", CAPACITY)
    assert feed(lines, b"one\n", b"x" * MOST) == [[b"one"]]
    with pytest.raises(Failure, match="line 2"):
        feed(lines, b"x")


def test_the_largest_line_fits() -> None:
    assert feed(Lines("input", CAPACITY), b"x" * MOST, b"\n") == [[b"x" * MOST]]
