"""A loss is told exactly once, also if something else is raised where it would have been."""

from __future__ import annotations

from typing import Any

import pytest

import ringlog


class Interrupted(ringlog.Reader):
    """As if a signal handler ran at the first bytecode of the first `_overrun`."""

    interrupts = 1

    def _overrun(self, first: int, last: int) -> Any:
        if self.interrupts:
            self.interrupts -= 1
            raise KeyboardInterrupt
        return super()._overrun(first, last)


@pytest.mark.parametrize("options", [{}, {"name": "n"}], ids=["lossy", "named"])
@pytest.mark.parametrize("skip", [False, True])
def test_an_interrupted_overrun_is_told_by_the_next_call(ring_path: str, options: dict, skip: bool) -> None:
    with ringlog.Writer(ring_path, capacity=65536, timeout=5) as writer:
        Interrupted(ring_path, start=0, **options).close()  # a name keeps its place at 0
        for _ in range(100):
            writer.append(bytes(1000))
        oldest = ringlog.info(ring_path).tail_count
        on_overrun = "skip" if skip else "raise"
        with Interrupted(ring_path, start=0, on_overrun=on_overrun, **options) as reader:
            with pytest.raises(KeyboardInterrupt):
                reader.poll()
            assert reader.lost == 0
            if not skip:
                with pytest.raises(ringlog.Overrun) as caught:
                    reader.poll()
                assert (caught.value.first, caught.value.last) == (0, oldest - 1)
            assert reader.poll().sequence == oldest
            assert reader.lost == oldest
