"""Where rings can be made that outlive the machine: most temporary folders, but not those in memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import ringlog

CAPACITY = 1 << 16


def disk_folder() -> Path | None:
    """A new, empty folder on a disk; None if there is no disk to be found. RINGLOG_DISK may name a place."""
    for place in (os.environ.get("RINGLOG_DISK"), tempfile.gettempdir(), "/var/tmp", Path.home()):
        if place and keeps(Path(place)):
            folder = tempfile.mkdtemp(prefix="ringlog-test-", dir=place)
            os.chmod(folder, 0o755)
            return Path(folder)
    return None


def keeps(folder: Path) -> bool:
    path = folder / f"ringlog-test-{os.getpid()}"
    try:
        ringlog.Writer(path, capacity=CAPACITY, sync="always").close()
    except OSError:
        return False
    except ValueError:
        ringlog.unlink(path)
        return False
    ringlog.unlink(path)
    return True
