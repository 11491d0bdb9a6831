"""The recorded process, started by `recorder.py`: scenarios, each in a forked child with a log of its own."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from program import Program, library, mark
from scenarios import SCENARIOS

import ringlog.lock


def record(task: dict[str, Any]) -> None:
    """One scenario, in a process of its own, into one log."""
    assert library.recorder_begin(os.fsencode(task["log"])) == 0
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            folder = os.path.dirname(task["path"])
            os.mkdir(folder)
            if "image" in task:
                shutil.copyfile(task["image"], task["path"])
            if "boot_id" in task:
                boot_id = bytes.fromhex(task["boot_id"])
                ringlog.lock.boot_id = lambda: boot_id
            program = Program(task["path"], task.get("label", 0))
            SCENARIOS[task["scenario"]](program, random.Random(task["seed"]), **task.get("arguments", {}))
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


if __name__ == "__main__":
    for line in sys.stdin:
        record(json.loads(line))
        print("recorded", flush=True)
