"""The decoder in docs/format.md, which knows struct and zlib only, reads what LogWriter and record wrote."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from log_support import segments

import ringlog

PAGE = Path(__file__).parents[2] / "docs/format.md"


@pytest.mark.once
@pytest.mark.skipif(not PAGE.exists(), reason="the tests are away from the checkout")
def test_the_decoder_of_the_page(log: Path, ring_path: str) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(code.splitlines()) <= 20
    datas = [b"%d" % k * (k % 7) for k in range(500)]
    with ringlog.Writer(ring_path, capacity=65536) as ring:
        for data in datas[:250]:
            ring.append(data)
    ringlog.record(ring_path, log, segment_bytes=3000, stop=lambda: True)
    with ringlog.LogWriter(log, segment_bytes=3000) as writer:
        writer.append_many(datas[250:])
        files = segments(log)
        assert len(files) > 2
        done = subprocess.run(
            [sys.executable, "-c", code, *files], capture_output=True, text=True, check=True
        )
    with ringlog.LogReader(log) as reader:
        assert done.stdout.splitlines() == [f"{event.timestamp} {event.data!r}" for event in reader]
