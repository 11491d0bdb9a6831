"""What the figures hang on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from ringlog import __version__


def machine() -> dict[str, str | int | float]:
    """Processor, cores that this process may use, kernel, versions, and how busy the machine is."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "ringlog": __version__,
        "load": round(os.getloadavg()[0], 2),
    }


def _processor(cpuinfo: str = "/proc/cpuinfo") -> str:
    try:
        for line in Path(cpuinfo).read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model"):
                return value.strip()
    except OSError:
        pass
    return platform.machine()
