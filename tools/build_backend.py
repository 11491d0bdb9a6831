"""setuptools' build backend, with one look before: are a C compiler and Python's headers there?

Without it the first that a user hears is `No such file or directory: 'gcc'` at the end of a page of output.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403  (the hooks that need no compiler, as they are)


def _check_tools() -> None:
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "gcc")[0]
    header = Path(sysconfig.get_path("include")) / "Python.h"
    version = "{}.{}".format(*sys.version_info)
    missing = []
    if shutil.which(compiler) is None:
        missing.append(f"the C compiler {compiler!r} (Debian: apt-get install gcc libc6-dev)")
    if not header.exists():
        missing.append(f"Python's headers, {header} (Debian: apt-get install python{version}-dev)")
    if missing:
        raise SystemExit("ringlog has a native core, and to build it this is missing: " + "; ".join(missing))


def build_wheel(*args: Any, **kwargs: Any) -> str:
    _check_tools()
    name: str = build_meta.build_wheel(*args, **kwargs)
    return name


def build_editable(*args: Any, **kwargs: Any) -> str:
    _check_tools()
    name: str = build_meta.build_editable(*args, **kwargs)
    return name
