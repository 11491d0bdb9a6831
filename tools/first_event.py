"""A new user's way from the README to the first event, timed: python tools/first_event.py

Takes a copy of this checkout, does there what the README's first command says (an environment of its own, and
the installation, which builds the native core), and runs the README's two programs under "Use it": the reader
first, in a process of its own, then the writer. Prints seconds. Only the ring's path is another one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
MADE = (".git", ".venv*", "build", "dist", "*.so", "__pycache__", "*.egg-info", ".*_cache")
MOST = 600  # seconds for an installation
RING = "/dev/shm/ticks"


def readme_parts() -> tuple[str, list[str]]:
    """The installing part of the first command, and the two programs."""
    readme = (ROOT / "README.md").read_text()
    command = re.search(r"```sh\n(?P<command>.*?)\n```", readme, re.S)
    programs = re.findall(r"```python\n(.*?)```", readme.split("\n## Use it\n")[1], re.S)[:2]
    assert command, "the README begins with no command"
    assert len(programs) == 2, "the README has not two programs under Use it"
    assert all(RING in program for program in programs), f"the README's ring is not {RING} any more"
    return command["command"].rpartition(" && ")[0], programs


def main() -> None:
    install, (writer, reader) = readme_parts()
    with (
        tempfile.TemporaryDirectory(prefix="ringlog-first-") as scratch,
        tempfile.TemporaryDirectory(prefix="ringlog-first-", dir="/dev/shm") as rings,
    ):
        checkout = Path(scratch, "checkout")
        shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*MADE))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        ring = os.path.join(rings, "ticks")

        began = time.monotonic()
        subprocess.run(["bash", "-ec", install], cwd=checkout, env=environment, check=True, timeout=MOST)
        installed = time.monotonic()
        python = str(checkout / ".venv" / "bin" / "python")
        reading = subprocess.Popen(
            [python, "-uc", reader.replace(RING, ring)],
            env=environment,
            cwd=scratch,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            writing = [python, "-c", writer.replace(RING, ring)]
            subprocess.run(writing, env=environment, cwd=scratch, check=True, timeout=60)
            assert reading.stdout is not None
            first = reading.stdout.readline()
            heard = time.monotonic()
            rest = reading.stdout.readlines()  # up to its end
        finally:
            reading.kill()
            reading.wait()
        assert first.strip() == "0 b'price 0'", first
        assert len(rest) == 1001, f"{len(rest)} more events"
        removing = [python, "-c", f"import ringlog; ringlog.unlink({ring!r})"]
        subprocess.run(removing, env=environment, cwd=scratch, check=True)
    print(f"{install}")
    print(f"  installed in {installed - began:.1f} s")
    print(f"  the first event {heard - installed:.2f} s later: {first.strip()}; all 1,002 were read")


if __name__ == "__main__":
    main()
