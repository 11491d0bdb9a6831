"""Does the ringlog that is installed here work? An event goes from one process to another.

Run in the environment in question, from anywhere but a checkout's root: python tools/check_installed.py.
Prints what it found and how long the first event took; ends with a traceback if something is wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

WRITER = """
import ringlog, sys
with ringlog.Writer(sys.argv[1], capacity=1 << 16) as writer:
    writer.append(b"the first event")
    writer.end()
"""


def main() -> None:
    began = time.perf_counter()
    import ringlog
    from ringlog import _core

    imported = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="ringlog-check-") as folder:
        path = os.path.join(folder, "ring")
        environment = dict(os.environ, PYTHONWARNINGS="error")
        writing = subprocess.Popen([sys.executable, "-c", WRITER, path], env=environment)
        try:
            with ringlog.Reader(path, open_timeout=60) as reader:
                events = [event.data for event in reader]
        finally:
            code = writing.wait(60)
        heard = time.perf_counter()
        assert code == 0, f"the writer ended with {code}"
        assert events == [b"the first event"], events
        assert ringlog.verify(path).ok
        ringlog.unlink(path)

    sample = bytes(range(256)) * 33
    for implementation in _core.checksum_implementations():
        assert _core.checksum(sample, implementation) == zlib.crc32(sample), implementation
    package = Path(ringlog.__file__).parent
    for needed in ("py.typed", "_core.pyi", "_native/include/ringlog/reader.h"):
        assert (package / needed).is_file(), f"{needed} is not in the package"
    assert Path(ringlog.get_include(), "ringlog", "layout.h").is_file()
    print(f"ringlog {ringlog.__version__} in {package}, checksums by {_core.checksum_implementations()[0]}")
    first = heard - imported
    print(f"import {imported - began:.3f} s, the first event from another process {first:.3f} s later")


main()
