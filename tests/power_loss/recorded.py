"""The recorded process, started by `recorder.py`: scenarios, each in a forked child with a log of its own."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from log_scenarios import LOG_SCENARIOS, LogProgram
from program import Program, library, mark
from scenarios import SCENARIOS

import ringlog.lock


def record(task: dict[str, Any]) -> None:
    """One scenario, in a process of its own, into one log."""
    of_log = task["scenario"] in LOG_SCENARIOS
    folder = task["path"] if of_log else ""
    assert library.recorder_begin(os.fsencode(task["log"]), os.fsencode(folder)) == 0
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.mkdir(os.path.dirname(task["path"]))
            if "image" in task:
                _begin_with(task["image"], task["path"])
            if "boot_id" in task:
                boot_id = bytes.fromhex(task["boot_id"])
                ringlog.lock.boot_id = lambda: boot_id
            program = (LogProgram if of_log else Program)(task["path"], task.get("label", 0))
            (SCENARIOS | LOG_SCENARIOS)[task["scenario"]](
                program, random.Random(task["seed"]), **task.get("arguments", {})
            )
            mark("over")
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    library.recorder_end()
    if status:
        raise SystemExit(f"{task['scenario']} ended with status {status}")


def _begin_with(image: str, path: str) -> None:
    if not os.path.isdir(image):
        shutil.copyfile(image, path)
        return
    shutil.copytree(image, path)
    for name in sorted(os.listdir(path)):
        library.recorder_found(os.fsencode(f"{path}/{name}"))


if __name__ == "__main__":
    for line in sys.stdin:
        record(json.loads(line))
        print("recorded", flush=True)
