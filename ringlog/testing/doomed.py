"""What runs in the process that `kill_writer_at` starts: the writer, until its point."""

from __future__ import annotations

import importlib
import importlib.util
import runpy
import signal
import sys
from collections.abc import Callable
from typing import Any

import ringlog
from ringlog import _core

LAPS = 4
PASSED = "passed on the way: "


def run(order: dict[str, Any]) -> None:
    """Do what the order says. Comes back only if the point was not passed often enough."""
    if not hasattr(_core, "arm_point"):
        sys.exit(f"the build with points was not found: ringlog came from {ringlog.__file__}")
    core: Any = _core  # with what points_module.c adds
    write = _writer(order)
    core.arm_point(order["point"], signal.SIGKILL, hits=order["hits"])
    before = core.point_hits()
    try:
        write(order["ring"])
    finally:
        core.arm_point(None)
        passed = {name: count - before[name] for name, count in core.point_hits().items()}
        told = ", ".join(f"{name} {count}x" for name, count in passed.items() if count)
        sys.stderr.write(f"{PASSED}{told or 'none'}\n")


def _writer(order: dict[str, Any]) -> Callable[[str], object]:
    if order["kind"] == "code":
        return lambda path: exec(
            compile(order["code"], "<writer>", "exec"), {"path": path, "ringlog": ringlog}
        )
    if order["kind"] == "script":
        return lambda path: _run_script(order["file"], path)
    if order["kind"] == "function":
        return _find(order["module"], order["file"], order["name"])
    return fill


def _run_script(file: str, path: str) -> None:
    sys.argv = [file, path]
    runpy.run_path(file, run_name="__main__")


def _find(module: str, file: str, name: str) -> Callable[[str], object]:
    """By the module's name if that leads to the same file, as it did where the order came from; else by its
    file."""
    found: Any = None
    spec = None
    if module != "__main__":
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            spec = None
    if spec is not None and spec.origin == file:
        found = importlib.import_module(module)
    else:
        spec = importlib.util.spec_from_file_location("__doomed__", file)
        if spec is None or spec.loader is None:
            sys.exit(f"{file} can't be imported")
        found = importlib.util.module_from_spec(spec)
        sys.modules["__doomed__"] = found
        spec.loader.exec_module(found)
    for part in name.split("."):
        found = getattr(found, part)
    function: Callable[[str], object] = found
    return function


def fill(path: str) -> None:
    """The writer that is killed where the test brings none of its own."""
    with ringlog.Writer(path, timeout=20) as writer:
        capacity = ringlog.info(path).capacity
        size = max(16, capacity // 1024)
        for k in range(LAPS * capacity // size):
            writer.append((b"event %d" % k).ljust(size if k % 8 == 7 else 0))
